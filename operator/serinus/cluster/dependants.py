"""Whose pass a change concerns: from an object to the keys of the owners that look at it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from serinus.api.enums import Kind
from serinus.api.schema_model import API_VERSION
from serinus.cluster.store import Change, Store
from serinus.manifests.naming import OWNER_LABELS
from serinus.reconcile.decision import JsonObject, ObjectRef

CLAIM_KIND = "PersistentVolumeClaim"


def owner_ref(kind: Kind, namespace: str, name: str) -> ObjectRef:
    """The key of an object of one of the four kinds."""
    return ObjectRef(API_VERSION, kind.value, namespace, name)


def dependants(change: Change, store: Store) -> frozenset[ObjectRef]:
    """Keys to be worked on because of the change: the object itself and who looks at it.

    Both the old and the new body count, so that who looked at an object learns that it no longer
    is what it was.
    """
    found: set[ObjectRef] = set()
    for body in (change.old, change.new):
        if body is not None:
            found.update(_by_labels(change.ref, body))
    if change.ref.api_version == API_VERSION:
        found.add(change.ref)
        found.update(_of_owner(change, store))
    elif change.ref.kind == CLAIM_KIND:
        found.update(_all_of_namespace(change.ref.namespace, store))
    return frozenset(found)


def _by_labels(ref: ObjectRef, body: JsonObject) -> Iterator[ObjectRef]:
    """The owners that our labels on the object name."""
    labels = body["metadata"].get("labels") or {}
    for kind, label in OWNER_LABELS.items():
        if label in labels:
            yield owner_ref(kind, ref.namespace, labels[label])


def _all_of_namespace(namespace: str, store: Store) -> Iterator[ObjectRef]:
    for kind in Kind:
        for body in store.of_kind(API_VERSION, kind.value, namespace):
            yield owner_ref(kind, namespace, body["metadata"]["name"])


def _of_owner(change: Change, store: Store) -> Iterator[ObjectRef]:
    match change.ref.kind:
        case Kind.FEATURE_SET:
            yield from _users_of_feature_set(change.ref, store)
        case Kind.MODEL_VERSION:
            yield from _users_of_model_version(change, store)
        case Kind.DEPLOYMENT:
            yield from _served_model_versions(change)


def _users_of_feature_set(ref: ObjectRef, store: Store) -> Iterator[ObjectRef]:
    for body in store.of_kind(API_VERSION, Kind.TRAINING_JOB.value, ref.namespace):
        references = _list(body, "spec", "featureSetRefs")
        if any(reference.get("name") == ref.name for reference in references):
            yield owner_ref(Kind.TRAINING_JOB, ref.namespace, body["metadata"]["name"])


def _users_of_model_version(change: Change, store: Store) -> Iterator[ObjectRef]:
    """Who made it, whose snapshots it keeps, and who refers to it or serves it."""
    namespace = change.ref.namespace
    for version in (change.old, change.new):
        if version is None:
            continue
        training_job = _at(version, "spec", "source", "trainingJobRef", "name")
        if isinstance(training_job, str):
            yield owner_ref(Kind.TRAINING_JOB, namespace, training_job)
        for snapshot in _list(version, "spec", "source", "featureSnapshots"):
            if isinstance(snapshot.get("featureSet"), str):
                yield owner_ref(Kind.FEATURE_SET, namespace, snapshot["featureSet"])
        for body in store.of_kind(API_VERSION, Kind.DEPLOYMENT.value, namespace):
            if _refers_to(body, version):
                yield owner_ref(Kind.DEPLOYMENT, namespace, body["metadata"]["name"])


def _refers_to(deployment: JsonObject, version: JsonObject) -> bool:
    name, model = version["metadata"]["name"], _at(version, "spec", "modelName")
    channel = _at(deployment, "spec", "model", "channel", "modelName")
    return (
        _at(deployment, "spec", "model", "versionRef", "name") == name
        or (channel is not None and channel == model)
        or name in _serving(deployment).values()
    )


def _served_model_versions(change: Change) -> Iterator[ObjectRef]:
    """Versions that begin or end to be served by the Deployment."""
    before, after = _serving(change.old), _serving(change.new)
    if before != after:
        for name in {*before.values(), *after.values()}:
            yield owner_ref(Kind.MODEL_VERSION, change.ref.namespace, name)


def _serving(deployment: JsonObject | None) -> dict[str, str]:
    """ModelVersions by the role in which the Deployment serves them."""
    names = {role: _at(deployment, "status", role, "modelVersion") for role in ("stable", "canary")}
    return {role: name for role, name in names.items() if isinstance(name, str)}


def _at(body: JsonObject | None, *path: str) -> Any:
    """The value at `path`; None where something on the way is missing or no object."""
    value: Any = body
    for key in path:
        if not isinstance(value, dict):
            return None
        value = value.get(key)
    return value


def _list(body: JsonObject, *path: str) -> list[dict[str, Any]]:
    value = _at(body, *path)
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
