"""From a fitted model to a package: compile, prove equal, write.

The proof (`proof`) is rows and the original's answers: the plan, or the reloaded native pipeline,
must answer as it did. A plan that doesn't is dropped, the native pipeline is packaged instead, and
the manifest says why.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from serinus_runtime.artifact import golden, plan_codec
from serinus_runtime.artifact.archive import array_bytes
from serinus_runtime.artifact.compile import compile_model
from serinus_runtime.artifact.equality import tolerated
from serinus_runtime.artifact.errors import ArtifactError
from serinus_runtime.artifact.forest import FloatArray
from serinus_runtime.artifact.golden import GoldenRows
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
from serinus_runtime.artifact.native import NativePredictor
from serinus_runtime.artifact.native_file import read_pipeline, written_pipeline
from serinus_runtime.artifact.not_compilable import NotCompilable
from serinus_runtime.artifact.proof import Proof, compared, make_proof
from serinus_runtime.artifact.proof import render as render_proof
from serinus_runtime.artifact.publishing import publish
from serinus_runtime.artifact.signature import Datatype, InputSpec, OutputSpec, Signature


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
    proof, golden_rows = make_proof(
        signature,
        trained.evaluation_rows,
        trained.evaluation_answers,
        NativePredictor(trained.pipeline, trained.inputs, trained.task),
    )
    chosen = _chosen(trained, signature, proof, golden_rows)
    manifest = _manifest(trained, signature, chosen)
    files = {
        EVALUATION_FILE: render_proof(proof),
        GOLDEN_FILE: golden.render(chosen.golden_rows),
        **chosen.files,
    }
    path, digest = publish(manifest, files, parent)
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


@dataclass(frozen=True, slots=True)
class _Chosen:
    kind: str
    plan: Mapping[str, Any] | None
    native_reason: str | None
    equality: Equality
    golden_rows: GoldenRows
    files: Mapping[str, bytes]


def _chosen(
    trained: TrainedModel, signature: Signature, proof: Proof, golden_rows: GoldenRows
) -> _Chosen:
    """The compiled plan if it can be and is equal, else the native pipeline."""
    compiled = compile_model(trained.pipeline, trained.inputs)
    if isinstance(compiled, NotCompilable):
        return _native(trained, signature, proof, golden_rows, compiled.reason)
    equality = _equality(trained, compiled, proof)
    problem = golden.first_difference(golden_rows, signature, compiled)
    if equality.mismatches or problem:
        reason = f"the compiled plan differs from the original on {_told(equality)}"
        reason += f"; {problem}" if problem else ""
        return _native(trained, signature, proof, golden_rows, reason)
    document, arrays = plan_codec.render(compiled)
    files = {ARRAYS_FILE: array_bytes(arrays)}
    return _Chosen(compiled.kind, document, None, equality, golden_rows, files)


def _native(
    trained: TrainedModel,
    signature: Signature,
    proof: Proof,
    golden_rows: GoldenRows,
    reason: str,
) -> _Chosen:
    content = written_pipeline(trained.pipeline)
    predictor = NativePredictor(read_pipeline(content), signature.inputs, trained.task)
    equality = _equality(trained, predictor, proof)
    stable = golden.answered_alike(golden_rows, signature, predictor)
    if equality.mismatches > tolerated(equality, predictor.kind) or not stable.rows:
        raise ArtifactError(f"the saved pipeline differs from the fitted one on {_told(equality)}")
    return _Chosen(predictor.kind, None, reason, equality, stable, {NATIVE_FILE: content})


def _told(equality: Equality) -> str:
    return (
        f"{equality.mismatches} of {equality.rows} rows, by up to {equality.largest_difference:.3g}"
    )


def _equality(trained: TrainedModel, predictor: Predictor, proof: Proof) -> Equality:
    return compared(
        predictor,
        proof,
        threshold=trained.decision_threshold,
        is_classification=trained.task is Task.CLASSIFICATION,
    )


def _manifest(trained: TrainedModel, signature: Signature, chosen: _Chosen) -> Manifest:
    return Manifest(
        model_name=trained.model_name,
        task=trained.task,
        label=trained.label,
        classes=trained.classes,
        decision_threshold=trained.decision_threshold,
        signature=signature,
        plan=chosen.plan,
        native_reason=chosen.native_reason,
        equality=chosen.equality,
        environment=trained.environment,
        estimator=trained.estimator,
    )
