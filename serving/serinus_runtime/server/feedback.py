"""Labels that come later: each is judged against its prediction and counted once.

A label belongs to the cohort of its answer's issue time and to the revision that answered. It
counts when it arrives or when the answer is as old as `maturity_seconds`, whichever is later, so
that labels that come sooner for one outcome don't mislead. Where its cohort is no longer among
those kept it is late and only counted as such. Time is passed in; nothing here waits.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeAlias

from serinus.api.label_scores import COHORTS_KEPT
from serinus_runtime.artifact.encoding import shown
from serinus_runtime.artifact.manifest import ClassLabel
from serinus_runtime.artifact.model import TWO_CLASSES, Model
from serinus_runtime.server.errors import BadRequest, NotJudgedHere, Overloaded
from serinus_runtime.server.feedback_memory import FeedbackMemory, MemoryFullError, SeenRows
from serinus_runtime.server.metrics import Metrics
from serinus_runtime.server.prediction_id import Prediction, classes_tag

LABELS_PENDING = 200_000
_MS = 1000


@dataclass(frozen=True, slots=True, order=True)
class Judged:
    """A label with its verdict, waiting for its time.

    `losses` are those of the scores in force, in their order, each a share of its worst.
    `positive` says whether the label is the second of two classes; None where there aren't two.
    `exposed` is that of its prediction.
    """

    due_at_ms: int
    cohort: int
    revision: str
    right: bool
    losses: tuple[float, ...]
    positive: bool | None = field(default=None, compare=False)
    exposed: bool = field(default=False, compare=False)


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
        cells = self.metrics.cohort_cells(label.revision, label.cohort, exposed=label.exposed)
        if label.right:
            cells.right += 1
        else:
            cells.wrong += 1
        for score, loss in zip(self.metrics.label_rules.scores, label.losses, strict=True):
            cells.losses[score] += loss
        if label.positive is not None:
            cells.count_of_two(positive=label.positive, right=label.right)


def judged_labels(
    prediction: Prediction, labels: Sequence[Any], model: Model, ledger: FeedbackLedger
) -> list[Judged | None]:
    """Verdicts of `labels`, one for each row; raises `BadRequest` naming what doesn't fit."""
    judge = _judge_of(prediction, model, ledger)
    if len(labels) != prediction.rows:
        raise BadRequest(
            f"`labels`: expected {prediction.rows}, one for each row of the prediction, "
            f"got {len(labels)}"
        )
    return [
        None if label is None else judge(row, label, f"labels[{row}]")
        for row, label in enumerate(labels)
    ]


_Judge: TypeAlias = Callable[[int, Any, str], Judged]
"""The verdict of a row's label, which stands there in the request."""


def _judge_of(prediction: Prediction, model: Model, ledger: FeedbackLedger) -> _Judge:
    """What judges the prediction's labels; raises `BadRequest` where nothing can.

    `NotJudgedHere` where a pod with another model may.
    """
    if prediction.values is None and prediction.probabilities is None:
        raise BadRequest(
            "`id`: this prediction can't be judged by its id: it has more than 16 rows, or more "
            "than 32 classes"
        )
    if (prediction.values is None) != model.is_classification:
        raise NotJudgedHere(
            "`id`: this prediction can't be judged here: its revision predicted something else, "
            f"and this pod's model is for {model.manifest.task}"
        )
    if prediction.classes_tag != classes_tag(model.classes):
        raise NotJudgedHere(
            "`id`: this prediction can't be judged here: its revision decided among other classes "
            "than this pod's model, and no pod of it is left"
        )
    if prediction.values is None:
        return partial(_judged_class, prediction, model, ledger)
    if ledger.metrics.label_rules.wrong_beyond is None:
        raise BadRequest(
            "`labels`: those of a regression are judged only where its Deployment says how far "
            "from its label an answer is wrong; set `server.feedback.wrongBeyond`"
        )
    return partial(_judged_value, prediction, ledger)


def _judged_class(
    prediction: Prediction, model: Model, ledger: FeedbackLedger, row: int, label: Any, where: str
) -> Judged:
    assert prediction.probabilities is not None
    assert prediction.decided is not None
    position = _position(label, model.classes, where)
    rules = ledger.metrics.label_rules
    return Judged(
        due_at_ms=ledger.due_at_ms(prediction.issued_at_ms),
        cohort=ledger.cohort(prediction.issued_at_ms),
        revision=prediction.revision,
        right=int(prediction.decided[row]) == position,
        losses=rules.losses_of_classes(prediction.probabilities[row], position),
        positive=position == 1 if len(model.classes) == TWO_CLASSES else None,
        exposed=prediction.exposed,
    )


def _judged_value(
    prediction: Prediction, ledger: FeedbackLedger, row: int, label: Any, where: str
) -> Judged:
    assert prediction.values is not None
    answer, so = float(prediction.values[row]), _finite(label, where)
    rules = ledger.metrics.label_rules
    return Judged(
        due_at_ms=ledger.due_at_ms(prediction.issued_at_ms),
        cohort=ledger.cohort(prediction.issued_at_ms),
        revision=prediction.revision,
        right=rules.is_right(answer, so),
        losses=rules.losses_of_value(answer, so),
        exposed=prediction.exposed,
    )


def _finite(label: Any, where: str) -> float:
    """The number that a label of a regression is."""
    if type(label) in (int, float) and math.isfinite(number := float(label)):
        return number
    raise BadRequest(f"`{where}`: expected a finite number, got {shown(label)}")


def _position(label: Any, classes: Sequence[ClassLabel], where: str) -> int:
    """Position of a label among the classes; 0 and 1 stand for false and true."""
    for position, known in enumerate(classes):
        same_kind = isinstance(label, bool) == isinstance(known, bool)
        stands_for_truth = isinstance(known, bool) and type(label) in (int, float)
        if label == known and (same_kind or stands_for_truth):
            return position
    expected = ", ".join(shown(known) for known in classes[:8])
    raise BadRequest(f"`{where}`: expected one of {expected}, got {shown(label)}")
