"""A release by a switch on real pods, and the way back: one write each, no client let down."""

import os
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.test_rollouts import (
    ROLLOUT_SECONDS,
    answered,
    assert_no_client_was_let_down,
    change,
    release,
)
from tests.support.audit_log import AuditLog
from tests.support.live_cluster import (
    Namespace,
    canary_of,
    kubectl,
    rejected_reasons,
    stable_model,
)

KEPT_SECONDS = 600


@pytest.fixture
def switching(asked: Namespace) -> Namespace:
    """The namespace with `points` released by a switch that waits for a person."""
    switch = {"autoPromotionEnabled": False, "scaleDownDelaySeconds": KEPT_SECONDS}
    change(asked, strategy={"canary": None, "blueGreen": switch})
    return asked


def previewed(body: dict[str, Any]) -> bool:
    """Predicate: the preview is complete and waits for a person."""
    return body["status"].get("phase") == "Paused" and bool(canary_of(body))


def served_by(namespace: Namespace, service: str = "points") -> str | None:
    """The revision that a Service is pinned to."""
    selector: dict[str, str] = namespace.get("service", service)["spec"]["selector"]
    return selector.get("serinus.dev/revision")


def serves(model_version: str):
    """Predicate: users' requests go to the version, and no canary is left."""
    return lambda it: stable_model(it) == model_version and not canary_of(it)


def writes_to_service(log: AuditLog, namespace: str) -> list[str]:
    """Verbs of the operator's writes to the users' Service."""
    return [
        it["verb"]
        for it in log.operator_writes(namespace)
        if it["objectRef"]["resource"] == "services" and it["objectRef"].get("name") == "points"
    ]


@pytest.mark.skipif("SERINUS_AUDIT_LOG" not in os.environ, reason="the cluster has no audit log")
def test_users_go_over_in_one_write_and_back_in_another(switching: Namespace) -> None:
    audit_log = Path(os.environ["SERINUS_AUDIT_LOG"])
    old = switching.get("mdep", "points")["status"]["stable"]["revision"]
    release(switching, "second-1")
    waiting = switching.wait_for("mdep", "points", "previewed", previewed, ROLLOUT_SECONDS)
    new = canary_of(waiting)["revision"]
    assert served_by(switching, "points-preview") == new
    assert new not in answered(switching)
    pods = switching.pods_of("points")

    with AuditLog(audit_log) as log:
        kubectl("serinus", "promote", "points", "-n", switching.name)
        switching.wait_for("mdep", "points", "switched", serves("second-1"), ROLLOUT_SECONDS)
        switching.wait_until("the log tells", lambda: writes_to_service(log, switching.name))
        assert writes_to_service(log, switching.name) == ["patch"]
    assert served_by(switching) == new
    switching.wait_until("its answers arrive", lambda: new in answered(switching))

    with AuditLog(audit_log) as log:
        release(switching, "first-1")
        switching.wait_for("mdep", "points", "switched back", serves("first-1"), ROLLOUT_SECONDS)
        switching.wait_until("the log tells", lambda: writes_to_service(log, switching.name))
        assert writes_to_service(log, switching.name) == ["patch"]
    assert served_by(switching) == old
    waited = {name: uid for name, uid in pods.items() if old in name}
    assert waited.items() <= switching.pods_of("points").items()
    assert_no_client_was_let_down(switching)


def test_an_abort_after_the_switch_leads_back_and_the_revision_stays_rejected(
    switching: Namespace,
) -> None:
    release(switching, "second-1")
    switching.wait_for("mdep", "points", "previewed", previewed, ROLLOUT_SECONDS)
    kubectl("serinus", "promote", "points", "-n", switching.name)
    switching.wait_for("mdep", "points", "switched", serves("second-1"), ROLLOUT_SECONDS)
    kubectl("serinus", "abort", "points", "-n", switching.name, "--reason", "complaints")
    back = switching.wait_for("mdep", "points", "back", serves("first-1"), ROLLOUT_SECONDS)

    assert rejected_reasons(back) == ["AbortedByUser"]
    assert_no_client_was_let_down(switching)
