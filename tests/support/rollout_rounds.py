"""Simulated rounds of a rollout: independent requests, a traffic split that follows the steps."""

import math
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from serinus.analysis.cells import Arm, Cell
from serinus.analysis.eprocess import Increment
from serinus.analysis.evidence import after_round, log_harm, log_safe, round_cap
from serinus.analysis.spec import Boundary, Comparison
from serinus.analysis.state import Baseline, Bets, InflationSource, RateState
from serinus.api.verdicts import Counts

DEFAULT_STEPS = ((0, 0.05), (600, 0.25), (1200, 0.50))
"""From this second on the canary has this share of the requests."""

RateAt = Callable[[float], float]
"""Share of bad requests at a second of the rollout."""


@dataclass(frozen=True, slots=True)
class Traffic:
    """What is simulated. Rates are requests a second, times are seconds."""

    requests_per_second: float
    stable: RateAt
    canary: RateAt
    steps: Sequence[tuple[float, float]] = DEFAULT_STEPS
    duration: float = 1800
    interval: float = 15


def always(rate: float) -> RateAt:
    return lambda _: rate


def rounds(traffic: Traffic, rng: random.Random) -> Iterator[tuple[float, Increment]]:
    """End in seconds and counts of each round."""
    for number in range(1, round(traffic.duration / traffic.interval) + 1):
        end = number * traffic.interval
        at = end - traffic.interval
        share = [share for since, share in traffic.steps if since <= at][-1]
        n = traffic.requests_per_second * traffic.interval
        canary, stable = poisson(n * share, rng), poisson(n * (1 - share), rng)
        yield (
            end,
            Increment(
                canary=Counts(binomial(canary, traffic.canary(at), rng), canary),
                stable=Counts(binomial(stable, traffic.stable(at), rng), stable),
            ),
        )


@dataclass(frozen=True, slots=True)
class Ending:
    """How one metric's rollout ended; seconds are None where that wasn't reached."""

    harm_at: float | None
    safe_at: float | None
    canary_requests: int


def run(
    traffic: Traffic,
    comparison: Comparison,
    rng: random.Random,
    *,
    alpha: float = 0.01,
    beta: float = 0.05,
    variance_inflation: float = 1.0,
    prior: tuple[float, float] | None = None,
    until_safe: bool = False,
) -> Ending:
    """One rollout with one metric; a prior is (rate, requests) of stable's hour before."""
    rate, weight = prior or (traffic.stable(0), min(5000, 3600 * traffic.requests_per_second))
    state = new_state(rate, weight, variance_inflation)
    safe_at = None
    for end, increment in rounds(traffic, rng):
        state = grown(state, increment, comparison, alpha=alpha)
        if log_harm(state) >= math.log(1 / alpha):
            return Ending(end, safe_at, state.canary.total)
        if safe_at is None and log_safe(state) >= math.log(1 / beta) and state.canary.total >= 50:
            safe_at = end
            if until_safe:
                break
    return Ending(None, safe_at, state.canary.total)


def new_state(rate: float, weight: float, variance_inflation: float) -> RateState:
    baseline = Baseline(rate, weight, variance_inflation, InflationSource.GIVEN)
    return RateState(watermark_ms=0, baseline=baseline, bets=(Bets(),))


def grown(
    state: RateState, increment: Increment, comparison: Comparison, *, alpha: float
) -> RateState:
    counts = {
        Cell(Arm.CANARY, "canary"): increment.canary,
        Cell(Arm.STABLE, "stable"): increment.stable,
    }
    return after_round(
        state,
        counts,
        end_ms=state.watermark_ms + 1,
        comparisons=(comparison,),
        cap=round_cap(alpha),
    )


def ratio_only(tolerance: float, margin: float = 2.0) -> tuple[Boundary, Boundary]:
    return Boundary(tolerance), Boundary(margin)


def poisson(mean: float, rng: random.Random) -> int:
    """Exact for small means, normal with continuity for large ones."""
    if mean > 50:
        return max(0, round(rng.gauss(mean, math.sqrt(mean))))
    limit, product, count = math.exp(-mean), rng.random(), 0
    while product > limit:
        product *= rng.random()
        count += 1
    return count


def binomial(n: int, p: float, rng: random.Random) -> int:
    """Exact: gaps between successes are geometric; rates above one half are mirrored."""
    if p > 0.5:
        return n - binomial(n, 1 - p, rng)
    if p <= 0:
        return 0
    log_q, successes, position = math.log1p(-p), 0, 0
    while True:
        position += 1 + int(math.log(1 - rng.random()) / log_q)
        if position > n:
            return successes
        successes += 1
