"""A collector of spans on this machine: real HTTP, and what came in as OpenTelemetry decodes it."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

DEADLINE_SECONDS = 30


def attributes(of: Any) -> dict[str, str | int]:
    return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in of.attributes}


def spans_of(message: bytes) -> list[Any]:
    request = ExportTraceServiceRequest.FromString(message)
    return [
        span
        for of_resource in request.resource_spans
        for of_scope in of_resource.scope_spans
        for span in of_scope.spans
    ]


@dataclass
class SpanReceiver:
    """What came in, and what is answered: `statuses` first, one a message, and then 200."""

    url: str = ""
    statuses: list[int] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    rejected: int = 0
    hangs: bool = False
    messages: list[bytes] = field(default_factory=list)
    """Those that were taken."""
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    """Path and headers of all requests."""
    over: threading.Event = field(default_factory=threading.Event)
    came: threading.Event = field(default_factory=threading.Event)
    """Whether anything came in."""

    @property
    def spans(self) -> list[Any]:
        return [span for message in self.messages for span in spans_of(message)]

    @property
    def resource(self) -> dict[str, str | int]:
        request = ExportTraceServiceRequest.FromString(self.messages[0])
        return attributes(request.resource_spans[0].resource)

    def awaits(self, spans: int) -> None:
        """Wait until so many came."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        while len(self.spans) < spans:
            assert time.monotonic() < deadline, f"only {len(self.spans)} spans came in time"
            time.sleep(0.05)

    def answer(self, message: bytes) -> tuple[int, bytes]:
        status = self.statuses.pop(0) if self.statuses else 200
        if status == 200:
            self.messages.append(message)
        told = ExportTraceServiceResponse()
        told.partial_success.rejected_spans = self.rejected
        return status, told.SerializeToString() if self.rejected else b""


class _Handler(BaseHTTPRequestHandler):
    receiver: SpanReceiver

    def do_POST(self) -> None:
        receiver = self.receiver
        message = self.rfile.read(int(self.headers["content-length"]))
        receiver.asked.append((self.path, {k.lower(): v for k, v in self.headers.items()}))
        receiver.came.set()
        if receiver.hangs:
            receiver.over.wait(DEADLINE_SECONDS)
            return
        status, body = receiver.answer(message)
        self.send_response(status)
        for name, value in receiver.headers.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None: ...


@contextmanager
def receiving_spans(**how: Any) -> Iterator[SpanReceiver]:
    """A collector that listens."""
    receiver = SpanReceiver(**how)
    server = ThreadingHTTPServer(
        ("127.0.0.1", 0), type("Handler", (_Handler,), {"receiver": receiver})
    )
    receiver.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield receiver
    finally:
        receiver.over.set()
        server.shutdown()
        server.server_close()
        thread.join(DEADLINE_SECONDS)
