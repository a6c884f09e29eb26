"""The Service of a Deployment, whose selector decides who gets requests.

It has two forms: pinned to the pods of one revision, or split over all pods of the Deployment. An
annotation says which revision is stable, so that this is known even if the status is lost.
"""

from __future__ import annotations

from typing import Any

from serinus.api.enums import Kind
from serinus.manifests.naming import (
    MANAGED_BY,
    MANAGED_BY_LABEL,
    OWNER_LABELS,
    REVISION_LABEL,
    owner_labels,
    service_name,
)
from serinus.manifests.workload import PORT_NAME

JsonObject = dict[str, Any]

SERVICE_PORT = 80
STABLE_ANNOTATION = "serinus.dev/stable-revision"


def pinned_selector(deployment: str, revision: str) -> dict[str, str]:
    """Only the pods of one revision."""
    return {**split_selector(deployment), REVISION_LABEL: revision}


def split_selector(deployment: str) -> dict[str, str]:
    """All pods of the Deployment, of whatever revision.

    Not with our own label only: a pod that somebody else labelled would get requests.
    """
    return {MANAGED_BY_LABEL: MANAGED_BY, OWNER_LABELS[Kind.DEPLOYMENT]: deployment}


def make_service(
    deployment: str, namespace: str, *, selector: dict[str, str], stable: str | None
) -> JsonObject:
    """The Service; `stable` is None until the first revision is.

    The annotation is always there, and empty where nothing is stable: one that was left out would
    keep its old value in a Service that was made with it.
    """
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": service_name(deployment),
            "namespace": namespace,
            "labels": owner_labels(Kind.DEPLOYMENT, deployment),
            "annotations": {STABLE_ANNOTATION: stable or ""},
        },
        "spec": {
            "type": "ClusterIP",
            "selector": selector,
            "ports": [
                {
                    "name": PORT_NAME,
                    "port": SERVICE_PORT,
                    "protocol": "TCP",
                    "targetPort": PORT_NAME,
                }
            ],
        },
    }


def service_url(deployment: str, namespace: str) -> str:
    """Address of the Service inside the cluster."""
    return f"http://{service_name(deployment)}.{namespace}.svc"
