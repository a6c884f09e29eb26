"""The Services of a Deployment: the one that decides who gets requests, and a list of its pods.

The selector of the first has two forms: pinned to the pods of one revision, or split over all pods
of the Deployment. An annotation says which revision is stable, so that this is known even if the
status is lost. The second is headless and always has all pods. With a gateway, each revision has a
Service of its own besides, whose selector never changes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from serinus.api.enums import Kind
from serinus.manifests.naming import (
    MANAGED_BY,
    MANAGED_BY_LABEL,
    OWNER_LABELS,
    REVISION_LABEL,
    ab_test_service_name,
    feedback_service_name,
    owner_labels,
    preview_service_name,
    revision_service_name,
    service_name,
    shadow_service_name,
)
from serinus.manifests.workload import GRPC_PORT, GRPC_PORT_NAME, PORT, PORT_NAME

JsonObject = dict[str, Any]
Ports = tuple[JsonObject, ...]

SERVICE_PORT = 80
AB_TEST_PORT_NAME = "ab-test"
FEEDBACK_PORT_NAME = "feedback"
PREVIEW_PORT_NAME = "preview"
REVISION_PORT_NAME = "revision"
SHADOW_PORT_NAME = "shadow"
STABLE_ANNOTATION = "serinus.dev/stable-revision"


def pinned_selector(deployment: str, revision: str) -> dict[str, str]:
    """Only the pods of one revision."""
    return {**split_selector(deployment), REVISION_LABEL: revision}


def split_selector(deployment: str) -> dict[str, str]:
    """All pods of the Deployment, of whatever revision.

    Not with our own label only: a pod that somebody else labelled would get requests.
    """
    return {MANAGED_BY_LABEL: MANAGED_BY, OWNER_LABELS[Kind.DEPLOYMENT]: deployment}


def grpc_ports(template: Mapping[str, Any] | None) -> Ports:
    """The port of gRPC, for a Service that leads to pods of this template; none if they have none.

    A Gateway learns from it that the pods speak HTTP/2 without TLS.
    """
    containers = template["spec"]["containers"] if template else ()
    named = {port.get("name") for one in containers for port in one.get("ports", ())}
    if GRPC_PORT_NAME not in named:
        return ()
    port = {"name": GRPC_PORT_NAME, "port": GRPC_PORT, "protocol": "TCP"}
    return ({**port, "targetPort": GRPC_PORT_NAME, "appProtocol": "kubernetes.io/h2c"},)


def make_service(
    deployment: str,
    namespace: str,
    *,
    selector: dict[str, str],
    stable: str | None,
    more_ports: Ports = (),
) -> JsonObject:
    """The Service; `stable` is None until the first revision is.

    The annotation is always there, and empty where nothing is stable: one that was left out would
    keep its old value in a Service that was made with it.
    """
    body = _service(service_name(deployment), deployment, namespace, selector, PORT_NAME)
    body["spec"]["ports"] += more_ports
    body["metadata"]["annotations"] = {STABLE_ANNOTATION: stable or ""}
    return body


def make_preview_service(
    deployment: str, namespace: str, *, revision: str, more_ports: Ports = ()
) -> JsonObject:
    """The pods of `revision`, for people and tests that look at it before a switch."""
    name, selector = preview_service_name(deployment), pinned_selector(deployment, revision)
    body = _service(name, deployment, namespace, selector, PREVIEW_PORT_NAME)
    body["spec"]["ports"] += more_ports
    return body


def make_feedback_service(deployment: str, namespace: str) -> JsonObject:
    """The addresses of all pods, whatever their revision and whether or not they are ready.

    A label counts once only if all pods see the same pods, and one that is busy or ends still
    knows which labels it has counted.
    """
    name, selector = feedback_service_name(deployment), split_selector(deployment)
    body = _service(name, deployment, namespace, selector, FEEDBACK_PORT_NAME, port=PORT)
    body["spec"] |= {"clusterIP": "None", "publishNotReadyAddresses": True}
    return body


def make_shadow_service(deployment: str, namespace: str, *, revision: str) -> JsonObject:
    """The addresses of the pods to which stable's pods mirror requests; only ready ones."""
    name, selector = shadow_service_name(deployment), pinned_selector(deployment, revision)
    body = _service(name, deployment, namespace, selector, SHADOW_PORT_NAME, port=PORT)
    body["spec"] |= {"clusterIP": "None"}
    return body


def make_ab_test_service(deployment: str, namespace: str, *, revision: str) -> JsonObject:
    """The addresses of the pods that answer the canary's units in an A/B test; only ready ones."""
    name, selector = ab_test_service_name(deployment), pinned_selector(deployment, revision)
    body = _service(name, deployment, namespace, selector, AB_TEST_PORT_NAME, port=PORT)
    body["spec"] |= {"clusterIP": "None"}
    return body


def make_revision_service(
    deployment: str, namespace: str, revision: str, *, more_ports: Ports = ()
) -> JsonObject:
    """The Service of one revision's pods, for a gateway."""
    name, selector = (
        revision_service_name(deployment, revision),
        pinned_selector(deployment, revision),
    )
    body = _service(name, deployment, namespace, selector, REVISION_PORT_NAME)
    body["spec"]["ports"] += more_ports
    body["metadata"]["labels"][REVISION_LABEL] = revision
    return body


def _service(
    name: str,
    deployment: str,
    namespace: str,
    selector: dict[str, str],
    port_name: str,
    *,
    port: int = SERVICE_PORT,
) -> JsonObject:
    """A Service of the Deployment's pods.

    Each has a port of another name, so that who scrapes Services by the name of a port doesn't
    scrape the pods twice.
    """
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": owner_labels(Kind.DEPLOYMENT, deployment),
        },
        "spec": {
            "type": "ClusterIP",
            "selector": selector,
            "ports": [
                {"name": port_name, "port": port, "protocol": "TCP", "targetPort": PORT_NAME}
            ],
        },
    }


def service_url(deployment: str, namespace: str) -> str:
    """Address of the Service inside the cluster."""
    return f"http://{service_name(deployment)}.{namespace}.svc"
