"""The decision threshold: from which probability on the answer is the second of two classes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from serinus.api.quantities import parse_decimal
from serinus.api.trainingjob import DecisionRule, ThresholdObjective
from serinus_runtime.artifact.model import TWO_CLASSES
from serinus_runtime.user_error import TrainerError

FloatArray = NDArray[np.float64]
DEFAULT_THRESHOLD = 0.5


def decision_threshold(
    rule: DecisionRule | None, classes: int, truth: NDArray[np.intp], positive: FloatArray
) -> float | None:
    """Threshold by `rule`, chosen on the training rows; None unless there are two classes.

    `truth` (n_rows,) are positions of classes, `positive` (n_rows,) the probability of the second.
    """
    if classes != TWO_CLASSES:
        if rule is not None:
            raise TrainerError(f"decision: a threshold is for two classes, the label has {classes}")
        return None
    if rule is None:
        return DEFAULT_THRESHOLD
    if rule.threshold is not None:
        return parse_decimal(rule.threshold)
    match rule.optimize:
        case ThresholdObjective.F1:
            return best_f1_threshold(truth, positive)
        case ThresholdObjective.COST:
            if rule.false_negative_cost is None or rule.false_positive_cost is None:
                raise TrainerError(
                    "decision: `optimize: cost` needs `falseNegativeCost` and `falsePositiveCost`"
                )
            return least_cost_threshold(
                truth,
                positive,
                false_negative_cost=parse_decimal(rule.false_negative_cost),
                false_positive_cost=parse_decimal(rule.false_positive_cost),
            )
        case None:
            raise TrainerError("decision: set `threshold` or `optimize`")


def best_f1_threshold(truth: NDArray[np.intp], positive: FloatArray) -> float:
    """Threshold with the best f1 of the second class; the highest of equals."""
    thresholds, hits, alarms = _cumulated(truth, positive)
    f1 = 2.0 * hits / (alarms + truth.sum())
    return float(thresholds[int(f1.argmax())])


def least_cost_threshold(
    truth: NDArray[np.intp],
    positive: FloatArray,
    *,
    false_negative_cost: float,
    false_positive_cost: float,
) -> float:
    """Threshold with the least total cost; the highest of equals, 1 where never is cheapest."""
    thresholds, hits, alarms = _cumulated(truth, positive)
    costs = false_negative_cost * (truth.sum() - hits) + false_positive_cost * (alarms - hits)
    best = int(costs.argmin())
    never = false_negative_cost * float(truth.sum())
    return 1.0 if never < costs[best] else float(thresholds[best])


def _cumulated(
    truth: NDArray[np.intp], positive: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Each different probability, falling; hits and alarms if it is the threshold."""
    order = np.argsort(-positive, kind="stable")
    ordered = positive[order]
    last_of_value = np.append(ordered[1:] != ordered[:-1], True)
    hits = np.cumsum(truth[order])[last_of_value].astype(np.float64)
    alarms = (np.flatnonzero(last_of_value) + 1).astype(np.float64)
    return ordered[last_of_value], hits, alarms
