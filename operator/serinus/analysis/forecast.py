"""How many more requests it takes: told to people who wait, never used in a decision."""

from __future__ import annotations

import math

from serinus.analysis.eprocess import SAFE_ODDS, Increment, Mixture, Side, log_e_value
from serinus.analysis.evidence import boundaries, stable_rate_guess
from serinus.analysis.spec import Boundary, RateRule
from serinus.analysis.state import RateState
from serinus.api.verdicts import Counts

# The canary's rate is pulled towards stable's by this many requests, else its first few decide.
_PULL_REQUESTS = 20
_SCALE = 1_000_000


def requests_needed(
    rule: RateRule, state: RateState, *, beta: float, min_samples: int
) -> int | None:
    """Canary requests until safety is shown, if rates and traffic split stay as they are.

    0 when it is shown; None when the canary had no request yet, or when it never would be.
    """
    missing = max(0, min_samples - state.canary.total)
    if state.canary.total == 0:
        return None
    waits = [
        _wait(bets.safe, boundaries(comparison).safe, state, needed=math.log(1 / beta))
        for bets, comparison in zip(state.bets, rule.comparisons, strict=True)
    ]
    longest = max(waits)
    return None if math.isinf(longest) else max(missing, math.ceil(longest))


def _wait(safe: Mixture, line: Boundary, state: RateState, *, needed: float) -> float:
    """Canary requests until this comparison shows safety."""
    if safe.max_log_evidence >= needed:
        return 0.0
    waits = [
        (needed - wealth) / gain
        for wealth, gain in zip(safe.log_wealths, _gains_per_request(line, state), strict=True)
        if gain > 0
    ]
    return min(waits, default=math.inf)


def _gains_per_request(line: Boundary, state: RateState) -> list[float]:
    """Expected log-evidence of one more canary request, for each alternative."""
    stable_rate = stable_rate_guess(state)
    pulled = state.canary.bad + _PULL_REQUESTS * stable_rate
    canary_rate = min(1.0, pulled / (state.canary.total + _PULL_REQUESTS))
    stable_total = round(_SCALE * state.stable.total / state.canary.total)
    expected = Increment(
        canary=Counts(canary_rate * _SCALE, _SCALE),
        stable=Counts(min(1.0, stable_rate) * stable_total, stable_total),
    )
    return [
        log_e_value(expected, line, Side.SAFE, odds=odds, stable_rate_guess=stable_rate)
        / (_SCALE * state.baseline.variance_inflation)
        for odds in SAFE_ODDS
    ]
