"""The operator's process against a real API server: what it writes, and when it must not.

There is no controller and no kubelet here, so Jobs stay where they are; what is told of is the
shell: start, lease, writes, restart, takeover, end. It runs with the rights that the chart gives.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support import chart
from tests.support.api_server import ApiServer
from tests.support.operator_process import Machine, installed, wait_until

Body = dict[str, Any]


def feature_set(namespace: str, name: str = "orders") -> Body:
    return {
        "apiVersion": "serinus.dev/v1alpha1",
        "kind": "FeatureSet",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "sources": [{"name": "t", "files": {"uris": ["file:///data/t.csv"], "format": "csv"}}],
            "features": [{"name": "amount", "type": "float64"}],
        },
    }


def ours(namespace: str) -> str:
    return f"/apis/serinus.dev/v1alpha1/namespaces/{namespace}/featuresets"


def add(api_server: ApiServer, namespace: str, name: str = "orders") -> None:
    answer = api_server.post(ours(namespace), feature_set(namespace, name))
    assert answer.accepted, answer.message


def has_job(api_server: ApiServer, namespace: str, name: str) -> bool:
    path = f"/apis/batch/v1/namespaces/{namespace}/jobs/{name}"
    return api_server.get(path).accepted


def is_underway(api_server: ApiServer, namespace: str) -> bool:
    """Whether the last of what an operator writes about a new object is written."""
    status = api_server.get(f"{ours(namespace)}/orders").body.get("status", {})
    return str(status.get("message", "")).endswith("is underway")


def everything(api_server: ApiServer, namespace: str) -> dict[str, str]:
    """Versions of all objects of ours in the namespace: what a write would change."""
    found = {}
    for path in (
        ours(namespace),
        f"/apis/batch/v1/namespaces/{namespace}/jobs",
        f"/api/v1/namespaces/{namespace}/persistentvolumeclaims",
        f"/api/v1/namespaces/{namespace}/configmaps",
    ):
        for body in api_server.get(path).body["items"]:
            found[body["metadata"]["uid"]] = body["metadata"]["resourceVersion"]
    return found


@pytest.fixture
def everywhere(api_server: ApiServer, tmp_path: Path) -> Iterator[Machine]:
    """Starts operators that watch the whole cluster."""
    with installed(api_server, tmp_path) as found:
        yield found
    assert not found.refused()


def test_an_object_gets_its_children_and_a_status(
    api_server: ApiServer, everywhere: Machine, namespace: str
) -> None:
    operator = everywhere.start("one")
    wait_until("it leads", operator.leads)
    add(api_server, namespace)

    wait_until("its Job is there", lambda: has_job(api_server, namespace, "orders-snapshot-1"))
    body = api_server.get(f"{ours(namespace)}/orders").body
    job = api_server.get(f"/apis/batch/v1/namespaces/{namespace}/jobs/orders-snapshot-1").body
    assert body["status"]["observedGeneration"] == 1
    assert {one["type"] for one in body["status"]["conditions"]} >= {"Ready"}
    assert job["metadata"]["ownerReferences"][0]["uid"] == body["metadata"]["uid"]
    assert "finalizers" not in body["metadata"]
    assert "annotations" not in body["metadata"]
    assert {entry["manager"] for entry in body["metadata"]["managedFields"]} >= {"serinus"}

    def told() -> bool:
        """Whether the operator has said so; it does when the answer has come."""
        return ("batch", "Job", namespace, "orders-snapshot-1") in [
            (line["group"], line["kind"], line["namespace"], line["name"])
            for line in operator.said()
            if line["message"] == "object created"
        ]

    wait_until("the log tells of it", told)


def test_full_passes_over_a_converged_cluster_write_nothing(
    api_server: ApiServer, machine: Machine, namespace: str
) -> None:
    operator = machine.start("one", SERINUS_AUDIT_INTERVAL_SECONDS="1")
    wait_until("it leads", operator.leads)
    add(api_server, namespace)
    wait_until("its Job is there", lambda: has_job(api_server, namespace, "orders-snapshot-1"))
    wait_until("its status says so", lambda: is_underway(api_server, namespace))
    converged = operator.passes() + 3
    wait_until("its own writes are seen", lambda: operator.passes() >= converged)
    before, state, audits = operator.writes(), everything(api_server, namespace), operator.audits()
    wait_until("two full passes", lambda: operator.audits() >= audits + 3)

    assert operator.writes() == before
    assert everything(api_server, namespace) == state


def test_a_killed_operator_goes_on_where_it_was_within_seconds(
    api_server: ApiServer, machine: Machine, namespace: str
) -> None:
    first = machine.start("pod")
    wait_until("it leads", first.leads)
    add(api_server, namespace)
    wait_until("its Job is there", lambda: has_job(api_server, namespace, "orders-snapshot-1"))
    wait_until("its status says so", lambda: is_underway(api_server, namespace))
    first.process.kill()
    first.process.wait(10)
    before = everything(api_server, namespace)
    add(api_server, namespace, "later")
    began = time.monotonic()
    second = machine.start("pod")
    wait_until("the later Job is there", lambda: has_job(api_server, namespace, "later-snapshot-1"))
    took = time.monotonic() - began

    after = everything(api_server, namespace)
    assert took < 10
    assert before.items() <= after.items()
    assert second.leads()


def test_only_one_of_two_writes_and_the_other_takes_over(
    api_server: ApiServer, machine: Machine, namespace: str
) -> None:
    one = machine.start("one")
    wait_until("it leads", one.leads)
    two = machine.start("two")
    wait_until("it stands by", two.is_ready)
    add(api_server, namespace)
    wait_until("its Job is there", lambda: has_job(api_server, namespace, "orders-snapshot-1"))
    assert not two.leads()
    assert two.writes() == 0

    one.process.kill()
    killed_at = time.monotonic()
    wait_until("the other leads", two.leads, 10)

    assert time.monotonic() - killed_at < 7
    add(api_server, namespace, "later")
    wait_until("it works", lambda: has_job(api_server, namespace, "later-snapshot-1"))


def test_a_leader_that_was_frozen_writes_nothing_when_it_wakes(
    api_server: ApiServer, machine: Machine, namespace: str
) -> None:
    one = machine.start("one")
    wait_until("it leads", one.leads)
    two = machine.start("two")
    wait_until("it stands by", two.is_ready)
    one.process.send_signal(signal.SIGSTOP)
    wait_until("the other leads", two.leads, 10)
    add(api_server, namespace)
    wait_until("its Job is there", lambda: has_job(api_server, namespace, "orders-snapshot-1"))
    wait_until("its status says so", lambda: is_underway(api_server, namespace))
    state = everything(api_server, namespace)
    one.process.send_signal(signal.SIGCONT)

    assert one.process.wait(15) == 1
    assert two.leads()
    assert everything(api_server, namespace) == state


def test_an_orderly_end_gives_the_lease_back(api_server: ApiServer, machine: Machine) -> None:
    operator = machine.start("one")
    wait_until("it leads", operator.leads)
    operator.process.terminate()

    assert operator.process.wait(10) == 0
    leases = f"/apis/coordination.k8s.io/v1/namespaces/{chart.NAMESPACE}/leases"
    path = f"{leases}/{machine.release}"
    assert api_server.get(path).body["spec"].get("holderIdentity", "") == ""


def test_only_the_namespaces_that_are_named_are_watched(
    api_server: ApiServer, machine: Machine, namespace: str
) -> None:
    other = f"{namespace}-other"
    assert api_server.post("/api/v1/namespaces", {"metadata": {"name": other}}).accepted
    operator = machine.start("one", SERINUS_WATCH_NAMESPACES=f"{namespace},gone-by-now")
    wait_until("it leads", operator.leads)
    add(api_server, other)
    add(api_server, namespace)
    wait_until("its Job is there", lambda: has_job(api_server, namespace, "orders-snapshot-1"))

    # It is listed to see whether it is there; kopf, which lists without a limit, isn't told of it.
    assert all("gone-by-now" in one and "limit=" in one for one in machine.refused())
    assert not has_job(api_server, other, "orders-snapshot-1")
    assert api_server.get(f"{ours(other)}/orders").body["status"] == {"observedGeneration": -1}


def test_a_missing_setting_is_named(tmp_path: Path) -> None:
    environment = {key: value for key, value in os.environ.items() if "SERINUS" not in key}
    ended = subprocess.run(
        [sys.executable, "-m", "serinus.app.main"],
        capture_output=True,
        text=True,
        env=environment,
        timeout=30,
        check=False,
        cwd=tmp_path,
    )

    assert ended.returncode == 1
    assert "SERINUS_JOBS_IMAGE" in ended.stderr
