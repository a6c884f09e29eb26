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

DECIMALS = 9
"""State is rounded to this after each round, so that a stored state continues bit for bit."""

_SMALLEST_RATE = 1e-9
_LARGEST_LOSS = 0.999  # of the wealth, on stable's side of one event: factors stay above 0
_NOTHING = -1e9  # log of zero that survives JSON


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
    share = round(math.log((1 - reserve) / len(odds)), DECIMALS)
    return Mixture(log_wealths=(share,) * len(odds), reserve=reserve)


def updated_mixture(
    mixture: Mixture,
    increment: Increment,
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
    stable_rate_guess
        From earlier rounds only.
    variance_inflation
        At least 1; log-evidence is divided by it.
    cap
        The most log-evidence that one round may add: a single burst never decides.
    """
    released = mixture.reserve * LATE_HAZARD
    stake = math.log(released / len(mixture.log_wealths)) if released > 0 else _NOTHING
    wealths = []
    for wealth, odds in zip(mixture.log_wealths, _odds(side), strict=True):
        gain = log_e_value(
            increment, boundary, side, odds=odds, stable_rate_guess=stable_rate_guess
        )
        wealths.append(
            round(_log_add(wealth, stake) + min(cap, gain / variance_inflation), DECIMALS)
        )
    reserve = round(mixture.reserve - released, DECIMALS)
    in_reserve = math.log(reserve) if reserve > 0 else _NOTHING
    evidence = round(log_sum((*wealths, in_reserve)), DECIMALS)
    return Mixture(
        log_wealths=tuple(wealths),
        reserve=reserve,
        log_evidence=evidence,
        max_log_evidence=max(mixture.max_log_evidence, evidence),
    )


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
    n_c, x_c = increment.canary.total, increment.canary.bad
    n_s, x_s = increment.stable.total, increment.stable.bad
    ratio = boundary.ratio
    if n_c == 0 or (ratio > 0 and n_s == 0):
        return 0.0
    line = _rate(boundary.rate(stable_rate_guess))
    factor = odds if side is Side.HARM else 1 / odds
    alternative = line * factor / (1 - line + line * factor)
    guess = 0.0
    if ratio > 0:
        # Any guess is valid if q lies exactly on the line, so the guess is cut where q reaches 1.
        highest = (1 - _SMALLEST_RATE - boundary.increase) / ratio
        guess = min(
            _rate(
                (n_c * (alternative - boundary.increase) + n_s * stable_rate_guess)
                / (ratio * n_c + n_s)
            ),
            highest,
        )
        if guess <= 0:
            return 0.0
    q = _rate(boundary.rate(guess))
    bet = (alternative - q) / (q * (1 - q))
    if side.value * bet <= 0:
        return 0.0
    hedge = bet * ratio * n_c / n_s if ratio > 0 else 0.0
    worst = hedge * (1 - guess) if side is Side.HARM else -hedge * guess
    scale = max(1.0, worst / _LARGEST_LOSS)
    bet, hedge = bet / scale, hedge / scale
    log_e = x_c * math.log1p(bet * (1 - q)) + (n_c - x_c) * math.log1p(-bet * q)
    if ratio > 0:
        log_e += x_s * math.log1p(-hedge * (1 - guess)) + (n_s - x_s) * math.log1p(hedge * guess)
    return log_e


def log_sum(logs: Sequence[float]) -> float:
    """Log of the sum of exponentials; `logs` is not empty."""
    highest = max(logs)
    return highest + math.log(math.fsum(math.exp(log - highest) for log in logs))


def _log_add(first: float, second: float) -> float:
    high, low = max(first, second), min(first, second)
    return high + math.log1p(math.exp(low - high))


def _odds(side: Side) -> tuple[float, ...]:
    return HARM_ODDS if side is Side.HARM else SAFE_ODDS


def _rate(value: float) -> float:
    return min(max(value, _SMALLEST_RATE), 1 - _SMALLEST_RATE)
