"""Monte-Carlo of one metric over whole rollouts: the rates and delays that the rule is held to.

Seeds are fixed. Where a true rate r is asserted from n runs, the bound leaves at least three
standard errors, so it fails when the rule changes and not by another seed.
"""

import math
import random
import time
from collections.abc import Sequence

import pytest

from serinus.analysis.evidence import log_harm
from serinus.analysis.spec import DEFAULT_COMPARISON, AgainstMaximum, AgainstStable, Boundary
from serinus.api.enums import MetricTemplate
from tests.support.rollout_rounds import (
    Ending,
    RateAt,
    Traffic,
    always,
    grown,
    new_state,
    rounds,
    run,
)

DEFAULT = DEFAULT_COMPARISON[MetricTemplate.ERROR_RATE]
RATIO = AgainstStable(Boundary(1.25), Boundary(2.0))
NO_TOLERANCE = AgainstStable(Boundary(1.0), Boundary(2.0))


def endings(
    runs: int, traffic: Traffic, comparison: AgainstStable | AgainstMaximum, **more: float
) -> list[Ending]:
    rng = random.Random(20131001)
    return [run(traffic, comparison, rng, **more) for _ in range(runs)]  # type: ignore[arg-type]


def rolled_back(found: Sequence[Ending]) -> float:
    return sum(ending.harm_at is not None for ending in found) / len(found)


def quantile(found: Sequence[Ending], share: float) -> float:
    times = sorted(math.inf if one.harm_at is None else one.harm_at for one in found)
    return times[int(share * (len(times) - 1))]


def outage(rate: float, *, start: float = 650, seconds: float = 180) -> RateAt:
    return lambda at: 0.5 if start <= at < start + seconds else rate


@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    ("runs", "traffic", "comparison"),
    [
        (500, Traffic(50, always(0.01), always(0.01)), DEFAULT),
        (1000, Traffic(5, always(0.01), always(0.01)), NO_TOLERANCE),
        (400, Traffic(50, always(0.01), always(0.0125)), RATIO),
        (300, Traffic(5, outage(0.01), outage(0.01)), NO_TOLERANCE),
        (300, Traffic(50, always(0.02), always(0.02)), AgainstMaximum(0.02)),
    ],
    ids=[
        "the same version",
        "the same version, no tolerance",
        "a version exactly at the tolerance",
        "an outage that hits both, while the split changes",
        "a version exactly at the maximum",
    ],
)
def test_a_healthy_version_is_rolled_back_in_at_most_one_of_a_hundred_rollouts(
    runs: int, traffic: Traffic, comparison: AgainstStable | AgainstMaximum
) -> None:
    # The bound holds for ever; within half an hour less than half of it is used.
    assert rolled_back(endings(runs, traffic, comparison)) <= 0.01


@pytest.mark.parametrize(
    ("traffic", "median", "ninety_fifth"),
    [
        (Traffic(5, always(0.001), always(1.0)), 45, 60),
        (Traffic(50, always(0.001), always(1.0)), 45, 45),
        (Traffic(50, always(0.01), always(0.05)), 120, 240),
    ],
    ids=["dead at 5 requests/s", "dead at 50 requests/s", "five times the errors"],
)
def test_seconds_to_rollback(traffic: Traffic, median: float, ninety_fifth: float) -> None:
    found = endings(300, traffic, DEFAULT)

    assert rolled_back(found) == 1
    assert quantile(found, 0.5) <= median
    assert quantile(found, 0.95) <= ninety_fifth


def test_twice_the_errors_are_found() -> None:
    found = endings(100, Traffic(50, always(0.01), always(0.02)), RATIO)

    assert rolled_back(found) >= 0.98


def test_a_version_at_the_margin_is_promoted_in_at_most_one_of_twenty_rollouts() -> None:
    found = endings(200, Traffic(5, always(0.01), always(0.02)), RATIO)
    promoted = [one for one in found if one.safe_at is not None and one.harm_at is None]

    assert len(promoted) / len(found) <= 0.05


def test_an_equal_version_is_promoted() -> None:
    found = endings(100, Traffic(50, always(0.01), always(0.01)), DEFAULT)

    assert sum(one.safe_at is not None for one in found) / len(found) >= 0.99


def test_bursts_are_held_by_inflation_and_cap() -> None:
    rng, false_alarms, runs = random.Random(5), 0, 100
    for _ in range(runs):
        state = new_state(0.01, 5000, 9)
        calm = Traffic(10, always(0.01), always(0.01))  # in clusters of five: 50 requests/s
        for _, increment in rounds(calm, rng):
            clusters = type(increment)(
                *(_clustered(arm) for arm in (increment.canary, increment.stable))
            )
            state = grown(state, clusters, NO_TOLERANCE, alpha=0.01)
            if log_harm(state) >= math.log(100):
                false_alarms += 1
                break

    assert false_alarms <= 4  # 97 of 100 without


def _clustered(counts):  # type: ignore[no-untyped-def]
    return type(counts)(bad=counts.bad * 5, total=counts.total * 5)


def test_a_round_costs_less_than_a_millisecond() -> None:
    state = new_state(0.01, 5000, 1)
    increments = [
        one for _, one in rounds(Traffic(50, always(0.01), always(0.01)), random.Random(1))
    ]
    began = time.process_time()
    for increment in increments:
        state = grown(state, increment, DEFAULT, alpha=0.01)

    assert (time.process_time() - began) / len(increments) < 0.001
