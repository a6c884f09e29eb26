"""What a model takes and gives: names, datatypes, units, categories, and the policies of values.

Words are those of the Open Inference Protocol for datatypes and of the FeatureSet for policies.
These are plain dataclasses, because the model server reads them at start and must be quick.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeAlias

from serinus_runtime.artifact.errors import FormatRefused

Constant: TypeAlias = float | str | bool
"""What a missing value is replaced by."""


class Datatype(StrEnum):
    """Datatypes of the Open Inference Protocol."""

    BOOL = "BOOL"
    UINT8 = "UINT8"
    UINT16 = "UINT16"
    UINT32 = "UINT32"
    UINT64 = "UINT64"
    INT8 = "INT8"
    INT16 = "INT16"
    INT32 = "INT32"
    INT64 = "INT64"
    FP16 = "FP16"
    FP32 = "FP32"
    FP64 = "FP64"
    BYTES = "BYTES"

    @property
    def is_integer(self) -> bool:
        """Whether values are whole numbers."""
        return self.value.startswith(("INT", "UINT"))


class PolicyAction(StrEnum):
    """What happens to a value that is missing or breaks a promise."""

    REJECT = "reject"
    FLAG = "flag"
    IMPUTE = "impute"


@dataclass(frozen=True, slots=True)
class InputSpec:
    """One input.

    `categories` are the texts known from the training rows, in the order of their codes.
    `on_missing`: reject answers 400, flag passes and counts, impute puts `constant`; None passes
    the missing value to the model, which handles it as it did in training. `on_violation`: the
    same for a value outside `minimum`, `maximum` or `allowed`; None means flag. `unseen`: the same
    for a category that training never saw.
    """

    name: str
    datatype: Datatype
    unit: str | None = None
    nullable: bool = True
    categories: tuple[str, ...] | None = None
    unseen: PolicyAction = PolicyAction.FLAG
    minimum: float | None = None
    maximum: float | None = None
    allowed: tuple[str, ...] | None = None
    on_missing: PolicyAction | None = None
    on_violation: PolicyAction | None = None
    constant: Constant | None = None

    @property
    def described(self) -> str:
        """What is expected, for messages: `a number (FP64, mi)`."""
        kind = "a number"
        if self.datatype is Datatype.BYTES:
            kind = "a text"
        elif self.datatype is Datatype.BOOL:
            kind = "true or false"
        elif self.datatype.is_integer:
            kind = "a whole number"
        unit = f", {self.unit}" if self.unit else ""
        return f"{kind} ({self.datatype.value}{unit})"


@dataclass(frozen=True, slots=True)
class OutputSpec:
    """One output; `width` is 1, or the number of classes where there is a value for each."""

    name: str
    datatype: Datatype
    width: int = 1


@dataclass(frozen=True)
class Signature:
    """Inputs and outputs, in order."""

    inputs: tuple[InputSpec, ...]
    outputs: tuple[OutputSpec, ...]

    @functools.cached_property
    def names(self) -> tuple[str, ...]:
        """Names of the inputs."""
        return tuple(spec.name for spec in self.inputs)


def signature_to_json(signature: Signature) -> dict[str, Any]:
    """The signature as JSON values; absent means default."""
    return {
        "inputs": [_input_to_json(spec) for spec in signature.inputs],
        "outputs": [
            {"name": spec.name, "datatype": spec.datatype.value, "width": spec.width}
            for spec in signature.outputs
        ],
    }


def _input_to_json(spec: InputSpec) -> dict[str, Any]:
    written: dict[str, Any] = {
        "name": spec.name,
        "datatype": spec.datatype.value,
        "nullable": spec.nullable,
        "unseen": spec.unseen.value,
    }
    optional: dict[str, Any] = {
        "unit": spec.unit,
        "categories": _listed(spec.categories),
        "minimum": spec.minimum,
        "maximum": spec.maximum,
        "allowed": _listed(spec.allowed),
        "onMissing": spec.on_missing and spec.on_missing.value,
        "onViolation": spec.on_violation and spec.on_violation.value,
        "constant": spec.constant,
    }
    return written | {key: value for key, value in optional.items() if value is not None}


def _listed(values: tuple[str, ...] | None) -> list[str] | None:
    return None if values is None else list(values)


def signature_from_json(document: Mapping[str, Any]) -> Signature:
    """The signature of JSON values; raises `FormatRefused` naming what is wrong."""
    try:
        return Signature(
            inputs=tuple(_input_from_json(item) for item in document["inputs"]),
            outputs=tuple(
                OutputSpec(item["name"], Datatype(item["datatype"]), int(item["width"]))
                for item in document["outputs"]
            ),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise FormatRefused(f"manifest.json: signature can't be read: {error!r}") from error


def _input_from_json(item: Mapping[str, Any]) -> InputSpec:
    return InputSpec(
        name=str(item["name"]),
        datatype=Datatype(item["datatype"]),
        unit=None if item.get("unit") is None else str(item["unit"]),
        nullable=bool(item["nullable"]),
        categories=_texts(item.get("categories")),
        unseen=PolicyAction(item["unseen"]),
        minimum=_number(item.get("minimum")),
        maximum=_number(item.get("maximum")),
        allowed=_texts(item.get("allowed")),
        on_missing=_action(item.get("onMissing")),
        on_violation=_action(item.get("onViolation")),
        constant=_constant(item.get("constant"), Datatype(item["datatype"])),
    )


def _number(value: Any) -> float | None:
    return None if value is None else float(value)


def _constant(value: Any, datatype: Datatype) -> Constant | None:
    """A text for texts, a number for numbers; raises `ValueError`."""
    if value is None:
        return None
    if (datatype is Datatype.BYTES) is not isinstance(value, str):
        raise ValueError(f"the constant {value!r} is no {datatype.value}")
    return value if isinstance(value, bool | str) else float(value)


def _texts(values: list[str] | None) -> tuple[str, ...] | None:
    return None if values is None else tuple(str(value) for value in values)


def _action(word: str | None) -> PolicyAction | None:
    return None if word is None else PolicyAction(word)
