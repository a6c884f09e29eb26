"""pydantic -> structural CustomResourceDefinition; refuses here what Kubernetes would refuse there.

The schema that pydantic gives is rewritten into the part of OpenAPI v3.0 that Kubernetes calls
structural: references are put in place, `T | None` becomes an optional `T`, a constant an enum.
Defaults stay out: an absent field must stay absent, so that exclusive choices, GitOps and later
changes of a default work; the one exception is a status that nobody wrote yet. List types and CEL
rules stand in the models and pass through.

References
----------
kubernetes.io, "Extend the Kubernetes API with CustomResourceDefinitions", structural schemas.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from serinus.api.deployment import Deployment
from serinus.api.enums import PLURALS, Kind
from serinus.api.featureset import FeatureSet
from serinus.api.modelversion import ModelVersion
from serinus.api.schema_model import GROUP, VERSION, ApiModel
from serinus.api.trainingjob import TrainingJob

Schema = dict[str, Any]

NAME_MAX_LENGTH = 40
VERSION_NAME_MAX_LENGTH = 46
"""A ModelVersion is named `<trainingjob>-<run>`: 40 characters and a count of up to 5 digits."""

_DROPPED = frozenset({"default", "title", "$defs", "additionalProperties", "discriminator"})
_TYPES = frozenset({"string", "integer", "boolean", "array", "object"})
_UNSEEN_STATUS = {"observedGeneration": -1}
"""Of an object that the operator hasn't looked at: without it kstatus, and with it Flux and
`helm --wait`, take an object that was just applied for done."""
_STANDARD_FIELDS: dict[str, Schema] = {
    "apiVersion": {
        "type": "string",
        "description": "Group and version of this representation of the object.",
    },
    "kind": {"type": "string", "description": "What the object is."},
    "metadata": {"type": "object"},
}


class SchemaError(Exception):
    """A model says something that Kubernetes would refuse or that people couldn't read.

    Attributes
    ----------
    path
        Path of the field, such as `Deployment.spec.replicas`.
    """

    def __init__(self, path: str, problem: str) -> None:
        self.path = path
        self.problem = problem
        super().__init__(f"{path}: {problem}")


@dataclass(frozen=True, slots=True)
class Column:
    """A column of `kubectl get`; `wide` ones show with `-o wide` only."""

    name: str
    json_path: str
    type: str = "string"
    wide: bool = False
    description: str = ""


@dataclass(frozen=True, slots=True)
class KindDefinition:
    """What a CustomResourceDefinition says besides its schema."""

    kind: Kind
    model: type[ApiModel]
    short_name: str
    columns: tuple[Column, ...]
    name_max_length: int = NAME_MAX_LENGTH
    names_a_service: bool = False


def _condition(type_: str) -> str:
    return f'.status.conditions[?(@.type=="{type_}")].status'


_READY = Column("Ready", _condition("Ready"), description="Whether it does what it is for.")
_PHASE = Column("Phase", ".status.phase", description="One word; `conditions` are the truth.")
_AGE = Column("Age", ".metadata.creationTimestamp", type="date")
_MESSAGE = Column("Message", ".status.message", wide=True, description="A line to act on.")

DEFINITIONS: tuple[KindDefinition, ...] = (
    KindDefinition(
        Kind.FEATURE_SET,
        FeatureSet,
        "fset",
        (
            _PHASE,
            _READY,
            Column("Rows", ".status.latestSnapshot.rows", type="integer"),
            Column("Snapshot", ".status.latestSnapshot.createdAt", type="date"),
            _AGE,
            Column("Run", ".status.lastRun.name", wide=True),
            Column("Digest", ".status.latestSnapshot.digest", wide=True),
            _MESSAGE,
        ),
    ),
    KindDefinition(
        Kind.TRAINING_JOB,
        TrainingJob,
        "tjob",
        (
            _PHASE,
            Column("Run", ".status.lastRun.name"),
            Column("ModelVersion", ".status.lastRun.modelVersionRef.name"),
            _AGE,
            Column("Model", ".spec.modelName", wide=True),
            Column("Estimator", ".spec.trainer.sklearn.estimator", wide=True),
            _MESSAGE,
        ),
    ),
    KindDefinition(
        Kind.MODEL_VERSION,
        ModelVersion,
        "mver",
        (
            _PHASE,
            Column("Model", ".spec.modelName"),
            Column("Predictor", ".status.predictor.kind"),
            Column("Served", ".status.servedBy[*].deployment"),
            _AGE,
            Column("Aliases", ".spec.aliases", wide=True),
            Column("Digest", ".spec.digest", wide=True),
            _MESSAGE,
        ),
        name_max_length=VERSION_NAME_MAX_LENGTH,
    ),
    KindDefinition(
        Kind.DEPLOYMENT,
        Deployment,
        "mdep",
        (
            _PHASE,
            Column("Stable", ".status.stable.modelVersion"),
            Column("Canary", ".status.canary.modelVersion"),
            Column(
                "Weight",
                ".status.canary.actualWeight",
                type="integer",
                description="Percent of requests that the canary gets.",
            ),
            _READY,
            _AGE,
            Column("Stable-Revision", ".status.stable.revision", wide=True),
            Column("Canary-Revision", ".status.canary.revision", wide=True),
            Column("Step", ".status.canary.step", type="integer", wide=True),
            _MESSAGE,
        ),
        names_a_service=True,
    ),
)


def crd_name(kind: Kind) -> str:
    """Name of the kind's CustomResourceDefinition."""
    return f"{PLURALS[kind]}.{GROUP}"


def custom_resource_definition(definition: KindDefinition) -> Schema:
    """Manifest of the CustomResourceDefinition.

    Raises
    ------
    SchemaError
        If the model says what Kubernetes would refuse, or a field has no description.
    """
    kind, plural = definition.kind, PLURALS[definition.kind]
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": crd_name(kind)},
        "spec": {
            "group": GROUP,
            "names": {
                "categories": ["mlops"],
                "kind": kind.value,
                "listKind": f"{kind.value}List",
                "plural": plural,
                "shortNames": [definition.short_name],
                "singular": plural.removesuffix("s"),
            },
            "scope": "Namespaced",
            "versions": [
                {
                    "name": VERSION,
                    "served": True,
                    "storage": True,
                    "subresources": {"status": {}},
                    "additionalPrinterColumns": [_printer_column(c) for c in definition.columns],
                    "schema": {"openAPIV3Schema": object_schema(definition)},
                }
            ],
        },
    }


def object_schema(definition: KindDefinition) -> Schema:
    """Structural schema of the whole object.

    Raises
    ------
    SchemaError
        If the model says what Kubernetes would refuse, or a field has no description.
    """
    raw = definition.model.model_json_schema(by_alias=True)
    name = definition.kind.value
    spec, status = (
        structural(raw["properties"][part], raw["$defs"], f"{name}.{part}")
        for part in ("spec", "status")
    )
    return {
        "type": "object",
        "description": raw["description"],
        "required": ["spec"],
        "properties": {
            **_STANDARD_FIELDS,
            "spec": spec,
            "status": {**status, "default": _UNSEEN_STATUS},
        },
        "x-kubernetes-validations": [
            {"rule": rule, "message": message} for rule, message in _name_rules(definition)
        ],
    }


def _name_rules(definition: KindDefinition) -> Iterator[tuple[str, str]]:
    """Rules of `metadata.name`: children and labels are named after it."""
    longest = definition.name_max_length
    yield (
        f"self.metadata.name.size() <= {longest}",
        (
            f"`metadata.name` must have at most {longest} characters, "
            "because labels and names of children are made from it"
        ),
    )
    if definition.names_a_service:
        yield (
            "self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",
            (
                "`metadata.name` must start with a letter and have no dots, "
                "because the Service is named so"
            ),
        )
    else:
        yield (
            "!self.metadata.name.contains('.')",
            "`metadata.name` must have no dots, because children are named after it",
        )


def structural(raw: Mapping[str, Any], definitions: Mapping[str, Any], path: str) -> Schema:
    """`raw` JSON schema of pydantic as a structural schema.

    Raises
    ------
    SchemaError
        If it says what Kubernetes would refuse; `path` tells where.
    """
    schema = _lifted(_inlined(raw, definitions), definitions, path)
    kept: Schema = {key: value for key, value in schema.items() if key not in _DROPPED}
    if "const" in kept:
        kept["enum"] = [kept.pop("const")]
    for bound in ("minimum", "maximum"):
        exclusive = f"exclusive{bound.capitalize()}"
        if exclusive in kept:
            kept[bound], kept[exclusive] = kept[exclusive], True
    _check(kept, path)
    if "properties" in kept:
        kept["properties"] = {
            name: _described(structural(child, definitions, f"{path}.{name}"), f"{path}.{name}")
            for name, child in kept["properties"].items()
        }
    if "items" in kept:
        kept["items"] = structural(kept["items"], definitions, f"{path}[]")
    values = schema.get("additionalProperties")
    if isinstance(values, Mapping):
        if "maxProperties" not in kept:
            raise SchemaError(path, "a map needs `max_length`: CEL's cost is judged by it")
        kept["additionalProperties"] = structural(values, definitions, f"{path}{{}}")
    return kept


def _inlined(raw: Mapping[str, Any], definitions: Mapping[str, Any]) -> Schema:
    """The schema with its reference put in place; what stands beside the reference wins."""
    reference = raw.get("$ref")
    if reference is None:
        return dict(raw)
    beside = {key: value for key, value in raw.items() if key != "$ref"}
    return {**_inlined(definitions[reference.rsplit("/", 1)[1]], definitions), **beside}


def _lifted(schema: Schema, definitions: Mapping[str, Any], path: str) -> Schema:
    """`T | None` as plain `T`: Kubernetes drops nulls, and absence says the same."""
    if "anyOf" not in schema:
        return schema
    choices = [choice for choice in schema["anyOf"] if choice.get("type") != "null"]
    if len(choices) != 1:
        raise SchemaError(
            path, "a field has one type; make the choices optional members with a CEL rule"
        )
    beside = {key: value for key, value in schema.items() if key != "anyOf"}
    return {**_inlined(choices[0], definitions), **beside}


def _check(schema: Schema, path: str) -> None:
    if schema.get("type") not in _TYPES:
        raise SchemaError(
            path, f"type `{schema.get('type')}` can't be stored well; use text for decimals"
        )
    if schema["type"] == "array" and "maxItems" not in schema:
        raise SchemaError(path, "a list needs `max_length`: CEL's cost is judged by it")
    if schema["type"] == "string" and not schema.keys() & {"maxLength", "enum", "format"}:
        raise SchemaError(path, "text needs `max_length`: CEL's cost is judged by it")


def _described(schema: Schema, path: str) -> Schema:
    if not schema.get("description"):
        raise SchemaError(path, "no description; `kubectl explain` shows it")
    return schema


def _printer_column(column: Column) -> Schema:
    printed: Schema = {"name": column.name, "type": column.type, "jsonPath": column.json_path}
    if column.description:
        printed["description"] = column.description
    if column.wide:
        printed["priority"] = 1
    return printed
