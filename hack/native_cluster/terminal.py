"""What a person sees: phases with their seconds, and failures with the component's last words."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LOG_TAIL_LINES = 20


class ClusterError(Exception):
    """A failure that names its component and says what to do; `log` is shown below it."""

    def __init__(self, component: str, message: str, log: Path | None = None) -> None:
        super().__init__(f"{component}: {message}")
        self.log = log


def say(text: str) -> None:
    """Tell the person at the terminal; standard output stays for `env`."""
    print(text, file=sys.stderr, flush=True)


@contextmanager
def phase(name: str) -> Iterator[None]:
    """Name what is being done, and its seconds when it is done."""
    started = time.monotonic()
    say(f"  {name} …")
    yield
    say(f"  {name}: {time.monotonic() - started:.1f} s")


def log_tail(path: Path, lines: int = LOG_TAIL_LINES) -> str:
    """Return the last lines of a log, or a word about its absence."""
    try:
        return "\n".join(path.read_text(errors="replace").splitlines()[-lines:])
    except FileNotFoundError:
        return f"(no log at {path})"


def report(error: ClusterError) -> None:
    """Print a failure with the end of its component's log."""
    say(f"error: {error}")
    if error.log is not None:
        say(f"--- the end of {error.log}")
        say(log_tail(error.log))
