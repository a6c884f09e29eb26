"""A real HorizontalPodAutoscaler beside a canary, on numbers that follow the pods' true share.

The cluster has no metrics server, so a pod of the test answers in its place: with a load that is
split evenly between the pods that get requests.
"""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.conftest import image
from tests.cluster.test_rollouts import (
    ROLLOUT_SECONDS,
    assert_no_client_was_let_down,
    canary_is_at,
    change,
    release,
    settled_on,
)
from tests.support import small_model
from tests.support.live_cluster import Namespace, canary_of, kubectl

API = "v1beta1.metrics.k8s.io"
SCRIPT = Path(__file__).parents[1] / "support" / "metrics_api.py"
REQUESTED_MILLICORES = 20
TARGET_PERCENT = 50
LOOKS_SECONDS = 60
"""An autoscaler looks each 15 seconds; so it has looked at least three times."""


@pytest.fixture
def measured(asked: Namespace, tmp_path: Path) -> Iterator[Namespace]:
    """The namespace in which metrics.k8s.io answers until the test ends."""
    key, certificate = tmp_path / "tls.key", tmp_path / "tls.crt"
    subprocess.run(
        [
            "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
            "-nodes", "-days", "1", "-subj", f"/CN=metrics.{asked.name}.svc",
            "-keyout", str(key), "-out", str(certificate),
        ],
        check=True,
        capture_output=True,
    )  # fmt: skip
    files = {one.name: one.read_text() for one in (SCRIPT, key, certificate)}
    asked.apply(*small_model.metrics_api(image("jobs"), asked.name, "points", files))
    asked.kubectl("wait", "--for=condition=Ready", "pod/metrics", "--timeout=60s")
    kubectl("apply", "-f", "-", stdin=json.dumps(small_model.metrics_registration(asked.name)))
    kubectl("wait", "--for=condition=Available", f"apiservice/{API}", "--timeout=60s")
    yield asked
    kubectl("delete", "apiservice", API)


def under_load(namespace: Namespace, millicores: int) -> None:
    """The serving pods together use so much CPU from now on."""
    change = json.dumps({"data": {"millicores": str(millicores)}})
    namespace.kubectl("patch", "configmap", "load", "--type=merge", "-p", change)


def autoscaler(namespace: Namespace) -> dict[str, Any]:
    return namespace.get("hpa", "points")


def pods_wanted(namespace: Namespace, revision: str) -> int:
    workload = namespace.get("deployment.apps", f"points-{revision}")
    return int(workload["spec"]["replicas"])


def sees_percent(percent: int):
    """Predicate: the autoscaler has measured so much."""

    def holds(body: dict[str, Any]) -> bool:
        metrics = body.get("status", {}).get("currentMetrics") or []
        seen = [one["resource"]["current"].get("averageUtilization") for one in metrics]
        return seen == [percent]

    return holds


def test_a_canary_takes_no_pods_from_stable_and_a_promotion_takes_the_autoscaler_along(
    measured: Namespace,
) -> None:
    """Two pods at their target; half of the load goes to a canary; stable stays two pods."""
    under_load(measured, 2 * REQUESTED_MILLICORES * TARGET_PERCENT // 100)
    target = {"type": "Utilization", "averageUtilization": TARGET_PERCENT}
    scaled = {
        "replicas": None,
        "autoscaling": {
            "minReplicas": 1,
            "maxReplicas": 4,
            "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": target}}],
            "behavior": {"scaleDown": {"stabilizationWindowSeconds": 0}},
        },
        "strategy": {"canary": {"steps": [{"setWeight": 50}, {"pause": {}}]}},
    }
    change(measured, **scaled)
    measured.wait_for("hpa", "points", "at its target", sees_percent(TARGET_PERCENT))
    stable = measured.get("mdep", "points")["status"]["stable"]["revision"]
    assert pods_wanted(measured, stable) == 2

    release(measured, "second-1")
    measured.wait_for("mdep", "points", "paused beside stable", canary_is_at(1), ROLLOUT_SECONDS)
    measured.wait_for("hpa", "points", "seeing half", sees_percent(TARGET_PERCENT // 2))
    seen = autoscaler(measured)
    assert seen["spec"]["minReplicas"] == 2
    assert seen["status"]["desiredReplicas"] == 2
    assert pods_wanted(measured, stable) == 2
    canary = canary_of(measured.get("mdep", "points"))["revision"]
    assert pods_wanted(measured, canary) == 2
    before = measured.pods_of("points")

    kubectl("serinus", "promote", "points", "-n", measured.name)
    measured.wait_for("mdep", "points", "promoted", settled_on("second-1"), ROLLOUT_SECONDS)
    measured.wait_for(
        "hpa",
        "points",
        "on the new workload",
        lambda it: it["spec"]["scaleTargetRef"]["name"] == f"points-{canary}",
    )
    measured.wait_for(
        "hpa", "points", "at its target again", sees_percent(TARGET_PERCENT), LOOKS_SECONDS
    )
    assert pods_wanted(measured, canary) == 2
    assert {uid for name, uid in before.items() if canary in name} <= set(
        measured.pods_of("points").values()
    )
    assert_no_client_was_let_down(measured)
