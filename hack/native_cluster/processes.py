"""Long-running processes: started apart from the terminal, recognized again, stopped.

A process is known by its pid *and* its start time, so that a pid that was given away again, also by
a reboot, is never taken for ours, and no other process is ever touched.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from native_cluster import layout
from native_cluster.terminal import ClusterError

POLL_SECONDS = 0.1
STOP_TIMEOUT_SECONDS = 10.0
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# Nothing of the caller's environment: above all no proxy between the components.
ENVIRONMENT = {"PATH": SYSTEM_PATH, "HOME": "/", "LANG": "C.UTF-8"}

Check = Callable[[], str | None]
"""Asks a component how it is, and must answer at once: None when it is well, else what is wrong."""


@dataclass(frozen=True, slots=True)
class ProcessId:
    """A process, for as long as this machine runs."""

    pid: int
    start_ticks: int
    boot_id: str


@dataclass(frozen=True, slots=True)
class Record:
    """What is known of a started daemon: which process, made from which inputs."""

    process: ProcessId
    digest: str


@dataclass(frozen=True)
class Daemon:
    """A process of the cluster, as it should run."""

    name: str
    command: Sequence[str]
    check: Check
    reads: Sequence[Path] = ()
    """Files that it reads at its start only."""
    start_timeout_seconds: float = 60.0

    @property
    def log(self) -> Path:
        """Where it writes."""
        return layout.LOGS / f"{self.name}.log"

    @property
    def record(self) -> Path:
        """Where its process is remembered."""
        return layout.PIDS / f"{self.name}.json"

    def digest(self) -> str:
        """Hash of all that it is started from; another one means that it has to start anew."""
        digest = hashlib.sha256("\0".join(self.command).encode())
        for path in self.reads:
            digest.update(f"\0{path}\0".encode())
            digest.update(path.read_bytes() if path.exists() else b"")
        return digest.hexdigest()[:16]


def parse_stat(stat: str) -> tuple[str, int]:
    """State and start time, fields 3 and 22, of /proc/<pid>/stat.

    The program's name, field 2, may hold blanks and brackets.
    """
    fields = stat.rpartition(")")[2].split()
    return fields[0], int(fields[19])


def identify(pid: int) -> ProcessId | None:
    """The process with this pid now; None if there is none, or it is dead and not yet reaped."""
    try:
        state, start_ticks = parse_stat(Path(f"/proc/{pid}/stat").read_text())
    except (FileNotFoundError, ProcessLookupError):
        return None
    if state == "Z":
        return None
    boot_id = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return ProcessId(pid, start_ticks, boot_id)


def is_alive(process: ProcessId) -> bool:
    """Whether this very process still runs."""
    return identify(process.pid) == process


def running(daemon: Daemon) -> Record | None:
    """The record of the daemon, if the process that we started still runs."""
    try:
        fields = json.loads(daemon.record.read_text())
        record = Record(ProcessId(**fields["process"]), fields["digest"])
    except (FileNotFoundError, json.JSONDecodeError, KeyError, TypeError):
        return None
    return record if is_alive(record.process) else None


def problem(daemon: Daemon) -> str | None:
    """None if the daemon runs and is well, else what is wrong."""
    return "isn't running" if running(daemon) is None else daemon.check()


def is_as_described(daemon: Daemon) -> bool:
    """Whether it runs, was started from today's inputs, and is well."""
    record = running(daemon)
    return record is not None and record.digest == daemon.digest() and daemon.check() is None


def begin(daemon: Daemon) -> bool:
    """Start the daemon, unless it runs as described; whether it was started. `wait` comes next."""
    if is_as_described(daemon):
        return False
    stop(daemon)
    daemon.record.parent.mkdir(parents=True, exist_ok=True)
    daemon.log.parent.mkdir(parents=True, exist_ok=True)
    with daemon.log.open("ab") as log:
        child = subprocess.Popen(
            list(daemon.command),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=ENVIRONMENT,
            cwd="/",
            start_new_session=True,
        )
    process = identify(child.pid)
    if process is None:
        raise ClusterError(daemon.name, "ended right after its start", daemon.log)
    _remember(daemon, Record(process, daemon.digest()))
    return True


def wait(daemon: Daemon) -> None:
    """Wait until the daemon is well.

    Raises
    ------
    ClusterError
        If it ends, or isn't well in time.
    """
    deadline = time.monotonic() + daemon.start_timeout_seconds
    while (wrong := daemon.check()) is not None:
        if running(daemon) is None:
            raise ClusterError(daemon.name, "ended while it started", daemon.log)
        if time.monotonic() > deadline:
            limit = daemon.start_timeout_seconds
            raise ClusterError(daemon.name, f"not well within {limit:.0f} s: {wrong}", daemon.log)
        time.sleep(POLL_SECONDS)


def stop(daemon: Daemon) -> None:
    """End the daemon if it runs and is ours, and wait until it is gone."""
    record = running(daemon)
    if record is not None:
        end([record.process])
    daemon.record.unlink(missing_ok=True)


def end(processes: Iterable[ProcessId]) -> None:
    """Ask processes to end; make those that don't.

    Raises
    ------
    ClusterError
        If one lives on even so.
    """
    alive = [process for process in processes if is_alive(process)]
    for ending in (signal.SIGTERM, signal.SIGKILL):
        for process in alive:
            with suppress(ProcessLookupError):
                os.kill(process.pid, ending)
        alive = _alive_after(alive, STOP_TIMEOUT_SECONDS)
        if not alive:
            return
    raise ClusterError(f"process {alive[0].pid}", "doesn't end, even when killed")


def with_argument(argument: str) -> list[ProcessId]:
    """Processes that were given this argument: containerd's shims get the path of its socket."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(FileNotFoundError, ProcessLookupError, PermissionError):
            if argument.encode() in path.read_bytes().split(b"\0"):
                found.append(identify(int(path.parent.name)))
    return [process for process in found if process is not None]


def _remember(daemon: Daemon, record: Record) -> None:
    part = daemon.record.with_suffix(".part")
    part.write_text(json.dumps(asdict(record)))
    part.replace(daemon.record)


def _alive_after(processes: list[ProcessId], seconds: float) -> list[ProcessId]:
    deadline = time.monotonic() + seconds
    while processes and time.monotonic() < deadline:
        _reap_children()
        processes = [process for process in processes if is_alive(process)]
        if processes:
            time.sleep(POLL_SECONDS)
    return processes


def _reap_children() -> None:
    """Take note of ended children: what this very command started is its child."""
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
