"""What can be said against a ModelVersion without a look at its artifact."""

from __future__ import annotations

from serinus.api.enums import Reason
from serinus.api.modelversion import ModelVersionSpec
from serinus.reconcile.readiness import Note

KNOWN_FORMATS = {"serinus": ("1",)}
"""Formats that are data and never code, with their versions."""
_CODE_FORMATS = frozenset({"pickle", "joblib", "cloudpickle", "dill", "torchscript", "savedmodel"})


def refusal(spec: ModelVersionSpec) -> Note | None:
    """Why the version is rejected without a look at the artifact; None when nothing is known."""
    if problem := format_problem(spec):
        return Note(Reason.FORMAT_REFUSED, problem)
    if missed := missed_gates(spec):
        return Note(Reason.GATE_FAILED, missed)
    return None


def format_problem(spec: ModelVersionSpec) -> str | None:
    """Why the artifact's format isn't accepted; None when it is."""
    name, version = spec.model_format.name, spec.model_format.version
    if name.lower() in _CODE_FORMATS:
        return (
            f"spec.modelFormat.name: `{name}` is refused, because loading it runs code; train it "
            "with a TrainingJob, which writes the format `serinus`"
        )
    if name not in KNOWN_FORMATS:
        known = ", ".join(f"`{one}`" for one in KNOWN_FORMATS)
        return f"spec.modelFormat.name: `{name}` is unknown; expected {known}"
    if version not in KNOWN_FORMATS[name]:
        known = ", ".join(f"`{one}`" for one in KNOWN_FORMATS[name])
        return f"spec.modelFormat.version: `{version}` of `{name}` is unknown; expected {known}"
    return None


def missed_gates(spec: ModelVersionSpec) -> str | None:
    """Which gates were missed, in one line; None when all were passed or none was set."""
    if spec.evaluation is None or spec.evaluation.passed:
        return None
    missed = [
        f"{gate.metric} is {gate.value}, outside "
        + " and ".join(
            f"{bound} {limit}" for bound, limit in (("min", gate.min), ("max", gate.max)) if limit
        )
        for gate in spec.evaluation.gates
        if not gate.passed
    ]
    shown = "; ".join(missed) or "spec.evaluation.passed is false"
    return f"a gate was missed, so it is never served: {shown}"
