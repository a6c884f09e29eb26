"""Which Deployments serve a ModelVersion, and as what."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pydantic import ValidationError

from serinus.api.deployment import DeploymentStatus
from serinus.api.modelversion import ServedBy
from serinus.reconcile.decision import JsonObject

SERVED_BY_MAX = 50


def serving_roles(model_version: str, deployments: Iterable[JsonObject]) -> tuple[ServedBy, ...]:
    """Deployments whose stable or canary came from `model_version`, by name; the first 50."""
    found = [role for body in deployments for role in _roles(model_version, body)]
    found.sort(key=lambda one: (one.deployment, one.role))
    return tuple(found[:SERVED_BY_MAX])


def _roles(model_version: str, deployment: JsonObject) -> Iterator[ServedBy]:
    try:
        status = DeploymentStatus.model_validate(deployment.get("status") or {})
    except ValidationError:
        return
    name = deployment["metadata"]["name"]
    if status.stable and status.stable.model_version == model_version:
        yield ServedBy(deployment=name, role="stable")
    if status.canary and status.canary.model_version == model_version:
        yield ServedBy(deployment=name, role="canary")
