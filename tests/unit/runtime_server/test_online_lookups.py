"""Questions share round trips, and nobody waits for a server that is known to be away."""

import asyncio
import logging
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from serinus_runtime.server import online_lookups
from serinus_runtime.server.online_lookups import AccessRefused, Lookups, ServerAway


@dataclass
class Server:
    """A server whose answers wait until the test lets them go."""

    away: ServerAway | None = None
    asked: list[list[bytes]] = field(default_factory=list)
    connections: int = 0
    pings: int = 0
    answers: asyncio.Event = field(default_factory=asyncio.Event)
    silent: bool = False
    """Whether nothing comes back of what is looked after."""

    async def __call__(self) -> "Server":
        await asyncio.sleep(0)
        if self.away is not None:
            raise self.away
        self.connections += 1
        return self

    async def values(self, names: Sequence[bytes]) -> Sequence[bytes | None]:
        self.asked.append(list(names))
        await self.answers.wait()
        if self.away is not None:
            raise self.away
        return [name.upper() for name in names]

    async def ping(self) -> None:
        self.pings += 1
        if self.silent:
            await asyncio.Event().wait()

    async def close(self) -> None:
        self.connections -= 1


def lookups_to(server: Server, timeout_seconds: float = 5.0) -> Lookups:
    return Lookups(server, "redis://cache", timeout_seconds)


async def until(condition: object) -> None:
    """Let the others work until it is so."""
    assert callable(condition)
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 (whoever makes it so doesn't know of it)
            await asyncio.sleep(0.001)


async def test_what_comes_while_all_connections_are_asked_goes_as_one_question() -> None:
    server = Server()
    lookups = lookups_to(server)
    tasks = []
    for number in range(2 + 20):
        tasks.append(asyncio.create_task(lookups.values([b"a%d" % number, b"b%d" % number])))
        if number < 2:
            await until(lambda: len(server.asked) == len(tasks))
    await asyncio.sleep(0)
    server.answers.set()

    assert await asyncio.gather(*tasks) == [[b"A%d" % n, b"B%d" % n] for n in range(22)]
    assert len(server.asked) == 3
    assert server.connections == online_lookups.CONNECTIONS
    await lookups.close()
    assert server.connections == 0


async def test_a_question_has_so_many_names_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(online_lookups, "NAMES_AT_ONCE", 4)
    server = Server()
    server.answers.set()
    lookups = lookups_to(server)

    await asyncio.gather(*(lookups.values([b"x"] * 3) for _ in range(5)))

    assert max(map(len, server.asked)) <= 6
    await lookups.close()


async def test_who_waited_long_enough_is_told_and_asked_for_no_more() -> None:
    server = Server()
    lookups = lookups_to(server, timeout_seconds=0.02)

    with pytest.raises(ServerAway, match="no answer within 20 ms"):
        await lookups.values([b"x"])

    await lookups.close()


async def test_nobody_waits_for_a_server_that_is_away_and_it_is_told_once(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(online_lookups, "PAUSE_MIN_SECONDS", 0.001)
    monkeypatch.setattr(online_lookups, "PAUSE_MAX_SECONDS", 0.002)
    server = Server(away=ServerAway("refused"))
    server.answers.set()
    lookups = lookups_to(server)
    with caplog.at_level(logging.INFO):
        with pytest.raises(ServerAway, match="refused"):
            await lookups.begin(5)
        for _ in range(20):
            with pytest.raises(ServerAway, match="refused"):
                await lookups.values([b"x"])
        await asyncio.sleep(0.02)
        server.away = None
        await until(lambda: lookups.is_up)
        assert await lookups.values([b"x"]) == [b"X"]

    told = [record.message for record in caplog.records]
    assert told == [
        "the server of online values is away: refused",
        "the server of online values is back",
    ]
    await lookups.close()


async def test_what_is_told_again_and_again_doesn_t_grow() -> None:
    server = Server(away=ServerAway("refused"))
    lookups = lookups_to(server)
    with pytest.raises(ServerAway):
        await lookups.begin(5)

    depths = set()
    for _ in range(5):
        with pytest.raises(ServerAway) as told:
            await lookups.values([b"x"])
        depths.add(len(list(traceback.walk_tb(told.tb))))

    assert len(depths) == 1
    await lookups.close()


async def test_an_answer_that_is_there_counts_though_the_loop_is_late() -> None:
    server = Server()
    server.answers.set()
    lookups = lookups_to(server, timeout_seconds=0.05)
    await lookups.begin(5)
    asking = asyncio.create_task(lookups.values([b"x"]))
    await asyncio.sleep(0)
    time.sleep(0.1)  # noqa: ASYNC251 (nothing goes on meanwhile)

    assert await asking == [b"X"]
    await lookups.close()


async def test_a_server_that_lets_nobody_in_is_asked_seldom() -> None:
    server = Server()
    server.answers.set()
    lookups = lookups_to(server)
    await lookups.begin(5)
    server.away = AccessRefused("wrong password")

    for _ in range(20):
        with pytest.raises(AccessRefused):
            await lookups.values([b"x"])

    assert len(server.asked) == 1
    await lookups.close()


async def test_a_connection_without_questions_is_looked_after(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(online_lookups, "QUIET_SECONDS", 0.001)
    server = Server()
    lookups = lookups_to(server)
    await lookups.begin(5)

    await until(lambda: server.pings > 2)

    await lookups.close()


async def test_a_connection_that_has_fallen_silent_is_made_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As after a failover: no word of the old machine, not even that the connection has ended."""
    monkeypatch.setattr(online_lookups, "QUIET_SECONDS", 0.001)
    server = Server(silent=True)
    server.answers.set()
    lookups = lookups_to(server, timeout_seconds=0.01)
    await lookups.begin(5)
    await until(lambda: server.pings >= online_lookups.CONNECTIONS)
    server.silent = False

    await until(lambda: server.pings > 2 * online_lookups.CONNECTIONS)

    assert await lookups.values([b"a"]) == [b"A"]
    await lookups.close()
    assert server.connections == 0


async def test_who_still_waits_at_the_end_is_told() -> None:
    server = Server()
    lookups = lookups_to(server)
    waiting = [asyncio.create_task(lookups.values([b"x"]))]
    await until(lambda: len(server.asked) == 1)
    waiting += [asyncio.create_task(lookups.values([b"y"])) for _ in range(3)]
    await until(lambda: len(server.asked) == online_lookups.CONNECTIONS)

    await lookups.close()

    done = await asyncio.gather(*waiting, return_exceptions=True)
    assert all(isinstance(one, ServerAway) for one in done)
