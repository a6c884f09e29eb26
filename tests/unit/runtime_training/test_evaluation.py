"""Figures and gates."""

from typing import Any

import numpy as np
import pytest

from serinus.api.trainingjob import Gate, MetricName, Task
from serinus_runtime.training.evaluation import (
    Answers,
    figures,
    gate_results,
    missed,
    wanted_metrics,
)
from serinus_runtime.user_error import LabelError, TrainerError

TRUTH = np.array([0, 0, 1, 1])
POSITIVE = np.array([0.1, 0.6, 0.35, 0.8])
TWO = Answers(TRUTH, np.stack([1 - POSITIVE, POSITIVE], axis=1), (POSITIVE >= 0.5).astype(int))
THREE = Answers(np.array([0, 1, 2]), np.eye(3) * 0.7 + 0.1, np.array([0, 1, 2]))
VALUES = Answers(
    np.array([1.0, 2.0, 4.0]), np.array([[1.0], [3.0], [4.0]]), np.array([1.0, 3.0, 4.0])
)


@pytest.mark.parametrize(
    ("metric", "value"),
    [
        ("roc_auc", 0.75),
        ("average_precision", 5 / 6),
        ("log_loss", -np.log([0.9, 0.4, 0.35, 0.8]).mean()),
        ("brier", np.mean([0.01, 0.36, 0.4225, 0.04])),
        ("accuracy", 0.5),
        ("error_rate", 0.5),
        ("precision", 0.5),
        ("recall", 0.5),
        ("f1", 0.5),
    ],
)
def test_figures_of_two_classes(metric: str, value: float) -> None:
    name = MetricName(metric)

    assert figures(Task.CLASSIFICATION, [name], TWO)[name] == pytest.approx(value)


def test_figures_of_three_classes() -> None:
    found = figures(
        Task.CLASSIFICATION, [m for m in MetricName if m.value not in ("mae", "rmse", "r2")], THREE
    )

    assert found[MetricName.ROC_AUC] == 1.0
    assert found[MetricName.F1] == 1.0
    assert found[MetricName.BRIER] == pytest.approx((0.2**2 + 2 * 0.1**2) / 2)


def test_figures_of_values() -> None:
    found = figures(Task.REGRESSION, [MetricName.MAE, MetricName.RMSE, MetricName.R2], VALUES)

    assert found[MetricName.MAE] == pytest.approx(1 / 3)
    assert found[MetricName.RMSE] == pytest.approx(np.sqrt(1 / 3))
    assert found[MetricName.R2] == pytest.approx(1 - 1 / (14 / 3))


def test_ranking_rows_of_one_class_means_nothing() -> None:
    answers = Answers(np.zeros(4, dtype=int), TWO.scores, TWO.decided)

    with pytest.raises(LabelError, match="4 evaluation rows hold 1 of 2 classes"):
        figures(Task.CLASSIFICATION, [MetricName.ROC_AUC], answers)


def gate(metric: str, **limits: str) -> Gate:
    return Gate.model_validate({"metric": metric, **limits})


def test_metrics_of_gates_are_computed_too() -> None:
    wanted = wanted_metrics(Task.CLASSIFICATION, [MetricName.F1], [gate("roc_auc", min="0.5")])

    assert wanted == (MetricName.F1, MetricName.ROC_AUC)


def test_a_metric_of_the_other_task_is_told_with_those_that_fit() -> None:
    with pytest.raises(TrainerError, match=r"`mae` isn't for classification\. Use one of roc_auc"):
        wanted_metrics(Task.CLASSIFICATION, [MetricName.MAE], [])


@pytest.mark.parametrize(
    ("limits", "value", "passed"),
    [
        ({"min": "0.6"}, 0.6, True),
        ({"min": "0.6"}, 0.599999999, False),
        ({"max": "0.6"}, 0.6, True),
        ({"max": "0.6"}, 0.7, False),
        ({"min": "0.5", "max": "0.7"}, 0.6, True),
        ({"min": "0.5"}, float("nan"), False),
    ],
)
def test_a_gate(limits: dict[str, Any], value: float, passed: bool) -> None:
    results = gate_results([gate("f1", **limits)], {MetricName.F1: value})

    assert results[0].passed is passed
    assert bool(missed(results)) is not passed


def test_a_missed_gate_tells_figure_and_limit() -> None:
    results = gate_results([gate("f1", min="0.6")], {MetricName.F1: 0.5})

    assert missed(results) == "f1 is 0.5, the gate asks for min 0.6"
