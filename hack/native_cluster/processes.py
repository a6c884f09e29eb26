"""Long-running processes: started apart from the terminal, known by pid and start time."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from native_cluster import layout
from native_cluster.terminal import ClusterError

STOP_TIMEOUT_SECONDS = 20.0


@dataclass(frozen=True)
class Daemon:
    """A process of the cluster.

    `healthy` says whether it does its work; it must answer at once.
    """

    name: str
    command: Sequence[str]
    healthy: Callable[[], bool]
    env: Mapping[str, str] = field(default_factory=dict)
    start_timeout_seconds: float = 60.0

    @property
    def log(self) -> Path:
        """Where it writes."""
        return layout.LOGS / f"{self.name}.log"

    @property
    def pid_file(self) -> Path:
        """Where its pid and start time are kept."""
        return layout.PIDS / f"{self.name}.json"


def start_ticks(pid: int) -> int | None:
    """Start time of a process in clock ticks since boot, None if there is none or it is dead."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = text.rpartition(")")[2].split()
    return None if fields[0] == "Z" else int(fields[19])


def running_pid(daemon: Daemon) -> int | None:
    """Pid of the daemon if the process that we started still runs."""
    try:
        record = json.loads(daemon.pid_file.read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        return None
    pid, started = int(record["pid"]), record["start_ticks"]
    return pid if started is not None and start_ticks(pid) == started else None


def start(daemon: Daemon) -> bool:
    """Start the daemon unless it runs, and wait until it is healthy; whether it was started.

    Raises
    ------
    ClusterError
        If it ends or isn't healthy in time.
    """
    pid = running_pid(daemon)
    if pid is not None and daemon.healthy():
        return False
    if pid is None:
        pid = _spawn(daemon)
    deadline = time.monotonic() + daemon.start_timeout_seconds
    while not daemon.healthy():
        if running_pid(daemon) is None:
            raise ClusterError(daemon.name, "ended right after its start", daemon.log)
        if time.monotonic() > deadline:
            limit = daemon.start_timeout_seconds
            raise ClusterError(daemon.name, f"not healthy within {limit:.0f} s", daemon.log)
        time.sleep(0.1)
    return True


def _spawn(daemon: Daemon) -> int:
    daemon.pid_file.parent.mkdir(parents=True, exist_ok=True)
    daemon.log.parent.mkdir(parents=True, exist_ok=True)
    with daemon.log.open("ab") as log:
        process = subprocess.Popen(
            list(daemon.command),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={**os.environ, **daemon.env},
            cwd="/",
            start_new_session=True,
        )
    record = {"pid": process.pid, "start_ticks": start_ticks(process.pid)}
    daemon.pid_file.write_text(json.dumps(record))
    return process.pid


def stop(daemon: Daemon) -> None:
    """End the daemon if it is ours and runs, and wait until it is gone."""
    pid = running_pid(daemon)
    if pid is not None:
        _end(daemon, pid)
    daemon.pid_file.unlink(missing_ok=True)


def _end(daemon: Daemon, pid: int) -> None:
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_TIMEOUT_SECONDS
    while running_pid(daemon) is not None:
        _reap(pid)
        if time.monotonic() > deadline:
            os.kill(pid, signal.SIGKILL)
            deadline += STOP_TIMEOUT_SECONDS
        time.sleep(0.05)


def _reap(pid: int) -> None:
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return
