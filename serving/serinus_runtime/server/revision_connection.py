"""One connection to the pods of another revision: a request is sent on, its answer read in bounds.

Used to mirror to a shadow, and to hand requests of an A/B test to the canary.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import h11

from serinus_runtime.server.answer import JSON, Answer
from serinus_runtime.server.errors import Headers

REVISION_HEADER = b"serinus-revision"
ANSWER_BYTES_MAX = 1 << 20
CONNECT_SECONDS = 1.0
_READ_BYTES = 64 << 10
_NOT_PASSED_ON = frozenset(
    {
        b"connection",
        b"content-length",
        b"content-type",
        b"date",
        b"keep-alive",
        b"server",
        b"transfer-encoding",
        REVISION_HEADER,
    }
)
"""Headers of an answer that are about the connection, or that every answer has of its own."""


class RevisionError(Exception):
    """The revision couldn't be asked, or didn't answer as a model server does."""


class NotAskedError(RevisionError):
    """Nothing was asked: whoever it is, it has done nothing about it."""


class NotReachedError(NotAskedError):
    """There was nobody to connect to."""


@dataclass(frozen=True, slots=True)
class RevisionAnswer:
    """What was said, and by which revision."""

    answer: Answer
    revision: str


class RevisionConnection:
    """Kept open from request to request, for as long as the other side likes.

    `mark` is the header that tells the other side why it is asked; `address` is whom it asked last.
    """

    def __init__(
        self,
        address: Callable[[], str | None],
        port: int,
        mark: tuple[bytes, bytes],
        *,
        answer_bytes_max: int = ANSWER_BYTES_MAX,
    ) -> None:
        self._any_address = address
        self._port = port
        self.address: str | None = None
        self._mark = mark
        self._answer_bytes_max = answer_bytes_max
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._http = h11.Connection(h11.CLIENT)

    @property
    def is_open(self) -> bool:
        """Whether the next request goes over a connection that has carried one before."""
        return self._streams is not None and not self._streams[0].at_eof()

    async def ask(self, path: str, body: bytes, headers: Headers = ()) -> RevisionAnswer:
        """Send a prediction request to one of the pods; raises `RevisionError`."""
        try:
            reader, writer = await self._opened()
            writer.write(self._written(path, body, headers))
            await writer.drain()
            answer = await self._answer(reader)
        except (OSError, h11.ProtocolError) as error:
            self.close()
            raise RevisionError(str(error)) from error
        except BaseException:  # cancelled by a timeout in the middle of an answer
            self.close()
            raise
        self._ready_for_another()
        return answer

    def close(self) -> None:
        """Hang up; the next request opens another."""
        if self._streams is not None:
            self._streams[1].close()
        self._streams = None

    async def _opened(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if not self.is_open:
            self.close()
        if self._streams is None:
            self.address = self._any_address()
            if self.address is None:
                raise NotReachedError("there is no pod of it any more")
            self._streams = await _connected(self.address, self._port)
            self._http = h11.Connection(h11.CLIENT)
        return self._streams

    def _written(self, path: str, body: bytes, headers: Headers) -> bytes:
        told = [(b"host", b"revision"), (b"content-length", b"%d" % len(body)), self._mark]
        try:
            request = h11.Request(method="POST", target=path, headers=[*told, *headers])
        except h11.LocalProtocolError as error:
            raise NotAskedError(f"the request can't be sent on: {error}") from error
        events = (request, h11.Data(data=body), h11.EndOfMessage())
        return b"".join(self._http.send(event) or b"" for event in events)

    async def _answer(self, reader: asyncio.StreamReader) -> RevisionAnswer:
        status, body = 0, bytearray()
        headers: Headers = ()
        while True:
            event = self._http.next_event()
            if event is h11.NEED_DATA:
                self._http.receive_data(await reader.read(_READ_BYTES))
            elif isinstance(event, h11.Response):
                status, headers = event.status_code, tuple(event.headers)
            elif isinstance(event, h11.Data):
                body += event.data
                if len(body) > self._answer_bytes_max:
                    raise RevisionError(f"the answer is over {self._answer_bytes_max} bytes")
            elif isinstance(event, h11.EndOfMessage):
                return _made(status, headers, bytes(body))

    def _ready_for_another(self) -> None:
        if self._http.our_state is h11.DONE and self._http.their_state is h11.DONE:
            self._http.start_next_cycle()
        else:
            self.close()


async def _connected(address: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            return await asyncio.open_connection(address, port)
    except OSError as error:  # of which `TimeoutError` is one
        raise NotReachedError(str(error)) from error


def _made(status: int, headers: Headers, body: bytes) -> RevisionAnswer:
    by_name = dict(headers)
    kept = tuple((name, value) for name, value in headers if name not in _NOT_PASSED_ON)
    answer = Answer(status, body, by_name.get(b"content-type", JSON), kept)
    return RevisionAnswer(answer, by_name.get(REVISION_HEADER, b"").decode("latin-1"))
