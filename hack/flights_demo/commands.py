"""Programs that the demo runs: output to a log, and its end in the message if one fails."""

from __future__ import annotations

import fcntl
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]
WORK = ROOT / ".serinus" / "demo"
_SHOWN_LINES = 20


class DemoError(Exception):
    """The demo can't go on; the text says why and what to do."""


@contextmanager
def alone() -> Iterator[None]:
    """Hold the checkout's demo; raises `DemoError` while another one holds it."""
    WORK.mkdir(parents=True, exist_ok=True)
    with (WORK / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise DemoError("another hack/demo of this checkout is running") from None
        yield


def run(
    command: Sequence[str | Path],
    *,
    stdin: bytes | None = None,
    timeout_seconds: float = 1800,
    log: str = "",
) -> str:
    """Output of a program run from the root of the checkout.

    With `log`, what it says on standard error goes to that file below `.serinus/demo`, as it comes.

    Raises
    ------
    DemoError
        If it fails or takes too long; with the end of what it said.
    """
    words = [str(word) for word in command]
    WORK.mkdir(parents=True, exist_ok=True)
    path = WORK / (log or "commands.log")
    with path.open("ab") as errors:
        start = errors.tell()
        try:
            done = subprocess.run(
                words,
                cwd=ROOT,
                input=stdin,
                stdin=subprocess.DEVNULL if stdin is None else None,
                stdout=subprocess.PIPE,
                stderr=errors,
                timeout=timeout_seconds,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise DemoError(f"{_shown(words)} took more than {timeout_seconds:.0f} s") from None
        except FileNotFoundError:
            raise DemoError(f"{words[0]} is not installed") from None
    if done.returncode:
        said = path.read_bytes()[start:].decode(errors="replace").splitlines()[-_SHOWN_LINES:]
        ending = "\n  ".join(said) or done.stdout.decode(errors="replace")[-2000:]
        raise DemoError(f"{_shown(words)} failed:\n  {ending}\nAll of it: {path}")
    return done.stdout.decode()


def _shown(words: Sequence[str]) -> str:
    shown = " ".join(words)
    return shown if len(shown) < 120 else f"{shown[:117]}..."
