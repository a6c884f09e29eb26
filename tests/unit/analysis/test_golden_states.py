"""States as they were written before: whatever makes the rule faster may not change one bit of it.

A running rollout is continued by the next release from the state that the last one wrote, so a
change here changes decisions that are under way. `hack/test unit --accept` only after thought.
"""

import json
import random
from collections.abc import Callable, Iterator
from dataclasses import replace

from serinus.analysis.cells import Arm, Cell, PodCounts
from serinus.analysis.eprocess import Increment
from serinus.analysis.evidence import after_round, round_cap
from serinus.analysis.spec import (
    DEFAULT_COMPARISON,
    AgainstMaximum,
    AgainstStable,
    Boundary,
    Comparison,
)
from serinus.analysis.state import Bets, RateState, encode_state
from serinus.api.enums import MetricTemplate
from serinus.api.verdicts import Counts
from tests.support.rollout_rounds import Traffic, always, new_state, rounds

REQUESTS = DEFAULT_COMPARISON[MetricTemplate.ERROR_RATE]
LABELS = DEFAULT_COMPARISON[MetricTemplate.WRONG_PREDICTIONS]
NO_TOLERANCE = AgainstStable(Boundary(1.0), Boundary(2.0))
STEEP = AgainstStable(Boundary(3.0, 0.2), Boundary(4.0, 0.3))  # its line leaves 0..1
SHOWN_EVERY = 10


def history(
    rps: float, stable: float, canary: float, *, duration: float = 900
) -> Iterator[Increment]:
    traffic = Traffic(rps, always(stable), always(canary), duration=duration)
    return (increment for _, increment in rounds(traffic, random.Random(20131001)))


def losses(rps: float, stable: float, canary: float) -> Iterator[Increment]:
    """Fractional: a score stands in for a bad answer."""
    for number, one in enumerate(history(rps, stable, canary)):
        extra = (number % 8) / 8
        yield Increment(
            *(replace(arm, bad=min(arm.total, arm.bad + extra)) for arm in (one.canary, one.stable))
        )


def odd_rounds() -> Iterator[Increment]:
    """What traffic seldom brings: nothing, all bad, one arm alone, large numbers."""
    for canary, stable in (
        ((0, 0), (0, 0)),
        ((0, 0), (3, 100)),
        ((5, 5), (0, 0)),
        ((0, 10**6), (0, 10**7)),
        ((1000, 1000), (100_000, 100_000)),
        ((0, 1), (1, 1)),
        ((1, 1), (0, 1)),
        ((10**6, 10**6), (0, 10**6)),
        ((0, 10**6), (10**6, 10**6)),
    ):
        yield Increment(Counts(*map(float, canary[:1]), canary[1]), Counts(stable[0], stable[1]))


Case = tuple[str, RateState, tuple[Comparison, ...], float, Callable[[], Iterator[Increment]]]
CASES: list[Case] = [
    ("equal", new_state(0.01, 5000, 1), (REQUESTS,), 0.01, lambda: history(50, 0.01, 0.01)),
    ("worse", new_state(0.01, 5000, 1.07), (REQUESTS,), 0.01, lambda: history(50, 0.01, 0.03)),
    ("better", new_state(0.05, 5000, 2), (NO_TOLERANCE,), 0.05, lambda: history(5, 0.05, 0.01)),
    ("dead", new_state(0.001, 900, 1), (REQUESTS,), 0.01, lambda: history(5, 0.001, 1.0)),
    ("flawless", new_state(0.0, 5000, 2), (REQUESTS,), 0.01, lambda: history(20, 0.0, 0.0)),
    ("quiet", new_state(0.01, 1, 2), (NO_TOLERANCE,), 0.01, lambda: history(0.5, 0.1, 0.1)),
    ("hopeless", new_state(0.9, 5000, 1), (STEEP,), 0.01, lambda: history(20, 0.9, 1.0)),
    ("labels", new_state(0.2, 5000, 1.3), (LABELS,), 0.01, lambda: losses(5, 0.2, 0.25)),
    ("odd", new_state(0.01, 1, 1), (REQUESTS,), 0.01, odd_rounds),
    ("odd, steep", new_state(0.5, 1, 1), (STEEP,), 0.01, odd_rounds),
    (
        "two comparisons",
        replace(new_state(0.02, 5000, 9), bets=(Bets(), Bets())),
        (REQUESTS, AgainstMaximum(0.05)),
        0.001,
        lambda: history(50, 0.02, 0.06),
    ),
    (
        "one of two counts",
        replace(new_state(0.02, 5000, 1), bets=(Bets(), Bets())),
        (AgainstMaximum(0.05), REQUESTS),
        0.01,
        lambda: history(50, 0.02, 0.06, duration=300),
    ),
]


def counted(one: Increment) -> PodCounts:
    return {Cell(Arm.CANARY, "c"): one.canary, Cell(Arm.STABLE, "s"): one.stable}


def states(
    state: RateState, comparisons: tuple[Comparison, ...], alpha: float, of: Iterator[Increment]
) -> Iterator[str]:
    for number, increment in enumerate(of, start=1):
        warm = number > 3 or len(comparisons) == 1
        counting = comparisons if warm else (comparisons[0], None)
        state = after_round(
            state, counted(increment), end_ms=number, comparisons=counting, cap=round_cap(alpha)
        )
        if number % SHOWN_EVERY == 0 or number < SHOWN_EVERY:
            yield encode_state(state)


def test_each_round_leads_to_the_state_that_it_always_led_to(
    golden: Callable[[str, str], None],
) -> None:
    written = {
        name: list(states(state, comparisons, alpha, of()))
        for name, state, comparisons, alpha, of in CASES
    }

    golden("analysis/states.json", json.dumps(written, indent=1) + "\n")
