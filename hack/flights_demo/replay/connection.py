"""One keep-alive connection that a caller asks over, one request at a time.

It retries nothing and hides nothing: whatever a caller would see is told, as an answer or as one
of the ways to get none.
"""

from __future__ import annotations

import asyncio
import socket
from dataclasses import dataclass
from enum import StrEnum
from typing import cast

import httptools

CONNECT_SECONDS = 5.0


class Failure(StrEnum):
    """How a request got no answer."""

    RESET = "reset"
    """The connection was refused or reset."""
    NO_ADDRESS = "no address"
    """The name wasn't resolved in time."""
    NO_CONNECTION = "no connection"
    """No connection was opened in time."""
    TIMEOUT = "timeout"
    """Nothing came in time."""
    NO_ANSWER = "no answer"
    """The connection was closed in good order, but the answer was missing."""


class Unanswered(Exception):
    """A request got no answer."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.value)
        self.failure = failure


@dataclass(slots=True)
class Answer:
    """What came back. `revision` is who answered, "" if it isn't told."""

    status: int
    revision: str
    body: bytes
    keeps_open: bool


class Connection(asyncio.Protocol):
    """A connection to `host:port`; made by `connect`."""

    def __init__(self) -> None:
        self.requests = 0
        self._transport: asyncio.Transport | None = None
        self._waiting: asyncio.Future[Answer] | None = None
        self._open = True
        self._fresh_answer()

    def _fresh_answer(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._revision = ""
        self._body = bytearray()

    @property
    def is_open(self) -> bool:
        """Whether another request may be sent."""
        return self._open

    async def ask(self, request: bytes, timeout_seconds: float) -> Answer:
        """Send a whole request and wait for its answer.

        Raises
        ------
        Unanswered
            If none comes; the connection is closed then.
        """
        assert self._transport is not None
        self._waiting = asyncio.get_running_loop().create_future()
        self.requests += 1
        self._transport.write(request)
        try:
            async with asyncio.timeout(timeout_seconds):
                answer = await self._waiting
        except TimeoutError:
            self.close()
            raise Unanswered(Failure.TIMEOUT) from None
        finally:
            self._waiting = None
        if not answer.keeps_open:
            self.close()
        return answer

    def close(self) -> None:
        """End the connection."""
        self._open = False
        if self._transport is not None:
            self._transport.close()

    # What asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection is open."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is no subclass

    def data_received(self, data: bytes) -> None:
        """Bytes of the answer."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._fail(Failure.NO_ANSWER)
            self.close()

    def connection_lost(self, error: Exception | None) -> None:
        """The other side closed, or reset."""
        self._open = False
        self._fail(Failure.NO_ANSWER if error is None else Failure.RESET)

    # What the parser calls

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header of the answer."""
        if name.lower() == b"serinus-revision":
            self._revision = value.decode("latin-1")

    def on_body(self, body: bytes) -> None:
        """A part of the answer's body."""
        self._body += body

    def on_message_complete(self) -> None:
        """The whole answer is here."""
        parser = self._parser
        answer = Answer(
            parser.get_status_code(), self._revision, bytes(self._body), parser.should_keep_alive()
        )
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(answer)
        self._fresh_answer()

    def _fail(self, failure: Failure) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(Unanswered(failure))


async def connect(host: str, port: int) -> Connection:
    """Open a connection; raises `Unanswered`."""
    loop = asyncio.get_running_loop()
    late = Failure.NO_ADDRESS
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            late = Failure.NO_CONNECTION
            address, to_port, *_ = found[0][4]
            _, connection = await loop.create_connection(Connection, address, to_port)
    except TimeoutError:
        raise Unanswered(late) from None
    except socket.gaierror:
        raise Unanswered(Failure.NO_ADDRESS) from None
    except OSError:
        raise Unanswered(Failure.RESET) from None
    return connection
