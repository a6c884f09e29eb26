"""The objects: half ModelVersions that are verified, half Deployments that each serve one of them.

The harness stands for all controllers but ours: it says that verification is over and that pods
are ready. Everything else in status and all children are made by the operator itself.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Iterator
from typing import Any

from benchmarks.control_loop.api import Api, Body, all_of
from benchmarks.control_loop.processes import Measured
from serinus.api.schema_model import API_VERSION

NAMESPACE = "bench"
_OURS = f"/apis/{API_VERSION}/namespaces/{NAMESPACE}"
VERSIONS = f"{_OURS}/modelversions"
DEPLOYMENTS = f"{_OURS}/modeldeployments"
WORKLOADS = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments"
LOOK_SECONDS = 2.0
_INPUTS = 12


def model_version(number: int) -> Body:
    """A ModelVersion as a training run leads to: signature, origin, evaluation."""
    digest = f"{number:064x}"
    inputs = [{"name": f"feature_{place}", "datatype": "FP64"} for place in range(_INPUTS)]
    return {
        "apiVersion": API_VERSION,
        "kind": "ModelVersion",
        "metadata": {"name": f"model-{number}", "namespace": NAMESPACE},
        "spec": {
            "modelName": "model",
            "modelFormat": {"name": "serinus", "version": "1"},
            "storageUri": f"file:///store/models/model/{digest}",
            "digest": f"sha256:{digest}",
            "signature": {"inputs": inputs, "outputs": [{"name": "late", "datatype": "BOOL"}]},
            "evaluation": {"passed": True, "metrics": {"roc_auc": "0.71", "log_loss": "0.5"}},
        },
    }


def verified(number: int) -> Body:
    """The status of a ModelVersion whose verification is over."""
    name = f"model-{number}-verify"
    moment = "2026-01-01T00:00:00Z"
    verification = {
        "name": name,
        "identity": f"sha256:{number:064x}",
        "startedAt": moment,
        "finishedAt": moment,
        "outcome": "succeeded",
        "reason": "Verified",
        "message": "12 inputs, 1,000 rows: the same answers",
    }
    predictor = {"kind": "forest", "verifiedRows": 1000, "mismatches": 0}
    return {"status": {"verification": verification, "predictor": predictor}}


def deployment(number: int) -> Body:
    """A Deployment with a canary strategy and three metrics, as in the README."""
    metrics = [
        {"name": "errors", "template": "error-rate", "compareTo": "stable"},
        {"name": "slow", "template": "slow-requests", "latency": "50ms", "compareTo": "stable"},
        {"name": "wrong", "template": "wrong-predictions", "compareTo": "stable"},
    ]
    steps = [
        {"setWeight": 20},
        {"analyze": {"minSamples": 500}},
        {"setWeight": 50},
        {"analyze": {}},
    ]
    return {
        "apiVersion": API_VERSION,
        "kind": "Deployment",
        "metadata": {"name": f"serving-{number}", "namespace": NAMESPACE},
        "spec": {
            "model": {"versionRef": {"name": f"model-{number}"}},
            "replicas": 1,
            "strategy": {"canary": {"steps": steps}},
            "analysis": {"metrics": metrics},
        },
    }


async def populate(api: Api, count: int) -> None:
    """Make `count` objects; half of each kind."""
    await api.create("/api/v1/namespaces", {"metadata": {"name": NAMESPACE}})
    numbers = range(count // 2)
    await all_of(functools.partial(api.create, VERSIONS, model_version(one)) for one in numbers)
    await all_of(
        functools.partial(api.patch, f"{VERSIONS}/model-{one}/status", verified(one))
        for one in numbers
    )
    await all_of(functools.partial(api.create, DEPLOYMENTS, deployment(one)) for one in numbers)


async def converge(api: Api, count: int, operator: Measured) -> None:
    """Say that pods are ready as workloads are made, until every Deployment serves."""
    while True:
        operator.check()
        workloads = await api.items(WORKLOADS)
        await all_of(_ready(api, workloads))
        found = await api.items(DEPLOYMENTS)
        if sum(one.get("status", {}).get("phase") == "Healthy" for one in found) == count // 2:
            return
        await asyncio.sleep(LOOK_SECONDS)


def _ready(api: Api, workloads: list[Body]) -> Iterator[Any]:
    for workload in workloads:
        metadata, replicas = workload["metadata"], workload["spec"]["replicas"]
        status = {
            "observedGeneration": metadata["generation"],
            "replicas": replicas,
            "readyReplicas": replicas,
            "availableReplicas": replicas,
        }
        if not status.items() <= workload.get("status", {}).items():
            path = f"{WORKLOADS}/{metadata['name']}/status"
            yield functools.partial(api.patch, path, {"status": status})
