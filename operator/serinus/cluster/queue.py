"""Which objects are to be reconciled, and when.

- A key is there at most once, and is worked on by at most one worker.
- A key added while it is worked on is worked on again afterwards: nothing is lost.
- Keys of normal priority go before those of low priority (the first list, full passes); in a
  priority, first come, first served. Adding at normal priority lifts a key that waits at low.
- After a pass a key can wait for a time. Adding it at normal priority cuts that short; adding it at
  low priority doesn't, so that a full pass makes nobody later than it would have been.
- A failed pass is tried again after a time that doubles, with jitter, up to five minutes; a pass
  that succeeds resets it. A later change cuts that time short, a full pass doesn't. A change during
  the pass may be the pass's own write: for it the key waits up to ten seconds, not five minutes.
"""

from __future__ import annotations

import asyncio
import random
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable
from enum import IntEnum
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)

BACKOFF_FIRST_SECONDS = 0.5
BACKOFF_MAX_SECONDS = 300.0
BACKOFF_MAX_IF_CHANGED_SECONDS = 10.0


class Priority(IntEnum):
    """Lower goes first."""

    NORMAL = 0
    LOW = 1


def backoff_seconds(failures: int, chance: float) -> float:
    """Wait before the next try after `failures` in a row; `chance` in [0, 1) spreads them.

    Half of it is certain, half is chance, so that what failed together isn't tried together.
    """
    full = min(BACKOFF_MAX_SECONDS, BACKOFF_FIRST_SECONDS * 2.0 ** min(failures - 1, 20))
    return full * (0.5 + 0.5 * chance)


class WorkQueue(Generic[K]):
    """The queue. `get` hands out a key, which is given back by `done` or `failed`."""

    def __init__(self, *, chance: Callable[[], float] = random.random) -> None:
        self._chance = chance
        self._waiting: dict[Priority, OrderedDict[K, float]] = {p: OrderedDict() for p in Priority}
        self._in_work: dict[K, Priority | None] = {}
        self._timers: dict[K, asyncio.TimerHandle] = {}
        self._failures: dict[K, int] = {}
        self._handed_out_at = float("-inf")
        self._getters: deque[asyncio.Future[None]] = deque()

    def add(self, key: K, priority: Priority = Priority.NORMAL) -> None:
        """Have the key worked on soon."""
        if priority is Priority.NORMAL:
            self._cancel_timer(key)
        if key in self._in_work:
            again = self._in_work[key]
            self._in_work[key] = priority if again is None else min(again, priority)
            return
        if priority is Priority.LOW and key in self._failures:
            return  # it comes again by itself
        since = asyncio.get_running_loop().time()
        if key in self._waiting[Priority.NORMAL]:
            return
        if priority is Priority.NORMAL:
            since = self._waiting[Priority.LOW].pop(key, since)
        self._waiting[priority].setdefault(key, since)
        self._wake_one()

    async def get(self) -> K:
        """The next key, once there is one."""
        while True:
            for waiting in self._waiting.values():
                if waiting:
                    key, _ = waiting.popitem(last=False)
                    self._cancel_timer(key)  # this pass says anew when to come back
                    self._in_work[key] = None
                    self._handed_out_at = asyncio.get_running_loop().time()
                    return key
            await self._wait()

    def done(self, key: K, *, again_after_seconds: float | None = None) -> None:
        """The pass succeeded; work on the key again after that time, or on `add` only."""
        self._failures.pop(key, None)
        again = self._in_work.pop(key)
        if again_after_seconds is not None:
            self._come_back(key, again_after_seconds)
        if again is not None:
            self.add(key, again)

    def failed(self, key: K) -> float:
        """The pass failed; the seconds after which it is tried again."""
        self._failures[key] = self._failures.get(key, 0) + 1
        seconds = backoff_seconds(self._failures[key], self._chance())
        if self._in_work.pop(key) is Priority.NORMAL:
            seconds = min(seconds, BACKOFF_MAX_IF_CHANGED_SECONDS)
        self._come_back(key, seconds)
        return seconds

    def failures(self, key: K) -> int:
        """How often in a row the key failed."""
        return self._failures.get(key, 0)

    def depth(self, priority: Priority) -> int:
        """How many keys wait to be worked on."""
        return len(self._waiting[priority])

    def oldest_age_seconds(self, priority: Priority = Priority.NORMAL) -> float:
        """How long the first of the waiting keys has been waiting; 0 when none waits."""
        waiting = self._waiting[priority]
        if not waiting:
            return 0.0
        return asyncio.get_running_loop().time() - next(iter(waiting.values()))

    def stalled_seconds(self) -> float:
        """How long keys have been waiting without one being handed out; 0 when none waits."""
        since = [next(iter(keys.values())) for keys in self._waiting.values() if keys]
        if not since:
            return 0.0
        return asyncio.get_running_loop().time() - max(min(since), self._handed_out_at)

    def _come_back(self, key: K, after_seconds: float) -> None:
        loop = asyncio.get_running_loop()
        self._timers[key] = loop.call_later(max(0.0, after_seconds), self.add, key)

    def _cancel_timer(self, key: K) -> None:
        timer = self._timers.pop(key, None)
        if timer is not None:
            timer.cancel()

    async def _wait(self) -> None:
        getter = asyncio.get_running_loop().create_future()
        self._getters.append(getter)
        try:
            await getter
        except asyncio.CancelledError:
            if getter.done() and not getter.cancelled():
                self._wake_one()  # woken and cancelled at once: the key is another worker's
            elif getter in self._getters:
                self._getters.remove(getter)
            raise

    def _wake_one(self) -> None:
        while self._getters:
            getter = self._getters.popleft()
            if not getter.done():
                getter.set_result(None)
                return
