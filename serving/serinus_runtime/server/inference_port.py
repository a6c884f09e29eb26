"""The gRPC port: how messages of the Open Inference Protocol come in, and how calls end.

Imported only where it is switched on: the library takes 15 MB and a twentieth of a second.

A call is a guest of the doorkeeper, like a connection of HTTP: it has so long to come whole, makes
room where others wait, and its bytes are held against the same limit. Each method reads its one
message itself, so that a client that sends it slowly holds nothing but its place. Messages are
taken apart by us and never by the library, for which wrong bytes would be an error of the server.

The library can't tell clients to go elsewhere and still answer those that didn't hear it yet, but
for connections that are old. So connections live shorter than a pod drains: when it closes, they
have all gone to another pod, each between two calls, and no call is lost.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeAlias
from urllib.parse import unquote

import grpc
import grpc.aio

from serinus_runtime.server.access_log import AccessLog
from serinus_runtime.server.answer import FAILURE, INTERNAL_ERROR, Answer
from serinus_runtime.server.call_exposure import CALL_NOTES, CallNotes
from serinus_runtime.server.errors import BadRequest, Overloaded, RequestError
from serinus_runtime.server.inference_service import (
    CLIENT_LEFT,
    INFER,
    SERVICE,
    InferenceService,
    Method,
)
from serinus_runtime.server.request_body import RequestHeaders
from serinus_runtime.server.request_listeners import AnsweredRequest
from serinus_runtime.server.serving import Serving
from serinus_runtime.server.trace_context import CALL_BEGUN
from serinus_runtime.server.tracing import GRPC, Tracing

logger = logging.getLogger(__name__)

_CODES = {
    400: grpc.StatusCode.INVALID_ARGUMENT,
    404: grpc.StatusCode.NOT_FOUND,
    408: grpc.StatusCode.DEADLINE_EXCEEDED,
    413: grpc.StatusCode.RESOURCE_EXHAUSTED,
    503: grpc.StatusCode.RESOURCE_EXHAUSTED,
    504: grpc.StatusCode.DEADLINE_EXCEEDED,
}
"""What a refusal is called, by its status over HTTP."""

_SHARE_OF_DRAIN = 0.6
"""How long a connection lives, of the time that the pod drains. The library spreads it by a tenth;
in what is left the cluster has to learn that the pod goes."""
_READ_ON = 2
"""A message up to this many limits is read, so that its refusal says ours; a larger one is the
library's to refuse."""
_NO_COMPRESSION = 1
_REVISION = "serinus-revision"
_PROBES = frozenset({"ServerLive", "ServerReady", "ModelReady"})
Metadata: TypeAlias = tuple[tuple[str, str], ...]
Handler: TypeAlias = Callable[[AsyncIterator[bytes], Any], Awaitable[bytes]]


@dataclass(frozen=True, slots=True)
class PortSettings:
    """Where to listen, and what a connection may take; an age of None is no limit."""

    host: str
    port: int
    connection_max_age_seconds: float | None
    idle_seconds: float
    message_bytes: int
    calls_at_once: int


def connection_age_seconds(wanted: float, drain_seconds: float) -> float | None:
    """How long connections live: as wanted, 0 for ever, but shorter than the pod drains."""
    ages = [age for age in (wanted, _SHARE_OF_DRAIN * drain_seconds) if age > 0]
    return min(ages, default=None)


class InferencePort:
    """The gRPC server of the process."""

    def __init__(self, serving: Serving, settings: PortSettings) -> None:
        self._serving = serving
        self._settings = settings
        self._told: Metadata = ((_REVISION, serving.revision),)
        self._server: Any = None
        self.number = settings.port

    async def open(self) -> None:
        """Listen; raises `RuntimeError` where the port is taken."""
        self._server = grpc.aio.server(options=_options(self._settings))
        handlers = {
            name: grpc.stream_unary_rpc_method_handler(self._handler(name, method))
            for name, method in InferenceService(self._serving).methods.items()
        }
        generic = grpc.method_handlers_generic_handler(SERVICE, handlers)
        self._server.add_generic_rpc_handlers((generic,))
        self.number = self._server.add_insecure_port(f"{self._settings.host}:{self.number}")
        await self._server.start()

    async def close(self, grace_seconds: float) -> None:
        """Stop to listen; what is under way has `grace_seconds`."""
        await self._server.stop(grace_seconds)

    def _handler(self, name: str, method: Method) -> Handler:
        """What is done with a call of `method`, and once it has its end."""
        door, metrics = self._serving.door, self._serving.metrics
        log, tracing = self._serving.access_log, self._serving.tracing
        ab_test = self._serving.ab_test

        async def handled(_messages: AsyncIterator[bytes], context: Any) -> bytes:
            call = _Call()
            door.admit(call)
            context.set_trailing_metadata(self._told)
            if tracing is not None:
                CALL_BEGUN.set(tracing.begun(_headers(context)))
            if name == INFER and ab_test is not None and ab_test.runs:
                CALL_NOTES.set(call.notes)
                call.notes.headers = _headers(context)
            try:
                return await self._answered(call, method, context)
            finally:
                door.left(call)
                if name == INFER and not call.came_whole:
                    metrics.unread += 1
                if log is not None or tracing is not None:
                    _noted(log, tracing, name, context, call)

        return handled

    async def _answered(self, call: _Call, method: Method, context: Any) -> bytes:
        try:
            message = await call.message(context)
            self._serving.door.hold(call, len(message))
            reply = await method(message)
            call.answer = Answer(200, reply)
            if call.notes.revision is not None:
                context.set_trailing_metadata(self._told_of(call))
        except asyncio.CancelledError:
            call.answer = Answer(CLIENT_LEFT, b"")
            raise
        except RequestError as error:
            call.answer = Answer(error.status, b"")
            code = _CODES.get(error.status, grpc.StatusCode.INTERNAL)
            await context.abort(code, error.message, self._advice(call, error))
            raise  # never: `abort` raises
        except Exception:
            logger.exception("prediction failed")
            await context.abort(grpc.StatusCode.INTERNAL, INTERNAL_ERROR, self._told)
            raise
        else:
            return reply

    def _advice(self, call: _Call, error: RequestError) -> Metadata:
        if error.status == Overloaded.status:
            return (*self._told_of(call), ("grpc-retry-pushback-ms", "1000"))
        return self._told_of(call)

    def _told_of(self, call: _Call) -> Metadata:
        """By which revision it was answered."""
        revision = call.notes.revision
        return self._told if revision is None else ((_REVISION, revision),)


class _Call:
    """One call as the doorkeeper's guest; where it is turned away, it stops waiting."""

    untaken_since: float | None = None
    untaken_bytes = 0

    def __init__(self) -> None:
        self.waits_since = time.monotonic()
        self.request_since: float | None = self.waits_since
        self.held_bytes = 0
        self.came_whole = False
        self.answer = FAILURE
        self.notes = CallNotes()
        self._patience: asyncio.Timeout | None = None
        self._refusal: RequestError | None = None

    @property
    def owes_answer(self) -> bool:
        """Whether it came whole: it isn't kept any longer once it is answered."""
        return self.came_whole

    async def message(self, context: Any) -> bytes:
        """Its one message; raises `RequestError`."""
        try:
            async with asyncio.timeout(None) as self._patience:
                if self._refusal is not None:
                    raise self._refusal
                message = await context.read()
        except TimeoutError:
            if self._refusal is None:
                raise
            raise self._refusal from None
        self.request_since, self.came_whole = None, True
        self.waits_since = time.monotonic()
        if message is grpc.aio.EOF:
            raise BadRequest("the call: expected a message, got none")
        return bytes(message)

    def turn_away(self, error: RequestError) -> None:
        """Tell why."""
        self._refusal = error
        self.request_since = None
        if self._patience is not None:
            self._patience.reschedule(0)

    def hang_up(self) -> None:
        """A call that came whole owes an answer, and one that didn't is turned away."""

    def cut(self) -> None:
        """No bytes of an answer wait here: the library keeps them."""


def _noted(
    log: AccessLog | None, tracing: Tracing | None, name: str, context: Any, call: _Call
) -> None:
    """A line and a span as for a request over HTTP, with the status that it would have had."""
    if name in _PROBES and call.answer.status == 200:
        return
    path = f"{SERVICE}/{name}"
    noted = AnsweredRequest(
        "POST",
        f"/{path}",
        _headers(context),
        peer_of(context.peer()),
        call.waits_since,
        call.answer,
        CALL_BEGUN.get(),
    )
    if log is not None:
        log.offer(noted)
    if tracing is not None:
        tracing.offer(noted._replace(method=GRPC, path=path))


def _headers(context: Any) -> RequestHeaders:
    return [
        (key.encode(), value if isinstance(value, bytes) else value.encode())
        for key, value in context.invocation_metadata() or ()
    ]


def peer_of(text: str) -> tuple[str, int] | None:
    """Address and port of `ipv4:127.0.0.1:80` or `ipv6:%5B::1%5D:80`; None of something else."""
    kind, _, rest = text.partition(":")
    address, _, port = rest.rpartition(":")
    if kind not in ("ipv4", "ipv6") or not port.isdigit():
        return None
    return unquote(address).strip("[]"), int(port)


def _options(settings: PortSettings) -> list[tuple[str, int]]:
    idle_ms = _milliseconds(settings.idle_seconds)
    options = [
        ("grpc.max_receive_message_length", _READ_ON * settings.message_bytes),
        ("grpc.max_concurrent_streams", settings.calls_at_once),
        ("grpc.compression_enabled_algorithms_bitset", _NO_COMPRESSION),
        ("grpc.max_connection_idle_ms", idle_ms),
        ("grpc.keepalive_time_ms", idle_ms),
        ("grpc.server_handshake_timeout_ms", idle_ms),
    ]
    if (age := settings.connection_max_age_seconds) is not None:
        options.append(("grpc.max_connection_age_ms", _milliseconds(age)))
    return options


def _milliseconds(seconds: float) -> int:
    return max(1, round(seconds * 1000))
