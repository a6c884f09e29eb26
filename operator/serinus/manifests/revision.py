"""A revision frozen at birth: an immutable ControllerRevision with inputs and rendered template."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from serinus.manifests.naming import revision_object_name
from serinus.manifests.workload import revision_labels

JsonObject = dict[str, Any]


@dataclass(frozen=True, slots=True)
class RevisionRecord:
    """All that is kept of a revision.

    Attributes
    ----------
    number
        Counts the revisions of the Deployment by birth, from 1.
    inputs
        What the user chose; two revisions never have the same.
    hash_version
        By which rule `revision` was made of the inputs.
    model_version
        The ModelVersion that the model came from at birth.
    template
        The whole rendered pod template, which is re-applied as it stands.
    """

    revision: str
    number: int
    inputs: Mapping[str, Any]
    hash_version: str
    model_version: str
    template: Mapping[str, Any]

    def has_variable(self, name: str) -> bool:
        """Whether a container of its pods has an environment variable of that name."""
        containers = self.template.get("spec", {}).get("containers", ())
        return any(
            one.get("name") == name for container in containers for one in container.get("env", ())
        )


def make_controller_revision(deployment: str, namespace: str, record: RevisionRecord) -> JsonObject:
    """The ControllerRevision that holds `record`."""
    return {
        "apiVersion": "apps/v1",
        "kind": "ControllerRevision",
        "metadata": {
            "name": revision_object_name(deployment, record.revision),
            "namespace": namespace,
            "labels": revision_labels(deployment, record.revision),
        },
        "revision": record.number,
        "data": {
            "revision": record.revision,
            "hashVersion": record.hash_version,
            "inputs": record.inputs,
            "modelVersion": record.model_version,
            "template": record.template,
        },
    }


def parse_controller_revision(body: Mapping[str, Any]) -> RevisionRecord | None:
    """The record in a ControllerRevision; None if it isn't one of ours."""
    data = body.get("data")
    if not isinstance(data, Mapping):
        return None
    try:
        return RevisionRecord(
            revision=str(data["revision"]),
            number=int(body["revision"]),
            inputs=dict(data["inputs"]),
            hash_version=str(data["hashVersion"]),
            model_version=str(data["modelVersion"]),
            template=dict(data["template"]),
        )
    except (KeyError, TypeError, ValueError):
        return None
