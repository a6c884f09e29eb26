"""What every API model is: camelCase on the wire, frozen in memory, lenient when read.

The operator ignores fields that it doesn't know (an older operator under a newer CRD must go on);
`serinus lint` refuses them. Cross-field rules are CEL, declared with `cel` beside the fields that
they speak of, so that `kubectl apply` gives the answer.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from pydantic.alias_generators import to_camel

GROUP = "serinus.dev"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"


class ApiModel(BaseModel):
    """Base of all API models."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        extra="ignore",
        frozen=True,
        protected_namespaces=(),
    )


def cel(*rules: tuple[str, str]) -> dict[str, Any]:
    """Schema extension with CEL rules, given as (expression, message) pairs."""
    return {
        "x-kubernetes-validations": [{"rule": rule, "message": message} for rule, message in rules]
    }


def exactly_one(*members: str) -> tuple[str, str]:
    """CEL rule: exactly one of the optional `members` is set."""
    if len(members) == 1:
        return f"has(self.{members[0]})", f"set `{members[0]}`"
    terms = " + ".join(f"(has(self.{member}) ? 1 : 0)" for member in members)
    names = ", ".join(f"`{member}`" for member in members)
    return f"{terms} == 1", f"set exactly one of {names}"


MIN_UP_TO_MAX = (
    "!has(self.min) || !has(self.max) || double(self.min) <= double(self.max)",
    "`min` is above `max`: nothing could be between them",
)
"""CEL rule of a type with the decimals `min` and `max`."""


def map_list(*keys: str) -> dict[str, Any]:
    """Schema extension: a list whose items are told apart by `keys`, each of which occurs once."""
    return {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": [*keys]}


SET_LIST: dict[str, Any] = {"x-kubernetes-list-type": "set"}
"""Schema extension: a list in which a value may occur once."""

DnsLabel = Annotated[
    str, StringConstraints(pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", max_length=63)
]
"""Name of a Kubernetes object, RFC 1123 label."""

ColumnName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=63)]
"""Name of a column: letters, digits and underscores, not starting with a digit."""

Digest = Annotated[str, StringConstraints(pattern=r"^sha256:[0-9a-f]{64}$", max_length=71)]
"""Content digest `sha256:<64 hex>`."""

LabelValue = Annotated[str, StringConstraints(max_length=63)]
"""Value of a label."""

AnnotationValue = Annotated[str, StringConstraints(max_length=4096)]
"""Value of an annotation."""

Figure = Annotated[str, StringConstraints(max_length=32)]
"""A measured number, as text."""

Text = Annotated[str, StringConstraints(max_length=1024)]
"""Free text of at most 1,024 characters."""


class LocalObjectReference(ApiModel):
    """Reference to an object in the same namespace."""

    name: DnsLabel = Field(description="Name of the object in this namespace.")


class SecretKeySelector(ApiModel):
    """Reference to one key of a Secret in the same namespace."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=253)] = Field(
        description="Name of the Secret in this namespace."
    )
    key: Annotated[str, StringConstraints(min_length=1, max_length=253)] = Field(
        description="Key inside the Secret."
    )
