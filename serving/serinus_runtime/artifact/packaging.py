"""From a fitted model to a package: compile, prove equal, write.

The proof is on the evaluation rows: the plan, or the reloaded native pipeline, must answer as the
original did. A plan that doesn't is dropped, the native pipeline is packaged instead, and the
manifest says why.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from serinus_runtime.artifact import golden, plan_codec
from serinus_runtime.artifact.compile import compile_model
from serinus_runtime.artifact.encoding import RowEncoder, ValueRefused
from serinus_runtime.artifact.equality import EvaluationRows, measured_equality
from serinus_runtime.artifact.errors import ArtifactError, FormatRefused
from serinus_runtime.artifact.forest import FloatArray
from serinus_runtime.artifact.golden import GOLDEN_ROWS, GoldenRows
from serinus_runtime.artifact.manifest import (
    ARRAYS_FILE,
    EVALUATION_FILE,
    GOLDEN_FILE,
    NATIVE_FILE,
    ClassLabel,
    Equality,
    Manifest,
    Task,
)
from serinus_runtime.artifact.model import TWO_CLASSES, Predictor
from serinus_runtime.artifact.native import load_native, native_bytes
from serinus_runtime.artifact.not_compilable import NotCompilable
from serinus_runtime.artifact.package import array_bytes, publish
from serinus_runtime.artifact.plan import Plan
from serinus_runtime.artifact.signature import Datatype, InputSpec, OutputSpec, Signature

EVALUATION_ROWS_MAX = 100_000


@dataclass(frozen=True, slots=True, eq=False)
class TrainedModel:
    """What training hands over.

    `pipeline` was fitted on a matrix as `native.native_matrix` describes it, columns in the order
    of `inputs`. `evaluation_rows` are raw values by input name, `evaluation_answers`
    (n_rows, n_outputs) what the pipeline answered on them. `decision_threshold` is for two classes.
    """

    model_name: str
    task: Task
    label: str
    classes: tuple[ClassLabel, ...]
    decision_threshold: float | None
    estimator: str
    inputs: tuple[InputSpec, ...]
    pipeline: Any
    evaluation_rows: Sequence[Mapping[str, Any]]
    evaluation_answers: FloatArray
    environment: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Packaged:
    """A written package. `native_reason` says why it wasn't compiled, None if it was."""

    path: Path
    digest: str
    signature: Signature
    kind: str
    equality: Equality
    native_reason: str | None


def package(trained: TrainedModel, parent: Path) -> Packaged:
    """Write the package of a trained model below `parent`.

    Raises
    ------
    ArtifactError
        The model holds foreign types, no evaluation row fits its own policies, or not even the
        reloaded pipeline answers like the original.
    """
    signature = Signature(trained.inputs, _outputs(trained))
    evaluation, golden_rows = _evaluation(trained, signature)
    files = {
        EVALUATION_FILE: array_bytes({"rows": evaluation.rows, "expected": evaluation.expected}),
        GOLDEN_FILE: golden.render(golden_rows),
    }
    chosen = _chosen(trained, signature, evaluation, golden_rows)
    manifest = _manifest(trained, signature, chosen.plan, chosen.native_reason, chosen.equality)
    path, digest = publish(manifest, {**files, **chosen.files}, parent)
    return Packaged(
        path=path,
        digest=digest,
        signature=signature,
        kind=chosen.kind,
        equality=chosen.equality,
        native_reason=chosen.native_reason,
    )


def _outputs(trained: TrainedModel) -> tuple[OutputSpec, ...]:
    if trained.task is Task.REGRESSION:
        return (OutputSpec("prediction", Datatype.FP64),)
    first = trained.classes[0]
    datatype = Datatype.BYTES
    if isinstance(first, bool):
        datatype = Datatype.BOOL
    elif isinstance(first, int):
        datatype = Datatype.INT64
    width = 1 if len(trained.classes) == TWO_CLASSES else len(trained.classes)
    return (OutputSpec("prediction", datatype), OutputSpec("probability", Datatype.FP64, width))


def _evaluation(trained: TrainedModel, signature: Signature) -> tuple[EvaluationRows, GoldenRows]:
    """The rows that the model's own policies let through, encoded; the first of them as golden."""
    encoder = RowEncoder(signature)
    encoded: list[FloatArray] = []
    kept: list[int] = []
    for index, row in enumerate(trained.evaluation_rows[:EVALUATION_ROWS_MAX]):
        try:
            encoded.append(encoder.rows([row]))
        except ValueRefused:
            continue
        kept.append(index)
    if not kept:
        raise FormatRefused("no evaluation row passes the model's own policies; nothing to prove")
    expected = np.ascontiguousarray(trained.evaluation_answers[kept], dtype=np.float64)
    golden_rows = tuple(_plain(trained.evaluation_rows[index]) for index in kept[:GOLDEN_ROWS])
    return (
        EvaluationRows(rows=np.concatenate(encoded), expected=expected),
        GoldenRows(rows=golden_rows, answers=expected[:GOLDEN_ROWS]),
    )


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row as JSON knows it: no NaN."""
    return {
        name: None if isinstance(value, float) and np.isnan(value) else value
        for name, value in row.items()
    }


@dataclass(frozen=True, slots=True)
class _Chosen:
    kind: str
    plan: Mapping[str, Any] | None
    native_reason: str | None
    equality: Equality
    files: Mapping[str, bytes]


def _chosen(
    trained: TrainedModel,
    signature: Signature,
    evaluation: EvaluationRows,
    golden_rows: GoldenRows,
) -> _Chosen:
    """The compiled plan if it can be and is equal, else the native pipeline."""
    compiled = compile_model(trained.pipeline, trained.inputs)
    if isinstance(compiled, Plan):
        equality = _equality(trained, compiled, evaluation)
        problem = golden.first_difference(golden_rows, signature, compiled)
        if not equality.mismatches and not problem:
            document, arrays = plan_codec.render(compiled)
            files = {ARRAYS_FILE: array_bytes(arrays)}
            return _Chosen(compiled.kind, document, None, equality, files)
        compiled = NotCompilable(
            f"the compiled plan differs from the original on {equality.mismatches} of "
            f"{equality.rows} evaluation rows, by up to {equality.largest_difference:.3g}"
            + (f"; {problem}" if problem else "")
        )
    return _native(trained, signature, evaluation, compiled.reason)


def _native(
    trained: TrainedModel, signature: Signature, evaluation: EvaluationRows, reason: str
) -> _Chosen:
    content = native_bytes(trained.pipeline)
    untold = Equality(0, 0, 0.0, 0.0)
    manifest = _manifest(trained, signature, None, reason, untold)
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / NATIVE_FILE
        path.write_bytes(content)
        predictor = load_native(path, manifest)
    equality = _equality(trained, predictor, evaluation)
    if equality.mismatches:
        raise ArtifactError(
            f"the saved pipeline differs from the fitted one on {equality.mismatches} of "
            f"{equality.rows} evaluation rows, by up to {equality.largest_difference:.3g}"
        )
    return _Chosen(predictor.kind, None, reason, equality, {NATIVE_FILE: content})


def _equality(trained: TrainedModel, predictor: Predictor, evaluation: EvaluationRows) -> Equality:
    return measured_equality(
        predictor,
        evaluation,
        threshold=trained.decision_threshold,
        is_classification=trained.task is Task.CLASSIFICATION,
    )


def _manifest(
    trained: TrainedModel,
    signature: Signature,
    plan: Mapping[str, Any] | None,
    native_reason: str | None,
    equality: Equality,
) -> Manifest:
    return Manifest(
        model_name=trained.model_name,
        task=trained.task,
        label=trained.label,
        classes=trained.classes,
        decision_threshold=trained.decision_threshold,
        signature=signature,
        plan=plan,
        native_reason=native_reason,
        equality=equality,
        environment=trained.environment,
        estimator=trained.estimator,
    )
