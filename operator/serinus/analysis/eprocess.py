r"""The anytime-valid test: evidence from rounds that may be looked at after every one of them.

For one round with `n` events and `x` bad ones in canary (c) and stable (s), any guess `g` of
stable's rate from *earlier* rounds, `q = ratio * g + increase`, a bet `lam` and
`mu = lam * ratio * n_c / n_s`, the e-value

    e = (1 + lam (1-q))^x_c (1 - lam q)^(n_c-x_c) (1 - mu (1-g))^x_s (1 + mu g)^(n_s-x_s)

has expectation at most 1 if the canary's rate is on the claimed side of the line
`ratio * stable rate + increase`, whatever stable's rate is: with d = p_s - g its log-expectation
is at most n_c log(1 + lam ratio d) + n_s log(1 - mu d), concave in d with value and slope 0 at 0.
A wrong guess costs power only. The product over rounds is a supermartingale, so it ever exceeds
1/alpha with probability at most alpha (Ville), and mixtures of it do the same. `lam > 0` collects
evidence that the canary is beyond the line (harm), `lam < 0` that it is below (safe). `ratio = 0`
compares with a fixed maximum and leaves stable out. Scores in [0, 1] may stand in for `x`: e is
convex in each observation.

References
----------
.. [1] J. Ville (1939), Etude critique de la notion de collectif.
.. [2] R. Turner, A. Ly, P. Grunwald, arXiv:2106.02693, e-variables for a linear null.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from serinus.analysis.arithmetic import log_add, log_sum, rounded
from serinus.analysis.spec import Boundary
from serinus.api.verdicts import Counts

HARM_ODDS = (1.5, 2.0, 3.0, 5.0, 10.0, 40.0, 400.0)
"""Alternatives that harm is bet on: odds of a bad event, as multiples of the line's odds."""
SAFE_ODDS = (1.25, 1.5, 2.0, 3.0, 6.0, 30.0)
"""Alternatives that safety is bet on: the line's odds divided by these."""

LATE_RESERVE = 0.2
"""Share of the harm bet that is kept for faults that begin late."""
LATE_HAZARD = 0.05
"""Share of the reserve that is bet in each round."""

LOWEST_LOG, HIGHEST_LOG = -9999.0, 9999.0
"""Logs of wealth are kept between these, so that a state has a largest size. What the lower bound
gives away adds e^-9999 to the expectation of a round: nothing. The upper one only takes."""

_SMALLEST_RATE = 1e-9
_LARGEST_RATE = 1 - _SMALLEST_RATE
_LARGEST_LOSS = 0.999  # of the wealth, on stable's side of one event: factors stay above 0


class Side(Enum):
    """On which side of the line the bet is."""

    HARM = 1
    SAFE = -1


@dataclass(frozen=True, slots=True)
class Increment:
    """What one round counted."""

    canary: Counts
    stable: Counts


@dataclass(frozen=True, slots=True)
class Mixture:
    """Evidence of one side: a mixture of bets, in logs.

    Attributes
    ----------
    log_wealths
        One for each alternative, its share of the stake included.
    reserve
        Share of the stake that isn't bet yet.
    log_evidence, max_log_evidence
        Log of the e-process now, and the highest it has been.
    """

    log_wealths: tuple[float, ...]
    reserve: float
    log_evidence: float = 0.0
    max_log_evidence: float = 0.0


def new_mixture(side: Side) -> Mixture:
    """The stake before the first round: evidence 1, log 0."""
    reserve = LATE_RESERVE if side is Side.HARM else 0.0
    odds = _odds(side)
    share = rounded(math.log((1 - reserve) / len(odds)))
    return Mixture(log_wealths=(share,) * len(odds), reserve=reserve)


def updated_mixture(
    mixture: Mixture,
    increments: Sequence[Increment],
    side: Side,
    *,
    boundary: Boundary,
    stable_rate_guess: float,
    variance_inflation: float,
    cap: float,
) -> Mixture:
    """The mixture after one more round.

    Parameters
    ----------
    increments
        What the round counted, each compared for itself: their e-values are multiplied.
    stable_rate_guess
        From earlier rounds only.
    variance_inflation
        At least 1; log-evidence is divided by it.
    cap
        The most log-evidence that one round may add: a single burst never decides.
    """
    gains_of_increments = [
        log_e_values(one, boundary, side, odds=_odds(side), stable_rate_guess=stable_rate_guess)
        for one in increments
    ]
    gains = gains_of_increments[0]
    if len(increments) > 1:
        gains = [math.fsum(gains) for gains in zip(*gains_of_increments, strict=True)]
    released = mixture.reserve * LATE_HAZARD
    wealths = []
    for wealth, gain in zip(_with_stake(mixture.log_wealths, released), gains, strict=True):
        added = gain / variance_inflation
        grown = wealth + (added if added < cap else cap)
        if not LOWEST_LOG <= grown <= HIGHEST_LOG:
            grown = min(HIGHEST_LOG, max(LOWEST_LOG, grown))
        wealths.append(rounded(grown))
    reserve = rounded(mixture.reserve - released)
    evidence = rounded(log_sum((*wealths, math.log(reserve)) if reserve > 0 else wealths))
    return Mixture(tuple(wealths), reserve, evidence, max(mixture.max_log_evidence, evidence))


def _with_stake(log_wealths: Sequence[float], released: float) -> Sequence[float]:
    """The wealths after their shares of what the reserve released."""
    if released <= 0:
        return log_wealths
    stake = math.log(released / len(log_wealths))
    return [log_add(wealth, stake) for wealth in log_wealths]


def log_e_value(
    increment: Increment,
    boundary: Boundary,
    side: Side,
    *,
    odds: float,
    stable_rate_guess: float,
) -> float:
    """Log of one round's e-value for one alternative; 0 where the round can't tell.

    Sums over rounds; exceeds log(1/alpha) with probability at most alpha if the canary is not
    beyond `boundary` on this side, at any stopping time.
    """
    (log_e,) = log_e_values(
        increment, boundary, side, odds=(odds,), stable_rate_guess=stable_rate_guess
    )
    return log_e


def log_e_values(
    increment: Increment,
    boundary: Boundary,
    side: Side,
    *,
    odds: Sequence[float],
    stable_rate_guess: float,
) -> list[float]:
    """`log_e_value` of several alternatives; what they have in common is computed once."""
    if increment.canary.total == 0 or (boundary.ratio > 0 and increment.stable.total == 0):
        return [0.0] * len(odds)
    factors = odds if side is Side.HARM else [1 / one for one in odds]
    line = _rate(boundary.rate(stable_rate_guess))
    rest, multiples = 1 - line, [line * factor for factor in factors]
    alternatives = [multiple / (rest + multiple) for multiple in multiples]
    if boundary.ratio > 0:
        return _against_stable(increment, boundary, side, alternatives, stable_rate_guess)
    return _against_maximum(increment.canary, boundary, side, alternatives)


def _against_maximum(
    canary: Counts, boundary: Boundary, side: Side, alternatives: Sequence[float]
) -> list[float]:
    q = _rate(boundary.increase)
    bets = [(alternative - q) / (q * (1 - q)) for alternative in alternatives]
    return [
        canary.bad * math.log1p(bet * (1 - q)) + (canary.total - canary.bad) * math.log1p(-bet * q)
        if side.value * bet > 0
        else 0.0
        for bet in bets
    ]


def _against_stable(
    increment: Increment,
    boundary: Boundary,
    side: Side,
    alternatives: Sequence[float],
    past_rate: float,
) -> list[float]:
    """The inner loop of the analysis: without calls that it can spare, and terms that are 0."""
    n_c, x_c = increment.canary.total, increment.canary.bad
    n_s, x_s = increment.stable.total, increment.stable.bad
    ratio, increase, harm = boundary.ratio, boundary.increase, side is Side.HARM
    # Any guess is valid if q lies exactly on the line, so the guess is cut where q reaches 1.
    highest = min(_LARGEST_RATE, (_LARGEST_RATE - increase) / ratio)
    past, weight, log1p = n_s * past_rate, ratio * n_c + n_s, math.log1p
    logs = []
    for alternative in alternatives:
        guess = (n_c * (alternative - increase) + past) / weight
        if guess < _SMALLEST_RATE:
            guess = _SMALLEST_RATE
        if guess > highest:
            guess = highest
        q = ratio * guess + increase
        if not _SMALLEST_RATE <= q <= _LARGEST_RATE:
            q = _rate(q)
        bet = (alternative - q) / (q * (1 - q))
        if guess <= 0 or (bet <= 0 if harm else bet >= 0):
            logs.append(0.0)
            continue
        hedge = bet * ratio * n_c / n_s
        worst = hedge * (1 - guess) if harm else -hedge * guess
        if worst > _LARGEST_LOSS:
            scale = worst / _LARGEST_LOSS
            bet, hedge = bet / scale, hedge / scale
        log_e = (n_c - x_c) * log1p(-bet * q)
        if x_c:
            log_e = x_c * log1p(bet * (1 - q)) + log_e
        of_stable = (n_s - x_s) * log1p(hedge * guess)
        if x_s:
            of_stable = x_s * log1p(-hedge * (1 - guess)) + of_stable
        logs.append(log_e + of_stable)
    return logs


def _odds(side: Side) -> tuple[float, ...]:
    return HARM_ODDS if side is Side.HARM else SAFE_ODDS


def _rate(value: float) -> float:
    return min(max(value, _SMALLEST_RATE), _LARGEST_RATE)
