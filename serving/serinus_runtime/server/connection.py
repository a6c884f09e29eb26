"""How a connection lives, and how it ends without a client seeing a reset.

A Service balances connections, not requests: a client that keeps one open stays with its pod, and
a weight of a canary would mean nothing to it. So a connection gets `Connection: close` with an
answer once it is old enough or has carried enough requests, and with every answer while the
server drains. A connection is never closed between two requests of a busy client. What a client
sends after the request whose answer ends its connection is not read.

uvicorn bounds neither the head of a request nor how many requests are pipelined, nor time; here
they are. The one place that knows uvicorn's protocol class; `tests/unit/runtime_server` holds its
contract.
"""

from __future__ import annotations

import asyncio
import random
import re
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)
from uvicorn.server import ServerState

from serinus_runtime.server.answer import Answer, refusal
from serinus_runtime.server.doorkeeper import Doorkeeper
from serinus_runtime.server.errors import BadRequest, HeadTooLarge, RequestError
from serinus_runtime.server.head_rules import refused_head, with_path
from serinus_runtime.server.refused_request import RefusedRequest
from serinus_runtime.server.request_body import RECEIVED_AT, Message, Send
from serinus_runtime.server.revision_connection import REVISION_HEADER

HEAD_BYTES_MAX = 64 << 10
"""Bytes of a head, of trailers, or between two pieces of a body."""
_OVER_HEAD = f"the request's head is over {HEAD_BYTES_MAX} bytes"

PIPELINED_MAX = 16
"""Requests that may wait in one connection for the answer of another."""

_UPGRADE = re.compile(rb"\r\nupgrade:", re.IGNORECASE)

_JITTER = 0.2
"""Ages are spread by this share, so that clients of one moment don't come back as one crowd."""


@dataclass(slots=True)
class ConnectionPolicy:
    """When connections end; `draining` ends each with its next answer. Age 0 is no limit."""

    max_age_seconds: float
    max_requests: int
    max_body_bytes: int
    draining: bool = False

    def deadline(self, now: float) -> float:
        """Monotonic time from which on a connection made `now` ends with its next answer."""
        if self.max_age_seconds == 0:
            return float("inf")
        spread = random.uniform(1 - _JITTER, 1)  # noqa: S311 (no secret)
        return now + self.max_age_seconds * spread


class BoundedConnection(HttpToolsProtocol):
    """uvicorn's connection within the bounds of a `ConnectionPolicy`, as a `Doorkeeper`'s guest."""

    policy: ConnectionPolicy
    door: Doorkeeper
    _head_of: list[tuple[bytes, bytes]] | None = None
    _head = b""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        now = time.monotonic()
        self.waits_since = now
        self.request_since: float | None = None
        self.untaken_since: float | None = None
        self.held_bytes = 0
        self._ends_at = self.policy.deadline(now)
        self._requests_left = self.policy.max_requests
        self._body_bytes = 0
        self._unframed_bytes = 0  # since the parser last told of a head's end or of a body's piece
        self._in_head = False
        self._is_last = False  # no request after the one that is there
        self._discards = False  # what comes is a request after the last
        self._last_words: bytes | None = None  # to be said behind all answers that are owed

    # What the doorkeeper asks and says

    @property
    def owes_answer(self) -> bool:
        """Whether a request that came whole is still unanswered."""
        cycle: RequestResponseCycle | None = self.cycle  # None before the first request
        whole = cycle is not None and not cycle.more_body and not cycle.response_complete
        return whole or bool(self.pipeline)

    @property
    def untaken_bytes(self) -> int:
        """Bytes of answers that wait for the client to take them."""
        return self.transport.get_write_buffer_size()

    def turn_away(self, error: RequestError) -> None:
        """Tell why, unless an answer has begun, and end; answers that are owed come before."""
        if self.pipeline and self.cycle.more_body:
            self.pipeline[0] = (self.cycle, RefusedRequest(error, reads_body=False))  # type: ignore[assignment]
            self.cycle.more_body = self.cycle.keep_alive = False
            self._read_no_more()
        elif self.owes_answer:
            self._last_words = self.response(refusal(error, ()), keep_alive=False)
            self._read_no_more()
        else:
            if self._may_be_told():
                self.transport.write(self.response(refusal(error, ()), keep_alive=False))
            self.hang_up()

    def hang_up(self) -> None:
        """End without a word."""
        self._read_no_more()
        self.transport.close()

    def _read_no_more(self) -> None:
        self.request_since = None
        self._is_last = self._discards = True

    def cut(self) -> None:
        """End at once."""
        self.transport.abort()

    def end_with_answer(self) -> None:
        """Let the answer that is being made be the last; an idle connection waits for its next."""
        cycle: RequestResponseCycle | None = self.cycle
        if cycle is not None and not cycle.response_started:
            cycle.keep_alive = False
            self._is_last = True

    # What the transport says

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client connected."""
        super().connection_made(transport)
        self.door.admit(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        self.door.left(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Bytes came; those after the last request are dropped."""
        if self._is_last and self.request_since is None:
            return
        if self.request_since is None and b"pgrade" in data:
            data = without_upgrade(data)
        self._unframed_bytes += len(data)
        super().data_received(data)
        if self._unframed_bytes > HEAD_BYTES_MAX and not self.transport.is_closing():
            self.turn_away(HeadTooLarge(_OVER_HEAD))

    def eof_received(self) -> bool:  # type: ignore[override]
        """The client sends no more, but may still wait for an answer."""
        if not self.owes_answer:
            return False
        if self._last_words is None:
            self.end_with_answer()
            self._last_words = b""  # where that answer has begun, it doesn't say so
        return True

    def shutdown(self) -> None:
        """The server ends: a request that has begun is answered, what is idle is closed."""
        if not self._in_head or self.owes_answer:
            super().shutdown()

    # What the parser says

    def on_message_begin(self) -> None:
        """The first byte of a request."""
        self.begin_request()
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header; those behind a body mean nothing (RFC 9110, 6.5.1)."""
        if self._in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """A request begins; its answer says `Connection: close` if the connection is to end."""
        if self._discards:
            return
        self.url, error = with_path(self.url), self.refused()
        waits = self.expect_100_continue = (
            self.expect_100_continue and self.parser.get_http_version() == "1.1"
        )
        app = self.app
        if error is not None:
            self.app = RefusedRequest(error, reads_body=not waits)
        super().on_headers_complete()
        self.app = app
        self.end_of_head()
        self.cycle.__class__ = WaitingCycle if waits else BoundedCycle
        if error is not None or self.ends_with_this_request():
            self.cycle.keep_alive = False
        self._is_last = not self.cycle.keep_alive

    def refused(self) -> RequestError | None:
        """Why the request whose head has come isn't read."""
        if self._unframed_bytes > HEAD_BYTES_MAX:  # with what came behind it in one piece
            size = len(self.url) + sum(len(name) + len(value) for name, value in self.headers)
            if size > HEAD_BYTES_MAX:
                return HeadTooLarge(_OVER_HEAD)
        return refused_head(self.parser.get_http_version(), self.headers)

    def on_body(self, body: bytes) -> None:
        """A piece of a body; of one that nobody waits for nothing is held."""
        if self._discards:
            return
        super().on_body(body)
        if self.cycle.response_complete:
            self._unframed_bytes = 0
        else:
            self.hold_body(body)

    def on_message_complete(self) -> None:
        """A request is whole."""
        if self._discards:
            return
        self.end_of_request()
        self.cycle.scope["state"][RECEIVED_AT] = self.waits_since
        super().on_message_complete()

    # What is noted of each request

    def begin_request(self) -> None:
        """Its first byte has come."""
        self._discards = self._is_last
        if not self._discards:
            self.request_since = time.monotonic()
            self._in_head = True

    def end_of_head(self) -> None:
        """Its head has come."""
        self._in_head = False
        self._body_bytes = self._unframed_bytes = 0
        self._requests_left -= 1

    def hold_body(self, body: bytes) -> None:
        """A piece of its body has come; of one over the limit nothing more is held."""
        self._unframed_bytes = 0
        room = self.policy.max_body_bytes - self._body_bytes
        self._body_bytes += len(body)
        self.door.hold(self, max(0, min(len(body), room)))

    def end_of_request(self) -> None:
        """Its last byte has come."""
        self._unframed_bytes = 0
        self.request_since = None
        self.waits_since = time.monotonic()

    def on_response_complete(self) -> None:
        """An answer is given; only now is read what was sent behind its request."""
        self.door.release(self)
        self.waits_since = time.monotonic()
        if self.request_since is not None:
            self.request_since = self.waits_since
        if self._last_words is not None and not self.pipeline and not self.transport.is_closing():
            if self._last_words:
                self.transport.write(self._last_words)
            self.transport.close()
        super().on_response_complete()

    def send_400_response(self, msg: str) -> None:
        """What was sent is no HTTP; requests that came before it are answered first."""
        self.turn_away(BadRequest(f"{msg.rstrip('.')}: expected HTTP/1.1"))

    def _unsupported_upgrade_warning(self) -> None:
        """The request is answered as it is; behind it comes another protocol."""
        self.end_with_answer()

    def ends_with_this_request(self) -> bool:
        """Whether the connection is to end with the answer to the request whose head has come."""
        return (
            self._requests_left <= 0
            or self.policy.draining
            or (self.request_since or 0.0) >= self._ends_at
            or len(self.pipeline) >= PIPELINED_MAX
        )

    def _may_be_told(self) -> bool:
        cycle: RequestResponseCycle | None = self.cycle
        if cycle is None:
            return True
        return cycle.response_complete if self._in_head else not cycle.response_started

    def response(self, answer: Answer, *, keep_alive: bool) -> bytes:
        """An answer as it goes over the wire, where no ASGI is in between."""
        more = b"" if keep_alive else b"connection: close\r\n"
        if answer.headers:
            more += _lines(answer.headers)
        return b"%b%bcontent-type: %b\r\ncontent-length: %d\r\n%b\r\n%b" % (
            STATUS_LINE[answer.status],
            self._head_of_answers(),
            answer.content_type,
            len(answer.body),
            more,
            answer.body,
        )

    def _head_of_answers(self) -> bytes:
        """The headers that all answers have; uvicorn makes a new list of them each second."""
        headers = self.server_state.default_headers
        if headers is not self._head_of:
            self._head_of, self._head = headers, _lines(headers)
        return self._head


class BoundedCycle(RequestResponseCycle):
    """A request and its answer, which is written as long as somebody is there to read it.

    uvicorn tells the last request of a connection that the client has gone, and none before it.
    """

    async def send(self, message: Message) -> None:  # type: ignore[override]
        """A part of the answer."""
        if self.transport.is_closing():
            self.disconnected = True
        await super().send(message)  # type: ignore[arg-type]


class WaitingCycle(BoundedCycle):
    """A request whose client sends its body once it is told to go on.

    Where it is answered instead, nobody can know whether a body comes or the next request.
    """

    async def send(self, message: Message) -> None:  # type: ignore[override]
        """A part of the answer."""
        if self.waiting_for_100_continue and self.more_body:
            self.keep_alive = False
        await super().send(message)


def _lines(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    return b"".join([b"%b: %b\r\n" % header for header in headers])


def with_revision(send: Send, revision: bytes) -> Send:
    """`send` for an answer of another revision: its name takes the place of this server's.

    uvicorn puts the server's own headers before those of an answer.
    """
    cycle = getattr(send, "__self__", None)
    if isinstance(cycle, RequestResponseCycle):
        kept = [header for header in cycle.default_headers if header[0] != REVISION_HEADER]
        cycle.default_headers = [*kept, (REVISION_HEADER, revision)]
    return send


def without_upgrade(data: bytes) -> bytes:
    """The bytes of a request that doesn't ask for another protocol.

    We have no other, and the parser would skip its body. Java's own client asks with each request.
    """
    head, end, body = data.partition(b"\r\n\r\n")
    return _UPGRADE.sub(b"\r\nupgrade-ignored:", head) + end + body
