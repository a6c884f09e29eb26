"""Spans of requests for OpenTelemetry: noted once the answer is written, exported by a thread.

A request that is in the sample leaves a tuple, if there is room; all else, and OpenTelemetry's
library with it, belongs to the thread. Where the collector is away or slow, what waits is bounded,
what finds no room is counted, and no request waits or fails.
"""

from __future__ import annotations

import logging
import random
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from serinus_runtime.paced_thread import PacedThread
from serinus_runtime.server.request_body import RequestHeaders
from serinus_runtime.server.request_listeners import AnsweredRequest
from serinus_runtime.server.trace_context import Begun, Trace, trace_of

logger = logging.getLogger(__name__)

WAITING_MAX = 8_192
"""Spans that wait at most: some megabytes."""
BATCH_MAX = 512
EXPORT_SECONDS = 1.0
TRIES_MAX = 4
"""How often a batch is sent to a collector that is away or busy."""
REST_MAX_SECONDS = 30.0
"""How long such a collector is left alone at most."""
TOLD_SECONDS = 60.0
"""How often the log tells that spans can't be exported."""
TEXT_MAX_CHARACTERS = 200

_AT_ONCE = 32
_PAUSE_SECONDS = 0.0005
"""Between two pieces of work, so that requests get their turn."""
_RATIO_BITS = 64


class SpanRecord(NamedTuple):
    """A request that was answered; times in nanoseconds since 1970.

    `status` is that over HTTP, also of a call over gRPC, whose `path` is its method's name.
    """

    began_at_ns: int
    ended_at_ns: int
    method: str
    path: str
    status: int
    client: str
    begun: Begun


GRPC = "gRPC"
"""In the place of HTTP's method: a call over gRPC."""


@dataclass(frozen=True, slots=True)
class Taken:
    """The collector has the batch, but for `rejected` spans."""

    rejected: int = 0


@dataclass(frozen=True, slots=True)
class Later:
    """It is away or busy, and may be asked again, where it said so after `seconds`."""

    because: str
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Refused:
    """It doesn't take the batch, and won't."""

    because: str


Sent: TypeAlias = Taken | Later | Refused


@dataclass(frozen=True, slots=True)
class SpanCounts:
    """Spans of requests in the sample, by what came of them."""

    exported: int = 0
    dropped: int = 0
    failed: int = 0


@dataclass(frozen=True, slots=True)
class _Batch:
    message: bytes
    spans: int
    tries: int = 0


class Tracing:
    """Takes requests on the event loop, and exports spans on its thread.

    `sample_ratio` of the requests are in the sample, of those that come with no trace; of the
    others those whose caller says so. `encode` makes a part of a message of some spans, `send`
    brings a message to the collector; both are called on the thread only.
    """

    def __init__(
        self,
        sample_ratio: float,
        encode: Callable[[Sequence[SpanRecord]], bytes],
        send: Callable[[bytes], Sent],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._bound = round(sample_ratio * (1 << _RATIO_BITS))
        self._encode = encode
        self._send = send
        self._monotonic = monotonic
        self._waiting: deque[SpanRecord] = deque()
        self._unsent: _Batch | None = None
        self._rests_until = self._quiet_until = -1.0
        self._exported = self._dropped = self._failed = 0
        self._thread = PacedThread("tracing", EXPORT_SECONDS, self.export, self.export_last)

    # On the event loop

    def offer(self, request: AnsweredRequest) -> None:
        """Note a request."""
        begun = request.begun or self.begun(request.headers)
        if not begun.trace.sampled:
            return
        if len(self._waiting) >= WAITING_MAX:
            self._dropped += 1
            return
        ended_at_ns = time.time_ns()
        began_at_ns = ended_at_ns - int((time.monotonic() - request.received_at) * 1e9)
        self._waiting.append(
            SpanRecord(
                began_at_ns,
                ended_at_ns,
                request.method[:TEXT_MAX_CHARACTERS],
                request.path[:TEXT_MAX_CHARACTERS],
                request.answer.status,
                request.client[0] if request.client else "",
                begun,
            )
        )

    def begun(self, headers: RequestHeaders) -> Begun:
        """The span of a request that came with these headers, and whether it is in the sample."""
        trace = trace_of(headers)
        if trace is None:
            number = random.getrandbits(128)
            # As OpenTelemetry's own sampler: whoever else is asked about the trace says the same.
            sampled = number & ((1 << _RATIO_BITS) - 1) < self._bound
            trace = Trace(number.to_bytes(16, "big"), b"", sampled)
        return Begun(trace, random.getrandbits(64).to_bytes(8, "big"))

    def counts(self) -> SpanCounts:
        """What came of all spans so far."""
        return SpanCounts(self._exported, self._dropped, self._failed)

    def start(self) -> None:
        """Begin to export."""
        self._thread.start()

    def end(self) -> None:
        """Export at once what waits, and end; doesn't wait for it."""
        self._thread.end()

    def close(self, within_seconds: float) -> None:
        """End; what the collector hasn't taken by then is left."""
        self._thread.close(within_seconds)

    # On the thread

    def export(self) -> None:
        """Bring to the collector what waits; where it is away, it is left alone for a while."""
        if self._monotonic() < self._rests_until:
            return
        while (batch := self._unsent or self._next_batch()) is not None:
            self._unsent = None
            sent = self._send(batch.message)
            if isinstance(sent, Later):
                self._put_off(batch, sent)
                return
            self._count(batch, sent)

    def export_last(self) -> None:
        """Bring it what waits, and give up what it doesn't take now."""
        while (batch := self._unsent or self._next_batch()) is not None:
            self._unsent = None
            sent = self._send(batch.message)
            self._count(batch, sent)
            if isinstance(sent, Later):
                self._failed += len(self._waiting)
                self._waiting.clear()

    def _put_off(self, batch: _Batch, sent: Later) -> None:
        tries = batch.tries + 1
        if tries >= TRIES_MAX:
            self._count(batch, sent)
        else:
            self._unsent = _Batch(batch.message, batch.spans, tries)
            self._tell(sent.because)
        rest = min(REST_MAX_SECONDS, max(sent.seconds, 2.0**tries))
        self._rests_until = self._monotonic() + rest

    def _count(self, batch: _Batch, sent: Sent) -> None:
        if isinstance(sent, Taken):
            rejected = min(sent.rejected, batch.spans)
            self._exported += batch.spans - rejected
            self._failed += rejected
            if rejected:
                self._tell("the collector rejected some of them")
        else:
            self._failed += batch.spans
            self._tell(sent.because)

    def _tell(self, because: str) -> None:
        now = self._monotonic()
        if now < self._quiet_until:
            return
        self._quiet_until = now + TOLD_SECONDS
        logger.warning(
            "spans couldn't be exported",
            extra={
                "because": because,
                "spans_failed": self._failed,
                "spans_dropped": self._dropped,
                "spans_waiting": len(self._waiting) + (self._unsent.spans if self._unsent else 0),
            },
        )

    def _next_batch(self) -> _Batch | None:
        parts: list[bytes] = []
        count = 0
        while self._waiting and count < BATCH_MAX:
            size = min(_AT_ONCE, BATCH_MAX - count, len(self._waiting))
            parts.append(self._encode([self._waiting.popleft() for _ in range(size)]))
            count += size
            time.sleep(_PAUSE_SECONDS)
        return _Batch(b"".join(parts), count) if parts else None
