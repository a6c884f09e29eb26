"""The operator's process, started with the rights that the chart gives it and no others."""

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from tests.support import chart
from tests.support.api_server import ApiServer, write_kubeconfig

START_TIMEOUT_SECONDS = 30
WRITES = {"create", "apply", "replace", "delete"}
Body = dict[str, Any]


@dataclass
class OperatorProcess:
    """A running operator and where it answers."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path

    def samples(self, name: str) -> list[Sample]:
        """The metric's samples, all of one moment; none while the process doesn't answer."""
        try:
            text = httpx.get(f"http://127.0.0.1:{self.port}/metrics", timeout=5).text
        except httpx.TransportError:
            return []
        families = text_string_to_metric_families(text)
        return [sample for family in families for sample in family.samples if sample.name == name]

    def metric(self, name: str, **labels: str) -> float:
        """Sum of the metric's samples with these labels; 0 while the process doesn't answer."""
        return sum(
            sample.value for sample in self.samples(name) if labels.items() <= sample.labels.items()
        )

    def writes(self) -> float:
        """Write requests but those for its own Lease, which it renews all the time."""
        return sum(
            sample.value
            for sample in self.samples("serinus_apply_requests_total")
            if sample.labels["operation"] in WRITES and sample.labels["kind"] != "Lease"
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
    """Starts operators of one release, with its rights; all of them end with the machine."""

    folder: Path
    server: ApiServer
    release: str
    token: str
    watched: Sequence[str]
    stack: contextlib.ExitStack

    def start(self, pod_uid: str, **environment: str) -> OperatorProcess:
        """An operator as the chart starts it in a pod, but for `environment`."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        log = self.folder / f"{pod_uid}-{port}.log"
        config = write_kubeconfig(self.folder / "config", url=self.server.url, token=self.token)
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
                    "SERINUS_LEASE_NAME": self.release,
                    "SERINUS_LEASE_NAMESPACE": chart.NAMESPACE,
                    "SERINUS_REQUEST_POLICY": f"{self.release}-requests",
                    "SERINUS_LOG_LEVEL": "info",
                    "SERINUS_WATCH_NAMESPACES": ",".join(self.watched),
                    **environment,
                },
            )
        )
        self.stack.callback(_end, process)
        return OperatorProcess(process, port, log)

    def requests(self) -> Iterator[Body]:
        """What its operators asked the API server for until now."""
        return self.server.requests_of(f"{chart.NAMESPACE}:{self.release}")

    def refused(self) -> list[str]:
        """Requests that the rights didn't cover; a namespace on its way out refuses otherwise."""
        return [
            f"{entry['verb']} {entry['requestURI']}"
            for entry in self.requests()
            if entry.get("annotations", {}).get("authorization.k8s.io/decision") == "forbid"
        ]


@contextlib.contextmanager
def installed(server: ApiServer, folder: Path, *watched: str) -> Iterator[Machine]:
    """A release of the chart that watches these namespaces; none: the whole cluster."""
    release = f"serinus-{uuid.uuid4().hex[:8]}"
    names = [f"watchNamespaces={{{','.join(watched)}}}"] if watched else []
    token = chart.sign_in(server, release, *names)
    with contextlib.ExitStack() as stack:
        yield Machine(folder, server, release, token, watched, stack)


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.kill()


def wait_until(
    what: str, holds: Callable[[], bool], seconds: float = START_TIMEOUT_SECONDS
) -> None:
    """Look time and again; fail with `what` once the time is over."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.05)
