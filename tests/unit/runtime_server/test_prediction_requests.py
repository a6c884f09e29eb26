"""Large requests are counted before they are read, and don't hold up the small ones."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import orjson
import pytest

from serinus_runtime.artifact.forest import FloatArray
from serinus_runtime.artifact.packaging import Packaged
from serinus_runtime.server.binary_tensors import NO_DATA
from serinus_runtime.server.engine import BatchingEngine, InlineEngine
from serinus_runtime.server.errors import Unanswered
from serinus_runtime.server.predict_rows import RowsForm
from serinus_runtime.server.prediction_requests import (
    SMALL_BODY_BYTES,
    SMALL_CELLS,
    PredictionRequests,
    answered_in_time,
)
from tests.support.flight_requests import INFER, ROW, matrix, tensors
from tests.support.model_servers import Client
from tests.support.trained_models import NAMES, flights

Request = tuple[str, Callable[[list[dict[str, Any]]], dict[str, Any]]]
FORMS: dict[str, Request] = {
    "rows": ("/predict", lambda rows: {"rows": rows}),
    "tensors": (INFER, lambda rows: {"inputs": tensors(rows)}),
    "a matrix": (INFER, lambda rows: {"inputs": [matrix(rows, nested=True)]}),
}
MANY = SMALL_CELLS // len(NAMES) + 1
BROKEN = {**ROW, "distance": "far"}


class Aside(ThreadPoolExecutor):
    """A thread that notes what is done on it."""

    def __init__(self) -> None:
        super().__init__(max_workers=1)
        self.work: list[str] = []

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> "Future[Any]":
        self.work.append(fn.__name__)
        return super().submit(fn, *args, **kwargs)


@pytest.fixture
def aside() -> Iterator[Aside]:
    with Aside() as executor:
        yield executor


@pytest.fixture
def watched(client: Client, aside: Aside) -> Client:
    """A client of a server whose thread for large requests is `aside`."""
    return client.changed(aside=aside)


@pytest.mark.parametrize("form", FORMS)
def test_more_rows_than_allowed_are_refused_before_one_is_looked_at(
    client_of: Callable[..., Client], two_classes: Packaged, form: str
) -> None:
    client = client_of(two_classes, MAX_ROWS="3")
    path, body = FORMS[form]

    allowed = client.post(path, body([ROW] * 3))
    answer = client.post(path, body([BROKEN] * 4))

    field = "rows" if form == "rows" else "inputs"
    assert allowed.status_code == 200
    assert (answer.status_code, answer.json()["error"]) == (
        413,
        f"`{field}`: expected at most 3 rows, got 4; send them in several requests",
    )
    assert client.metric("serinus_requests_total", code="413") == 1
    assert client.metric("serinus_predictions_total") == 3


@pytest.mark.parametrize("structure", [b"{}", b"[[]]", b'{"a":{}}', b'"{"'])
def test_a_large_body_of_very_many_parts_is_refused_before_it_is_parsed(
    watched: Client, aside: Aside, structure: bytes
) -> None:
    body = b'{"rows":[' + structure + (b"," + structure) * 60_000 + b"]}"

    answer = watched.post("/predict", body)

    assert answer.status_code == 413
    assert answer.json()["error"].startswith(
        "the body: expected at most 46000 objects and lists, got "
    )
    assert aside.work == []


def test_a_short_tensor_cant_claim_millions_of_rows(client: Client) -> None:
    claim = {"name": "distance", "datatype": "FP64", "shape": [10**6], "data": [500.0]}

    assert client.post(INFER, {"inputs": [claim]}).status_code == 413


@pytest.mark.parametrize("form", FORMS)
def test_a_small_request_changes_no_thread(watched: Client, aside: Aside, form: str) -> None:
    path, body = FORMS[form]

    assert watched.post(path, body([ROW] * 32)).status_code == 200
    assert aside.work == []


@pytest.mark.parametrize("form", FORMS)
def test_many_values_are_encoded_and_answered_aside(
    watched: Client, aside: Aside, form: str
) -> None:
    path, body = FORMS[form]

    assert watched.post(path, body([ROW] * MANY)).status_code == 200
    assert aside.work == ["read", "answers", "_written"]


def test_a_large_body_isnt_even_parsed_on_the_loop(watched: Client, aside: Aside) -> None:
    answer = watched.post("/predict", {"rows": [ROW], "comment": "x" * SMALL_BODY_BYTES})

    assert answer.status_code == 200
    assert aside.work[0] == "json_object"


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMS)
def test_a_large_request_gets_the_answers_of_small_ones(client: Client, form: str) -> None:
    path, body = FORMS[form]
    rows = flights(MANY, seed=6)

    def answers(some: list[dict[str, Any]]) -> list[Any]:
        told = client.post(path, body(some)).json()
        if "predictions" in told:
            return list(told["predictions"])
        return list(zip(*(output["data"] for output in told["outputs"]), strict=True))

    assert answers(rows) == [answer for row in rows for answer in answers([row])]


def flagged(client: Client) -> float | None:
    return client.metric("serinus_flagged_values_total")


@pytest.mark.parametrize("count", [1, MANY])
def test_flags_count_only_for_what_was_answered(client: Client, count: int) -> None:
    flagging = {**ROW, "delay": 700.0}

    assert client.post("/predict", {"rows": [flagging] * count}).status_code == 200
    assert flagged(client) == count
    for refused in ([flagging] * count + [BROKEN], [flagging] * count + [7]):
        assert client.post("/predict", {"rows": refused}).status_code == 400
    assert flagged(client) == count


def out_of_range(client: Client) -> float | None:
    return client.metric("serinus_predictions_out_of_range_total")


@pytest.mark.parametrize("count", [1, MANY])
@pytest.mark.parametrize("form", FORMS)
def test_rows_out_of_range_are_counted_with_the_rows_that_were_answered(
    client: Client, form: str, count: int
) -> None:
    path, body = FORMS[form]
    fine, strange = flights(count, seed=1, missing=0), {**ROW, "delay": 700.0}
    before = out_of_range(client)

    assert client.post(path, body([*fine, strange, strange])).status_code == 200
    assert client.post("/predict", {"rows": [strange, BROKEN]}).status_code == 400
    assert (before, out_of_range(client)) == (0, 2)
    assert client.metric("serinus_predictions_total") == count + 2


def test_a_row_with_two_values_out_of_range_is_one(client: Client) -> None:
    client.post("/predict", {"rows": [{**ROW, "delay": 700.0, "carrier": "never seen"}]})

    assert (flagged(client), out_of_range(client)) == (2, 1)


class Held:
    """A predictor that waits for `go` where it gets many rows."""

    kind = "linear"

    def __init__(self, answers: Callable[[Any], Any]) -> None:
        self._answers = answers
        self.go = threading.Event()

    def answers(self, rows: Any) -> Any:
        if len(rows) == MANY:
            self.go.wait(10)
        return self._answers(rows)


async def test_a_small_request_overtakes_a_large_one(client: Client) -> None:
    held = Held(client.serving.model.predictor.answers)
    requests = PredictionRequests(replace(client.serving, engine=InlineEngine(held)))
    form = RowsForm(client.serving.model, "0123456789")

    many, one = (orjson.dumps({"rows": [ROW] * count}) for count in (MANY, 1))
    large = asyncio.ensure_future(requests.answered(form, many, NO_DATA))
    small = await requests.answered(form, one, NO_DATA)
    first_done = large.done()
    held.go.set()

    assert len(orjson.loads(small.body)["predictions"]) == 1
    assert not first_done
    assert len(orjson.loads((await large).body)["predictions"]) == MANY


class Stuck:
    """A predictor that waits until it is told to answer."""

    kind = "native"

    def __init__(self) -> None:
        self.may_answer = threading.Event()

    def answers(self, rows: FloatArray) -> FloatArray:
        self.may_answer.wait(10)
        return np.zeros((len(rows), 2))


async def test_a_request_that_isnt_answered_in_time_is_504_and_gives_its_place_back(
    client: Client,
) -> None:
    model = Stuck()
    engine = BatchingEngine(model, asyncio.get_running_loop())
    hurried = replace(client.serving.limits, answer_seconds=0.01)
    late = client.changed(engine=engine, limits=hurried)

    answer = await late.asked("POST", "/predict", content=orjson.dumps({"rows": [ROW]}))

    model.may_answer.set()
    engine.close()
    assert (answer.status_code, answer.json()["error"]) == (
        504,
        "there was no answer within 0.01 s; send fewer rows, or try again later",
    )
    assert (late.serving.metrics.requests[504], late.serving.metrics.in_flight) == (1, 0)
    assert late.serving.metrics.predictions == 0


async def test_time_is_counted_from_the_last_byte_on() -> None:
    with pytest.raises(Unanswered):
        async with answered_in_time(time.monotonic() - 5, 4.9):
            await asyncio.sleep(60)


async def test_what_runs_out_of_time_inside_is_no_deadline_of_ours() -> None:
    with pytest.raises(TimeoutError):
        async with answered_in_time(time.monotonic(), 60):
            raise TimeoutError
