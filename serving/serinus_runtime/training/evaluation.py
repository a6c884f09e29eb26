"""Figures of a model on the evaluation rows, and the gates that they have to pass."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn import metrics as sklearn_metrics

from serinus.api.quantities import parse_decimal
from serinus.api.trainingjob import Gate, GateResult, MetricName, Task
from serinus_runtime.artifact.model import TWO_CLASSES
from serinus_runtime.user_error import LabelError, TrainerError

FloatArray = NDArray[np.float64]
DEFAULT_METRICS = {
    Task.CLASSIFICATION: (MetricName.ROC_AUC, MetricName.LOG_LOSS, MetricName.BRIER),
    Task.REGRESSION: (MetricName.MAE, MetricName.RMSE, MetricName.R2),
}
_FIGURE_DIGITS = 6


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """What was true and what the model said, row by row.

    For classes `truth` and `decided` (n_rows,) are positions of classes and `scores`
    (n_rows, n_classes) their probabilities; for values all three are values, `scores` (n_rows, 1).
    """

    truth: NDArray[Any]
    scores: FloatArray
    decided: NDArray[Any]

    @property
    def classes(self) -> int:
        """Number of classes."""
        return int(self.scores.shape[1])

    @property
    def positive(self) -> FloatArray:
        """Probability of the second class."""
        return self.scores[:, 1]

    @property
    def average(self) -> str:
        """How figures of single classes become one: of the second class, or the plain mean."""
        return "binary" if self.classes == TWO_CLASSES else "macro"

    @property
    def hot(self) -> FloatArray:
        """Truth as a 1 in the column of its class."""
        hot: FloatArray = np.eye(self.classes)[self.truth]
        return hot


def _roc_auc(answers: Answers) -> float:
    if answers.classes == TWO_CLASSES:
        return float(sklearn_metrics.roc_auc_score(answers.truth, answers.positive))
    labels = list(range(answers.classes))
    return float(
        sklearn_metrics.roc_auc_score(
            answers.truth, answers.scores, multi_class="ovr", average="macro", labels=labels
        )
    )


def _average_precision(answers: Answers) -> float:
    if answers.classes == TWO_CLASSES:
        return float(sklearn_metrics.average_precision_score(answers.truth, answers.positive))
    return float(sklearn_metrics.average_precision_score(answers.hot, answers.scores))


def _brier(answers: Answers) -> float:
    """Mean squared distance of the probabilities from the truth, 0 to 1: halved for the sum."""
    return float(((answers.scores - answers.hot) ** 2).sum(axis=1).mean() / 2.0)


def _log_loss(answers: Answers) -> float:
    return float(
        sklearn_metrics.log_loss(answers.truth, answers.scores, labels=list(range(answers.classes)))
    )


def _of_decisions(name: str) -> Callable[[Answers], float]:
    scorer = getattr(sklearn_metrics, name)

    def score(answers: Answers) -> float:
        return float(
            scorer(answers.truth, answers.decided, average=answers.average, zero_division=0.0)
        )

    return score


CLASSIFICATION: dict[MetricName, Callable[[Answers], float]] = {
    MetricName.ROC_AUC: _roc_auc,
    MetricName.AVERAGE_PRECISION: _average_precision,
    MetricName.LOG_LOSS: _log_loss,
    MetricName.BRIER: _brier,
    MetricName.ACCURACY: lambda a: float((a.truth == a.decided).mean()),
    MetricName.ERROR_RATE: lambda a: float((a.truth != a.decided).mean()),
    MetricName.PRECISION: _of_decisions("precision_score"),
    MetricName.RECALL: _of_decisions("recall_score"),
    MetricName.F1: _of_decisions("f1_score"),
}
REGRESSION: dict[MetricName, Callable[[Answers], float]] = {
    MetricName.MAE: lambda a: float(np.abs(a.truth - a.decided).mean()),
    MetricName.RMSE: lambda a: float(np.sqrt(((a.truth - a.decided) ** 2).mean())),
    MetricName.R2: lambda a: float(sklearn_metrics.r2_score(a.truth, a.decided)),
}
METRICS = {Task.CLASSIFICATION: CLASSIFICATION, Task.REGRESSION: REGRESSION}
_RANKING = (MetricName.ROC_AUC, MetricName.AVERAGE_PRECISION)


def wanted_metrics(
    task: Task, asked: Sequence[MetricName], gates: Sequence[Gate]
) -> tuple[MetricName, ...]:
    """Metrics to compute: those asked for, else the usual ones, and those of the gates.

    Raises
    ------
    TrainerError
        A metric isn't for this task; the text lists those that are.
    """
    wanted = dict.fromkeys([*(asked or DEFAULT_METRICS[task]), *(gate.metric for gate in gates)])
    for metric in wanted:
        if metric not in METRICS[task]:
            known = ", ".join(name.value for name in METRICS[task])
            raise TrainerError(
                f"evaluation: metric `{metric.value}` isn't for {task.value}. Use one of {known}"
            )
    return tuple(wanted)


def figures(task: Task, wanted: Sequence[MetricName], answers: Answers) -> dict[MetricName, float]:
    """The metrics' values; raises `LabelError` where the rows don't allow one."""
    if task is Task.CLASSIFICATION and any(metric in _RANKING for metric in wanted):
        present = len(np.unique(answers.truth))
        if present < answers.classes:
            raise LabelError(
                f"label: the {len(answers.truth)} evaluation rows hold {present} of "
                f"{answers.classes} classes, so roc_auc means nothing. Choose another split"
            )
    return {metric: METRICS[task][metric](answers) for metric in wanted}


def shown(value: float) -> str:
    """A figure as text."""
    return f"{value:.{_FIGURE_DIGITS}g}"


def gate_results(
    gates: Sequence[Gate], values: Mapping[MetricName, float]
) -> tuple[GateResult, ...]:
    """What came of each gate; not-a-number passes none."""
    return tuple(
        GateResult(
            metric=gate.metric.value,
            value=shown(values[gate.metric]),
            min=gate.min,
            max=gate.max,
            passed=_passes(gate, values[gate.metric]),
        )
        for gate in gates
    )


def _passes(gate: Gate, value: float) -> bool:
    above = gate.min is None or value >= parse_decimal(gate.min)
    below = gate.max is None or value <= parse_decimal(gate.max)
    return above and below and not np.isnan(value)


def missed(results: Sequence[GateResult]) -> str:
    """Which gates were missed and by what, for a person; empty if none."""
    told = []
    for gate in results:
        if not gate.passed:
            limits = [f"min {gate.min}"] * (gate.min is not None)
            limits += [f"max {gate.max}"] * (gate.max is not None)
            told.append(f"{gate.metric} is {gate.value}, the gate asks for {' and '.join(limits)}")
    return "; ".join(told)
