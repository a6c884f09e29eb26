"""Labels that come later: each is judged against its prediction and counted once.

A label belongs to the cohort of its answer's issue time and to the revision that answered. It
counts when it arrives or when the answer is as old as `maturity_seconds`, whichever is later, so
that labels that come sooner for one outcome don't mislead. Where its cohort is no longer among
those kept it is late and only counted as such. Time is passed in; nothing here waits.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from serinus_runtime.artifact.encoding import shown
from serinus_runtime.artifact.manifest import ClassLabel
from serinus_runtime.artifact.model import TWO_CLASSES, Model
from serinus_runtime.server.errors import BadRequest, Overloaded
from serinus_runtime.server.feedback_memory import FeedbackMemory, MemoryFullError, SeenRows
from serinus_runtime.server.metrics import COHORTS_KEPT, Metrics
from serinus_runtime.server.prediction_id import Prediction

LABELS_PENDING = 200_000
_MS = 1000


@dataclass(frozen=True, slots=True, order=True)
class Judged:
    """A label with its verdict, waiting for its time. `loss` is a share of the worst loss.

    `positive` says whether the label is the second of two classes; None where there are more.
    """

    due_at_ms: int
    cohort: int
    revision: str
    right: bool
    loss: float | None
    positive: bool | None = field(default=None, compare=False)


@dataclass(slots=True)
class Receipt:
    """What became of the labels of one request."""

    counted: int = 0
    pending: int = 0
    repeated: int = 0
    late: int = 0


@dataclass(slots=True)
class FeedbackLedger:
    """Counts labels into `metrics`. What it keeps is bounded: rows seen, and labels that wait."""

    metrics: Metrics
    memory: FeedbackMemory
    cohort_length_seconds: int
    maturity_seconds: float
    _pending: list[Judged] = field(default_factory=list)

    def count(
        self, prediction: Prediction, judged: Sequence[Judged | None], now_ms: int
    ) -> Receipt:
        """Count the rows' labels; None is a row whose label isn't known yet.

        Raises `Overloaded` where no more can be remembered; then none of them was counted.
        """
        self.settle(now_ms)
        labels = [(row, label) for row, label in enumerate(judged) if label is not None]
        cohort = self.cohort(prediction.issued_at_ms)
        if cohort < self.oldest_cohort(now_ms):
            return self._late(prediction.revision, len(labels))
        seen = self._rows_seen(cohort, prediction.unique, len(labels))
        receipt = Receipt()
        for row, label in labels:
            if not seen.first_time(row):
                receipt.repeated += 1
            elif label.due_at_ms > now_ms:
                receipt.pending += 1
                heapq.heappush(self._pending, label)
            else:
                receipt.counted += 1
                self._add(label)
        self.metrics.repeated += receipt.repeated
        return receipt

    def settle(self, now_ms: int) -> None:
        """Count what is due, forget cohorts that are no longer kept."""
        while self._pending and self._pending[0].due_at_ms <= now_ms:
            self._add(heapq.heappop(self._pending))
        self.metrics.forget_cohorts_before(self.oldest_cohort(now_ms))
        self.memory.forget_before(self.oldest_cohort(now_ms))

    def cohort(self, at_ms: int) -> int:
        """Cohort of an issue time, in seconds since 1970."""
        length = self.cohort_length_seconds
        return at_ms // _MS // length * length

    def oldest_cohort(self, now_ms: int) -> int:
        """The oldest cohort that is kept."""
        return self.cohort(now_ms) - (COHORTS_KEPT - 1) * self.cohort_length_seconds

    def due_at_ms(self, issued_at_ms: int) -> int:
        """When a label of an answer counts at the earliest."""
        return issued_at_ms + round(self.maturity_seconds * _MS)

    def _late(self, revision: str, count: int) -> Receipt:
        late = self.metrics.late
        late[revision] = late.get(revision, 0) + count
        return Receipt(late=count)

    def _rows_seen(self, cohort: int, unique: bytes, count: int) -> SeenRows:
        """The prediction's rows, if so many labels more can be kept."""
        if len(self._pending) + count <= LABELS_PENDING:
            try:
                return self.memory.rows_of(cohort, unique)
            except MemoryFullError:
                pass
        self.metrics.refused += count
        raise Overloaded(
            "no more labels can be kept until a cohort is closed; send them later",
            self.cohort_length_seconds,
        )

    def _add(self, label: Judged) -> None:
        cells = self.metrics.cohort_cells(label.revision, label.cohort)
        if label.right:
            cells.right += 1
        else:
            cells.wrong += 1
        if label.loss is not None:
            cells.loss += label.loss
        if label.positive is not None:
            cells.count_of_two(positive=label.positive, right=label.right)


def judged_labels(
    prediction: Prediction, labels: Sequence[Any], model: Model, ledger: FeedbackLedger
) -> list[Judged | None]:
    """Verdicts of `labels`, one for each row; raises `BadRequest` naming what doesn't fit."""
    if prediction.probabilities is None or prediction.decided is None:
        raise BadRequest(
            "`id`: this prediction can't be judged by its id: it has more than 16 rows, more than "
            "32 classes, or is a regression"
        )
    if len(labels) != prediction.rows:
        raise BadRequest(
            f"`labels`: expected {prediction.rows}, one for each row of the prediction, "
            f"got {len(labels)}"
        )
    positions = [
        None if label is None else _position(label, model.classes, f"labels[{row}]")
        for row, label in enumerate(labels)
    ]
    return [
        None if position is None else _judged(prediction, row, position, model, ledger)
        for row, position in enumerate(positions)
    ]


def _judged(
    prediction: Prediction, row: int, position: int, model: Model, ledger: FeedbackLedger
) -> Judged:
    assert prediction.probabilities is not None
    assert prediction.decided is not None
    return Judged(
        due_at_ms=ledger.due_at_ms(prediction.issued_at_ms),
        cohort=ledger.cohort(prediction.issued_at_ms),
        revision=prediction.revision,
        right=int(prediction.decided[row]) == position,
        loss=brier_share(prediction.probabilities[row], position),
        positive=position == 1 if len(model.classes) == TWO_CLASSES else None,
    )


def brier_share(probabilities: np.ndarray[Any, np.dtype[np.float64]], position: int) -> float:
    """Brier score of one row as a share of the worst, in [0, 1].

    Half the squared distance between the probabilities (n_classes,) and the label's indicator;
    for two classes that is (p - y)^2 (Brier, 1950).
    """
    if position >= len(probabilities):
        return 1.0
    distance = probabilities.copy()
    distance[position] -= 1.0
    return float(min(1.0, 0.5 * float(distance @ distance)))


def _position(label: Any, classes: Sequence[ClassLabel], where: str) -> int:
    """Position of a label among the classes; 0 and 1 stand for false and true."""
    for position, known in enumerate(classes):
        same_kind = isinstance(label, bool) == isinstance(known, bool)
        stands_for_truth = isinstance(known, bool) and type(label) in (int, float)
        if label == known and (same_kind or stands_for_truth):
            return position
    expected = ", ".join(shown(known) for known in classes[:8])
    raise BadRequest(f"`{where}`: expected one of {expected}, got {shown(label)}")
