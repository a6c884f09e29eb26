"""A TrainingJob's run, from a pinned snapshot to a package and its figures.

load by digest -> examples -> fit -> figures and gates -> package. A missed gate rejects the
version, but it is packaged all the same, so that the record is complete.
"""

from __future__ import annotations

import logging
import platform
from collections.abc import Mapping, Sequence

import numpy as np
import sklearn

import serinus
from serinus.api.enums import Outcome, Reason
from serinus.api.job_contract import TrainingRunInput, TrainingRunResult
from serinus.api.trainingjob import (
    BestConstant,
    Evaluation,
    GateResult,
    MetricName,
    Task,
    TrainingJobSpec,
)
from serinus_runtime.artifact import manifest
from serinus_runtime.artifact.api_signature import api_signature
from serinus_runtime.artifact.errors import ArtifactError
from serinus_runtime.artifact.model import NATIVE, decided, plain
from serinus_runtime.artifact.packaging import Packaged, TrainedModel, package
from serinus_runtime.features.snapshot import LoadedSnapshot, load_snapshot
from serinus_runtime.store import Store
from serinus_runtime.training.best_constant import best_constant
from serinus_runtime.training.estimators import make_estimator
from serinus_runtime.training.evaluation import (
    Answers,
    figures,
    gate_results,
    missed,
    shown,
    wanted_metrics,
)
from serinus_runtime.training.examples import Examples, examples
from serinus_runtime.training.fitting import Fitted, fitted, scores
from serinus_runtime.training.missingness import missingness_warnings
from serinus_runtime.user_error import TrainerError

SAMPLE_ROWS = 20_000
"""Evaluation rows that go into the package, spread evenly over all of them."""
WARNINGS_MAX = 10
_WARNING_CHARACTERS = 256

_log = logging.getLogger(__name__)


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
    # What can be refused without the data is refused before it is loaded.
    asked = spec.evaluation or Evaluation()
    wanted = wanted_metrics(spec.task, asked.metrics, asked.gates)
    estimator = make_estimator(
        spec.task, trainer.estimator, trainer.parameters, seed=spec.seed or 0
    )
    rows = examples(_snapshot(run, store), spec)
    model = fitted(estimator, rows, spec.decision)
    answers = _answers(model, rows)
    values = figures(spec.task, wanted, answers)
    gates = gate_results(asked.gates, values)
    packaged = _packaged(spec, trainer.estimator, rows, model, store)
    _log.info(
        "model packaged",
        extra={
            "digest": packaged.digest,
            "kind": packaged.kind,
            "why_native": packaged.native_reason,
        },
    )
    constant = best_constant(answers) if spec.task is Task.CLASSIFICATION else {}
    return _result(
        run, store, packaged, values, constant, gates, model, _warnings(spec, rows, model, packaged)
    )


def _snapshot(run: TrainingRunInput, store: Store) -> LoadedSnapshot:
    if len(run.snapshots) != 1:
        raise TrainerError(f"featureSetRefs: expected one snapshot, got {len(run.snapshots)}")
    pinned = run.snapshots[0]
    return load_snapshot(store.path(pinned.uri), pinned.digest)


def _answers(model: Fitted, rows: Examples) -> Answers:
    side = rows.evaluation
    found = scores(model.pipeline, side.matrix, classes=len(rows.classes))
    decisions = decided(found, model.threshold) if rows.classes else found[:, 0]
    return Answers(side.truth, found, decisions)


def _packaged(
    spec: TrainingJobSpec, estimator: str, rows: Examples, model: Fitted, store: Store
) -> Packaged:
    side = rows.evaluation
    chosen = np.unique(np.linspace(0, side.frame.height - 1, SAMPLE_ROWS).astype(np.int64))
    sample = side.frame[chosen].select([item.name for item in rows.inputs])
    trained = TrainedModel(
        model_name=spec.model_name,
        task=manifest.Task(spec.task.value),
        label=spec.label,
        classes=tuple(plain(item) for item in rows.classes),
        decision_threshold=model.threshold,
        estimator=estimator,
        inputs=rows.inputs,
        pipeline=model.pipeline,
        evaluation_rows=sample.to_dicts(),
        evaluation_answers=scores(model.pipeline, side.matrix[chosen], classes=len(rows.classes)),
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


def _warnings(
    spec: TrainingJobSpec, rows: Examples, model: Fitted, packaged: Packaged
) -> tuple[str, ...]:
    """What a person may want to look at, the most serious first, bounded."""
    found: list[str] = []
    if spec.task is Task.CLASSIFICATION:
        names = [item.name for item in rows.inputs]
        found += missingness_warnings(rows.training.frame, names, spec.label)
    found += model.warnings
    if packaged.kind == NATIVE:
        found.append(f"served by scikit-learn, not compiled: {packaged.native_reason}")
    rejected = (rows.training.rejected, rows.evaluation.rejected)
    if any(rejected):
        found.append(
            f"the features' policies rejected {rejected[0]} training and {rejected[1]} evaluation "
            "rows"
        )
    if rows.late_labels:
        found.append(f"{rows.late_labels} rows left out: their label was known after the cutoff")
    return tuple(text[:_WARNING_CHARACTERS] for text in found[:WARNINGS_MAX])


def _result(
    run: TrainingRunInput,
    store: Store,
    packaged: Packaged,
    values: Mapping[MetricName, float],
    constant: Mapping[BestConstant, float],
    gates: Sequence[GateResult],
    model: Fitted,
    warnings: Sequence[str],
) -> TrainingRunResult:
    metrics = {name.value: shown(value) for name, value in (*values.items(), *constant.items())}
    problem = missed(gates)
    told = ", ".join(f"{name.value} {metrics[name.value]}" for name in values)
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
        stop_reason=model.stop_reason,
        warnings=list(warnings),
    )
