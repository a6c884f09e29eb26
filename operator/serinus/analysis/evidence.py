"""One round after another: how a rate metric's state grows.

Everything that a round uses besides its own counts comes from earlier rounds or from before the
rollout. To let a round see itself (in the guess of stable's rate, or in the variance inflation)
would break the error rate that is promised.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import reduce

from serinus.analysis.arithmetic import DECIMALS, log_sum, rounded
from serinus.analysis.cells import PodCounts, Rejected
from serinus.analysis.eprocess import Increment, Side, updated_mixture
from serinus.analysis.inflation import FALLBACK, measured_inflation
from serinus.analysis.spec import AgainstMaximum, AgainstStable, Boundary, Comparison, RateRule
from serinus.analysis.state import Baseline, Bets, InflationSource, RateState
from serinus.analysis.strata import strata
from serinus.api.verdicts import Counts

MAX_BASELINE_REQUESTS = 5000
"""What was before the rollout weighs no more than this many requests."""

# Where nothing is known of stable: a guess that the first round outweighs.
_UNKNOWN_RATE = 0.01
_UNKNOWN_REQUESTS = 1.0


@dataclass(frozen=True, slots=True)
class Boundaries:
    """Where harm begins, and what has to be ruled out before promotion."""

    harm: Boundary
    safe: Boundary


def boundaries(comparison: Comparison) -> Boundaries:
    """The two lines of a comparison; a fixed maximum is both."""
    match comparison:
        case AgainstStable(tolerance=tolerance, margin=margin):
            return Boundaries(harm=tolerance, safe=margin)
        case AgainstMaximum(maximum=maximum):
            line = Boundary(ratio=0.0, increase=maximum)
            return Boundaries(harm=line, safe=line)


def tolerated_rate(rule: RateRule, stable_rate: float) -> float:
    """The absolute rate beyond which a canary is harmful, beside this rate of stable."""
    lines = [boundaries(comparison).harm for comparison in rule.comparisons]
    return min(1.0, *(line.rate(stable_rate) for line in lines))


def accepted_rate(rule: RateRule, stable_rate: float) -> float:
    """The absolute rate below which a canary may be promoted, beside this rate of stable."""
    lines = [boundaries(comparison).safe for comparison in rule.comparisons]
    return min(1.0, *(line.rate(stable_rate) for line in lines))


def baseline(minutes: Sequence[Sequence[Counts]], *, given_inflation: float | None) -> Baseline:
    """Stable before the rollout, from what its pods counted in each minute."""
    total = sum(pod.total for pods in minutes for pod in pods)
    bad = math.fsum(pod.bad for pods in minutes for pod in pods)
    measured = measured_inflation(minutes)
    if given_inflation is not None:
        inflation, source = max(1.0, given_inflation), InflationSource.GIVEN
    elif measured is not None:
        inflation, source = measured, InflationSource.MEASURED
    else:
        inflation, source = FALLBACK, InflationSource.FALLBACK
    return Baseline(
        rate=round(bad / total, DECIMALS) if total else _UNKNOWN_RATE,
        requests=float(min(total, MAX_BASELINE_REQUESTS)) if total else _UNKNOWN_REQUESTS,
        variance_inflation=round(inflation, DECIMALS),
        inflation_source=source,
    )


def stable_rate_guess(state: RateState) -> float:
    """Stable's rate from before the rollout and its past rounds."""
    prior = state.baseline
    bad = state.stable.bad + prior.rate * prior.requests
    return bad / (state.stable.total + prior.requests)


def after_round(
    state: RateState,
    outcome: PodCounts | Rejected,
    *,
    end_ms: int,
    comparisons: Sequence[Comparison | None],
    cap: float,
    counted: Sequence[PodCounts] | None = None,
) -> RateState:
    """The state with one more closed round, which ended at `end_ms`.

    Parameters
    ----------
    comparisons
        The rule's, with None in the place of one that the round doesn't count for.
    cap
        The most log-evidence that the round may add, `round_cap(alpha)`.
    counted
        What each comparison counts of the round; None: each all of it.
    """
    if isinstance(outcome, Rejected):
        rejected_rounds = state.rejected_rounds + 1
        return replace(
            state, watermark_ms=end_ms, rejected=outcome, rejected_rounds=rejected_rounds
        )
    if not any(comparisons):
        return replace(state, watermark_ms=end_ms, rejected=None)
    parts = [strata(part) for part in counted] if counted else [strata(outcome)] * len(comparisons)
    increments = next(part for part, one in zip(parts, comparisons, strict=True) if one)
    guess, inflation = stable_rate_guess(state), state.baseline.variance_inflation
    return replace(
        state,
        watermark_ms=end_ms,
        rejected=None,
        canary=reduce(_sum, [one.canary for one in increments], state.canary),
        stable=reduce(_sum, [one.stable for one in increments], state.stable),
        bets=tuple(
            [
                _after_increments(bets, part, boundaries(comparison), guess, inflation, cap)
                if comparison
                else bets
                for bets, part, comparison in zip(state.bets, parts, comparisons, strict=True)
            ]
        ),
    )


def _after_increments(
    bets: Bets,
    increments: Sequence[Increment],
    lines: Boundaries,
    guess: float,
    inflation: float,
    cap: float,
) -> Bets:
    harm, safe = (
        updated_mixture(
            mixture,
            increments,
            side,
            boundary=line,
            stable_rate_guess=guess,
            variance_inflation=inflation,
            cap=cap,
        )
        for mixture, side, line in (
            (bets.harm, Side.HARM, lines.harm),
            (bets.safe, Side.SAFE, lines.safe),
        )
    )
    return Bets(harm, safe)


def log_harm(state: RateState) -> float:
    """Log-evidence of harm now: the average over the comparisons."""
    return total_log_evidence((1 / len(state.bets), bets.harm.log_evidence) for bets in state.bets)


def highest_log_harm(state: RateState) -> float:
    """Log-evidence of harm at its height, of the comparison that was strongest."""
    return max(bets.harm.max_log_evidence for bets in state.bets) - math.log(len(state.bets))


def log_safe(state: RateState) -> float:
    """Log-evidence of safety at its height, of the comparison that lags."""
    return min(bets.safe.max_log_evidence for bets in state.bets)


def round_cap(alpha: float) -> float:
    """The most log-evidence of one round: half of what a rollback needs, so it takes two."""
    return math.log(1 / alpha) / 2


def alpha_shares(rates: Sequence[RateRule]) -> dict[str, float]:
    """Each gating metric's share of alpha, by name; together at most 1.

    Weights that are given count as they stand (scaled down if their sum is above 1). What they
    leave is shared by the others in equal parts; where some of those are primary, these get half.
    """
    shares = {rule.name: rule.weight for rule in rates if rule.weight is not None}
    given = math.fsum(shares.values())
    shares = {name: weight / max(1.0, given) for name, weight in shares.items()}
    left = max(0.0, 1.0 - given)
    open_rules = [rule for rule in rates if rule.weight is None]
    primary = [rule.name for rule in open_rules if rule.primary]
    others = [rule.name for rule in open_rules if not rule.primary]
    half = left / 2 if primary and others else left
    shares |= {name: half / len(primary) for name in primary}
    shares |= {name: half / len(others) for name in others}
    return shares


def total_log_evidence(logs: Iterable[tuple[float, float]]) -> float:
    """Log of the weighted sum of e-processes, from pairs (share of alpha, log-evidence).

    The average of e-processes is one, however much they depend on each other.
    """
    terms = [math.log(share) + log for share, log in logs if share > 0]
    return round(log_sum(terms), DECIMALS) if terms else 0.0


def _sum(first: Counts, second: Counts) -> Counts:
    return Counts(rounded(first.bad + second.bad), first.total + second.total)
