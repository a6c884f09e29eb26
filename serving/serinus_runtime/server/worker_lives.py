"""When a worker that ended is started again, and when the pod gives up. Time is passed in.

A worker that lived long may end for any reason: it is replaced at once. One that keeps ending soon
after its start will go on doing so; then the pod ends, so that Kubernetes sees it, waits longer
each time and tells.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

LIVED_SECONDS = 60.0
"""A worker that lived so long is no sign that the next one won't."""

SHORT_LIVES_MAX = 5
"""Short lives in a row after which the pod gives up."""

START_SECONDS = 300.0
"""How long a worker may take to be ready; as long as the first start of a pod may."""

HUNG_SECONDS = 60.0
"""How long a worker may not go round; a pod of one process fails its liveness probe after that. A
probe doesn't tell it of one worker of several, since the next one may ask another."""

_FIRST_PAUSE_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Place:
    """A worker's place: when its life began (monotonic), how many short ones came before."""

    started_at: float
    short_lives: int = 0

    def after_death(self, now: float) -> Place | None:
        """The place with its next start; None where there is none: the pod ends."""
        if now - self.started_at >= LIVED_SECONDS:
            return Place(now)
        short_lives = self.short_lives + 1
        if short_lives >= SHORT_LIVES_MAX:
            return None
        pause = 0.0 if short_lives == 1 else _FIRST_PAUSE_SECONDS * 2 ** (short_lives - 2)
        return replace(self, started_at=now + pause, short_lives=short_lives)

    def is_overdue(self, now: float) -> bool:
        """Whether a worker that isn't ready yet has had its time."""
        return now - self.started_at > START_SECONDS


def is_hung(last_beat: float, now: float) -> bool:
    """Whether a worker that was ready has stopped to go round."""
    return now - last_beat > HUNG_SECONDS
