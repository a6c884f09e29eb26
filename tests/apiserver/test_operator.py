"""The operator's process against a real API server: what it writes, and when it must not.

There is no controller and no kubelet here, so Jobs stay where they are; what is told of is the
shell: start, lease, writes, restart, takeover, end.
"""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.apiserver.test_kube import write_kubeconfig
from tests.support.api_server import ApiServer

START_TIMEOUT_SECONDS = 30
WRITES = {"create", "apply", "replace", "delete"}
Body = dict[str, Any]


@dataclass
class OperatorProcess:
    """A running operator and where it answers."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path

    def metric(self, name: str, **labels: str) -> float:
        """Sum of the metric's samples with these labels; 0 while the process doesn't answer."""
        try:
            text = httpx.get(f"http://127.0.0.1:{self.port}/metrics", timeout=5).text
        except httpx.TransportError:
            return 0.0
        return sum(
            sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        )

    def writes(self) -> float:
        """Write requests but those for its own Lease."""
        return sum(
            self.metric("serinus_apply_requests_total", operation=operation)
            - self.metric("serinus_apply_requests_total", operation=operation, kind="Lease")
            for operation in WRITES
        )

    def passes(self) -> float:
        return self.metric("serinus_reconcile_duration_seconds_count")

    def audits(self) -> float:
        """How often the pods were listed; all objects are looked at after each time."""
        return self.metric("serinus_apply_requests_total", operation="list", kind="Pod")

    def leads(self) -> bool:
        return self.metric("serinus_lease_held") == 1

    def is_ready(self) -> bool:
        if self.process.poll() is not None:
            raise AssertionError(f"the operator ended:\n{self.log.read_text()[-3000:]}")
        with contextlib.suppress(httpx.TransportError):
            answer = httpx.get(f"http://127.0.0.1:{self.port}/readyz", timeout=5)
            return answer.status_code == 200
        return False

    def said(self) -> list[Body]:
        """Its log, line by line."""
        return [json.loads(line) for line in self.log.read_text().splitlines()]


@dataclass
class Machine:
    """Starts operators; all of them end with the test."""

    folder: Path
    url: str
    lease: str
    namespace: str
    stack: contextlib.ExitStack

    def start(self, pod_uid: str, **environment: str) -> OperatorProcess:
        """An operator that sees the test's namespace, unless told otherwise."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        log = self.folder / f"{pod_uid}-{port}.log"
        config = write_kubeconfig(self.folder / "config", url=self.url)
        process = self.stack.enter_context(
            subprocess.Popen(
                [sys.executable, "-m", "serinus.app.main"],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=self.stack.enter_context(log.open("wb")),
                env={
                    **os.environ,
                    "NO_PROXY": "*",
                    "KUBECONFIG": str(config),
                    "POD_UID": pod_uid,
                    "SERINUS_PORT": str(port),
                    "SERINUS_JOBS_IMAGE": "jobs:1",
                    "SERINUS_SERVER_IMAGE": "server:1",
                    "SERINUS_LEASE_NAME": self.lease,
                    "SERINUS_LOG_LEVEL": "info",
                    "SERINUS_WATCH_NAMESPACES": self.namespace,
                    **environment,
                },
            )
        )
        self.stack.callback(end, process)
        return OperatorProcess(process, port, log)


def end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.kill()


@pytest.fixture
def machine(api_server: ApiServer, tmp_path: Path, namespace: str) -> Iterator[Machine]:
    lease = f"lease-{uuid.uuid4().hex[:8]}"
    with contextlib.ExitStack() as stack:
        yield Machine(tmp_path, api_server.url, lease, namespace, stack)


@pytest.fixture
def namespace(api_server: ApiServer) -> str:
    name = f"test-{uuid.uuid4().hex[:8]}"
    answer = api_server.post("/api/v1/namespaces", {"metadata": {"name": name}})
    assert answer.accepted, answer.message
    return name


def wait_until(
    what: str, holds: Callable[[], bool], seconds: float = START_TIMEOUT_SECONDS
) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.05)


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


def test_an_object_gets_its_children_and_a_status(
    api_server: ApiServer, machine: Machine, namespace: str
) -> None:
    operator = machine.start("one", SERINUS_WATCH_NAMESPACES="")
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
    made = [line for line in operator.said() if line["message"] == "object created"]
    assert ("batch", "Job", namespace, "orders-snapshot-1") in [
        (line["group"], line["kind"], line["namespace"], line["name"]) for line in made
    ]


def test_full_passes_over_a_converged_cluster_write_nothing(
    api_server: ApiServer, machine: Machine, namespace: str
) -> None:
    operator = machine.start("one", SERINUS_AUDIT_INTERVAL_SECONDS="1")
    wait_until("it leads", operator.leads)
    add(api_server, namespace)
    wait_until("its Job is there", lambda: has_job(api_server, namespace, "orders-snapshot-1"))
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
    path = f"/apis/coordination.k8s.io/v1/namespaces/default/leases/{machine.lease}"
    assert api_server.get(path).body["spec"].get("holderIdentity", "") == ""


def test_only_the_namespaces_that_are_named_are_watched(
    api_server: ApiServer, machine: Machine, namespace: str
) -> None:
    other = f"{namespace}-other"
    assert api_server.post("/api/v1/namespaces", {"metadata": {"name": other}}).accepted
    operator = machine.start("one", SERINUS_WATCH_NAMESPACES=f"{namespace},not-there-yet")
    wait_until("it leads", operator.leads)
    add(api_server, other)
    add(api_server, namespace)
    wait_until("its Job is there", lambda: has_job(api_server, namespace, "orders-snapshot-1"))

    assert not has_job(api_server, other, "orders-snapshot-1")
    assert "status" not in api_server.get(f"{ours(other)}/orders").body


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
