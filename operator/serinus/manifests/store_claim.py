"""The claim of the store, made where a namespace has none; never owned, changed or deleted."""

from __future__ import annotations

from typing import Any

from serinus.manifests.naming import MANAGED_BY, MANAGED_BY_LABEL
from serinus.manifests.settings import StoreSettings

JsonObject = dict[str, Any]


def make_store_claim(namespace: str, store: StoreSettings) -> JsonObject:
    """PersistentVolumeClaim with the class, size and access mode of the platform's settings."""
    spec: JsonObject = {
        "accessModes": [store.access_mode],
        "resources": {"requests": {"storage": store.size}},
    }
    if store.storage_class is not None:
        spec["storageClassName"] = store.storage_class
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {
            "name": store.claim_name,
            "namespace": namespace,
            "labels": {MANAGED_BY_LABEL: MANAGED_BY},
        },
        "spec": spec,
    }
