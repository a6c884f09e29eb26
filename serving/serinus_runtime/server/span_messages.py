"""Spans as OTLP says them, in the words of OpenTelemetry's semantic conventions.

Imported only where spans are exported. Nothing of what a request brings is in a span but its
method, its path, and its place in a trace.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, SpanFlags, Status

from serinus_runtime.server.trace_context import state_to_keep
from serinus_runtime.server.tracing import GRPC, SpanRecord

SCOPE = "serinus"
OTHER_METHOD = "_OTHER"
_METHODS = frozenset(
    {"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "QUERY"}
)
_SERVER_ERROR = 500
_NO_ROUTE = frozenset({404, 405})
_MODEL_IN_PATH = re.compile(r"^(/v[12]/models/)[^/:]+")
_VERSION_IN_PATH = re.compile(r"(?<=/versions/)[^/]+")
_GRPC_STATUS = {
    200: "OK",
    400: "INVALID_ARGUMENT",
    404: "NOT_FOUND",
    408: "DEADLINE_EXCEEDED",
    413: "RESOURCE_EXHAUSTED",
    499: "CANCELLED",
    503: "RESOURCE_EXHAUSTED",
    504: "DEADLINE_EXCEEDED",
}
_GRPC_ERRORS = frozenset({"DEADLINE_EXCEEDED", "INTERNAL"})
"""Those of them that are the server's, as the conventions have it."""
_FROM_REMOTE = (
    SpanFlags.SPAN_FLAGS_CONTEXT_HAS_IS_REMOTE_MASK | SpanFlags.SPAN_FLAGS_CONTEXT_IS_REMOTE_MASK
)
_SAMPLED = 1


class SpanEncoder:
    """Makes messages of spans: `resource` tells who made them, `of_each` is in each span.

    Messages put together are one message.
    """

    def __init__(
        self, resource: Mapping[str, str], of_each: Mapping[str, str], *, scope_version: str
    ) -> None:
        self._empty = ExportTraceServiceRequest()
        of_resource = self._empty.resource_spans.add()
        of_resource.resource.attributes.extend(_attributes(resource))
        of_scope = of_resource.scope_spans.add()
        of_scope.scope.name, of_scope.scope.version = SCOPE, scope_version
        self._of_each = _attributes(of_each)

    def __call__(self, records: Sequence[SpanRecord]) -> bytes:
        """The message of these spans."""
        message = ExportTraceServiceRequest()
        message.CopyFrom(self._empty)
        spans = message.resource_spans[0].scope_spans[0].spans
        for record in records:
            self._fill(spans.add(), record)
        return bytes(message.SerializeToString())

    def _fill(self, span: Span, record: SpanRecord) -> None:
        trace, span.span_id = record.begun
        span.trace_id = trace.trace_id
        if trace.parent_id:
            span.parent_span_id = trace.parent_id
            span.trace_state = state_to_keep(trace.state)
            span.flags = _FROM_REMOTE
        span.flags |= _SAMPLED
        span.kind = Span.SpanKind.SPAN_KIND_SERVER
        span.start_time_unix_nano, span.end_time_unix_nano = record.began_at_ns, record.ended_at_ns
        name, told, error = _of_call(record) if record.method == GRPC else _of_request(record)
        span.name = name
        if record.client:
            told["client.address"] = record.client
        if error is not None:
            told["error.type"] = error
            span.status.code = Status.StatusCode.STATUS_CODE_ERROR
        span.attributes.extend(_attributes(told))
        span.attributes.extend(self._of_each)


def _of_request(record: SpanRecord) -> tuple[str, dict[str, str | int], str | None]:
    """Name, attributes and type of error of a request over HTTP."""
    known = record.method in _METHODS
    told: dict[str, str | int] = {
        "http.request.method": record.method if known else OTHER_METHOD,
        "url.scheme": "http",
        "url.path": record.path,
        "http.response.status_code": record.status,
    }
    name = record.method if known else "HTTP"
    if (route := route_of(record.path, record.status)) is not None:
        told["http.route"] = route
        name = f"{name} {route}"
    error = str(record.status) if record.status >= _SERVER_ERROR else None
    return name, told, error


def _of_call(record: SpanRecord) -> tuple[str, dict[str, str | int], str | None]:
    """Name, attributes and type of error of a call over gRPC."""
    status = _GRPC_STATUS.get(record.status, "INTERNAL")
    told: dict[str, str | int] = {
        "rpc.system.name": "grpc",
        "rpc.method": record.path,
        "rpc.response.status_code": status,
    }
    return record.path, told, status if status in _GRPC_ERRORS else None


def route_of(path: str, status: int) -> str | None:
    """The path with the model's name and version left out; None of one that isn't there."""
    if status in _NO_ROUTE:
        return None
    return _VERSION_IN_PATH.sub("{version}", _MODEL_IN_PATH.sub(r"\1{model}", path))


def rejected_of(answer: bytes) -> int:
    """How many spans a collector that took a message left out; raises `ValueError`."""
    try:
        told = ExportTraceServiceResponse.FromString(answer)
    except DecodeError as error:
        raise ValueError("the answer isn't one of OTLP") from error
    return int(told.partial_success.rejected_spans)


def _attributes(told: Mapping[str, str | int]) -> list[KeyValue]:
    attributes = []
    for key, value in told.items():
        attribute = KeyValue(key=key)
        if isinstance(value, int):
            attribute.value.int_value = value
        else:
            attribute.value.string_value = value
        attributes.append(attribute)
    return attributes
