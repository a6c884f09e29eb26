"""From a fitted model to a package: compile, prove equal, write.

The proof (`proof`) is rows and the original's answers: what is packaged has to answer as it did. A
plan that doesn't is dropped, as is an ONNX form. Where neither can be had the native pipeline is
packaged, and the manifest says why.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
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
    ONNX_FILE,
    ClassLabel,
    Equality,
    Manifest,
    Task,
)
from serinus_runtime.artifact.model import ONNX, TWO_CLASSES, Predictor
from serinus_runtime.artifact.native import NativePredictor
from serinus_runtime.artifact.native_file import read_pipeline, written_pipeline
from serinus_runtime.artifact.not_compilable import NotCompilable
from serinus_runtime.artifact.onnx_form import OnnxForm, onnx_form, told
from serinus_runtime.artifact.plan_predictor import PlanPredictor
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
    chosen = _chosen(_Candidate(trained, signature, proof, golden_rows))
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
    equality: Equality
    golden_rows: GoldenRows
    files: Mapping[str, bytes]
    plan: Mapping[str, Any] | None = None
    onnx: Mapping[str, Any] | None = None
    native_reason: str | None = None


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A model to be packaged, and what its predictor is held against."""

    trained: TrainedModel
    signature: Signature
    proof: Proof
    golden_rows: GoldenRows

    def equality(self, predictor: Predictor) -> Equality:
        """How the predictor does on the rows of the proof."""
        return compared(
            predictor,
            self.proof,
            threshold=self.trained.decision_threshold,
            is_classification=self.trained.task is Task.CLASSIFICATION,
        )

    def proven(self, predictor: Predictor, form: str) -> Equality | NotCompilable:
        """Equal on all rows, golden ones too, or why `form` isn't used."""
        equality = self.equality(predictor)
        problem = golden.first_difference(self.golden_rows, self.signature, predictor)
        if not equality.mismatches and not problem:
            return equality
        reason = f"{form} differs from the original on {_told(equality)}"
        return NotCompilable(f"{reason}; {problem}" if problem else reason)


def _chosen(model: _Candidate) -> _Chosen:
    """The first that can be made and is equal: a plan, an ONNX form, else the pipeline itself."""
    compiled = _compiled(model)
    if isinstance(compiled, _Chosen):
        return compiled
    converted = _converted(model)
    if isinstance(converted, _Chosen):
        return replace(converted, native_reason=compiled.reason)
    reasons = dict.fromkeys((compiled.reason, converted.reason))  # both need the columns' own form
    return _native(model, "; ".join(reasons))


def _compiled(model: _Candidate) -> _Chosen | NotCompilable:
    trained = model.trained
    compiled = compile_model(trained.pipeline, trained.inputs)
    if isinstance(compiled, NotCompilable):
        return compiled
    equality = model.proven(PlanPredictor(compiled, len(trained.inputs)), "the compiled plan")
    if isinstance(equality, NotCompilable):
        return equality
    document, arrays = plan_codec.render(compiled)
    files = {ARRAYS_FILE: array_bytes(arrays)}
    return _Chosen(compiled.kind, equality, model.golden_rows, files, plan=document)


def _converted(model: _Candidate) -> _Chosen | NotCompilable:
    trained = model.trained
    form = onnx_form(trained.pipeline, trained.inputs, trained.task)
    if isinstance(form, NotCompilable):
        return form
    equality = _measured(model, form)
    if isinstance(equality, NotCompilable):
        return equality
    steps, arrays = plan_codec.render_operations(form.operations)
    files = {ARRAYS_FILE: array_bytes(arrays), ONNX_FILE: form.content}
    return _Chosen(ONNX, equality, model.golden_rows, files, onnx={"operations": steps})


def _measured(model: _Candidate, form: OnnxForm) -> Equality | NotCompilable:
    # Only here, because it imports onnxruntime, which few models need.
    from serinus_runtime.artifact.onnx_predictor import OnnxPredictor

    try:
        return model.proven(OnnxPredictor(form.operations, form.content), "the ONNX form")
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001  onnxruntime raises whatever comes
        return NotCompilable(f"the ONNX form can't be run: {told(error)}")


def _native(model: _Candidate, reason: str) -> _Chosen:
    content = written_pipeline(model.trained.pipeline)
    predictor = NativePredictor(read_pipeline(content), model.signature.inputs, model.trained.task)
    equality = model.equality(predictor)
    stable = golden.answered_alike(model.golden_rows, model.signature, predictor)
    if equality.mismatches > tolerated(equality, predictor.kind) or not stable.rows:
        raise ArtifactError(f"the saved pipeline differs from the fitted one on {_told(equality)}")
    files = {NATIVE_FILE: content}
    return _Chosen(predictor.kind, equality, stable, files, native_reason=reason)


def _told(equality: Equality) -> str:
    return (
        f"{equality.mismatches} of {equality.rows} rows, by up to {equality.largest_difference:.3g}"
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
        onnx=chosen.onnx,
        native_reason=chosen.native_reason,
        equality=chosen.equality,
        environment=trained.environment,
        estimator=trained.estimator,
    )
