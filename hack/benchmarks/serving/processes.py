"""A server as a process tree on one core, and what it costs."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

SERVER_CORE = "0"
_START_SECONDS = 120
_END_SECONDS = 20
_POLL_SECONDS = 0.02
_TICKS = os.sysconf("SC_CLK_TCK")


class StartError(Exception):
    """A server didn't answer in time, or ended."""


@dataclass(slots=True)
class Tree:
    """A process and its descendants."""

    pid: int
    start_seconds: float = 0.0

    def pids(self) -> list[int]:
        """The process and all below it."""
        found, index = [self.pid], 0
        while index < len(found):
            for children in Path(f"/proc/{found[index]}/task").glob("*/children"):
                found += [int(word) for word in _text(children).split()]
            index += 1
        return found

    def cpu_seconds(self) -> float:
        """User and system time of those that run and of those that they waited for."""
        total = 0
        for pid in self.pids():
            fields = _text(Path(f"/proc/{pid}/stat")).rpartition(")")[2].split()
            total += sum(int(value) for value in fields[11:15]) if fields else 0
        return total / _TICKS

    def pss_mb(self) -> float:
        """Memory, with what is shared counted in parts."""
        kilobytes = 0
        for pid in self.pids():
            for line in _text(Path(f"/proc/{pid}/smaps_rollup")).splitlines():
                if line.startswith("Pss:"):
                    kilobytes += int(line.split()[1])
        return kilobytes / 1024


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except (OSError, ValueError):
        return ""


@contextmanager
def running(
    command: Sequence[str | Path],
    log: Path,
    answers: Callable[[], bool],
    environment: dict[str, str],
) -> Iterator[Tree]:
    """The server, once it `answers`; ended with all below it."""
    began = time.monotonic()
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["taskset", "-c", SERVER_CORE, *map(str, command)],
            env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=log.parent,
            start_new_session=True,
        )
    tree = Tree(process.pid)
    try:
        while not answers():
            if process.poll() is not None or time.monotonic() - began > _START_SECONDS:
                raise StartError(f"{command[0]}:\n{log.read_text()[-2000:]}")
            time.sleep(_POLL_SECONDS)
        tree.start_seconds = time.monotonic() - began
        yield tree
    finally:
        _ended(process)


def _ended(process: subprocess.Popen[bytes]) -> None:
    for sign in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, sign)
            process.wait(_END_SECONDS)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            continue
        return
