"""A model that trains in a second: manifests for the four kinds, on data that a pod serves.

Rows have two features in [0, 1] and the label whether their sum exceeds one, blurred a little.
"""

import random
from pathlib import Path
from typing import Any

JsonObject = dict[str, Any]
API_VERSION = "serinus.dev/v1alpha1"
ROWS = 3000
RANGES = {"x1": [0.0, 1.0], "x2": [0.0, 1.0]}


def csv(rows: int = ROWS, *, seed: int = 1, scale: float = 1.0, columns: str = "t,x1,x2,y") -> str:
    """CSV text with a row an hour; `scale` multiplies the features."""
    chance = random.Random(seed)
    lines = [columns]
    for number in range(rows):
        x1, x2 = chance.random(), chance.random()
        label = "true" if x1 + x2 + chance.gauss(0, 0.1) > 1 else "false"
        month, rest = divmod(number, 600)
        day, hour = divmod(rest, 24)
        moment = f"2024-{month + 1:02d}-{day + 1:02d}T{hour:02d}:00:00Z"
        lines.append(f"{moment},{x1 * scale:.5f},{x2 * scale:.5f},{label}")
    return "\n".join(lines) + "\n"


def data_server(image: str, files: dict[str, str]) -> list[JsonObject]:
    """Objects that serve `files` over HTTP under the name `data`."""
    return [
        _object("v1", "ConfigMap", "data", data=files),
        _pod(
            "data",
            image,
            ["python", "-m", "http.server", "8080", "--directory", "/data"],
            volume={"name": "data", "configMap": {"name": "data"}},
            readiness={"tcpSocket": {"port": 8080}, "periodSeconds": 1},
        ),
        _object(
            "v1",
            "Service",
            "data",
            spec={"selector": {"test": "data"}, "ports": [{"port": 80, "targetPort": 8080}]},
        ),
    ]


def traffic(
    image: str,
    deployment: str,
    *,
    rate: int = 60,
    ranges: dict[str, list[float]] | None = None,
    units: int = 0,
) -> list[JsonObject]:
    """Objects of a client pod that asks the Deployment's Service `rate` times a second.

    Its requests are those of so many `units`; of nobody's, where there are none.
    """
    import json

    script = Path(__file__).with_name("traffic_client.py").read_text()
    command = [
        "python",
        "/data/client.py",
        deployment,
        str(rate),
        "8",
        json.dumps(ranges or RANGES),
        str(units),
    ]
    return [
        _object("v1", "ConfigMap", "traffic", data={"client.py": script}),
        _pod("traffic", image, command, volume={"name": "data", "configMap": {"name": "traffic"}}),
    ]


def grpc_traffic(image: str, deployment: str, *, callers: int = 6) -> list[JsonObject]:
    """Objects of a client pod, in the server's image, that calls the Service over gRPC."""
    import json

    script = Path(__file__).with_name("grpc_traffic_client.py").read_text()
    target = f"{deployment}:8001"
    model, features = "points", json.dumps(RANGES)
    command = ["python", "/data/client.py", target, model, str(callers), features]
    return [
        _object("v1", "ConfigMap", "calls", data={"client.py": script}),
        _pod("calls", image, command, volume={"name": "data", "configMap": {"name": "calls"}}),
    ]


def script_server(
    name: str, image: str, script: Path, *arguments: str, port: int
) -> list[JsonObject]:
    """Objects that run a script which serves HTTP, behind a Service of that name."""
    return [
        _object("v1", "ConfigMap", name, data={"script.py": script.read_text()}),
        _pod(
            name,
            image,
            ["python", "/data/script.py", *arguments],
            volume={"name": "data", "configMap": {"name": name}},
            readiness={"tcpSocket": {"port": port}, "periodSeconds": 1},
        ),
        _object(
            "v1",
            "Service",
            name,
            spec={"selector": {"test": name}, "ports": [{"port": 80, "targetPort": port}]},
        ),
    ]


def script_to_its_end(name: str, image: str, script: Path, *arguments: str) -> list[JsonObject]:
    """Objects that run a script once."""
    pod = _pod(
        name,
        image,
        ["python", "/data/script.py", *arguments],
        volume={"name": "data", "configMap": {"name": name}},
    )
    pod["spec"]["restartPolicy"] = "Never"
    return [_object("v1", "ConfigMap", name, data={"script.py": script.read_text()}), pod]


def store_reader(name: str, image: str, script: str) -> JsonObject:
    """A pod that runs Python code once, with the namespace's store below `/data`."""
    volume = {"name": "data", "persistentVolumeClaim": {"claimName": "serinus-store"}}
    pod = _pod(name, image, ["python", "-c", script], volume=volume)
    pod["spec"]["restartPolicy"] = "Never"
    return pod


def metrics_api(
    image: str, namespace: str, service: str, files: dict[str, str]
) -> list[JsonObject]:
    """Objects of a pod that answers as metrics.k8s.io; it may read pods and endpoints here."""
    pod = _pod(
        "metrics",
        image,
        ["python", "/data/metrics_api.py", namespace, service],
        volume={"name": "data", "secret": {"secretName": "metrics"}},
        readiness={"tcpSocket": {"port": 8443}, "periodSeconds": 1},
    )
    pod["spec"] |= {"automountServiceAccountToken": True, "serviceAccountName": "metrics"}
    group = "rbac.authorization.k8s.io"
    rules = [
        {"apiGroups": [""], "resources": ["pods", "configmaps"], "verbs": ["get", "list"]},
        {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["list"]},
    ]
    account = {"kind": "ServiceAccount", "name": "metrics", "namespace": namespace}
    role = {"apiGroup": group, "kind": "Role", "name": "metrics"}
    return [
        _object("v1", "Secret", "metrics", stringData=files),
        _object("v1", "ConfigMap", "load", data={"millicores": "0"}),
        _object("v1", "ServiceAccount", "metrics"),
        _object(f"{group}/v1", "Role", "metrics", rules=rules),
        _object(f"{group}/v1", "RoleBinding", "metrics", roleRef=role, subjects=[account]),
        _object(
            "v1",
            "Service",
            "metrics",
            spec={"selector": {"test": "metrics"}, "ports": [{"port": 443, "targetPort": 8443}]},
        ),
        pod,
    ]


def metrics_registration(namespace: str) -> JsonObject:
    """The APIService by which the API server passes metrics.k8s.io on to that pod."""
    group, version = "metrics.k8s.io", "v1beta1"
    return _object(
        "apiregistration.k8s.io/v1",
        "APIService",
        f"{version}.{group}",
        spec={
            "group": group,
            "version": version,
            "groupPriorityMinimum": 100,
            "versionPriority": 100,
            "insecureSkipTLSVerify": True,
            "service": {"name": "metrics", "namespace": namespace, "port": 443},
        },
    )


def feature_set(name: str = "points", *, file: str = "points.csv", **features: Any) -> JsonObject:
    """FeatureSet over one file of the data server; `features` add to single features."""
    return _serinus(
        "FeatureSet",
        name,
        timestampField="t",
        sources=[
            {"name": "points", "files": {"uris": [f"http://data/{file}"], "format": "csv"}},
        ],
        features=[
            {"name": column, "type": "float64", **features.get(column, {})}
            for column in ("x1", "x2")
        ],
        labels=[{"name": "y", "type": "boolean"}],
    )


def training_job(
    name: str, *, features_from: str = "points", c: str = "1.0", min_roc_auc: str = "0.8"
) -> JsonObject:
    """TrainingJob of a logistic regression with regularisation `c`."""
    return _serinus(
        "TrainingJob",
        name,
        modelName="points",
        featureSetRefs=[{"name": features_from}],
        label="y",
        task="classification",
        trainer={"sklearn": {"estimator": "LogisticRegression", "parameters": {"C": c}}},
        split={"type": "time", "testFraction": "0.25"},
        evaluation={"gates": [{"metric": "roc_auc", "min": min_roc_auc}]},
    )


def version_that_refuses(training_job_name: str) -> list[JsonObject]:
    """Objects that train a version which refuses some of the values that clients send."""
    narrow = {"expect": {"min": "0", "max": "0.8"}, "onViolation": {"action": "reject"}}
    return [
        feature_set("narrow", file="narrow.csv", x1=narrow),
        training_job(training_job_name, features_from="narrow"),
    ]


def deployment(name: str, model_version: str, **spec: Any) -> JsonObject:
    """Deployment of a version with quick steps; `spec` replaces members."""
    defaults: JsonObject = {
        "model": {"versionRef": {"name": model_version}},
        "replicas": 2,
        "server": {
            "resources": {"requests": {"cpu": "20m", "memory": "96Mi"}},
            "feedback": {"cohortLength": "2s"},
        },
        "strategy": {
            "canary": {
                "steps": [
                    {"setWeight": 33},
                    {"analyze": {"minDuration": "4s"}},
                    {"setWeight": 50},
                    {"analyze": {"minDuration": "4s"}},
                ]
            }
        },
        "analysis": {
            "scrapeInterval": "2s",
            "warmup": "2s",
            "varianceInflation": "1",
            "metrics": [
                {
                    "name": "errors",
                    "template": "error-rate",
                    "compareTo": "stable",
                    "tolerance": {"ratio": "1.25", "increase": "0.001"},
                    "nonInferiorityMargin": {"ratio": "2", "increase": "0.02"},
                }
            ],
        },
    }
    return _serinus("Deployment", name, **(defaults | spec))


def _serinus(kind: str, name: str, **spec: Any) -> JsonObject:
    return {"apiVersion": API_VERSION, "kind": kind, "metadata": {"name": name}, "spec": spec}


def _object(api_version: str, kind: str, name: str, **rest: Any) -> JsonObject:
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name}, **rest}


def _pod(
    name: str,
    image: str,
    command: list[str],
    *,
    volume: JsonObject,
    readiness: JsonObject | None = None,
) -> JsonObject:
    container: JsonObject = {
        "name": name,
        "image": image,
        "command": command,
        "volumeMounts": [{"name": volume["name"], "mountPath": "/data", "readOnly": True}],
        "resources": {"requests": {"cpu": "20m", "memory": "32Mi"}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        },
    }
    if readiness:
        container["readinessProbe"] = readiness
    pod = _object(
        "v1",
        "Pod",
        name,
        spec={
            "automountServiceAccountToken": False,
            "terminationGracePeriodSeconds": 1,
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": 65532,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [container],
            "volumes": [volume],
        },
    )
    pod["metadata"]["labels"] = {"test": name}
    return pod
