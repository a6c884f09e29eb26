"""Requests that C answers are answered as the server's own way answers them, or left to it."""

import json
from collections import Counter
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sklearn.neighbors import KNeighborsClassifier

from serinus_runtime.artifact.packaging import Packaged
from serinus_runtime.kernel.tensor_kernel import TensorKernel
from serinus_runtime.prediction_log.buffer import LogBuffer, LogCounts
from serinus_runtime.prediction_log.files import Writer
from serinus_runtime.prediction_log.logged import is_sampled
from serinus_runtime.prediction_log.table import schema_of
from serinus_runtime.prediction_log.writer import LogPlace, LogWriter, PredictionLog
from serinus_runtime.server.prediction_id import PredictionIds
from serinus_runtime.server.serving import Serving
from serinus_runtime.server.usual_tensors import usual_tensors
from tests.support import both_ways
from tests.support.both_ways import body_of, fresh
from tests.support.flight_requests import INFER, ROW, matrix, tensors
from tests.support.model_servers import KEY, REVISION, made
from tests.support.prediction_logs import hold_rows_to_each_other, logged, logging
from tests.support.trained_models import (
    CARRIERS,
    NAMES,
    edge_rows,
    fitted,
    flights,
    one_hot,
    packaged,
)

URL = INFER.encode()


@pytest.fixture(scope="module", params=["two_classes", "three_classes", "regression"])
def serving(request: pytest.FixtureRequest, store: Path) -> Serving:
    return made(request.getfixturevalue(request.param), store)


@pytest.fixture(scope="module")
def two(two_classes: Packaged, store: Path) -> Serving:
    return made(two_classes, store)


def usual(serving: Serving, body: bytes) -> bytes | None:
    return both_ways.usual(serving, URL, body)


def own_way(serving: Serving, body: bytes) -> tuple[int, bytes]:
    return both_ways.own_way(serving, URL, body)


def hold_to_each_other(package: Callable[[], Serving], body: bytes) -> bool:
    return both_ways.hold_to_each_other(package, URL, body)


def column_tensors(rows: Sequence[dict[str, Any]], *, rank: int = 1) -> dict[str, Any]:
    asked = tensors(list(rows))
    for tensor in asked:
        tensor["shape"] = [len(rows), 1][:rank]
    return {"inputs": asked}


COMPLETE = [row for row in flights(60, seed=5, missing=0) if row["delay"] is not None]
TAKEN: dict[str, bytes] = {
    "a tensor for each input": body_of(column_tensors([ROW])),
    "of rank two": body_of(column_tensors([ROW, ROW], rank=2)),
    "sixteen rows": body_of(column_tensors(COMPLETE[:16])),
    "more rows than an id carries": body_of(column_tensors(COMPLETE[:40])),
    "one tensor for all": body_of({"inputs": [matrix([ROW], nested=False)]}),
    "row by row": body_of({"inputs": [matrix([ROW, ROW], nested=True)]}),
    "with a name": body_of({"id": "a name, of mine!", **column_tensors([ROW])}),
    "with a name behind": body_of({**column_tensors([ROW]), "id": ""}),
    "with white space": json.dumps(column_tensors([ROW]), indent=2).encode() + b"\n",
    "missing values": body_of(column_tensors([dict.fromkeys(NAMES) | {"distance": 10.5}])),
}


@pytest.mark.parametrize("name", TAKEN)
def test_a_usual_request_is_answered_in_c(serving: Serving, name: str) -> None:
    assert hold_to_each_other(fresh(serving), TAKEN[name])


def changed(**changes: Any) -> bytes:
    return body_of(column_tensors([ROW | changes]))


def document(**changes: Any) -> bytes:
    return body_of(column_tensors([ROW]) | changes)


def first_tensor(**changes: Any) -> bytes:
    asked = column_tensors([ROW])
    asked["inputs"][0] |= changes
    return body_of(asked)


LEFT: dict[str, bytes] = {
    "nothing": b"",
    "no object": b"[]",
    "no inputs": b"{}",
    "no tensors": document(inputs=[]),
    "outputs": document(outputs=[{"name": "prediction"}]),
    "parameters": document(parameters={"binary_data_output": True}),
    "a name that is no text": document(id=7),
    "a name with an escape": document(id='"'),
    "a name that isn't ASCII": document(id="Ä"),
    "a missing input": body_of({"inputs": column_tensors([ROW])["inputs"][1:]}),
    "an input twice": body_of({"inputs": column_tensors([ROW])["inputs"] * 2}),
    "an unknown input": first_tensor(name="distanz"),
    "an unknown datatype": first_tensor(datatype="FP128"),
    "no datatype": body_of({"inputs": [{"name": "distance", "shape": [1], "data": [1.0]}]}),
    "a shape of none": first_tensor(shape=[0]),
    "a shape of fewer": first_tensor(shape=[2]),
    "a shape of parts": body_of(column_tensors([ROW])).replace(b"[1]", b"[1.0]", 1),
    "a shape too deep": first_tensor(shape=[1, 1, 1]),
    "a matrix too narrow": body_of({"inputs": [matrix([ROW], nested=False) | {"shape": [1, 5]}]}),
    "more values than rows": first_tensor(data=[1.0, 2.0]),
    "nested data of rank one": first_tensor(data=[[1.0]]),
    "data before its shape": body_of(column_tensors([ROW])).replace(
        b'"name":"distance",', b'"data":[1.0],"name":"distance",', 1
    ),
    "a text for a number": changed(distance="1"),
    "a number for a text": changed(carrier=1),
    "a number for a boolean": changed(holiday=1),
    "a boolean for a number": changed(distance=True),
    "nothing where it is needed": changed(distance=None),
    "an unseen category": changed(carrier="ZZ"),
    "a category with an escape": changed(carrier="\n"),
    "a value out of range": changed(distance=6001.0),
    "a value that is flagged": changed(delay=601.0),
    "a number beyond doubles": body_of(column_tensors([ROW])).replace(b"500.0", b"1e999", 1),
    "a part of a whole number": changed(hour=1.5),
    "a whole number written with a point": changed(hour=12.0),
    "a large whole number": changed(hour=2**53 + 2),
    "a key twice": body_of(column_tensors([ROW]))[:-1] + b',"inputs":[]}',
    "a comma too many": body_of(column_tensors([ROW]))[:-1] + b",}",
    "something behind it": body_of(column_tensors([ROW])) + b"x",
    "a zero byte behind it": body_of(column_tensors([ROW])) + b"\0",
    "a byte order mark": b"\xef\xbb\xbf" + body_of(column_tensors([ROW])),
    "more rows than cells": body_of(column_tensors(COMPLETE * 10)),
}


@pytest.mark.parametrize("name", LEFT)
def test_anything_else_is_left_without_a_trace(two: Serving, name: str) -> None:
    assert not hold_to_each_other(fresh(two), LEFT[name])


VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.floats(-100, 700),
    st.integers(-100, 7000),
    st.sampled_from([*CARRIERS, "R00", "R29", "", "AAA", "A", "Ü"]),
)


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    """Requests that are usual, or nearly so."""
    pool = COMPLETE[:8] + edge_rows()
    rows = deepcopy(draw(st.lists(st.sampled_from(pool), min_size=1, max_size=20)))
    for name in draw(st.lists(st.sampled_from(NAMES), max_size=2)):
        rows[draw(st.integers(0, len(rows) - 1))][name] = draw(VALUES)
    if draw(st.booleans()):
        return {"inputs": [matrix(rows, nested=draw(st.booleans()))]}
    asked = column_tensors(rows, rank=draw(st.integers(1, 2)))
    asked["inputs"] = draw(st.permutations(asked["inputs"]))
    if draw(st.booleans()):
        asked["id"] = draw(st.text(max_size=10))
    return asked


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(documents())
def test_both_ways_say_the_same(serving: Serving, asked: dict[str, Any]) -> None:
    hold_to_each_other(fresh(serving), body_of(asked))


@pytest.mark.slow
@settings(max_examples=500, deadline=None)
@given(
    st.sampled_from(sorted(TAKEN)),
    st.lists(
        st.tuples(
            st.integers(0, 2000),
            st.integers(0, 3),
            st.one_of(
                st.binary(max_size=3),
                st.sampled_from([b"{", b"}", b"[", b"]", b",", b'"', b"\\", b"-", b"e", b"\0"]),
            ),
        ),
        min_size=1,
        max_size=3,
    ),
)
@example("a tensor for each input", [(0, 0, b"")])
def test_a_damaged_request_is_left_or_means_the_same(
    two: Serving, name: str, edits: list[tuple[int, int, bytes]]
) -> None:
    body = TAKEN[name]
    for place, dropped, put in edits:
        at = place % (len(body) + 1)
        body = body[:at] + put + body[at + dropped :]

    hold_to_each_other(fresh(two), body)


@pytest.mark.parametrize("length", range(0, 700, 7))
def test_a_request_that_ends_early_is_left(two: Serving, length: int) -> None:
    body = TAKEN["a tensor for each input"]

    assert usual(two, body[: min(length, len(body) - 1)]) is None


def test_the_id_carries_what_was_answered(serving: Serving) -> None:
    for name in ("sixteen rows", "more rows than an id carries"):
        serving = fresh(serving)()
        kernel, now_ms, number = serving.tensors, 1_700_000_000_123, 77
        assert kernel is not None
        text = kernel.answer(TAKEN[name], now_ms, number)
        assert text is not None
        ids = PredictionIds(
            KEY,
            revision=REVISION,
            tag=serving.ids.tag,
            classes=serving.model.classes,
            first=number - 1,
        )
        answers, decided = kernel.answers(), kernel.decided()
        expected = (
            ids.of_values(answers[:, 0], issued_at_ms=now_ms)
            if decided is None
            else ids.of_classes(answers, decided, issued_at_ms=now_ms)
        )
        told = orjson.loads(text)["parameters"]["prediction_id"]

        assert told == kernel.prediction_id(text) == expected
        assert kernel.n_rows == len(answers) == len(kernel.rows())


@pytest.mark.parametrize("kind", ["two_classes", "three_classes", "regression"])
def test_each_row_is_logged_as_on_the_own_way(
    request: pytest.FixtureRequest, store: Path, tmp_path: Path, kind: str
) -> None:
    package = request.getfixturevalue(kind)
    by_c = logging(package, store, tmp_path / "c")
    by_python = logging(package, store, tmp_path / "python")
    for body in TAKEN.values():
        assert usual(by_c, body) is not None
        assert own_way(by_python, body)[0] == 200

    hold_rows_to_each_other(logged(by_c, tmp_path / "c"), logged(by_python, tmp_path / "python"))


@pytest.mark.parametrize("percent", [0, 30, 100])
def test_the_sample_is_that_of_the_ids(
    two_classes: Packaged, store: Path, tmp_path: Path, percent: int
) -> None:
    serving, sampled = logging(two_classes, store, tmp_path / "log", percent), []
    for _ in range(100):
        text = usual(serving, TAKEN["of rank two"])
        assert text is not None
        identity = orjson.loads(text)["parameters"]["prediction_id"]
        if is_sampled(identity, percent):
            sampled += [identity] * 2
    table = logged(serving, tmp_path / "log")

    assert table.get("prediction_id", []) == sampled
    assert set(table.get("sample_percent", [])) <= {percent}
    assert serving.log is not None
    assert serving.log.buffer.counts() == LogCounts(
        written=len(sampled), unsampled=200 - len(sampled)
    )


@pytest.mark.parametrize("bytes_max", [1, 3_000, 30_000, 3_000_000])
def test_each_row_is_in_one_count_while_the_writer_takes(
    two_classes: Packaged, store: Path, tmp_path: Path, bytes_max: int
) -> None:
    serving = logging(two_classes, store, tmp_path / "log")
    assert serving.log is not None
    assert serving.tensors is not None
    buffer = LogBuffer(bytes_max, serving.tensors)
    buffer.sample_percent = 100
    schema = schema_of(serving.model, REVISION)
    place = LogPlace(
        tmp_path / "log", tmp_path / "log.json", Writer(REVISION, "pod"), (("a", "b"),), 0.0
    )
    log = PredictionLog(buffer, LogWriter(buffer, schema, place))
    log.start()
    serving = replace(serving, log=log)
    bodies = [TAKEN["of rank two"], TAKEN["more rows than an id carries"], b"{"]
    asked: Counter[str] = Counter()
    for number in range(600):
        buffer.wake()
        text = usual(serving, bodies[number % 3])
        if text is not None:
            asked[orjson.loads(text)["parameters"]["prediction_id"]] = 2 if number % 3 == 0 else 40
    found = Counter(logged(serving, tmp_path / "log").get("prediction_id", []))

    counts = buffer.counts()
    assert counts.written + counts.dropped == asked.total() == 200 * 42
    assert found.total() == counts.written
    assert all(asked[identity] == rows for identity, rows in found.items())
    assert counts.dropped > 0 or bytes_max > 1
    assert counts.dropped == 0 or bytes_max < 3_000_000


def test_a_number_is_used_up_only_by_an_answer(two: Serving) -> None:
    first = two.ids.coming_number
    assert usual(two, LEFT["no inputs"]) is None
    assert two.ids.coming_number == first
    assert usual(two, TAKEN["one tensor for all"]) is not None
    assert two.ids.coming_number != first


class Broken:
    def answer(self, _request: bytes, _now_ms: int, _number: int) -> bytes:
        raise MemoryError


def test_where_it_fails_the_own_way_answers(two: Serving) -> None:
    serving = replace(fresh(two)(), tensors=cast("TensorKernel", Broken()))

    assert not hold_to_each_other(lambda: serving, TAKEN["one tensor for all"])
    assert own_way(serving, TAKEN["one tensor for all"])[0] == 200


UNSAYABLE = {
    "a label beyond 64 bits": {"classes": (1, 2**70)},
    "a label that is no text": {"classes": ("a", "\ud800")},
}


@pytest.mark.parametrize("changes", UNSAYABLE.values(), ids=UNSAYABLE)
def test_what_json_can_t_say_is_left_to_the_own_way(two: Serving, changes: Any) -> None:
    model = replace(two.model, manifest=replace(two.model.manifest, **changes))

    assert usual_tensors(two.model, two.ids, two.bins, 10) is not None
    assert usual_tensors(model, two.ids, two.bins, 10) is None


@pytest.mark.slow
def test_a_model_that_is_not_compiled_has_no_tables(store: Path) -> None:
    model = KNeighborsClassifier()
    serving = made(packaged(fitted(one_hot(), model, classes=("a", "b")), store), store)

    assert serving.tensors is None
    assert usual(serving, TAKEN["a tensor for each input"]) is None
    assert own_way(serving, TAKEN["a tensor for each input"])[0] == 200
