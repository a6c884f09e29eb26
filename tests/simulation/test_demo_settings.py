"""The flights demo's four metrics, with the models' measured error rates and Brier scores.

300 requests a second, rounds of 2 s, steps 20 % and 50 % of at least 6 s each, labels a second
after the flight lands. What a viewer may expect is asserted with room for a slower machine.
"""

import math
import random
from dataclasses import dataclass

import pytest

from serinus.analysis.eprocess import Increment
from serinus.analysis.evidence import log_harm, log_safe, total_log_evidence
from serinus.analysis.spec import AgainstStable, Boundary
from serinus.api.verdicts import Counts
from tests.support.rollout_rounds import binomial, grown, new_state, poisson

ALPHA, BETA, INFLATION = 0.01, 0.05, 1.5
INTERVAL, RUNS, UNTIL = 2.0, 60, 40.0


@dataclass(frozen=True)
class Metric:
    share: float
    comparison: AgainstStable


METRICS = {
    "errors": Metric(0.1, AgainstStable(Boundary(1.25, 0.001), Boundary(2, 0.01))),
    "slow": Metric(0.1, AgainstStable(Boundary(1.25, 0.01), Boundary(2, 0.02))),
    "wrong": Metric(0.4, AgainstStable(Boundary(1, 0.02), Boundary(1, 0.05))),
    "brier": Metric(0.4, AgainstStable(Boundary(1, 0.01), Boundary(1, 0.04))),
}


@dataclass(frozen=True)
class Version:
    """Share of wrong predictions and mean Brier score on the last quarter's flights."""

    wrong: float
    brier: float
    errors: float = 0.0
    slow: float = 0.0

    def count(self, metric: str, total: int, rng: random.Random) -> Counts:
        rate = getattr(self, metric)
        if metric != "brier":
            return Counts(binomial(total, rate, rng), total)
        # A squared error is close to 1 for the confidently wrong and small for the rest.
        high = binomial(total, rate, rng)
        return Counts(round(0.8 * high + 0.2 * rate * total, 6), total)


V1 = Version(wrong=0.244, brier=0.176)
V2 = Version(wrong=0.198, brier=0.145)
REFIT = Version(wrong=0.197, brier=0.145)
HOURS_FOR_MINUTES = Version(wrong=0.319, brier=0.202)
LEAKING_WINDOW = Version(wrong=0.275, brier=0.221)
LABEL_TURNED_ROUND = Version(wrong=0.802, brier=0.561)
FAILING = Version(wrong=0.198, brier=0.145, errors=0.1)
SLOW = Version(wrong=0.198, brier=0.145, slow=0.5)


def decided(canary: Version, stable: Version, rng: random.Random) -> tuple[str, float]:
    """The decision and its second."""
    states = {name: new_state(getattr(stable, name), 5000, INFLATION) for name in METRICS}
    at = 0.0
    while at < UNTIL:
        at += INTERVAL
        weight = 0.2 if at <= 6 else 0.5
        for name, metric in METRICS.items():
            requests = 300 * INTERVAL * (0.5 if name in ("wrong", "brier") and at <= 4 else 1)
            n_c, n_s = poisson(requests * weight, rng), poisson(requests * (1 - weight), rng)
            increment = Increment(canary.count(name, n_c, rng), stable.count(name, n_s, rng))
            states[name] = grown(states[name], increment, metric.comparison, alpha=ALPHA)
        total = total_log_evidence(
            (METRICS[name].share, log_harm(state)) for name, state in states.items()
        )
        if total >= math.log(1 / ALPHA):
            return "rolled back", at
        safe = all(log_safe(state) >= math.log(1 / BETA) for state in states.values())
        if safe and at >= 12:
            return "promoted", at
    return "undecided", at


@pytest.mark.parametrize(
    ("canary", "stable", "decision", "share", "median"),
    [
        (V2, V1, "promoted", 0.98, 16),
        (REFIT, V2, "promoted", 0.9, 24),
        (HOURS_FOR_MINUTES, V2, "rolled back", 0.98, 14),
        (LEAKING_WINDOW, V2, "rolled back", 0.98, 22),
        (LABEL_TURNED_ROUND, V2, "rolled back", 1, 8),
        (FAILING, V2, "rolled back", 1, 12),
        (SLOW, V2, "rolled back", 1, 10),
    ],
    ids=[
        "a better version is promoted",
        "an equal version is promoted",
        "hours for minutes is rolled back",
        "a window that saw the future is rolled back",
        "a label turned round is rolled back",
        "every tenth request fails: rolled back",
        "every second request is slow: rolled back",
    ],
)
def test_what_a_scene_ends_with(
    canary: Version, stable: Version, decision: str, share: float, median: float
) -> None:
    rng = random.Random(20131001)
    ends = [decided(canary, stable, rng) for _ in range(RUNS)]
    times = sorted(at for what, at in ends if what == decision)

    assert len(times) / RUNS >= share, ends
    assert times[len(times) // 2] <= median
