"""A TrainingJob's run, from a pinned snapshot to a package and its figures.

load by digest -> label -> split -> inputs from the training rows -> encode by the policies -> fit
-> threshold -> figures and gates -> package. A missed gate rejects the version, but it is packaged
all the same, so that the record is complete.
"""

from __future__ import annotations

import logging
import platform
import time
import warnings as python_warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
import sklearn
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.pipeline import Pipeline

import serinus
from serinus.api.enums import Outcome, Reason
from serinus.api.featureset import FeatureSetSpec
from serinus.api.job_contract import TrainingRunInput, TrainingRunResult
from serinus.api.trainingjob import (
    Evaluation,
    GateResult,
    MetricName,
    SklearnTrainer,
    Task,
    TrainingJobSpec,
)
from serinus_runtime.artifact import manifest
from serinus_runtime.artifact.api_signature import api_signature
from serinus_runtime.artifact.errors import ArtifactError
from serinus_runtime.artifact.model import decided, plain
from serinus_runtime.artifact.native import native_matrix
from serinus_runtime.artifact.packaging import Packaged, TrainedModel, package
from serinus_runtime.artifact.signature import InputSpec
from serinus_runtime.features.snapshot import LoadedSnapshot, load_snapshot
from serinus_runtime.store import Store
from serinus_runtime.training.encoded_frame import EncodedFrame, encoded_frame
from serinus_runtime.training.estimators import make_estimator
from serinus_runtime.training.evaluation import (
    Answers,
    FloatArray,
    figures,
    gate_results,
    missed,
    shown,
    wanted_metrics,
)
from serinus_runtime.training.inputs import chosen_features, input_specs
from serinus_runtime.training.missingness import missingness_warnings
from serinus_runtime.training.pipeline import make_pipeline
from serinus_runtime.training.split import SplitRows, split_rows
from serinus_runtime.training.threshold import decision_threshold
from serinus_runtime.user_error import ColumnError, LabelError, TrainerError

SAMPLE_ROWS = 20_000
"""Evaluation rows that go into the package, spread evenly over all of them."""
WARNINGS_MAX = 10
_WARNING_CHARACTERS = 256
_CLASSES_MAX = 1000

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class _Side:
    """Training or evaluation rows: raw, encoded, and their labels; rejected rows are left out.

    `truth` are positions of classes, or values.
    """

    frame: pl.DataFrame
    matrix: NDArray[Any]
    truth: NDArray[Any]
    rejected: int


@dataclass(frozen=True, slots=True, eq=False)
class _Fitted:
    pipeline: Pipeline
    threshold: float | None
    stop_reason: str
    warnings: tuple[str, ...]


def train(run: TrainingRunInput, store: Store) -> TrainingRunResult:
    """Run a TrainingJob once.

    Raises
    ------
    UserError
        Spec or data have to change before this can work.
    OSError, MemoryError
        It may work when tried again.
    """
    spec = run.spec
    trainer = spec.trainer.sklearn
    if trainer is None:
        raise TrainerError("trainer: set `sklearn`")
    asked = spec.evaluation or Evaluation()
    wanted = wanted_metrics(spec.task, asked.metrics, asked.gates)
    seed = spec.seed or 0
    estimator = make_estimator(spec.task, trainer.estimator, trainer.parameters, seed=seed)

    snapshot = _snapshot(run, store)
    features = chosen_features(snapshot.spec, spec.features, spec.label)
    names = [feature.name for feature in features]
    frame = _labelled(snapshot, spec)
    rows = _split(frame, snapshot.spec, spec, seed)
    training, evaluation = frame.filter(rows.training), frame.filter(rows.evaluation)
    classes = _classes(training, evaluation, spec)
    inputs = input_specs(features, training)
    fit_side = _side(training, inputs, spec, classes)
    test_side = _side(evaluation, inputs, spec, classes)

    fitted = _fit(estimator, inputs, fit_side, spec, classes)
    scores = _scores(fitted.pipeline, test_side.matrix, spec.task)
    answers = _answers(test_side.truth, scores, fitted.threshold, spec.task)
    values = figures(spec.task, wanted, answers)
    gates = gate_results(asked.gates, values)
    packaged = _packaged(run, store, trainer, inputs, classes, fitted, test_side)
    _log.info(
        "model packaged",
        extra={
            "digest": packaged.digest,
            "kind": packaged.kind,
            "why_native": packaged.native_reason,
        },
    )
    warnings = (
        *_row_warnings(rows, fit_side, test_side),
        *_missingness(training, names, spec),
        *fitted.warnings,
        *_native_warning(packaged),
    )
    return _result(run, store, packaged, values, gates, fitted.stop_reason, warnings)


def _snapshot(run: TrainingRunInput, store: Store) -> LoadedSnapshot:
    if len(run.snapshots) != 1:
        raise TrainerError(f"featureSetRefs: expected one snapshot, got {len(run.snapshots)}")
    pinned = run.snapshots[0]
    return load_snapshot(store.path(pinned.uri), pinned.digest)


def _labelled(snapshot: LoadedSnapshot, spec: TrainingJobSpec) -> pl.DataFrame:
    """Rows with a label; raises `LabelError`."""
    names = [label.name for label in snapshot.spec.labels]
    if spec.label not in names:
        known = ", ".join(names) or "none"
        raise LabelError(f"label: `{spec.label}` is no label of the FeatureSet; it has {known}")
    frame = snapshot.frame.filter(pl.col(spec.label).is_not_null())
    if not frame.height:
        raise LabelError(f"label: `{spec.label}` is null in all {snapshot.frame.height} rows")
    dtype = frame[spec.label].dtype
    if spec.task is Task.REGRESSION and not dtype.is_numeric():
        raise LabelError(f"label: regression predicts numbers, `{spec.label}` is {dtype}")
    if spec.task is Task.CLASSIFICATION and (dtype.is_float() or isinstance(dtype, pl.Datetime)):
        raise LabelError(
            f"label: classes are booleans, whole numbers or texts, `{spec.label}` is {dtype}. "
            "Use `task: regression`, or make classes in the transform"
        )
    return frame


def _split(
    frame: pl.DataFrame, features: FeatureSetSpec, spec: TrainingJobSpec, seed: int
) -> SplitRows:
    label = next(label for label in features.labels if label.name == spec.label)
    rows = split_rows(
        frame,
        spec.split,
        timestamp_field=features.timestamp_field,
        label_known_field=label.timestamp_field,
        seed=seed,
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
) -> _Side:
    """Encode rows; those that the policies reject are left out."""
    encoded: EncodedFrame = encoded_frame(frame, inputs)
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
    return _Side(rows, native_matrix(inputs, matrix), truth.to_numpy(), rejected)


def _fit(
    estimator: Any,
    inputs: Sequence[InputSpec],
    side: _Side,
    spec: TrainingJobSpec,
    classes: tuple[Any, ...],
) -> _Fitted:
    pipeline = make_pipeline(estimator, inputs)
    target = np.array(classes)[side.truth] if classes else side.truth
    started = time.monotonic()
    with python_warnings.catch_warnings(record=True) as caught:
        python_warnings.simplefilter("ignore")
        python_warnings.simplefilter("always", ConvergenceWarning)
        try:
            pipeline.fit(side.matrix, target)
        except (TypeError, ValueError) as error:
            first = str(error).strip().splitlines()[0]
            raise TrainerError(f"trainer.sklearn: {first}") from error
    _log.info("model fitted", extra={"duration_seconds": round(time.monotonic() - started, 3)})
    threshold = None
    if classes:
        scores = _training_scores(pipeline, side, spec)
        threshold = decision_threshold(spec.decision, len(classes), side.truth, scores)
    converged = not any(issubclass(item.category, ConvergenceWarning) for item in caught)
    said = (
        () if converged else ("the estimator stopped before it converged; give it more iterations",)
    )
    return _Fitted(pipeline, threshold, _stop_reason(pipeline[-1], converged=converged), said)


def _training_scores(pipeline: Pipeline, side: _Side, spec: TrainingJobSpec) -> FloatArray:
    """Probabilities of the second class, where a threshold is chosen by them."""
    if spec.decision is None or spec.decision.optimize is None:
        return np.empty(0)
    return _scores(pipeline, side.matrix, spec.task)[:, 1]


def _stop_reason(estimator: Any, *, converged: bool) -> str:
    if not converged:
        return "MaxIterationsReached"
    if getattr(estimator, "do_early_stopping_", False) and estimator.n_iter_ < estimator.max_iter:
        return "EarlyStopping"
    return "Completed"


def _scores(pipeline: Pipeline, matrix: NDArray[Any], task: Task) -> FloatArray:
    """Probabilities (n_rows, n_classes), or values (n_rows, 1)."""
    if task is Task.CLASSIFICATION:
        return np.asarray(pipeline.predict_proba(matrix), dtype=np.float64)
    return np.asarray(pipeline.predict(matrix), dtype=np.float64).reshape(-1, 1)


def _answers(
    truth: NDArray[Any], scores: FloatArray, threshold: float | None, task: Task
) -> Answers:
    if task is Task.REGRESSION:
        return Answers(truth, scores, scores[:, 0])
    return Answers(truth, scores, decided(scores, threshold))


def _packaged(
    run: TrainingRunInput,
    store: Store,
    trainer: SklearnTrainer,
    inputs: tuple[InputSpec, ...],
    classes: tuple[Any, ...],
    fitted: _Fitted,
    side: _Side,
) -> Packaged:
    spec = run.spec
    names = [item.name for item in inputs]
    chosen = np.unique(np.linspace(0, side.frame.height - 1, SAMPLE_ROWS).astype(np.int64))
    sample = side.frame[chosen]
    answers = _scores(fitted.pipeline, side.matrix[chosen], spec.task)
    trained = TrainedModel(
        model_name=spec.model_name,
        task=manifest.Task(spec.task.value),
        label=spec.label,
        classes=tuple(plain(item) for item in classes),
        decision_threshold=fitted.threshold,
        estimator=trainer.estimator,
        inputs=inputs,
        pipeline=fitted.pipeline,
        evaluation_rows=sample.select(names).to_dicts(),
        evaluation_answers=answers,
        environment=environment(),
    )
    try:
        return package(trained, store.models(spec.model_name))
    except ArtifactError as error:
        raise TrainerError(f"the model can't be packaged: {error}") from error


def environment() -> Mapping[str, str]:
    """Versions that the model was made with."""
    return {
        "python": platform.python_version(),
        "scikit-learn": sklearn.__version__,
        "numpy": np.__version__,
        "serinus": serinus.__version__,
    }


def _row_warnings(rows: SplitRows, training: _Side, evaluation: _Side) -> list[str]:
    found = []
    if training.rejected or evaluation.rejected:
        found.append(
            f"the features' policies rejected {training.rejected} training and "
            f"{evaluation.rejected} evaluation rows"
        )
    if rows.late_labels:
        found.append(f"{rows.late_labels} rows left out: their label was known after the cutoff")
    return found


def _missingness(training: pl.DataFrame, names: Sequence[str], spec: TrainingJobSpec) -> list[str]:
    if spec.task is Task.REGRESSION:
        return []
    return missingness_warnings(training, names, spec.label)


def _native_warning(packaged: Packaged) -> list[str]:
    if packaged.native_reason is None:
        return []
    return [f"served by scikit-learn, not compiled: {packaged.native_reason}"]


def _result(
    run: TrainingRunInput,
    store: Store,
    packaged: Packaged,
    values: Mapping[MetricName, float],
    gates: Sequence[GateResult],
    stop_reason: str,
    warnings: Sequence[str],
) -> TrainingRunResult:
    metrics = {metric.value: shown(value) for metric, value in values.items()}
    problem = missed(gates)
    told = ", ".join(f"{name} {value}" for name, value in metrics.items())
    return TrainingRunResult(
        run=run.run,
        identity=run.identity,
        outcome=Outcome.REJECTED if problem else Outcome.SUCCEEDED,
        reason=(Reason.GATE_FAILED if problem else Reason.SUCCEEDED).value,
        message=problem or told,
        storage_uri=store.uri(packaged.path),
        digest=packaged.digest,
        signature=api_signature(packaged.signature),
        metrics=metrics,
        gates=list(gates),
        stop_reason=stop_reason,
        warnings=[text[:_WARNING_CHARACTERS] for text in warnings[:WARNINGS_MAX]],
    )
