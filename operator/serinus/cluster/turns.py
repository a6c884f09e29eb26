"""Whose turn it is to write what can wait: so many a second for the whole operator, in order.

Who comes too early gets a turn of its own and is told when; coming back then, it may write. So
nobody starves, and nobody has to ask again and again.
"""

from __future__ import annotations

from collections.abc import Hashable

from serinus.cluster.ports import Clock

MISSED_AFTER_SECONDS = 60.0
CLOCK_RESOLUTION_SECONDS = 0.001


class Turns:
    """At most `burst` at once and `rate_per_second` in the long run."""

    def __init__(self, clock: Clock, *, rate_per_second: float, burst: float) -> None:
        self._clock = clock
        self._spacing = 1.0 / rate_per_second
        self._ahead = burst * self._spacing
        self._last = float("-inf")
        self._reserved: dict[Hashable, float] = {}

    def wait_seconds(self, key: Hashable) -> float:
        """Seconds until the turn of `key`; 0: it is now, and it is used up."""
        now = self._clock.monotonic()
        turn = self._reserved.get(key)
        if turn is None or now - turn > MISSED_AFTER_SECONDS:
            turn = max(self._last, now - self._ahead) + self._spacing
            self._last = turn
        if turn <= now + CLOCK_RESOLUTION_SECONDS:
            self._reserved.pop(key, None)
            return 0.0
        self._reserved[key] = turn
        return turn - now

    def forget(self, key: Hashable) -> None:
        """`key` doesn't come back."""
        self._reserved.pop(key, None)
