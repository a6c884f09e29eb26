"""Processes under measurement: the operator, and a control; what they use and what they say."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

TERMINATION_SECONDS = 15
WRITES = frozenset({"create", "apply", "replace", "delete"})
PASSES = "serinus_reconcile_duration_seconds_count"
REQUESTS = "serinus_apply_requests_total"
_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
_SHOWN = 3000


class EndedError(Exception):
    """A process that was to run has ended."""


@dataclass(frozen=True, slots=True)
class Measured:
    """A running process."""

    process: subprocess.Popen[bytes]
    started_at: float
    log: Path

    @property
    def is_running(self) -> bool:
        """Whether it hasn't ended."""
        return self.process.poll() is None

    def check(self) -> None:
        """Raise with the end of its log if it has ended."""
        if not self.is_running:
            raise EndedError(f"it ended with {self.process.returncode}:\n{self.said()}")

    def said(self) -> str:
        """The end of its log."""
        return self.log.read_text()[-_SHOWN:]

    def memory_mb(self) -> float:
        """Resident now, in units of 10^6 bytes."""
        return self._status("VmRSS")

    def peak_memory_mb(self) -> float:
        """Resident at most."""
        return self._status("VmHWM")

    def cpu_seconds(self) -> float:
        """CPU time in user and system mode."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS_PER_SECOND

    def _status(self, field: str) -> float:
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            name, _, value = line.partition(":")
            if name == field:
                return int(value.split()[0]) * 1024 / 1e6
        raise ValueError(f"/proc has no {field} of process {self.process.pid}")


@dataclass(frozen=True, slots=True)
class Scrape:
    """The operator's own metrics at one moment."""

    samples: Mapping[tuple[str, frozenset[tuple[str, str]]], float]

    def total(self, name: str, **labels: str) -> float:
        """Sum of all samples of that name with these labels."""
        wanted = labels.items()
        return sum(
            value
            for (found, of_sample), value in self.samples.items()
            if found == name and wanted <= of_sample
        )

    def writes(self) -> float:
        """Write requests but those for its own Lease."""
        return sum(
            self.total(REQUESTS, operation=one) - self.total(REQUESTS, operation=one, kind="Lease")
            for one in WRITES
        )

    def waiting(self) -> float:
        """Objects that wait for their pass."""
        return self.total("serinus_workqueue_depth")


@dataclass(frozen=True, slots=True)
class Operator:
    """An operator's process and where it answers."""

    measured: Measured
    port: int
    session: aiohttp.ClientSession

    async def scrape(self) -> Scrape | None:
        """Its metrics; None while it doesn't answer."""
        try:
            async with self.session.get(f"http://127.0.0.1:{self.port}/metrics") as response:
                text = await response.text()
        except aiohttp.ClientError:
            self.measured.check()
            return None
        return Scrape(
            {
                (sample.name, frozenset(sample.labels.items())): sample.value
                for family in text_string_to_metric_families(text)
                for sample in family.samples
            }
        )


@contextlib.contextmanager
def running(command: list[str], log: Path, **environment: str) -> Iterator[Measured]:
    """Run a process and end it afterwards."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, "NO_PROXY": "*", **environment},
        )
        try:
            yield Measured(process, time.monotonic(), log)
        finally:
            process.terminate()
            try:
                process.wait(TERMINATION_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()


@contextlib.contextmanager
def running_operator(
    folder: Path, kubeconfig: Path, session: aiohttp.ClientSession, **environment: str
) -> Iterator[Operator]:
    """Run the operator as its container does."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "serinus.app.main"]
    settings = {
        "KUBECONFIG": str(kubeconfig),
        "POD_UID": "bench",
        "SERINUS_PORT": str(port),
        "SERINUS_JOBS_IMAGE": "jobs:1",
        "SERINUS_SERVER_IMAGE": "server:1",
        "SERINUS_STORE_ACCESS_MODE": "ReadWriteMany",
        "SERINUS_LOG_LEVEL": "warning",
        **environment,
    }
    with running(command, folder / f"operator-{port}.log", **settings) as measured:
        yield Operator(measured, port, session)
