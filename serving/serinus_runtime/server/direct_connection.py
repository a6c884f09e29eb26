"""A connection that answers a prediction request where it has read its last byte.

A request that ASGI carries costs a scope, a task, three messages and two writes: more than a quick
model needs to answer it. Here its head and body are only kept, as a `Sketch`, and its answer is
made in the parser's own callback and written at once. As soon as anything has to wait (a slow
model, a large body, a shadow, a client that takes its answers slowly), or the connection is to
end in another way, the sketch becomes what uvicorn would have made of the request, and the
application answers it. Tests ask both ways the same.

A request whose head came before, byte by byte, and that comes whole in one piece isn't even
parsed: what its head says is known.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import Protocol

import orjson
from uvicorn.protocols.http.httptools_impl import (
    HttpToolsProtocol,
    RequestResponseCycle,
)

from serinus_runtime.kernel.line_kernel import AddLine
from serinus_runtime.server.access_lines import client_of
from serinus_runtime.server.access_log import AccessLog
from serinus_runtime.server.answer import OK, Answer
from serinus_runtime.server.connection import BoundedConnection, ConnectionPolicy
from serinus_runtime.server.doorkeeper import Doorkeeper
from serinus_runtime.server.errors import RequestError
from serinus_runtime.server.known_heads import END_OF_HEAD, KnownHead, KnownHeads
from serinus_runtime.server.prediction_requests import SMALL_BODY_BYTES
from serinus_runtime.server.request_body import RECEIVED_AT, RequestHeaders
from serinus_runtime.server.request_listeners import AnsweredRequest, RequestListener


class DirectAnswers(Protocol):
    """Answers some requests without waiting for anything."""

    def takes(self, method: bytes, url: bytes) -> bool:
        """Whether it may answer a request with this first line."""

    def at_once(
        self, url: bytes, headers: RequestHeaders, body: bytes, since: float
    ) -> Answer | None:
        """The answer to a whole request; None where it has to wait for something.

        Names of headers are in lower case; `since` is the monotonic time of the last byte.
        """

    def usual(self, url: bytes, body: bytes, since: float) -> bytes | None:
        """The JSON that answers a plain request with 200; None: `at_once` is to be asked."""

    def is_plain(self, headers: RequestHeaders) -> bool:
        """Whether a request with these headers may be asked of `usual`."""


@dataclass(slots=True, eq=False)
class Sketch:
    """A request that may be answered directly: what was read of it."""

    url: bytes
    headers: list[tuple[bytes, bytes]]
    keep_alive: bool
    body: bytes | bytearray = b""
    whole: bool = False

    def add(self, piece: bytes) -> None:
        """Keep a piece of the body; a list of small ones would take many times what they hold."""
        if not self.body:
            self.body = piece
            return
        if type(self.body) is bytes:
            self.body = bytearray(self.body)
        self.body += piece


class DirectConnection(BoundedConnection):
    """A `BoundedConnection` that first asks its `direct_answers`."""

    direct_answers: DirectAnswers
    known_heads: KnownHeads
    listener: RequestListener | None
    own_log: AccessLog | None
    """The listener, where nobody else is told."""
    add_line: AddLine
    """That of the own log; where there is none, no known head has lines."""

    _sketch: Sketch | None = None
    _piece = b""  # what is being read, if a request began with it
    _waits = False  # the request that is being read was asked for, and has to wait
    _usual_head_of: list[tuple[bytes, bytes]] | None = None
    _usual_head = b""
    _client = b""  # as JSON

    # What ends a connection in another way than by answers

    def turn_away(self, error: RequestError) -> None:
        """Tell why, unless an answer has begun, and end."""
        self._leave_to_application()
        super().turn_away(error)

    def end_with_answer(self) -> None:
        """Let the answer that is being made be the last; an idle connection waits for its next."""
        self._leave_to_application()
        super().end_with_answer()

    def shutdown(self) -> None:
        """The server ends: a request that has begun is answered, what is idle is closed."""
        self._leave_to_application()
        super().shutdown()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone; the application counts what never came whole."""
        self._leave_to_application()
        super().connection_lost(exc)

    # What the transport says

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client connected."""
        super().connection_made(transport)
        self._client = orjson.dumps(client_of(self.client))

    def data_received(self, data: bytes) -> None:
        """Bytes came; those of a request whose head is known aren't parsed."""
        if self.request_since is None:
            if self._is_known(data):
                return
            self._piece = data
        super().data_received(data)
        self._piece = b""

    def _is_known(self, data: bytes) -> bool:
        """Answer what came, if it is one whole request with a known head."""
        end = data.find(END_OF_HEAD) + len(END_OF_HEAD)
        head = self.known_heads.of(data[:end])
        if head is None or len(data) - end != head.body_bytes:
            return False
        now = time.monotonic()
        if not self._may_go_on(now):
            return False
        body = data[end:]
        text = self.direct_answers.usual(head.url, body, now) if head.is_plain else None
        if text is not None and (self.listener is None or head.lines is not None):
            self._requests_left -= 1
            self._write_usual(text)
            lines = head.lines
            if lines is not None:
                took = int((self.waits_since - now) * 1e6)
                added = self.add_line(lines.reference, self._client, took, len(text))
                if not added and self.own_log is not None:
                    self.own_log.offer_again(lines, self._client, took, len(text))
            return True
        answer = (
            self.direct_answers.at_once(head.url, head.headers, body, now)
            if text is None
            else Answer(OK, text)
        )
        if answer is None:
            self._waits = True
            return False
        self._requests_left -= 1
        self._answer(answer, keep_alive=True)
        self._tell(head.url, head.headers, now, answer)
        return True

    def _may_go_on(self, now: float) -> bool:
        """Whether a request may be answered now, and another one after it."""
        cycle: RequestResponseCycle | None = self.cycle  # None before the first request
        if self.timeout_keep_alive_task is not None:
            self._unset_keepalive_if_required()
        return (
            not self._is_last
            and self._requests_left > 1
            and not self.policy.draining
            and now < self._ends_at
            and (cycle is None or cycle.response_complete)
            and not self.flow.write_paused
            and not self.transport.is_closing()
        )

    def _write_usual(self, text: bytes) -> None:
        headers = self.server_state.default_headers
        if headers is not self._usual_head_of:
            self._usual_head_of = headers
            whole = self.response(Answer(OK, b""), keep_alive=True)
            self._usual_head = whole.removesuffix(b"0" + END_OF_HEAD)
        self.transport.write(b"%b%d\r\n\r\n%b" % (self._usual_head, len(text), text))
        self.server_state.total_requests += 1
        self.waits_since = time.monotonic()

    def _learn(self, sketch: Sketch) -> None:
        """Keep the head of a request that came in one piece."""
        piece = self._piece
        end = len(piece) - len(sketch.body)
        if piece.find(END_OF_HEAD) + len(END_OF_HEAD) != end or not sketch.keep_alive:
            return
        is_plain = self.direct_answers.is_plain(sketch.headers)
        lines = None
        if self.own_log is not None:
            path = sketch.url.decode("latin-1")
            lines = self.own_log.head_of_lines("POST", path, sketch.headers)
        known = KnownHead(sketch.url, sketch.headers, len(sketch.body), is_plain, lines)
        self.known_heads.learn(piece[:end], known)

    # What the parser says

    def on_message_begin(self) -> None:
        """The first byte of a request."""
        self.begin_request()
        self.url = b""
        self.headers = []
        self.expect_100_continue = False

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header; those behind a body mean nothing."""
        if not self._in_head:
            return
        name = name.lower()
        if name == b"expect" and value.lower() == b"100-continue":
            self.expect_100_continue = True
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        """A head has come; the request is kept as a sketch where that may do."""
        if self._discards:
            return
        if not self._may_be_direct() or self.refused() is not None:
            self._make_whole_request()
            super().on_headers_complete()
            return
        self.end_of_head()
        keep_alive = not self.ends_with_this_request() and self.parser.should_keep_alive()
        self._is_last = not keep_alive
        self._sketch = Sketch(self.url, self.headers, keep_alive)

    def on_body(self, body: bytes) -> None:
        """A piece of a body; one that grows large is left to the application."""
        sketch = self._sketch
        if sketch is None or self._discards:
            super().on_body(body)
            return
        if len(sketch.body) + len(body) > SMALL_BODY_BYTES:
            self._leave_to_application()
            super().on_body(body)
            return
        sketch.add(body)
        self.hold_body(body)

    def on_message_complete(self) -> None:
        """A request is whole."""
        sketch = self._sketch
        if sketch is None or self._discards:
            super().on_message_complete()
            return
        self.end_of_request()
        sketch.whole = True
        waits, self._waits = self._waits, False
        if not waits and not self.flow.write_paused:
            body = sketch.body if type(sketch.body) is bytes else bytes(sketch.body)
            answer = self.direct_answers.at_once(sketch.url, sketch.headers, body, self.waits_since)
            if answer is not None:
                self._sketch, received_at = None, self.waits_since
                self._learn(sketch)
                self._answer(answer, keep_alive=sketch.keep_alive)
                self._tell(sketch.url, sketch.headers, received_at, answer)
                return
        self._leave_to_application()

    def _may_be_direct(self) -> bool:
        cycle: RequestResponseCycle | None = self.cycle  # None before the first request
        return (
            self.direct_answers.takes(self.parser.get_method(), self.url)
            and (cycle is None or cycle.response_complete)
            and not self.expect_100_continue
            and not self.parser.should_upgrade()
            and self.parser.get_http_version() == "1.1"
        )

    def _answer(self, answer: Answer, *, keep_alive: bool) -> None:
        self.transport.write(self.response(answer, keep_alive=keep_alive))
        self.door.release(self)
        self.server_state.total_requests += 1
        self.waits_since = time.monotonic()
        if not keep_alive:
            self.transport.close()

    def _tell(
        self, url: bytes, headers: RequestHeaders, received_at: float, answer: Answer
    ) -> None:
        if self.listener is not None:
            path = url.decode("latin-1")
            self.listener.offer(
                AnsweredRequest("POST", path, headers, self.client, received_at, answer)
            )

    # From a sketch to uvicorn's request

    def _leave_to_application(self) -> None:
        """Make of a sketch what it would be without direct answers, and start the application."""
        if self._sketch is None:
            return
        sketch, self._sketch = self._sketch, None
        self.url, self.headers = sketch.url, sketch.headers
        self._make_whole_request()
        HttpToolsProtocol.on_headers_complete(self)
        self.cycle.keep_alive = sketch.keep_alive
        self.cycle.body += sketch.body
        if sketch.whole:
            self.cycle.scope["state"][RECEIVED_AT] = self.waits_since
            self.cycle.more_body = False
        if sketch.whole or sketch.body:
            self.cycle.message_event.set()

    def _make_whole_request(self) -> None:
        """Make the scope that uvicorn makes at the first byte, with the head that has come."""
        url, headers, expects = self.url, self.headers, self.expect_100_continue
        HttpToolsProtocol.on_message_begin(self)
        self.url, self.expect_100_continue = url, expects
        self.headers += headers


def direct(
    answers: DirectAnswers,
    policy: ConnectionPolicy,
    door: Doorkeeper,
    listener: RequestListener | None = None,
) -> type[DirectConnection]:
    """The connection class with what it needs, as uvicorn's configuration wants a class."""
    own_log = listener if isinstance(listener, AccessLog) else None
    given = {
        "direct_answers": answers,
        "known_heads": KnownHeads(),
        "policy": policy,
        "door": door,
        "listener": listener,
        "own_log": own_log,
        "add_line": staticmethod(own_log.add_line) if own_log and own_log.add_line else None,
    }
    return type("DirectConnection", (DirectConnection,), given)
