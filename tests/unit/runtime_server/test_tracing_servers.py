"""Real servers, and what a real collector gets of them."""

import json
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest

from serinus.api.ab_test_document import AbTestDocument, UnitSource
from serinus_runtime.artifact.packaging import Packaged
from serinus_runtime.server.inference_service import SERVICE
from tests.support.flight_requests import ROW
from tests.support.inference_calls import typed
from tests.support.model_servers import REVISION, ServerProcess, server_process
from tests.support.span_receiver import DEADLINE_SECONDS, attributes, receiving_spans
from tests.support.trained_models import flights

pytestmark = pytest.mark.slow

INFER = f"/{SERVICE}/ModelInfer"
TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
SAMPLED = {"traceparent": f"00-{TRACE}-{SPAN}-01", "tracestate": "vendor=1"}
STABLE, OTHER, OTHER_REVISION = "127.0.0.1", "127.0.0.2", "aaaaaaaaaa"
UNSAMPLED = {"traceparent": f"00-{TRACE}-{SPAN}-00"}


def body(rows: int) -> bytes:
    return json.dumps({"rows": flights(rows, seed=3)}).encode()


def ended(server: ServerProcess) -> dict[str, Any]:
    server.told_to_end()
    assert server.exit_code() == 0
    return server.lines()[-1]


def test_both_ways_through_a_server_and_grpc_make_the_same_span(
    two_classes: Packaged, store: Path
) -> None:
    with receiving_spans() as collector:
        told = {"TRACES_URL": collector.url, "TRACES_SAMPLE_RATIO": "0", "DRAIN_SECONDS": "0"}
        with server_process(two_classes, store, GRPC_PORT="0", **told) as server:
            for rows in (1, 5000):  # answered in the parser, and by the application
                httpx.post(f"{server.url}/predict", content=body(rows), headers=SAMPLED)
            httpx.post(f"{server.url}/predict", content=body(1), headers=UNSAMPLED)
            httpx.post(f"{server.url}/predict", content=body(1))
            channel = grpc.insecure_channel(f"127.0.0.1:{server.grpc_port}")
            with channel, pytest.raises(grpc.RpcError):
                channel.unary_unary(INFER)(b"\xff", timeout=10, metadata=[*SAMPLED.items()])
            counted = ended(server)

    spans = collector.spans
    small, large = (attributes(span) for span in spans[:2])
    assert [span.name for span in spans] == ["POST /predict", "POST /predict", INFER[1:]]
    assert small == large
    assert small["serinus.revision"] == REVISION
    assert {"http.route", "http.request.method", "http.response.status_code"} <= small.keys()
    assert attributes(spans[2])["rpc.response.status_code"] == "INVALID_ARGUMENT"
    assert {(one.trace_id.hex(), one.parent_span_id.hex()) for one in spans} == {(TRACE, SPAN)}
    assert {one.trace_state for one in spans} == {"vendor=1"}
    assert len({one.span_id for one in spans}) == 3
    assert all(one.start_time_unix_nano < one.end_time_unix_nano for one in spans)
    assert collector.resource["service.name"] == "flight-delay"
    assert counted["trace_spans"] == {"exported": 3, "dropped": 0, "failed": 0}


@contextmanager
def two_pods(package: Packaged, store: Path, **told: str) -> Iterator[ServerProcess]:
    """One of stable, and one that the name of the shadow and of the canary leads to."""
    with socket.socket() as sock:
        sock.bind((STABLE, 0))
        port = str(sock.getsockname()[1])
    told |= {"PORT": port, "TRACES_SAMPLE_RATIO": "1", "DRAIN_SECONDS": "0"}
    with (
        server_process(package, store, HOST=OTHER, REVISION=OTHER_REVISION, **told) as other,
        server_process(package, store, HOST=STABLE, **told) as stable,
    ):
        yield stable
        ended(stable)
        ended(other)


def by_revision(spans: list[Any]) -> dict[str | int, list[Any]]:
    found: dict[str | int, list[Any]] = {}
    for span in spans:
        found.setdefault(attributes(span)["serinus.revision"], []).append(span)
    return found


def test_what_a_shadow_answers_is_in_the_trace_of_what_was_mirrored(
    two_classes: Packaged, store: Path
) -> None:
    with receiving_spans() as collector:
        told = {"TRACES_URL": collector.url, "SHADOW": OTHER, "GRPC_PORT": "0"}
        with two_pods(two_classes, store, **told) as stable:
            httpx.post(f"{stable.url}/predict", content=body(1), headers=SAMPLED)
            httpx.post(f"{stable.url}/predict", content=body(1), headers=UNSAMPLED)
            with grpc.insecure_channel(f"{STABLE}:{stable.grpc_port}") as channel:
                call, message = channel.unary_unary(INFER), typed([ROW]).SerializeToString()
                call(message, timeout=10, metadata=[*SAMPLED.items()])
            collector.awaits(4)
        spans = by_revision(collector.spans)

    mirrored = {span.span_id: span.name for span in spans[REVISION]}
    shadows = {span.parent_span_id: span.name for span in spans[OTHER_REVISION]}
    assert sorted(mirrored.values()) == ["POST /predict", INFER[1:]]
    assert sorted(shadows.values()) == ["POST /predict", "POST /v2/models/{model}/infer"]
    assert shadows.keys() == mirrored.keys()
    assert {span.parent_span_id.hex() for span in spans[REVISION]} == {SPAN}
    assert {span.trace_id.hex() for span in collector.spans} == {TRACE}
    assert {span.trace_state for span in collector.spans} == {"vendor=1"}


def test_what_the_canary_of_an_a_b_test_answers_is_in_the_trace_of_who_handed_it_on(
    two_classes: Packaged, store: Path, tmp_path: Path
) -> None:
    document = AbTestDocument(
        test="1234567890",
        stable=REVISION,
        canary=OTHER_REVISION,
        active_from=time.time(),
        unit=UnitSource(header="unit"),
        canary_percent=50,
        salt="default/flight-delay",
    )
    file = tmp_path / "test.json"
    file.write_text(document.to_json())
    with receiving_spans() as collector:
        told = {"TRACES_URL": collector.url, "AB_TEST": OTHER, "AB_TEST_FILE": str(file)}
        with two_pods(two_classes, store, **told) as stable:
            answers = [
                httpx.post(f"{stable.url}/predict", content=body(1), headers={"unit": str(unit)})
                for unit in range(20)
            ]
        spans = by_revision(collector.spans)

    handed_on = sum(one.headers["serinus-revision"] == OTHER_REVISION for one in answers)
    parents = {span.span_id: span for span in spans[REVISION]}
    assert 0 < handed_on < len(answers) == len(spans[REVISION])
    assert len(spans[OTHER_REVISION]) == handed_on
    for span in spans[OTHER_REVISION]:
        assert span.trace_id == parents[span.parent_span_id].trace_id


def test_a_collector_that_hangs_costs_no_request_and_no_end(
    two_classes: Packaged, store: Path
) -> None:
    with receiving_spans(hangs=True) as collector:
        told = {"TRACES_URL": collector.url, "TRACES_SAMPLE_RATIO": "1", "DRAIN_SECONDS": "0"}
        with server_process(two_classes, store, **told) as server:
            post = httpx.Client(base_url=server.url, timeout=DEADLINE_SECONDS).post
            before = post("/predict", content=body(1))
            assert collector.came.wait(DEADLINE_SECONDS)
            answers = [before, *(post("/predict", content=body(1)) for _ in range(20))]
            counted = ended(server)

    assert {answer.status_code for answer in answers} == {200}
    assert counted["requests"]["200"] == 21
    assert counted["trace_spans"]["exported"] == 0


def test_nothing_of_opentelemetry_is_loaded_where_it_is_off(
    two_classes: Packaged, store: Path
) -> None:
    with server_process(two_classes, store, DRAIN_SECONDS="0") as server:
        httpx.post(f"{server.url}/predict", content=body(1))
        maps = Path(f"/proc/{server.process.pid}/maps").read_text()
        counted = ended(server)

    assert "_upb" not in maps
    assert "trace_spans" not in counted
