"""Time that costs nothing: a loop whose clock jumps to the next timer when nobody can run.

Code under test waits with asyncio as it always does; a day passes in milliseconds, in the same
order each time. Nothing may wait for the outside world on this loop.
"""

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

T = TypeVar("T")
EPOCH = datetime(2026, 3, 1, 12, tzinfo=UTC)


class _JumpingSelector(selectors.SelectSelector):
    def __init__(self, jump: Callable[[float], None]) -> None:
        super().__init__()
        self._jump = jump

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready:
            return ready
        if timeout is None:
            raise AssertionError("everybody waits and no timer is set: a deadlock")
        self._jump(timeout)
        return []


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """asyncio's loop on a virtual clock that starts at 0."""

    def __init__(self) -> None:
        self._now = 0.0
        super().__init__(_JumpingSelector(self.jump))

    def time(self) -> float:
        return self._now

    def jump(self, seconds: float) -> None:
        """Let time pass at once."""
        self._now += max(0.0, seconds)


class VirtualClock:
    """Implements `Clock` on the running `VirtualTimeLoop`; `wall_offset` may jump."""

    def __init__(self) -> None:
        self.wall_offset = timedelta(0)

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()

    def now(self) -> datetime:
        return EPOCH + timedelta(seconds=self.monotonic()) + self.wall_offset


def run_in_virtual_time(main: Coroutine[Any, Any, T]) -> T:
    """Run `main` on a loop of its own whose time is virtual."""
    loop = VirtualTimeLoop()
    try:
        return loop.run_until_complete(main)
    finally:
        for task in asyncio.all_tasks(loop):
            task.cancel()
            loop.run_until_complete(asyncio.gather(task, return_exceptions=True))
        loop.close()


async def at_once(work: Callable[..., T], *arguments: Any) -> T:
    """What elsewhere runs in a thread, which would be the outside world on this loop."""
    return work(*arguments)
