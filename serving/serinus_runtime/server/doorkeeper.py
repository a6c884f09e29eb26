"""Who may keep a connection, and for how long: slow and silent clients make room for the others.

Memory and places are bounded for all connections together, and no client is told to come back
because others are slow. So whoever has kept the server waiting longest goes first:

- a request has `request_seconds` from its first byte to its last, then it gets a 408;
- an answer has `untaken_seconds` to be taken away, then the connection is cut;
- of more connections than `connections`, the one that has waited longest for its client ends;
- of more bytes in bodies than `held_bytes`, the request that has been coming longest gets a 408.

A request that came whole is never turned away here. Time is passed in.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import Protocol

from serinus_runtime.server.errors import Overloaded, RequestError, TooSlow

_SWEEP_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class DoorLimits:
    """What all connections may take together, and what one may take of our time."""

    connections: int
    held_bytes: int
    request_seconds: float
    silence_seconds: float
    untaken_seconds: float


class Guest(Protocol):
    """A connection, as the doorkeeper sees it.

    `waits_since` is when its client last finished something: connected, sent a whole request or
    got an answer. `request_since` is when the request that isn't whole yet began, None without
    one. `untaken_since` is when bytes of an answer were first seen that the client hasn't taken.
    """

    waits_since: float
    request_since: float | None
    untaken_since: float | None
    held_bytes: int

    @property
    def owes_answer(self) -> bool:
        """Whether a request that came whole is still unanswered."""

    @property
    def untaken_bytes(self) -> int:
        """Bytes of answers that wait for the client to take them."""

    def turn_away(self, error: RequestError) -> None:
        """Tell why, if nothing else was told, and end."""

    def hang_up(self) -> None:
        """End without a word."""

    def cut(self) -> None:
        """End at once; what is still to be sent is dropped."""


@dataclass(slots=True, eq=False)
class Doorkeeper:
    """Keeps the guests of one server within `limits`."""

    limits: DoorLimits
    guests: set[Guest] = field(default_factory=set)
    held_bytes: int = 0

    def admit(self, guest: Guest) -> None:
        """A client connected: it gets a place, if need be that of whom we wait for longest."""
        self.guests.add(guest)
        if len(self.guests) <= self.limits.connections:
            return
        waiting = [one for one in self.guests if one is not guest and not one.owes_answer]
        if not waiting:
            guest.turn_away(Overloaded("all connections are taken by requests; try again in 1 s"))
            return
        longest = min(waiting, key=lambda one: one.waits_since)
        self.guests.discard(longest)
        if longest.untaken_bytes:
            longest.cut()
        elif longest.request_since is None:
            longest.hang_up()
        else:
            longest.turn_away(TooSlow("the server is full and this request came slowest"))

    def left(self, guest: Guest) -> None:
        """A connection is gone."""
        self.release(guest)
        self.guests.discard(guest)

    def hold(self, guest: Guest, size: int) -> None:
        """Bytes of a body came; they are held until the request is answered."""
        guest.held_bytes += size
        self.held_bytes += size
        while self.held_bytes > self.limits.held_bytes:
            coming = [
                one for one in self.guests if one.held_bytes and one.request_since is not None
            ]
            if not coming:
                return
            longest = min(coming, key=lambda one: one.request_since or 0.0)
            longest.turn_away(TooSlow("the server holds too many bodies and this came slowest"))
            self.release(longest)

    def release(self, guest: Guest) -> None:
        """What was held for a guest isn't held any more."""
        self.held_bytes -= guest.held_bytes
        guest.held_bytes = 0

    def coming(self) -> int:
        """How many requests have begun and aren't whole."""
        return sum(one.request_since is not None for one in self.guests)

    def sweep(self, now: float) -> None:
        """End what has taken too long by now."""
        for guest in tuple(self.guests):
            self._look_after(guest, now)

    def _look_after(self, guest: Guest, now: float) -> None:
        limits = self.limits
        if not guest.untaken_bytes:
            guest.untaken_since = None
        elif guest.untaken_since is None:
            guest.untaken_since = now
        elif now - guest.untaken_since > limits.untaken_seconds:
            guest.cut()
            return
        if guest.owes_answer:
            return
        if guest.request_since is None:
            if now - guest.waits_since > limits.silence_seconds:
                guest.hang_up()
        elif now - guest.request_since > limits.request_seconds:
            message = f"the request didn't come whole within {limits.request_seconds:g} s"
            guest.turn_away(TooSlow(message))

    async def watch(self) -> None:
        """Sweep until cancelled."""
        while True:
            await asyncio.sleep(_SWEEP_SECONDS)
            self.sweep(time.monotonic())
