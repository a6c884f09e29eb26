"""Where commands write, and what time it is: the two things that tests bring themselves."""

from __future__ import annotations

import sys
import time
from datetime import UTC, datetime
from typing import Protocol, TextIO

from rich.console import Console, RenderableType

PLAIN_WIDTH = 240
"""Width of lines that no person's terminal wraps: pipes and files."""


class Clock(Protocol):
    """Time and waiting."""

    def now(self) -> datetime:
        """The time of day, aware."""
        ...

    def elapsed_seconds(self) -> float:
        """Seconds since some fixed moment; never goes back."""
        ...

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        ...


class SystemClock:
    """The machine's time."""

    def now(self) -> datetime:
        """The time of day, aware."""
        return datetime.now(UTC)

    def elapsed_seconds(self) -> float:
        """Seconds since some fixed moment; never goes back."""
        return time.monotonic()

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        time.sleep(seconds)


def console_on(stream: TextIO, *, color: bool) -> Console:
    """Console without markup and highlighting; rich honours NO_COLOR and TERM=dumb by itself."""
    width = None if stream.isatty() else PLAIN_WIDTH
    return Console(
        file=stream, no_color=not color or None, highlight=False, markup=False, width=width
    )


def standard_output(*, color: bool) -> Console:
    """Console on stdout."""
    return console_on(sys.stdout, color=color)


def show(console: Console, renderable: RenderableType) -> None:
    """Print it, for files and pipes without the blanks with which tables fill their lines."""
    if console.is_terminal:
        console.print(renderable)
        return
    with console.capture() as captured:
        console.print(renderable)
    console.file.writelines(f"{line.rstrip()}\n" for line in captured.get().splitlines())
