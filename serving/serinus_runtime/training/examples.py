"""Rows of a snapshot as a model sees them: with a label, divided, encoded by the policies."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from serinus.api.featureset import FeatureSetSpec
from serinus.api.trainingjob import Task, TrainingJobSpec
from serinus_runtime.artifact.native import native_matrix
from serinus_runtime.artifact.signature import InputSpec
from serinus_runtime.features.snapshot import LoadedSnapshot
from serinus_runtime.training.encoded_frame import encoded_frame
from serinus_runtime.training.inputs import chosen_features, input_specs
from serinus_runtime.training.split import SplitRows, split_rows
from serinus_runtime.user_error import ColumnError, LabelError

_CLASSES_MAX = 1000

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class Side:
    """Training or evaluation rows: raw, encoded, and their labels; rejected rows are left out.

    `truth` are positions of classes, or values.
    """

    frame: pl.DataFrame
    matrix: NDArray[Any]
    truth: NDArray[Any]
    rejected: int


@dataclass(frozen=True, slots=True, eq=False)
class Examples:
    """What a model is fitted on and judged by.

    `classes` are the labels in the order of their positions, empty for regression. `late_labels`
    rows were left out, because their label was known after the cutoff.
    """

    inputs: tuple[InputSpec, ...]
    classes: tuple[Any, ...]
    training: Side
    evaluation: Side
    late_labels: int


def examples(snapshot: LoadedSnapshot, spec: TrainingJobSpec) -> Examples:
    """Rows of a snapshot for a TrainingJob.

    Raises
    ------
    UserError
        Label, features or split don't fit the snapshot.
    """
    features = chosen_features(snapshot.spec, spec.features, spec.label)
    frame = _labelled(snapshot, spec)
    rows = _split(frame, snapshot.spec, spec)
    training, evaluation = frame.filter(rows.training), frame.filter(rows.evaluation)
    classes = _classes(training, evaluation, spec)
    inputs = input_specs(features, training)
    return Examples(
        inputs=inputs,
        classes=classes,
        training=_side(training, inputs, spec, classes),
        evaluation=_side(evaluation, inputs, spec, classes),
        late_labels=rows.late_labels,
    )


def _labelled(snapshot: LoadedSnapshot, spec: TrainingJobSpec) -> pl.DataFrame:
    """Rows with a label; raises `LabelError`."""
    names = [label.name for label in snapshot.spec.labels]
    if spec.label not in names:
        known = ", ".join(names) or "none"
        raise LabelError(
            f"label: `{spec.label}` is no label of the FeatureSet; it has {known}. Name one of "
            "them, or add it to the FeatureSet"
        )
    frame = snapshot.frame.filter(pl.col(spec.label).is_not_null())
    if not frame.height:
        raise LabelError(
            f"label: `{spec.label}` is null in all {snapshot.frame.height} rows. Check how the "
            "FeatureSet's transform makes it"
        )
    dtype = frame[spec.label].dtype
    if spec.task is Task.REGRESSION and not dtype.is_numeric():
        raise LabelError(
            f"label: regression predicts numbers, `{spec.label}` is {dtype}. Use "
            "`task: classification`, or another label"
        )
    if spec.task is Task.CLASSIFICATION and (dtype.is_float() or isinstance(dtype, pl.Datetime)):
        raise LabelError(
            f"label: classes are booleans, whole numbers or texts, `{spec.label}` is {dtype}. "
            "Use `task: regression`, or make classes in the transform"
        )
    return frame


def _split(frame: pl.DataFrame, features: FeatureSetSpec, spec: TrainingJobSpec) -> SplitRows:
    label = next(label for label in features.labels if label.name == spec.label)
    rows = split_rows(
        frame,
        spec.split,
        timestamp_field=features.timestamp_field,
        label_known_field=label.timestamp_field,
        seed=spec.seed or 0,
    )
    training, evaluation = rows.counts
    _log.info("rows split", extra={"training": training, "evaluation": evaluation})
    return rows


def _classes(
    training: pl.DataFrame, evaluation: pl.DataFrame, spec: TrainingJobSpec
) -> tuple[Any, ...]:
    """Classes of the training rows, sorted; empty for regression. Raises `LabelError`."""
    if spec.task is Task.REGRESSION:
        return ()
    classes = training[spec.label].unique().sort().to_list()
    if len(classes) == 1:
        raise LabelError(
            f"label: `{spec.label}` has one class in the {training.height} training rows: "
            f"`{str(classes[0]).lower()}`. There is nothing to learn; check label and split"
        )
    if len(classes) > _CLASSES_MAX:
        raise LabelError(
            f"label: `{spec.label}` has {len(classes)} classes, at most {_CLASSES_MAX}. "
            "Use `task: regression`?"
        )
    unseen = evaluation.filter(~pl.col(spec.label).is_in(classes))
    if unseen.height:
        raise LabelError(
            f"label: {unseen.height} evaluation rows have a class that no training row has. "
            "Choose another split"
        )
    return tuple(classes)


def _side(
    frame: pl.DataFrame,
    inputs: Sequence[InputSpec],
    spec: TrainingJobSpec,
    classes: tuple[Any, ...],
) -> Side:
    """Encode rows; those that the policies reject are left out."""
    encoded = encoded_frame(frame, inputs)
    kept = ~encoded.rejected
    rejected = int(encoded.rejected.sum())
    if rejected == frame.height:
        raise ColumnError(f"all {rejected} rows of one side are rejected by the features' policies")
    rows = frame.filter(pl.Series(kept))
    labels = rows[spec.label]
    truth = (
        labels.replace_strict(list(classes), list(range(len(classes))), return_dtype=pl.Int64)
        if classes
        else labels.cast(pl.Float64)
    )
    matrix = np.ascontiguousarray(encoded.matrix[kept])
    return Side(rows, native_matrix(inputs, matrix), truth.to_numpy(), rejected)
