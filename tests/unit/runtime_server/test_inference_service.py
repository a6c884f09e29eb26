"""The methods of the gRPC service answer, count and refuse as the paths of HTTP do."""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from contextvars import copy_context
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from serinus_runtime.artifact.forest import FloatArray
from serinus_runtime.artifact.packaging import Packaged
from serinus_runtime.server import open_inference_pb2 as wire
from serinus_runtime.server.answer import Answer
from serinus_runtime.server.engine import BatchingEngine
from serinus_runtime.server.errors import RequestError, Unanswered
from serinus_runtime.server.inference_service import CLIENT_LEFT, InferenceService
from serinus_runtime.server.shadow import BODY_BYTES_MAX
from serinus_runtime.server.shadow_comparison import agree
from serinus_runtime.server.trace_context import BEGUN, CALL_BEGUN, Begun, Trace
from tests.support.flight_requests import INFER, ROW, tensors
from tests.support.inference_calls import raw, typed
from tests.support.model_servers import REVISION, Client
from tests.support.trained_models import flights

ROWS = [row for row in flights(40, seed=21) if None not in row.values()][:7]


def called(client: Client, method: str, message: Any) -> bytes:
    content = message if isinstance(message, bytes) else message.SerializeToString()
    return asyncio.run(InferenceService(client.serving).methods[method](content))  # type: ignore[arg-type]


def inferred(client: Client, message: Any) -> wire.ModelInferResponse:
    return wire.ModelInferResponse.FromString(called(client, "ModelInfer", message))


def refused(client: Client, method: str, message: Any) -> RequestError:
    with pytest.raises(RequestError) as told:
        called(client, method, message)
    return told.value


def test_answers_are_those_of_http(client: Client) -> None:
    over_http = client.post(INFER, {"inputs": tensors(ROWS)}).json()

    answer = inferred(client, typed(ROWS, id="mine"))

    outputs = {one.name: one for one in answer.outputs}
    expected = {one["name"]: one["data"] for one in over_http["outputs"]}
    assert list(outputs["prediction"].contents.bool_contents) == expected["prediction"]
    assert list(outputs["probability"].contents.fp64_contents) == expected["probability"]
    assert (answer.model_name, answer.model_version) == ("flight-delay", over_http["model_version"])
    assert answer.id == "mine"
    assert answer.parameters["revision"].string_param == REVISION


def test_values_as_bytes_are_answered_in_bytes(client: Client) -> None:
    as_typed, as_raw = inferred(client, typed(ROWS)), inferred(client, raw(ROWS))

    probabilities = memoryview(as_raw.raw_output_contents[1]).cast("d").tolist()
    assert probabilities == list(as_typed.outputs[1].contents.fp64_contents)


def test_only_the_outputs_asked_for_are_answered(client: Client) -> None:
    answer = inferred(client, typed([ROW], outputs=[{"name": "probability"}]))

    assert [one.name for one in answer.outputs] == ["probability"]


def test_the_id_of_an_answer_takes_labels(client: Client) -> None:
    answer = inferred(client, typed([ROW]))

    labels = {"id": answer.parameters["prediction_id"].string_param, "labels": [True]}
    assert client.post("/feedback", labels).status_code == 200


def test_requests_and_rows_are_counted_with_those_of_http(client: Client) -> None:
    client.post(INFER, {"inputs": tensors(ROWS)})
    inferred(client, typed(ROWS))
    refused(client, "ModelInfer", b"\xff")

    assert client.metric("serinus_requests_total", code="200") == 2
    assert client.metric("serinus_requests_total", code="400") == 1
    assert client.metric("serinus_predictions_total") == 2 * len(ROWS)
    assert client.metric("serinus_request_duration_seconds_count") == 3
    assert client.metric("serinus_requests_in_flight") == 0


def wrong_type() -> wire.ModelInferRequest:
    request = typed([ROW])
    request.inputs[0].datatype = "BYTES"
    request.inputs[0].ClearField("contents")
    request.inputs[0].contents.bytes_contents.append(b"far")
    return request


def test_refusals_name_the_field_as_over_http(client: Client) -> None:
    wrong = tensors([ROW])
    wrong[0] |= {"datatype": "BYTES", "data": ["far"]}

    told = refused(client, "ModelInfer", wrong_type())

    assert (told.status, told.message) == (
        400,
        client.post(INFER, {"inputs": wrong}).json()["error"],
    )
    assert "`distance`: expected a number (FP64, mi), got the text 'far'" in told.message


@pytest.mark.parametrize(
    ("setting", "message", "status", "told"),
    [
        (
            {"MAX_BODY_BYTES": "100"},
            typed(ROWS),
            413,
            "the message is over the limit of 100 bytes; send fewer rows",
        ),
        (
            {"MAX_ROWS": "6"},
            typed(ROWS),
            413,
            "`inputs`: expected at most 6 rows, got 7; send them in several requests",
        ),
    ],
)
def test_limits_are_those_of_http(
    client_of: Callable[..., Client],
    two_classes: Packaged,
    setting: dict[str, str],
    message: Any,
    status: int,
    told: str,
) -> None:
    client = client_of(two_classes, **setting)

    refusal = refused(client, "ModelInfer", message)

    assert (refusal.status, refusal.message) == (status, told)
    assert client.metric("serinus_requests_total", code=str(status)) == 1


def test_more_at_once_than_allowed_are_refused(client: Client) -> None:
    client.serving.metrics.in_flight = client.serving.limits.concurrency

    told = refused(client, "ModelInfer", typed([ROW]))

    assert (told.status, told.message) == (503, "256 requests are being answered; try again in 1 s")


@pytest.mark.parametrize(
    ("method", "message"),
    [
        ("ModelInfer", typed([ROW], model_name="other")),
        ("ModelInfer", typed([ROW], model_version="7")),
        ("ModelReady", wire.ModelReadyRequest(name="other")),
        ("ModelMetadata", wire.ModelMetadataRequest(name="flight-delay", version="7")),
    ],
)
def test_another_model_or_version_isnt_here_and_doesnt_count(
    client: Client, method: str, message: Any
) -> None:
    told = refused(client, method, message)

    assert told.status == 404
    assert "this server has model `flight-delay`, version `" in told.message
    assert client.metric("serinus_requests_total", code="404") is None


def test_what_the_server_says_of_itself(client: Client) -> None:
    live = wire.ServerLiveResponse.FromString(called(client, "ServerLive", b""))
    ready = wire.ServerReadyResponse.FromString(called(client, "ServerReady", b""))
    model = wire.ModelReadyRequest(name="flight-delay")
    model_ready = wire.ModelReadyResponse.FromString(called(client, "ModelReady", model))
    server = wire.ServerMetadataResponse.FromString(called(client, "ServerMetadata", b""))
    over_http = client.get("/v2/models/flight-delay").json()
    metadata = wire.ModelMetadataResponse.FromString(
        called(client, "ModelMetadata", wire.ModelMetadataRequest(name="flight-delay"))
    )

    assert (live.live, ready.ready, model_ready.ready) == (True, True, True)
    assert server.name == "serinus"
    assert [(one.name, one.datatype) for one in metadata.inputs] == [
        (one["name"], one["datatype"]) for one in over_http["inputs"]
    ]
    assert list(metadata.versions) == over_http["versions"]


def test_one_that_drains_isnt_ready(client: Client) -> None:
    client.serving.readiness.ready = False

    ready = wire.ServerReadyResponse.FromString(called(client, "ServerReady", b""))

    assert not ready.ready


class Watching:
    """A shadow that notes what it is offered."""

    is_there = True

    def __init__(self) -> None:
        self.offered: list[tuple[str, bytes, Answer]] = []
        self.begun: list[Begun | None] = []

    def offer(self, scope: Any, body: bytes, answer: Answer) -> None:
        self.offered.append((scope["path"], body, answer))
        self.begun.append(scope[BEGUN])


def shadowed(
    client: Client, *messages: Any, shadow: Watching | None = None
) -> list[tuple[str, bytes, Answer]]:
    """What a shadow is offered while the server answers these calls."""
    shadow = shadow or Watching()
    service = InferenceService(replace(client.serving, shadow=shadow))  # type: ignore[arg-type]

    async def call() -> None:
        for message in messages:
            content = message if isinstance(message, bytes) else message.SerializeToString()
            with suppress(RequestError):
                await service.methods["ModelInfer"](content)  # type: ignore[arg-type]
        await asyncio.sleep(0)

    asyncio.run(call())
    return shadow.offered


@pytest.mark.parametrize("form", [typed, raw])
def test_a_shadow_gets_a_call_as_http_would_have_said_it(client: Client, form: Any) -> None:
    ((path, body, answer),) = shadowed(client, form(ROWS))

    over_http = client.post(path, body)
    assert over_http.status_code == answer.status == 200
    assert agree(answer, Answer(200, over_http.content))


def test_a_shadow_is_told_the_span_of_a_call_that_has_one(client: Client) -> None:
    begun, shadow = Begun(Trace(b"\x11" * 16, b"", sampled=True), b"\x33" * 8), Watching()
    shadowed(client, typed(ROWS), shadow=shadow)
    context = copy_context()
    context.run(CALL_BEGUN.set, begun)
    context.run(partial(shadowed, client, typed(ROWS), shadow=shadow))

    assert shadow.begun == [None, begun]


def test_a_shadow_gets_what_was_refused_and_not_what_cant_be_said(client: Client) -> None:
    unreadable, elsewhere = b"\xff", typed([ROW], model_name="other")

    ((path, body, answer),) = shadowed(client, wrong_type(), unreadable, elsewhere)

    assert (answer.status, client.post(path, body).status_code) == (400, 400)


def test_what_is_too_large_for_a_shadow_is_offered_as_it_is_and_dropped_there(
    client: Client,
) -> None:
    request = typed([ROW] * 100, id="x" * BODY_BYTES_MAX)

    ((_, body, _),) = shadowed(client, request)

    assert len(body) > BODY_BYTES_MAX


class Stuck:
    """A model that answers once it is told to."""

    def __init__(self) -> None:
        self.may_answer = threading.Event()

    def answers(self, rows: FloatArray) -> FloatArray:
        self.may_answer.wait(10)
        return rows


def test_a_client_that_left_is_counted(client: Client) -> None:
    async def leaves() -> None:
        model = Stuck()
        engine = BatchingEngine(model, asyncio.get_running_loop())
        service = InferenceService(replace(client.serving, engine=engine))
        call = asyncio.ensure_future(
            service.methods["ModelInfer"](typed([ROW]).SerializeToString())  # type: ignore[arg-type]
        )
        await asyncio.sleep(0)
        assert client.serving.metrics.in_flight == 1
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
        model.may_answer.set()
        engine.close()

    asyncio.run(leaves())

    assert client.metric("serinus_requests_total", code=str(CLIENT_LEFT)) == 1
    assert client.metric("serinus_requests_in_flight") == 0


async def test_a_call_that_isnt_answered_in_time_is_told(client: Client) -> None:
    serving = replace(client.serving, limits=replace(client.serving.limits, answer_seconds=0.01))
    model = Stuck()
    engine = BatchingEngine(model, asyncio.get_running_loop())
    service = InferenceService(replace(serving, engine=engine))

    with pytest.raises(Unanswered):
        await service.methods["ModelInfer"](typed([ROW]).SerializeToString())  # type: ignore[arg-type]

    model.may_answer.set()
    engine.close()
    assert (serving.metrics.requests[504], serving.metrics.in_flight) == (1, 0)
