"""A connection says why it can't be, in its own words, and never with a password."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from serinus_runtime.server.online_lookups import AccessRefused, ServerAway
from serinus_runtime.server.redis_connection import ServerAddress
from tests.support.redis_server import RedisServer, a_redis_server, nobody

pytestmark = pytest.mark.slow


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    with a_redis_server(tmp_path, password="of the tests") as started:
        yield started


def address(url: str, password: str | None = "of the tests", seconds: float = 5) -> ServerAddress:
    return ServerAddress(url, None, None, password, seconds)


async def test_values_come_in_the_order_of_their_names(server: RedisServer) -> None:
    with server.client() as client:
        client.mset({"a": b"1", "c": b"\xff"})
        client.lpush("d", "x")
    connection = await address(f"{server.url}/0")()

    assert await connection.values([b"c", b"b", b"a", b"d"]) == [b"\xff", None, b"1", None]
    await connection.close()


async def test_a_database_is_chosen_by_the_address(server: RedisServer) -> None:
    with server.client(db=3) as client:
        client.set("a", b"3")
    connection = await address(f"{server.url}/3")()

    assert await connection.values([b"a"]) == [b"3"]
    await connection.close()


async def test_who_isn_t_let_in_is_told_apart_from_who_isn_t_there(server: RedisServer) -> None:
    for password in ("hunter2", None):
        with pytest.raises(AccessRefused) as refused:
            await address(server.url, password)()
        assert "hunter2" not in str(refused.value)
    with pytest.raises(ServerAway) as away:
        await address(nobody())()
    assert not isinstance(away.value, AccessRefused)


async def test_a_server_that_is_gone_is_away(server: RedisServer) -> None:
    connection = await address(server.url)()
    server.kill()

    with pytest.raises(ServerAway):
        await connection.values([b"a"])
    await connection.close()


async def test_a_server_that_hangs_is_away(
    server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serinus_runtime.server.redis_connection.CONNECT_SECONDS", 0.1)
    server.stop_answering()

    with pytest.raises(ServerAway, match="in time"):
        await address(server.url)()
    server.answer_again()


def test_a_password_is_never_shown() -> None:
    assert "hunter2" not in repr(address("redis://cache", "hunter2"))
