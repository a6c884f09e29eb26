"""A request is sent again as it was, its answer read whole, and whatever else comes is an error."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from serinus_runtime.server.answer import Answer
from serinus_runtime.server.revision_connection import (
    ANSWER_BYTES_MAX,
    NotAskedError,
    NotReachedError,
    RevisionAnswer,
    RevisionConnection,
    RevisionError,
)

MARK = (b"serinus-mirrored", b"1")
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
ANSWER = b"HTTP/1.1 200 OK\r\nserinus-revision: 00000000aa\r\ncontent-length: 2\r\n%b\r\n{}"


@asynccontextmanager
async def connected(serve: Serve) -> AsyncIterator[RevisionConnection]:
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    connection = RevisionConnection(lambda: "127.0.0.1", port, MARK)
    try:
        yield connection
    finally:
        connection.close()
        server.close()


async def head_and_body(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    return head + await reader.readexactly(length)


@pytest.mark.parametrize(("header", "connections"), [(b"", 1), (b"connection: close\r\n", 2)])
async def test_a_connection_lives_as_long_as_the_shadow_likes(
    header: bytes, connections: int
) -> None:
    opened, seen = [], []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        opened.append(writer)
        while not reader.at_eof():
            try:
                seen.append(await head_and_body(reader))
            except asyncio.IncompleteReadError:
                break
            writer.write(ANSWER % header)
            if header:
                break
        writer.close()

    async with connected(serve) as connection:
        answers = [await connection.ask("/predict", body) for body in (b'{"rows": 1}', b"{}")]

    assert answers == [RevisionAnswer(Answer(200, b"{}"), "00000000aa")] * 2
    assert len(opened) == connections
    assert seen[0].startswith(b"POST /predict HTTP/1.1\r\n")
    assert b"serinus-mirrored: 1\r\n" in seen[0]
    assert seen[0].endswith(b'\r\n\r\n{"rows": 1}')


@pytest.mark.parametrize(
    "said",
    [
        b"nonsense\r\n\r\n",
        b"",
        b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % (ANSWER_BYTES_MAX + 1)
        + b"x" * (ANSWER_BYTES_MAX + 1),
    ],
    ids=["nonsense", "nothing", "half an answer", "far too much"],
)
async def test_what_is_no_answer_is_an_error_and_the_next_request_starts_over(said: bytes) -> None:
    replies = [said, ANSWER % b""]

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head_and_body(reader)
        writer.write(replies.pop(0))
        writer.close()

    async with connected(serve) as connection:
        with pytest.raises(RevisionError):
            await connection.ask("/predict", b"{}")
        answer = await connection.ask("/predict", b"{}")

    assert answer.answer.status == 200


async def test_nobody_there_is_told_from_one_that_gives_no_answer() -> None:
    nowhere = RevisionConnection(lambda: None, 1, MARK)
    refused = RevisionConnection(lambda: "127.0.0.1", 1, MARK)

    with pytest.raises(NotReachedError, match="no pod"):
        await nowhere.ask("/predict", b"{}")
    with pytest.raises(NotReachedError):
        await refused.ask("/predict", b"{}")

    assert (nowhere.address, refused.address) == (None, "127.0.0.1")


async def test_what_cant_be_sent_was_never_asked() -> None:
    async def serve(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with connected(serve) as connection:
        with pytest.raises(NotAskedError, match="can't be sent on"):
            await connection.ask("/predict", b"{}", ((b"traceparent", b"a\x00b"),))


async def test_an_answer_keeps_what_it_says_of_itself_and_nothing_of_its_connection() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head_and_body(reader)
        writer.write(
            b"HTTP/1.1 503 Busy\r\nserinus-revision: 00000000aa\r\ncontent-type: a/b\r\n"
            b"retry-after: 1\r\nserver: x\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}"
        )
        writer.close()

    async with connected(serve) as connection:
        said = await connection.ask("/predict", b"{}")

        assert said.answer == Answer(503, b"{}", b"a/b", ((b"retry-after", b"1"),))
        assert not connection.is_open
