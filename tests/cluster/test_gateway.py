"""A canary behind a real gateway: its share by weight, the way back, and what people added."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.conftest import add_a_version_that_refuses, image
from tests.cluster.test_rollouts import (
    ROLLOUT_SECONDS,
    answered,
    assert_no_client_was_let_down,
    canary_is_at,
    change,
    release,
    settled_on,
)
from tests.support import gateway, small_model
from tests.support.audit_log import AuditLog
from tests.support.live_cluster import (
    KubectlError,
    Namespace,
    canary_of,
    condition,
    kubectl,
    rejected_reasons,
    stable_model,
)

REQUESTS_PER_SECOND = 100


@pytest.fixture
def routed(served: Namespace) -> Iterator[Namespace]:
    """The namespace with `points` behind a gateway, through which a client asks steadily."""
    gateway.set_up(served)
    behind(served, "points")
    served.wait_until("the gateway leads to the model", lambda: leads_to_the_model(served))
    asking = small_model.traffic(image("jobs"), gateway.NAME, rate=REQUESTS_PER_SECOND)
    served.apply(*asking)
    served.kubectl("wait", "--for=condition=Ready", "pod/traffic", "--timeout=60s")
    served.wait_until("the client counts", lambda: "{" in served.kubectl("logs", "pod/traffic"))
    served.wait_until("answers arrive", lambda: bool(answered(served)))
    yield served
    gateway.remove_from_cluster(served.name)


def behind(namespace: Namespace, deployment: str) -> None:
    """Put a Deployment behind the gateway, and wait until the gateway took the route."""
    traffic = {"replicas": None, "gatewayAPI": {"parentRefs": [{"name": gateway.NAME}]}}
    change(namespace, traffic=traffic)
    namespace.wait_for(
        "mdep",
        deployment,
        "its route accepted",
        lambda it: condition(it, "RouteAccepted")[0] == "True",
    )


def leads_to_the_model(namespace: Namespace) -> bool:
    """Whether the gateway follows the route: it says that it takes it a moment before."""
    service = f"/api/v1/namespaces/{namespace.name}/services/{gateway.NAME}:80/proxy"
    try:
        return "true" in namespace.kubectl("get", "--raw", f"{service}/v2/health/ready")
    except KubectlError:
        return False


def steps(*weights: int) -> dict[str, Any]:
    """Steps that wait for a person at each weight."""
    pauses = [step for weight in weights for step in ({"setWeight": weight}, {"pause": {}})]
    return {"canary": {"steps": pauses}}


def weights(namespace: Namespace) -> dict[str, int]:
    """Weights of the route's rule `serinus`, by revision."""
    rules = namespace.get("httproute", "points")["spec"]["rules"]
    (ours,) = (rule for rule in rules if rule.get("name") == "serinus")
    return {one["name"].removeprefix("points-"): one["weight"] for one in ours["backendRefs"]}


def share_from_now(namespace: Namespace, revision: str, requests: int = 2000) -> float:
    """Share of the next requests that the revision answers."""
    before = answered(namespace)
    found: dict[str, int] = {}

    def enough() -> bool:
        now = answered(namespace)
        found.update({key: count - before.get(key, 0) for key, count in now.items()})
        return sum(found.values()) >= requests

    namespace.wait_until(f"{requests} more answers", enough, 90)
    return found.get(revision, 0) / sum(found.values())


def test_the_share_is_that_of_the_weight_and_a_promotion_fails_no_request(
    routed: Namespace,
) -> None:
    change(routed, strategy=steps(1, 20))
    release(routed, "second-1")
    first = routed.wait_for("mdep", "points", "at 1 percent", canary_is_at(1), ROLLOUT_SECONDS)
    canary = canary_of(first)["revision"]
    routed.wait_until("1 percent is set", lambda: weights(routed).get(canary) == 1)
    assert 0 < share_from_now(routed, canary) < 0.03

    kubectl("serinus", "promote", "points", "-n", routed.name)
    routed.wait_for("mdep", "points", "at 20 percent", canary_is_at(3), ROLLOUT_SECONDS)
    routed.wait_until("20 percent are set", lambda: weights(routed).get(canary) == 20)
    assert 0.15 < share_from_now(routed, canary) < 0.25
    told = routed.wait_for(
        "mdep",
        "points",
        "its share told",
        lambda it: 15 <= float(canary_of(it).get("servedWeight") or 0) <= 25,
    )
    assert canary_of(told)["actualWeight"] == 20

    kubectl("serinus", "promote", "points", "-n", routed.name)
    routed.wait_for("mdep", "points", "promoted", settled_on("second-1"), ROLLOUT_SECONDS)
    # Status comes first, and what moves requests right after it.
    routed.wait_until(
        "the route is its",
        lambda: set(weights(routed)) == {canary} or weights(routed).get(canary) == 100,
    )
    # The gateway takes up to two seconds to follow a route.
    routed.wait_until("all requests are its", lambda: share_from_now(routed, canary, 200) == 1)
    assert_no_client_was_let_down(routed)


def written_in(log: AuditLog, namespace: str) -> list[tuple[str, str]]:
    """Kind and name of what the operator wrote, in order."""
    return [
        (it["objectRef"]["resource"], it["objectRef"].get("name", ""))
        for it in log.operator_writes(namespace)
    ]


@pytest.mark.skipif("SERINUS_AUDIT_LOG" not in os.environ, reason="the cluster has no audit log")
def test_a_rollback_takes_the_requests_away_first_and_keeps_what_people_added(
    routed: Namespace,
) -> None:
    add_a_version_that_refuses(routed)
    header = {"name": "x-team", "value": "points"}
    route = routed.get("httproute", "points")
    (ours,) = route["spec"]["rules"]
    ours["filters"] = [
        {"type": "RequestHeaderModifier", "requestHeaderModifier": {"set": [header]}}
    ]
    theirs = {
        "name": "theirs",
        "matches": [{"path": {"type": "Exact", "value": "/theirs"}}],
        "backendRefs": [{"name": "points", "port": 80}],
    }
    added = json.dumps({"spec": {"rules": [ours, theirs]}})
    routed.kubectl("patch", "httproute", "points", "--type=merge", "-p", added)
    with AuditLog(Path(os.environ["SERINUS_AUDIT_LOG"])) as log:
        change(routed, strategy={"canary": {"steps": [{"setWeight": 30}, {"analyze": {}}]}})
        release(routed, "third-1")
        rolled_back = routed.wait_for(
            "mdep", "points", "rolled back", lambda it: rejected_reasons(it) != [], ROLLOUT_SECONDS
        )
        bad = rolled_back["status"]["rejectedRevisions"][0]["revision"]
        routed.wait_until(
            "no pod of the bad revision",
            lambda: not routed.list("pods", f"serinus.dev/revision={bad}"),
        )
        written = written_in(log, routed.name)

    assert rejected_reasons(rolled_back) == ["EvidenceOfHarm"]
    assert stable_model(rolled_back) == "first-1"
    assert weights(routed).get(bad, 0) == 0
    rules = {rule["name"]: rule for rule in routed.get("httproute", "points")["spec"]["rules"]}
    assert rules["serinus"]["filters"] == ours["filters"]
    assert rules["theirs"]["matches"] == theirs["matches"]
    last_route = max(index for index, it in enumerate(written) if it == ("httproutes", "points"))
    pods_away = max(
        index for index, it in enumerate(written) if it == ("deployments", f"points-{bad}")
    )
    assert last_route < pods_away
    assert_no_client_was_let_down(routed, bad_revision=bad)
