"""That a revision was rejected, kept for as long as its Deployment: a ControllerRevision.

The status shows the newest rejections only and can be lost; these records remember all of them.
They are made and deleted, never changed, and who may edit a namespace can't do either by default.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from serinus.api.deployment_status import RejectedRevision
from serinus.manifests.naming import rejection_name
from serinus.manifests.workload import revision_labels

JsonObject = dict[str, Any]

_KEY = "rejected"


def make_rejection(deployment: str, namespace: str, rejected: RejectedRevision) -> JsonObject:
    """The record of a rejection."""
    return {
        "apiVersion": "apps/v1",
        "kind": "ControllerRevision",
        "metadata": {
            "name": rejection_name(deployment, rejected.revision),
            "namespace": namespace,
            "labels": revision_labels(deployment, rejected.revision),
        },
        "revision": 0,
        "data": {_KEY: rejected.model_dump(mode="json", by_alias=True)},
    }


def parse_rejection(body: Mapping[str, Any]) -> RejectedRevision | None:
    """The rejection in a ControllerRevision; None if it holds none."""
    data = body.get("data")
    if not isinstance(data, Mapping) or _KEY not in data:
        return None
    try:
        return RejectedRevision.model_validate(data[_KEY])
    except ValidationError:
        return None
