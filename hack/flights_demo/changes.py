"""What changed between two looks, one line each. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from flights_demo.world import Node, World
from serinus.api.deployment import Deployment


def changes(before: World, after: World) -> list[str]:
    """Lines to print."""
    return [
        *_nodes("FeatureSet", before.feature_sets, after.feature_sets),
        *_nodes("TrainingJob", before.training_jobs, after.training_jobs),
        *_nodes("ModelVersion", before.model_versions, after.model_versions),
        *_history(before, after),
        *_position(before.deployment, after.deployment),
    ]


def _nodes(kind: str, before: Mapping[str, Node], after: Mapping[str, Node]) -> Iterator[str]:
    for name, node in after.items():
        old = before.get(name)
        if old is None or old.phase != node.phase:
            words = node.words if node.phase in ("Ready", "Succeeded") else node.message
            yield f"{kind} {name}: {node.phase}" + (f", {words}" if words else "")


def _history(before: World, after: World) -> Iterator[str]:
    known = {(entry.at, entry.action, entry.revision) for entry in before.history}
    for entry in after.history:
        if (entry.at, entry.action, entry.revision) not in known:
            yield f"{entry.action} {entry.model_version} ({entry.revision}): {entry.because}"


def _position(before: Deployment | None, after: Deployment | None) -> Iterator[str]:
    if after is None:
        return
    old = (before.status.phase, _weight(before)) if before else (None, None)
    if (after.status.phase, _weight(after)) != old:
        weight = _weight(after)
        share = f", canary gets {weight} %" if weight is not None else ""
        yield f"Deployment {after.metadata.name}: {after.status.phase}{share}"


def _weight(deployment: Deployment) -> int | None:
    canary = deployment.status.canary
    return canary.actual_weight if canary else None
