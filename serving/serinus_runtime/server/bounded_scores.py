"""Scores of one prediction against its label, each as a share of its worst: in [0, 1], 0 is exact.

A share is of a bound that is fixed beforehand: what is worse counts as the worst. So it is a
fractional bad event, and sums of it are judged like counts of errors.

References
----------
Brier (1950), Verification of forecasts expressed in terms of probability, Monthly Weather Review
78(1). Good (1952), Rational decisions, Journal of the Royal Statistical Society B 14(1). Koenker,
Bassett (1978), Regression quantiles, Econometrica 46(1). Gneiting, Raftery (2007), Strictly proper
scoring rules, prediction, and estimation, Journal of the American Statistical Association 102(477).
"""

from __future__ import annotations

import math

from serinus_runtime.artifact.forest import FloatArray


def brier_share(probabilities: FloatArray, position: int) -> float:
    """Brier score of one row.

    Half the squared distance between the probabilities (n_classes,) and the label's indicator;
    for two classes that is (p - y)^2 (Brier, 1950).
    """
    if position >= len(probabilities):
        return 1.0
    distance = probabilities.copy()
    distance[position] -= 1.0
    return float(min(1.0, 0.5 * float(distance @ distance)))


def log_loss_share(probabilities: FloatArray, position: int, *, bound: float) -> float:
    """Logarithmic score -ln p of the label's probability (Good, 1952)."""
    probability = float(probabilities[position]) if position < len(probabilities) else 0.0
    if not probability > 0.0:
        return 1.0
    return _share(max(0.0, -math.log(probability)), bound)


def absolute_error_share(answer: float, label: float, *, bound: float) -> float:
    """|y - answer|, which is least on average where the answer is the median."""
    return _share(abs(label - answer), bound)


def squared_error_share(answer: float, label: float, *, bound: float) -> float:
    """(y - answer)^2, which is least on average where the answer is the mean."""
    error = label - answer
    return _share(error * error, bound)


def pinball_share(answer: float, label: float, *, quantile: float, bound: float) -> float:
    """Loss that is least on average where the answer is that quantile (Koenker, Bassett, 1978)."""
    error = label - answer
    return _share(max(quantile * error, (quantile - 1.0) * error), bound)


def _share(loss: float, bound: float) -> float:
    """A loss that isn't below the bound is the worst; so is what isn't a number."""
    return loss / bound if loss < bound else 1.0
