"""Which Deployments serve a ModelVersion, and as what.

Read from the status as it is stored: this is looked at on each change of each Deployment, and a
status is long.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from serinus.api.modelversion import ServedBy
from serinus.reconcile.decision import JsonObject
from serinus.reconcile.json_values import text_at

SERVED_BY_MAX = 50
_ROLES = ("stable", "canary")


def served_versions(deployment: JsonObject | None) -> Mapping[str, str]:
    """Names of ModelVersions by the role in which the Deployment serves them."""
    names = {role: text_at(deployment, "status", role, "modelVersion") for role in _ROLES}
    return {role: name for role, name in names.items() if name}


def serving_roles(model_version: str, deployments: Iterable[JsonObject]) -> tuple[ServedBy, ...]:
    """Deployments whose stable or canary came from `model_version`, by name; the first 50."""
    found = [role for body in deployments for role in _roles(model_version, body)]
    found.sort(key=lambda one: (one.deployment, one.role))
    return tuple(found[:SERVED_BY_MAX])


def _roles(model_version: str, deployment: JsonObject) -> Iterator[ServedBy]:
    for role, name in served_versions(deployment).items():
        if name == model_version:
            yield ServedBy(deployment=deployment["metadata"]["name"], role=role)
