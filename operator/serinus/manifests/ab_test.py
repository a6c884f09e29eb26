"""How pods are told of an A/B test: the ConfigMap that they mount, if it is there."""

from __future__ import annotations

from typing import Any

from serinus.api.ab_test_document import DOCUMENT_KEY, AbTestDocument
from serinus.api.enums import Kind
from serinus.manifests.naming import ab_test_name, owner_labels

JsonObject = dict[str, Any]


def make_ab_test_map(deployment: str, namespace: str, document: AbTestDocument) -> JsonObject:
    """The ConfigMap that tells the pods of a Deployment what to assign."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": ab_test_name(deployment),
            "namespace": namespace,
            "labels": owner_labels(Kind.DEPLOYMENT, deployment),
        },
        "data": {DOCUMENT_KEY: document.to_json()},
    }
