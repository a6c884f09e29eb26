"""A real gateway in a namespace of a test: Traefik, which follows the Gateway API's kinds."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from tests.support.api_server import gateway_api_folder
from tests.support.live_cluster import Namespace, kubectl

JsonObject = dict[str, Any]
GROUP = "gateway.networking.k8s.io"
CONTROLLER = "traefik.io/gateway-controller"
NAME = "public"
PORT = 8000
_KINDS = ("backendtlspolicies", "gatewayclasses", "gateways", "grpcroutes", "httproutes")
_RBAC = "rbac.authorization.k8s.io"


def crd_files() -> list[Path]:
    """All standard kinds of the Gateway API, in the version that the gateway was built with."""
    return sorted(gateway_api_folder().glob(f"{GROUP}_*.yaml"))


def set_up(namespace: Namespace) -> None:
    """Make the gateway `public` of a namespace, and wait until it works."""
    for file in crd_files():
        kubectl("apply", "--server-side", "-f", str(file))
    for one in cluster_objects(namespace.name):
        kubectl("apply", "-f", "-", stdin=json.dumps(one))
    namespace.apply(*namespaced_objects(os.environ["SERINUS_GATEWAY_IMAGE"], namespace.name))
    namespace.kubectl("wait", "--for=condition=Ready", f"pod/{NAME}", "--timeout=60s")
    namespace.kubectl("wait", "--for=condition=Programmed", f"gateway/{NAME}", "--timeout=60s")


def remove_from_cluster(namespace: str) -> None:
    """Delete what isn't in the namespace, as far as it is there."""
    for one in cluster_objects(namespace):
        if kubectl("api-resources", "--api-group", one["apiVersion"].partition("/")[0], "-o=name"):
            kubectl("delete", one["kind"], one["metadata"]["name"], "--ignore-not-found")


def cluster_objects(namespace: str) -> list[JsonObject]:
    """What isn't in the namespace: the class, and what the gateway may read and tell."""
    watch = ["get", "list", "watch"]
    kinds = [*_KINDS, "referencegrants"]
    rules = [
        {"apiGroups": [""], "resources": ["namespaces", "services", "secrets", "configmaps"],
         "verbs": watch},
        {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": watch},
        {"apiGroups": [GROUP], "resources": kinds, "verbs": watch},
        {"apiGroups": [GROUP], "resources": [f"{kind}/status" for kind in _KINDS],
         "verbs": ["update"]},
    ]  # fmt: skip
    account = {"kind": "ServiceAccount", "name": "gateway", "namespace": namespace}
    role = {"apiGroup": _RBAC, "kind": "ClusterRole", "name": namespace}
    return [
        _object(f"{_RBAC}/v1", "ClusterRole", namespace, rules=rules),
        _object(f"{_RBAC}/v1", "ClusterRoleBinding", namespace, roleRef=role, subjects=[account]),
        _object(f"{GROUP}/v1", "GatewayClass", namespace, spec={"controllerName": CONTROLLER}),
    ]


def namespaced_objects(image: str, namespace: str) -> list[JsonObject]:
    """The gateway `public` and the pod behind it; it is reached at the Service of that name."""
    labels = {"test": NAME}
    arguments = [
        f"--entryPoints.web.address=:{PORT}",
        "--ping=true",
        "--ping.entryPoint=web",
        "--providers.kubernetesGateway=true",
        f"--providers.kubernetesGateway.namespaces={namespace}",
        "--log.level=INFO",
        "--global.checkNewVersion=false",
        "--global.sendAnonymousUsage=false",
    ]
    container = {
        "name": "main",
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "args": arguments,
        "ports": [{"containerPort": PORT}],
        "readinessProbe": {"httpGet": {"path": "/ping", "port": PORT}, "periodSeconds": 1},
        "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}, "limits": {"memory": "512Mi"}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        },
    }
    pod = {
        "serviceAccountName": "gateway",
        "terminationGracePeriodSeconds": 1,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 65532,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [container],
    }
    listener = {"name": "web", "protocol": "HTTP", "port": PORT}
    return [
        _object("v1", "ServiceAccount", "gateway"),
        _object("v1", "Pod", NAME, labels=labels, spec=pod),
        _object(
            "v1",
            "Service",
            NAME,
            spec={"selector": labels, "ports": [{"port": 80, "targetPort": PORT}]},
        ),
        _object(
            f"{GROUP}/v1",
            "Gateway",
            NAME,
            spec={"gatewayClassName": namespace, "listeners": [listener]},
        ),
    ]


def _object(
    api_version: str, kind: str, name: str, *, labels: dict[str, str] | None = None, **rest: Any
) -> JsonObject:
    metadata = {"name": name, "labels": labels or {}}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **rest}
