"""How bursty stable's errors are, between its pods within a minute."""

import random

import pytest

from serinus.analysis.counters import counter_series
from serinus.analysis.inflation import measured_inflation, stable_minutes
from serinus.analysis.samples import RangeVector
from serinus.api.verdicts import Counts
from tests.support.canary_world import CANARY, CONTEXT, STABLE, START, errors
from tests.support.rollout_rounds import binomial

MINUTES = 60


def minutes_with_bursts(burst: int, pods: int = 4) -> list[list[Counts]]:
    """Clusters of `burst` errors, 1 % of 600 requests a minute and pod."""
    rng = random.Random(1)
    return [
        [Counts(burst * binomial(600 // burst, 0.01, rng), 600) for _ in range(pods)]
        for _ in range(MINUTES * 5)
    ]


@pytest.mark.parametrize(("burst", "expected"), [(1, 1), (2, 2), (5, 5), (10, 10)])
def test_clusters_of_errors_inflate_the_variance_by_their_size(burst: int, expected: float) -> None:
    assert measured_inflation(minutes_with_bursts(burst)) == pytest.approx(expected, rel=0.15)


@pytest.mark.slow
def test_the_time_of_day_and_incidents_of_all_pods_cancel() -> None:
    rng = random.Random(2)
    rates = [0.01 if minute % 60 < 50 else 0.5 for minute in range(300)]
    minutes = [[Counts(binomial(600, rate, rng), 600) for _ in range(4)] for rate in rates]

    assert measured_inflation(minutes) == pytest.approx(1, abs=0.15)


@pytest.mark.parametrize(
    "minutes",
    [
        [],
        [[Counts(1, 100), Counts(0, 100)]] * 29,
        [[Counts(1, 100)]] * 60,
        [[Counts(0, 100), Counts(0, 100)]] * 60,
        [[Counts(100, 100), Counts(100, 100)]] * 60,
    ],
    ids=["nothing", "29 minutes", "one pod", "no errors", "errors only"],
)
def test_where_nothing_can_be_measured(minutes: list[list[Counts]]) -> None:
    assert measured_inflation(minutes) is None


def test_it_is_never_below_one() -> None:
    assert measured_inflation([[Counts(5, 100), Counts(5, 100)]] * 60) == 1


def test_minutes_of_stable_alone_and_of_whole_minutes_alone() -> None:
    def counter(pod: str, revision: str) -> RangeVector:
        name = {"__name__": "serinus_requests_total", "code": "500"}
        samples = tuple((START - 180 + at, float(at)) for at in range(0, 170, 10))
        return RangeVector(name | {"pod": pod, "revision": revision}, samples)

    vectors = [counter("s-1", STABLE), counter("s-2", STABLE), counter("c-1", CANARY)]
    series = counter_series(vectors, errors(), CONTEXT, first_cohort_seconds=0)

    minutes = stable_minutes(series, from_ms=(START - 180) * 1000, until_ms=(START - 30) * 1000)

    assert minutes == ((Counts(60, 60),) * 2,) * 2
