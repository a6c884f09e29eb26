"""What is rolled back: Deployments with a client each, and a version that refuses live values.

Behind a gateway they share one, in the same namespace.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from typing import Any

from serinus.rollout.weights import Router
from tests.cluster.conftest import image
from tests.support import gateway, small_model
from tests.support.live_cluster import Namespace, canary_of, kubectl, stable_model

NAME = "rollback-latency"
GOOD, BAD = "first-1", "narrow-1"
REQUESTS_PER_SECOND = 60
READY_SECONDS = 180


def set_up(deployments: list[str], interval_seconds: int, router: Router) -> Namespace:
    """A namespace in which all Deployments serve the good version and are asked."""
    remove()
    kubectl("create", "namespace", NAME)
    namespace = Namespace(NAME)
    if router is Router.GATEWAY_API:
        gateway.set_up(namespace)
    files = {"points.csv": small_model.csv(), "narrow.csv": small_model.csv(seed=3)}
    namespace.create(*small_model.data_server(image("jobs"), files))
    namespace.kubectl("wait", "--for=condition=Ready", "pod/data", "--timeout=60s")
    namespace.apply(
        small_model.feature_set(),
        small_model.training_job("first"),
        *small_model.version_that_refuses("narrow"),
        *(_deployment(name, interval_seconds, router) for name in deployments),
    )
    for version in (GOOD, BAD):
        namespace.wait_for("mver", version, "ready", _is("Ready"), READY_SECONDS)
    for name in deployments:
        namespace.wait_for("mdep", name, "healthy", _is("Healthy"), READY_SECONDS)
        namespace.apply(*_client(name, router))
    return namespace


def release(namespace: Namespace, deployment: str) -> None:
    """Begin a rollout of the bad version, for the first time or again."""
    wanted = namespace.get("mdep", deployment)["spec"]["model"]["versionRef"]["name"]
    if wanted == BAD:
        subprocess.run(
            ["kubectl-serinus", "-n", namespace.name, "retry", deployment],
            check=True,
            capture_output=True,
        )
        return
    patch = json.dumps({"spec": {"model": {"versionRef": {"name": BAD}}}})
    namespace.kubectl("patch", "mdep", deployment, "--type=merge", "-p", patch)


def wait_until_settled(namespace: Namespace, deployment: str, revision: str) -> None:
    """Wait until the bad revision's pods are gone, and stable serves alone."""
    selector = f"serinus.dev/deployment={deployment},serinus.dev/revision={revision}"
    namespace.wait_until("its pods are gone", lambda: not namespace.list("pods", selector))
    found = namespace.get("mdep", deployment)
    assert not canary_of(found)
    assert stable_model(found) == GOOD


def remove() -> None:
    """End what a run left."""
    kubectl("delete", "namespace", NAME, "--ignore-not-found", timeout_seconds=180)
    gateway.remove_from_cluster(NAME)


def _deployment(name: str, interval_seconds: int, router: Router) -> dict[str, Any]:
    body = small_model.deployment(name, GOOD)
    body["spec"]["strategy"] = {"canary": {"steps": [{"setWeight": 33}, {"pause": {}}]}}
    body["spec"]["analysis"] |= {
        "scrapeInterval": f"{interval_seconds}s",
        "warmup": f"{interval_seconds}s",
    }
    if router is Router.GATEWAY_API:
        parents = [{"name": gateway.NAME}]
        body["spec"]["traffic"] = {
            "gatewayAPI": {"parentRefs": parents, "hostnames": [_host(name, router)]}
        }
    return body


def _host(deployment: str, router: Router) -> str:
    """Where a client asks; a gateway tells Deployments apart by the name that it is asked for."""
    return f"gateway-{deployment}" if router is Router.GATEWAY_API else deployment


def _client(deployment: str, router: Router) -> list[dict[str, Any]]:
    """A client pod of its own, and what it asks."""
    name, host = f"traffic-{deployment}", _host(deployment, router)
    script, pod = small_model.traffic(image("jobs"), host, rate=REQUESTS_PER_SECOND)
    script["metadata"]["name"] = pod["metadata"]["name"] = name
    pod["spec"]["volumes"][0]["configMap"]["name"] = name
    if router is Router.REPLICAS:
        return [script, pod]
    ports = [{"port": 80, "targetPort": gateway.PORT}]
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": host},
        "spec": {"selector": {"test": gateway.NAME}, "ports": ports},
    }
    return [service, script, pod]


def _is(phase: str) -> Callable[[dict[str, Any]], bool]:
    return lambda body: body.get("status", {}).get("phase") == phase
