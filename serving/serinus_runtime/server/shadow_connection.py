"""One connection to a shadow's pods: a request is sent again, its answer read within bounds."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import h11

from serinus_runtime.server.answer import Answer
from serinus_runtime.server.binary_tensors import HEADER
from serinus_runtime.server.errors import Headers

MIRRORED_HEADER = b"serinus-mirrored"
"""Marks a request that was mirrored, so that nobody mirrors it once more."""
ANSWER_BYTES_MAX = 1 << 20
_READ_BYTES = 64 << 10
_REVISION_HEADER = b"serinus-revision"


class ShadowError(Exception):
    """The shadow couldn't be asked, or didn't answer as a model server does."""


@dataclass(frozen=True, slots=True)
class ShadowAnswer:
    """What the shadow said, and which revision it is."""

    answer: Answer
    revision: str


class ShadowConnection:
    """Kept open from request to request, for as long as the shadow likes."""

    def __init__(self, address: Callable[[], str | None], port: int) -> None:
        self._address = address
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._http = h11.Connection(h11.CLIENT)

    async def ask(self, path: str, body: bytes, headers: Headers = ()) -> ShadowAnswer:
        """Send a prediction request to one of the pods; raises `ShadowError`."""
        try:
            reader, writer = await self._opened()
            writer.write(self._written(path, body, headers))
            await writer.drain()
            answer = await self._answer(reader)
        except (OSError, h11.ProtocolError) as error:
            self.close()
            raise ShadowError(str(error)) from error
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
        if self._streams is None:
            address = self._address()
            if address is None:
                raise ShadowError("there is no shadow any more")
            self._streams = await asyncio.open_connection(address, self._port)
            self._http = h11.Connection(h11.CLIENT)
        return self._streams

    def _written(self, path: str, body: bytes, headers: Headers) -> bytes:
        request = h11.Request(
            method="POST",
            target=path,
            headers=[
                (b"host", b"shadow"),
                (b"content-length", b"%d" % len(body)),
                (MIRRORED_HEADER, b"1"),
                *headers,
            ],
        )
        events = (request, h11.Data(data=body), h11.EndOfMessage())
        return b"".join(self._http.send(event) or b"" for event in events)

    async def _answer(self, reader: asyncio.StreamReader) -> ShadowAnswer:
        status, body = 0, bytearray()
        headers: dict[bytes, bytes] = {}
        while True:
            event = self._http.next_event()
            if event is h11.NEED_DATA:
                self._http.receive_data(await reader.read(_READ_BYTES))
            elif isinstance(event, h11.Response):
                status, headers = event.status_code, dict(event.headers)
            elif isinstance(event, h11.Data):
                body += event.data
                if len(body) > ANSWER_BYTES_MAX:
                    raise ShadowError(f"the answer is over {ANSWER_BYTES_MAX} bytes")
            elif isinstance(event, h11.EndOfMessage):
                kept = tuple((name, headers[name]) for name in (HEADER,) if name in headers)
                revision = headers.get(_REVISION_HEADER, b"").decode("latin-1")
                return ShadowAnswer(Answer(status, bytes(body), headers=kept), revision)

    def _ready_for_another(self) -> None:
        if self._http.our_state is h11.DONE and self._http.their_state is h11.DONE:
            self._http.start_next_cycle()
        else:
            self.close()
