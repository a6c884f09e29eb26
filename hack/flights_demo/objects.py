"""What the demo adds to the cluster beside the four kinds: a namespace, a file server, callers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from flights_demo.replay import CONTROL_PORT

JsonObject = dict[str, Any]

NAMESPACE = "flights"
DATA_POD = "flights-data"
CALLER_PODS = 2
CALLERS_PER_POD = 20
DEPLOYMENT = "flight-delay"

_DATA_PORT = 8080
_REPLAY = Path(__file__).with_name("replay")


# Else a lost datagram of the cluster's DNS, which is nobody's fault here, costs a caller five.
_ASK_AGAIN_AFTER_A_SECOND = [
    {"name": "timeout", "value": "1"},
    {"name": "attempts", "value": "4"},
]


def caller_name(number: int) -> str:
    """Name of a pod of callers."""
    return f"callers-{number}"


def namespace() -> JsonObject:
    """The namespace, where only restricted pods may run."""
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    return _object("v1", "Namespace", NAMESPACE, labels=labels)


def file_server(image: str) -> list[JsonObject]:
    """A pod that serves what is put into its /data, ready once /data/complete is there."""
    probe = {"httpGet": {"path": "/complete", "port": "http"}, "periodSeconds": 1}
    server = _container(
        image,
        ["python", "-m", "http.server", str(_DATA_PORT), "--directory", "/data"],
        ports=[{"name": "http", "containerPort": _DATA_PORT}],
        readinessProbe=probe,
        volumeMounts=[{"name": "data", "mountPath": "/data"}],
    )
    labels = {"app": DATA_POD}
    return [
        _pod(DATA_POD, labels, server, [{"name": "data", "emptyDir": {}}]),
        _object(
            "v1",
            "Service",
            DATA_POD,
            labels=labels,
            spec={"selector": labels, "ports": [{"port": 80, "targetPort": "http"}]},
        ),
    ]


def callers(image: str, service_url: str) -> list[JsonObject]:
    """Pods that replay the flights as requests, and the code that they run."""
    code = {path.name: path.read_text() for path in sorted(_REPLAY.glob("*.py"))}
    code_map = _object("v1", "ConfigMap", "callers", labels={"app": "callers"}, data=code)
    items = [{"key": name, "path": f"flights_demo/replay/{name}"} for name in code]
    volume = {"name": "code", "configMap": {"name": "callers", "items": items}}
    pods = [
        _pod(
            caller_name(number),
            {"app": "callers"},
            _container(
                image,
                ["python", "-m", "flights_demo.replay", *_caller_arguments(number, service_url)],
                env=[{"name": "PYTHONPATH", "value": "/demo"}],
                ports=[{"name": "control", "containerPort": CONTROL_PORT}],
                readinessProbe={"tcpSocket": {"port": "control"}, "periodSeconds": 1},
                volumeMounts=[{"name": "code", "mountPath": "/demo", "readOnly": True}],
            ),
            [volume],
        )
        for number in range(CALLER_PODS)
    ]
    return [code_map, *pods]


def _caller_arguments(number: int, service_url: str) -> list[str]:
    return [
        f"http://{DATA_POD}/questions.jsonl.gz",
        service_url,
        str(number),
        str(CALLER_PODS),
        str(CALLERS_PER_POD),
    ]


def _container(image: str, command: list[str], **more: Any) -> JsonObject:
    return {
        "name": "main",
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": command,
        "resources": {
            "requests": {"cpu": "50m", "memory": "64Mi"},
            "limits": {"memory": "768Mi"},
        },
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        },
        **more,
    }


def _pod(
    name: str, labels: dict[str, str], container: JsonObject, volumes: list[JsonObject]
) -> JsonObject:
    spec = {
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": 1,
        "dnsConfig": {"options": _ASK_AGAIN_AFTER_A_SECOND},
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 65532,
            "fsGroup": 65532,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [container],
        "volumes": volumes,
    }
    return _object("v1", "Pod", name, labels=labels, spec=spec)


def _object(
    api_version: str, kind: str, name: str, *, labels: dict[str, str], **rest: Any
) -> JsonObject:
    metadata = {"name": name, "labels": labels}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **rest}
