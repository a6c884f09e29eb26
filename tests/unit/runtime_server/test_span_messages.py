"""What OpenTelemetry reads of a span."""

from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from serinus_runtime.server.span_messages import SpanEncoder, rejected_of, route_of
from serinus_runtime.server.trace_context import Begun, Trace
from serinus_runtime.server.tracing import GRPC, SpanRecord
from tests.support.span_receiver import attributes, spans_of

TRACE, PARENT, SPAN = bytes(range(1, 17)), bytes(range(1, 9)), bytes(range(11, 19))
GIVEN = Trace(TRACE, PARENT, sampled=True, state=b"a=1")
KIND_SERVER, ERROR, UNSET = 2, 2, 0
IS_REMOTE_AND_SAMPLED = 0x301
ENCODE = SpanEncoder(
    {"service.name": "delay"}, {"serinus.revision": "c0ffee0000"}, scope_version="1"
)


def record(
    method: str = "POST",
    path: str = "/predict",
    status: int = 200,
    trace: Trace = GIVEN,
) -> SpanRecord:
    return SpanRecord(1_000, 3_500, method, path, status, "10.0.0.7", Begun(trace, SPAN))


def span_of(record: SpanRecord) -> Any:
    (span,) = spans_of(ENCODE([record]))
    return span


def test_a_request_s_span_is_in_the_words_of_the_conventions() -> None:
    span = span_of(record())

    assert (span.name, span.kind, span.status.code) == ("POST /predict", KIND_SERVER, UNSET)
    assert (span.start_time_unix_nano, span.end_time_unix_nano) == (1_000, 3_500)
    assert attributes(span) == {
        "http.request.method": "POST",
        "http.route": "/predict",
        "http.response.status_code": 200,
        "url.path": "/predict",
        "url.scheme": "http",
        "client.address": "10.0.0.7",
        "serinus.revision": "c0ffee0000",
    }


def test_it_is_a_child_of_the_span_that_it_was_sent_from() -> None:
    span = span_of(record())

    assert (span.trace_id, span.parent_span_id, span.trace_state) == (TRACE, PARENT, "a=1")
    assert span.span_id == SPAN
    assert span.flags == IS_REMOTE_AND_SAMPLED


def test_the_first_span_of_a_trace_has_no_parent() -> None:
    span = span_of(record(trace=Trace(TRACE, b"", sampled=True)))

    assert (span.trace_id, span.parent_span_id, span.flags) == (TRACE, b"", 1)


@pytest.mark.parametrize(
    ("status", "code", "error"),
    [(200, UNSET, None), (400, UNSET, None), (503, ERROR, "503"), (500, ERROR, "500")],
)
def test_what_the_server_did_wrong_is_an_error(status: int, code: int, error: str | None) -> None:
    span = span_of(record(status=status))

    assert span.status.code == code
    assert attributes(span).get("error.type") == error


@pytest.mark.parametrize(
    ("method", "path", "status", "name", "route"),
    [
        ("GET", "/wp-admin.php", 404, "GET", None),
        ("GET", "/predict", 405, "GET", None),
        ("BREW", "/predict", 405, "HTTP", None),
        ("GET", "/v2", 200, "GET /v2", "/v2"),
    ],
)
def test_a_path_that_isn_t_there_makes_no_name_of_its_own(
    method: str, path: str, status: int, name: str, route: str | None
) -> None:
    span = span_of(record(method, path, status))

    assert span.name == name
    assert attributes(span).get("http.route") == route
    known = "_OTHER" if method == "BREW" else method
    assert attributes(span)["http.request.method"] == known


@pytest.mark.parametrize(
    ("path", "route"),
    [
        ("/v2/models/delay/infer", "/v2/models/{model}/infer"),
        ("/v2/models/delay/versions/v7/infer", "/v2/models/{model}/versions/{version}/infer"),
        ("/v1/models/delay:predict", "/v1/models/{model}:predict"),
        ("/v1/models", "/v1/models"),
        ("/predict", "/predict"),
    ],
)
def test_models_share_their_routes(path: str, route: str) -> None:
    assert route_of(path, 200) == route


@pytest.mark.parametrize(
    ("status", "told", "code"),
    [
        (200, "OK", UNSET),
        (400, "INVALID_ARGUMENT", UNSET),
        (408, "DEADLINE_EXCEEDED", ERROR),
        (499, "CANCELLED", UNSET),
        (500, "INTERNAL", ERROR),
    ],
)
def test_a_call_over_grpc_is_named_by_its_method(status: int, told: str, code: int) -> None:
    method = "inference.GRPCInferenceService/ModelInfer"
    span = span_of(record(GRPC, method, status))

    assert (span.name, span.status.code) == (method, code)
    assert attributes(span) == {
        "rpc.system.name": "grpc",
        "rpc.method": method,
        "rpc.response.status_code": told,
        "client.address": "10.0.0.7",
        "serinus.revision": "c0ffee0000",
        **({"error.type": told} if code == ERROR else {}),
    }


def test_messages_put_together_are_one() -> None:
    message = ENCODE([record(), record()]) + ENCODE([record(status=500)])

    assert [attributes(one)["http.response.status_code"] for one in spans_of(message)] == [
        200,
        200,
        500,
    ]


def test_what_a_collector_left_out_is_read() -> None:
    told = ExportTraceServiceResponse()
    told.partial_success.rejected_spans = 3

    assert rejected_of(told.SerializeToString()) == 3
    assert rejected_of(b"") == 0
    with pytest.raises(ValueError, match="isn't one of OTLP"):
        rejected_of(b"<html>")
