"""A thread that does some work at a pace, beside the one that answers requests."""

from __future__ import annotations

import threading
from collections.abc import Callable


class PacedThread:
    """Does `work` every so many seconds once it is started, or sooner, and `last` when it ends."""

    def __init__(
        self, name: str, every_seconds: float, work: Callable[[], None], last: Callable[[], None]
    ) -> None:
        self._every_seconds = every_seconds
        self._work = work
        self._last = last
        self._wakes = threading.Event()
        self._ends = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def wake(self) -> None:
        """Let it work now; doesn't wait for it."""
        self._wakes.set()

    def end(self) -> None:
        """Begin with the last work; doesn't wait for it."""
        self._ends = True
        self._wakes.set()

    def close(self, within_seconds: float) -> None:
        """End; what takes longer than that is left alone."""
        self.end()
        if self._thread.is_alive():
            self._thread.join(within_seconds)

    def _run(self) -> None:
        while not self._ends:
            self._wakes.wait(self._every_seconds)
            self._wakes.clear()
            if not self._ends:
                self._work()
        self._last()
