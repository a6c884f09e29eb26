"""The decision threshold."""

from typing import Any

import numpy as np
import pytest

from serinus.api.trainingjob import DecisionRule
from serinus_runtime.training.threshold import decision_threshold
from serinus_runtime.user_error import TrainerError

TRUTH = np.array([0, 0, 1, 0, 1, 1])
POSITIVE = np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.9])


def chosen(rule: dict[str, Any] | None, classes: int = 2) -> float | None:
    parsed = DecisionRule.model_validate(rule) if rule else None
    return decision_threshold(parsed, classes, TRUTH, POSITIVE)


@pytest.mark.parametrize(
    ("rule", "threshold"),
    [
        (None, 0.5),
        ({"threshold": "0.25"}, 0.25),
        ({"optimize": "f1"}, 0.3),
        ({"optimize": "cost", "falseNegativeCost": "1", "falsePositiveCost": "10"}, 0.5),
        ({"optimize": "cost", "falseNegativeCost": "10", "falsePositiveCost": "1"}, 0.3),
        ({"optimize": "cost", "falseNegativeCost": "0", "falsePositiveCost": "1"}, 0.9),
    ],
)
def test_the_threshold_of_a_rule(rule: dict[str, Any] | None, threshold: float) -> None:
    assert chosen(rule) == threshold


def test_many_classes_have_no_threshold() -> None:
    assert chosen(None, classes=3) is None
    with pytest.raises(TrainerError, match="for two classes, the label has 3"):
        chosen({"threshold": "0.5"}, classes=3)


def test_costs_are_needed() -> None:
    with pytest.raises(TrainerError, match="needs `falseNegativeCost`"):
        chosen({"optimize": "cost"})
