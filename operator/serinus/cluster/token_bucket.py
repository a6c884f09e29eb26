"""A rate limit that lets short bursts pass."""

from __future__ import annotations

from serinus.cluster.ports import Clock


class TokenBucket:
    """At most `burst` at once and `rate_per_second` in the long run."""

    def __init__(self, clock: Clock, *, rate_per_second: float, burst: float) -> None:
        self._clock = clock
        self._rate = rate_per_second
        self._burst = burst
        self._tokens = burst
        self._filled_at = clock.monotonic()

    def take(self) -> bool:
        """Take a token; False if there is none."""
        now = self._clock.monotonic()
        self._tokens = min(self._burst, self._tokens + (now - self._filled_at) * self._rate)
        self._filled_at = now
        if self._tokens >= 1.0:
            self._tokens -= 1.0
            return True
        return False
