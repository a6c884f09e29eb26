"""The artifact's signature in the words of the ModelVersion's API, and their comparison."""

from __future__ import annotations

from collections.abc import Sequence

from serinus.api.modelversion import Signature as ApiSignature
from serinus.api.modelversion import TensorSpec
from serinus_runtime.artifact.errors import SignatureMismatch
from serinus_runtime.artifact.signature import Signature


def api_signature(signature: Signature) -> ApiSignature:
    """The signature as it stands in `spec.signature` of a ModelVersion."""
    return ApiSignature(
        inputs=[
            TensorSpec(
                name=spec.name,
                datatype=spec.datatype.value,
                unit=spec.unit,
                nullable=spec.nullable,
            )
            for spec in signature.inputs
        ],
        outputs=[
            TensorSpec(name=spec.name, datatype=spec.datatype.value) for spec in signature.outputs
        ],
    )


def check_signature(found: Signature, wanted: ApiSignature) -> None:
    """Raise `SignatureMismatch` naming the first difference."""
    actual = api_signature(found)
    _check_tensors("inputs", actual.inputs, wanted.inputs)
    _check_tensors("outputs", actual.outputs, wanted.outputs)


def _check_tensors(where: str, actual: Sequence[TensorSpec], wanted: Sequence[TensorSpec]) -> None:
    if len(actual) != len(wanted):
        raise SignatureMismatch(
            f"spec.signature.{where}: the ModelVersion names {len(wanted)}, the artifact has "
            f"{len(actual)}"
        )
    for position, (one, other) in enumerate(zip(actual, wanted, strict=True)):
        for field in ("name", "datatype", "unit", "nullable"):
            ours, theirs = getattr(one, field), getattr(other, field)
            if ours != theirs and not (field == "nullable" and theirs is None):
                raise SignatureMismatch(
                    f"spec.signature.{where}[{position}].{field}: the ModelVersion says "
                    f"{theirs}, the artifact {ours}"
                )
