"""How high a rate can be that was counted: a bound that is rarely too low."""

from __future__ import annotations

import math

_HALVINGS = 60


def upper_rate(bad: float, total: int, *, miss: float, inflation: float = 1.0) -> float:
    """The highest rate that `bad` of `total` events still fit.

    Chernoff's bound by relative entropy. It holds for events and for scores between 0 and 1.

    Parameters
    ----------
    miss
        How often the bound may be below the true rate, as a fraction.
    inflation
        How much burstier than independent the events are, at least 1: so much fewer they count.

    Returns
    -------
    float
        1 where nothing was counted.
    """
    if total <= 0:
        return 1.0
    rate = min(1.0, max(0.0, bad / total))
    budget = math.log(1 / miss) * max(1.0, inflation) / total
    low, high = rate, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if _divergence(rate, middle) < budget else (low, middle)
    return high


def _divergence(rate: float, other: float) -> float:
    """Relative entropy of two coins, in nats; `other` lies between `rate` and 1."""
    if other >= 1.0:
        return math.inf if rate < 1.0 else 0.0
    heads = rate * math.log(rate / other) if rate > 0 else 0.0
    tails = (1 - rate) * math.log((1 - rate) / (1 - other)) if rate < 1 else 0.0
    return heads + tails
