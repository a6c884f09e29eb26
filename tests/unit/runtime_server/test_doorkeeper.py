"""Whoever has kept the server waiting longest makes room; a whole request is never turned away."""

import asyncio
import math
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from serinus_runtime.server.doorkeeper import Doorkeeper, DoorLimits
from serinus_runtime.server.errors import Overloaded, RequestError, TooSlow

LIMITS = DoorLimits(
    connections=3, held_bytes=100, request_seconds=10, silence_seconds=75, untaken_seconds=30
)


@dataclass(eq=False)
class Visitor:
    """A connection that notes how it ended."""

    waits_since: float = 0.0
    request_since: float | None = None
    untaken_since: float | None = None
    held_bytes: int = 0
    owes_answer: bool = False
    untaken_bytes: int = 0
    end: str | type[RequestError] | None = None
    told: list[str] = field(default_factory=list)
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    def turn_away(self, error: RequestError) -> None:
        self.end, self.request_since = type(error), None
        self.told.append(error.message)
        self.ended.set()

    def hang_up(self) -> None:
        self.end = "hung up"

    def cut(self) -> None:
        self.end = "cut"


def door(*guests: Visitor, limits: DoorLimits = LIMITS) -> Doorkeeper:
    keeper = Doorkeeper(limits)
    for guest in guests:
        keeper.admit(guest)
    return keeper


# Time


@pytest.mark.parametrize(
    ("guest", "now", "end"),
    [
        (Visitor(request_since=0.0), 10.0, None),
        (Visitor(request_since=0.0), 10.1, TooSlow),
        (Visitor(waits_since=0.0), 75.0, None),
        (Visitor(waits_since=0.0), 75.1, "hung up"),
        (Visitor(waits_since=0.0, owes_answer=True), 1000.0, None),
        (Visitor(waits_since=0.0, request_since=0.0, owes_answer=True), 1000.0, None),
        (Visitor(waits_since=0.0, untaken_since=0.0, untaken_bytes=1), 30.0, None),
        (Visitor(waits_since=0.0, untaken_since=0.0, untaken_bytes=1), 30.1, "cut"),
        (
            Visitor(waits_since=0.0, untaken_since=0.0, untaken_bytes=1, owes_answer=True),
            30.1,
            "cut",
        ),
    ],
)
def test_each_kind_of_waiting_has_its_time(
    guest: Visitor, now: float, end: str | type[RequestError] | None
) -> None:
    door(guest).sweep(now)

    assert guest.end == end


def test_a_slow_request_is_told_its_time() -> None:
    guest = Visitor(request_since=0.0)

    door(guest).sweep(11.0)

    assert guest.told == ["the request didn't come whole within 10 s"]


def test_an_answer_that_was_taken_in_between_has_its_time_anew() -> None:
    guest = Visitor(untaken_bytes=5)
    keeper = door(guest)

    keeper.sweep(0.0)
    guest.untaken_bytes = 0
    keeper.sweep(20.0)
    guest.untaken_bytes = 5
    keeper.sweep(35.0)
    keeper.sweep(60.0)

    assert guest.end is None


async def test_the_watch_sweeps_until_it_is_cancelled() -> None:
    guests = [Visitor(waits_since=math.inf, request_since=-100.0) for _ in range(2)]
    keeper = door(guests[0])
    watch = asyncio.create_task(keeper.watch())

    for guest in guests:
        keeper.admit(guest)
        await asyncio.wait_for(guest.ended.wait(), 10)
    watch.cancel()

    assert [guest.end for guest in guests] == [TooSlow, TooSlow]


# Places


def test_within_the_limit_everybody_stays() -> None:
    guests = [Visitor(waits_since=float(at)) for at in range(3)]
    keeper = door(*guests)

    assert [guest.end for guest in guests] == [None] * 3
    assert len(keeper.guests) == 3


@pytest.mark.parametrize(
    ("oldest", "end"),
    [
        (Visitor(waits_since=1.0), "hung up"),
        (Visitor(waits_since=1.0, request_since=5.0), TooSlow),
        (Visitor(waits_since=1.0, untaken_bytes=1), "cut"),
    ],
)
def test_a_newcomer_gets_the_place_of_whom_the_server_waits_for_longest(
    oldest: Visitor, end: str | type[RequestError]
) -> None:
    busy = Visitor(waits_since=0.0, owes_answer=True)
    recent = Visitor(waits_since=2.0)
    newcomer = Visitor(waits_since=3.0)

    keeper = door(recent, busy, oldest, newcomer)

    assert [one.end for one in (busy, recent, newcomer)] == [None] * 3
    assert oldest.end == end
    assert keeper.guests == {busy, recent, newcomer}


def test_only_where_all_are_being_answered_a_newcomer_is_told_to_come_back() -> None:
    busy = [Visitor(owes_answer=True) for _ in range(3)]
    newcomer = Visitor()

    door(*busy, newcomer)

    assert newcomer.end is Overloaded
    assert [one.end for one in busy] == [None] * 3


# Bodies


def test_the_slowest_of_the_bodies_gives_way() -> None:
    slowest, slow = Visitor(request_since=1.0), Visitor(request_since=2.0)
    whole = Visitor(request_since=None, owes_answer=True)
    keeper = door(slow, slowest, whole)

    for guest, size in ((slowest, 40), (slow, 30), (whole, 30)):
        keeper.hold(guest, size)
    before = [guest.end for guest in (slowest, slow, whole)]
    keeper.hold(slow, 1)

    assert before == [None] * 3
    assert [guest.end for guest in (slowest, slow, whole)] == [TooSlow, None, None]
    assert keeper.held_bytes == 61


def test_whole_bodies_are_kept_and_the_one_that_comes_gives_way() -> None:
    whole = [Visitor(owes_answer=True) for _ in range(2)]
    coming = Visitor(request_since=1.0)
    keeper = door(*whole, coming)

    for guest in whole:
        keeper.hold(guest, 50)
    keeper.hold(coming, 1)

    assert coming.end is TooSlow
    assert [one.end for one in whole] == [None] * 2
    assert keeper.held_bytes == 100


@pytest.mark.parametrize("leave", [Doorkeeper.left, Doorkeeper.release])
def test_what_an_answered_or_gone_client_sent_isnt_held(
    leave: Callable[[Doorkeeper, Visitor], None],
) -> None:
    guest = Visitor(request_since=1.0)
    keeper = door(guest)
    keeper.hold(guest, 60)

    leave(keeper, guest)

    assert (keeper.held_bytes, guest.held_bytes) == (0, 0)


def test_it_knows_how_many_requests_are_coming() -> None:
    assert door(Visitor(), Visitor(request_since=1.0), Visitor(request_since=2.0)).coming() == 2
