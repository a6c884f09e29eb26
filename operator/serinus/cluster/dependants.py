"""Whose pass a change concerns: from an object to the keys of the owners that look at it."""

from __future__ import annotations

from collections.abc import Iterator

from serinus.api.enums import Kind
from serinus.api.schema_model import API_VERSION
from serinus.cluster.indexes import Index
from serinus.cluster.store import Change, Store
from serinus.manifests.naming import OWNER_LABELS
from serinus.reconcile.decision import JsonObject, ObjectRef
from serinus.reconcile.json_values import objects_at, text_at
from serinus.reconcile.serving_roles import served_versions

CLAIM_KIND = "PersistentVolumeClaim"


def owner_ref(kind: Kind, namespace: str, name: str) -> ObjectRef:
    """The key of an object of one of the four kinds."""
    return ObjectRef(API_VERSION, kind.value, namespace, name)


def dependants(change: Change, store: Store) -> tuple[ObjectRef, ...]:
    """Keys to be worked on because of the change: the object itself and who looks at it.

    Both the old and the new body count, so that who looked at an object learns that it no longer
    is what it was. The order is the same in each process.
    """
    return tuple(dict.fromkeys(_found(change, store)))


def _found(change: Change, store: Store) -> Iterator[ObjectRef]:
    for body in (change.old, change.new):
        if body is not None:
            yield from _by_labels(change.ref, body)
    if change.ref.api_version == API_VERSION:
        yield change.ref
        yield from _of_owner(change, store)
    elif change.ref.kind == CLAIM_KIND:
        yield from _all_of_namespace(change.ref.namespace, store)


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
            for on_it in (Index.TRAINING_JOBS_ON_FEATURE_SET, Index.DEPLOYMENTS_ON_FEATURE_SET):
                yield from store.found_by(on_it, change.ref.namespace, change.ref.name)
        case Kind.MODEL_VERSION:
            yield from _users_of_model_version(change, store)
        case Kind.DEPLOYMENT:
            yield from _served_model_versions(change)


def _users_of_model_version(change: Change, store: Store) -> Iterator[ObjectRef]:
    """Who made it, whose snapshots it keeps, and who refers to it or serves it."""
    namespace, name = change.ref.namespace, change.ref.name
    for version in (change.old, change.new):
        if training_job := text_at(version, "spec", "source", "trainingJobRef", "name"):
            yield owner_ref(Kind.TRAINING_JOB, namespace, training_job)
        for snapshot in objects_at(version, "spec", "source", "featureSnapshots"):
            if feature_set := text_at(snapshot, "featureSet"):
                yield owner_ref(Kind.FEATURE_SET, namespace, feature_set)
        if model := text_at(version, "spec", "modelName"):
            yield from store.found_by(Index.DEPLOYMENTS_OF_MODEL, namespace, model)
    yield from store.found_by(Index.DEPLOYMENTS_OF_VERSION, namespace, name)
    yield from store.found_by(Index.DEPLOYMENTS_SERVING, namespace, name)


def _served_model_versions(change: Change) -> Iterator[ObjectRef]:
    """Versions that begin or end to be served by the Deployment."""
    before, after = served_versions(change.old), served_versions(change.new)
    if before != after:
        for name in (*before.values(), *after.values()):
            yield owner_ref(Kind.MODEL_VERSION, change.ref.namespace, name)
