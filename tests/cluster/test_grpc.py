"""gRPC on real pods: calls judge a canary, and none is lost when another revision takes over."""

import json
from typing import Any

from tests.cluster.conftest import image
from tests.cluster.test_rollouts import ROLLOUT_SECONDS, release, settled_on
from tests.support import small_model
from tests.support.live_cluster import KubectlError, Namespace

SERVER = {"resources": {"requests": {"cpu": "20m", "memory": "96Mi"}}, "grpc": {}}


def called(namespace: Namespace) -> dict[str, int]:
    """All that the client has counted so far; nothing before it runs."""
    try:
        lines = namespace.kubectl("logs", "pod/calls", "--tail=1").splitlines()
    except KubectlError:
        return {}
    counts: dict[str, int] = json.loads(lines[-1]) if lines else {}
    return counts


def stable_revision(namespace: Namespace) -> Any:
    return namespace.get("mdep", "points")["status"]["stable"]["revision"]


def test_calls_go_over_to_the_next_revision_and_none_is_lost(data: Namespace) -> None:
    data.apply(
        small_model.feature_set(),
        small_model.training_job("first"),
        small_model.training_job("second", c="0.5"),
        small_model.deployment("points", "first-1", server=SERVER),
    )
    data.wait_for("mdep", "points", "healthy", settled_on("first-1"), ROLLOUT_SECONDS)
    data.apply(*small_model.grpc_traffic(image("server"), "points"))
    first = stable_revision(data)
    data.wait_until("calls are answered", lambda: called(data).get(first, 0) > 20, 60)
    before = called(data)
    release(data, "second-1")
    data.wait_for("mdep", "points", "promoted", settled_on("second-1"), ROLLOUT_SECONDS)
    second = stable_revision(data)
    data.wait_until("the next answers", lambda: called(data).get(second, 0) > 50, 60)

    ports = {port["name"]: port["port"] for port in data.get("service", "points")["spec"]["ports"]}
    after = called(data)
    assert ports == {"http": 80, "grpc": 8001}
    assert {key for key, count in after.items() if count > before.get(key, 0)} == {first, second}
