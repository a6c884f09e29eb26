"""Rows that C answers are answered as the server's own way answers them, or left to it."""

import json
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serinus_runtime.artifact.packaging import Packaged
from serinus_runtime.server.serving import Serving
from serinus_runtime.server.usual_rows import usual_rows
from tests.support.both_ways import body_of, fresh, hold_to_each_other, own_way, usual
from tests.support.flight_requests import ROW
from tests.support.model_servers import made
from tests.support.prediction_logs import hold_rows_to_each_other, logged, logging
from tests.support.trained_models import CARRIERS, NAMES, edge_rows, flights

PREDICT, V1, INVOCATIONS = b"/predict", b"/v1/models/flight-delay:predict", b"/invocations"
URLS = (PREDICT, V1, INVOCATIONS)
COMPLETE = flights(40, seed=5, missing=0)
SOME = {"distance": 12.5, "carrier": "DL"}
MISSING = dict.fromkeys(NAMES) | {"distance": 10.5}


def values(row: dict[str, Any]) -> list[Any]:
    return [row[name] for name in NAMES]


@pytest.fixture(scope="module", params=["two_classes", "three_classes", "regression"])
def serving(request: pytest.FixtureRequest, store: Path) -> Serving:
    return made(request.getfixturevalue(request.param), store)


@pytest.fixture(scope="module")
def two(two_classes: Packaged, store: Path) -> Serving:
    return made(two_classes, store)


TAKEN: dict[str, tuple[bytes, bytes]] = {
    "a row": (PREDICT, body_of({"rows": [ROW]})),
    "by its other name": (PREDICT, body_of({"instances": [ROW]})),
    "in another order": (PREDICT, body_of({"rows": [dict(reversed(ROW.items()))]})),
    "some of its fields": (PREDICT, body_of({"rows": [SOME, ROW]})),
    "missing values": (PREDICT, body_of({"rows": [MISSING]})),
    "more rows than an id carries": (PREDICT, body_of({"rows": COMPLETE})),
    "with white space": (PREDICT, json.dumps({"rows": [ROW]}, indent=2).encode() + b"\n"),
    "instances": (V1, body_of({"instances": [ROW, SOME]})),
    "instances as lists": (V1, body_of({"instances": [values(ROW), values(MISSING)]})),
    "inputs": (V1, body_of({"inputs": [values(ROW)]})),
    "records": (INVOCATIONS, body_of({"dataframe_records": [ROW]})),
    "MLflow's inputs": (INVOCATIONS, body_of({"inputs": [values(ROW)] * 3})),
    "MLflow's instances": (INVOCATIONS, body_of({"instances": [ROW]})),
}


@pytest.mark.parametrize("name", TAKEN)
def test_a_usual_request_is_answered_in_c(serving: Serving, name: str) -> None:
    assert hold_to_each_other(fresh(serving), *TAKEN[name])


LEFT: dict[str, tuple[bytes, bytes]] = {
    "nothing": (PREDICT, b""),
    "no rows": (PREDICT, b"{}"),
    "rows of none": (PREDICT, body_of({"rows": []})),
    "an empty row": (PREDICT, body_of({"rows": [{}]})),
    "a row that is no object": (PREDICT, body_of({"rows": [values(ROW)]})),
    "both names": (PREDICT, body_of({"rows": [ROW], "instances": [ROW]})),
    "a field that the model doesn't know": (PREDICT, body_of({"rows": [ROW | {"x": 1}]})),
    "a field twice": (PREDICT, b'{"rows":[{"distance":1.5,"distance":2.5}]}'),
    "without what is needed": (PREDICT, body_of({"rows": [{"delay": 1.0}]})),
    "nothing where it is needed": (PREDICT, body_of({"rows": [ROW | {"distance": None}]})),
    "a text for a number": (PREDICT, body_of({"rows": [ROW | {"distance": "1"}]})),
    "an unseen category": (PREDICT, body_of({"rows": [ROW | {"carrier": "ZZ"}]})),
    "a value that is flagged": (PREDICT, body_of({"rows": [ROW | {"delay": 601.0}]})),
    "more rows than cells": (PREDICT, body_of({"rows": COMPLETE * 10})),
    "a comma too many": (PREDICT, b'{"rows":[{"distance":1.5},]}'),
    "another comma too many": (PREDICT, b'{"rows":[{"distance":1.5,}]}'),
    "something behind it": (PREDICT, body_of({"rows": [ROW]}) + b"x"),
    "a list that is too short": (V1, body_of({"instances": [values(ROW)[:-1]]})),
    "a list that is too long": (V1, body_of({"instances": [[*values(ROW), 1]]})),
    "lists and objects": (V1, body_of({"instances": [values(ROW), ROW]})),
    "a signature's name": (V1, body_of({"signature_name": "x", "instances": [ROW]})),
    "rows of another form": (V1, body_of({"rows": [ROW]})),
    "records as lists": (INVOCATIONS, body_of({"dataframe_records": [values(ROW)]})),
    "columns": (INVOCATIONS, body_of({"inputs": {"distance": [1.5]}})),
    "a frame": (
        INVOCATIONS,
        body_of({"dataframe_split": {"columns": ["distance"], "data": [[1.5]]}}),
    ),
}


@pytest.mark.parametrize("name", LEFT)
def test_anything_else_is_left_without_a_trace(two: Serving, name: str) -> None:
    assert not hold_to_each_other(fresh(two), *LEFT[name])


VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.floats(-100, 700),
    st.sampled_from([*CARRIERS, "R00", "R29", "", "AAA", "Ü"]),
)


@st.composite
def requests(draw: st.DrawFn) -> tuple[bytes, bytes]:
    """Requests that are usual, or nearly so."""
    pool = [*COMPLETE[:8], *edge_rows(), SOME, MISSING]
    rows: list[Any] = deepcopy(draw(st.lists(st.sampled_from(pool), min_size=1, max_size=20)))
    for name in draw(st.lists(st.sampled_from(NAMES), max_size=2)):
        rows[draw(st.integers(0, len(rows) - 1))][name] = draw(VALUES)
    if draw(st.booleans()):
        rows = [[row.get(name) for name in NAMES] for row in rows]
    word = draw(st.sampled_from(["rows", "instances", "inputs", "dataframe_records"]))
    return draw(st.sampled_from(URLS)), body_of({word: rows})


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(requests())
def test_both_ways_say_the_same(serving: Serving, asked: tuple[bytes, bytes]) -> None:
    hold_to_each_other(fresh(serving), *asked)


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(sorted(TAKEN)),
    st.integers(0, 2000),
    st.integers(0, 3),
    st.one_of(st.binary(max_size=3), st.sampled_from([b"{", b"}", b"[", b"]", b",", b'"', b"\0"])),
)
def test_a_damaged_request_is_left_or_means_the_same(
    two: Serving, name: str, place: int, dropped: int, put: bytes
) -> None:
    url, body = TAKEN[name]
    at = place % (len(body) + 1)

    hold_to_each_other(fresh(two), url, body[:at] + put + body[at + dropped :])


def test_the_id_is_that_of_the_answer(serving: Serving) -> None:
    serving = fresh(serving)()
    text = usual(serving, *TAKEN["some of its fields"])
    assert text is not None
    assert serving.tensors is not None
    told = orjson.loads(text)

    prediction = serving.ids.opened(told["id"])
    assert (prediction.rows, prediction.revision) == (2, told["revision"])
    assert told["id"] == serving.tensors.prediction_id(text)


def test_the_longest_answers_have_room(three_classes: Packaged, store: Path) -> None:
    serving = made(three_classes, store)
    model = serving.model
    named = replace(model.manifest, classes=tuple(f"{one} " + "x" * 20_000 for one in "abc"))
    long = replace(model, manifest=named)
    assert serving.tensors is not None
    kernel = usual_rows(long, serving.revision, serving.tensors)["predict"]

    assert kernel.answer(body_of({"rows": [ROW]}), 0, 1) is not None
    assert kernel.answer(body_of({"rows": [ROW] * 40}), 0, 1) is None


class Table:
    """Online features, of which only is asked whether they are there."""


def test_where_values_are_looked_up_the_own_way_answers(two: Serving) -> None:
    looking = replace(fresh(two)(), online=Table())  # type: ignore[arg-type]

    assert usual(looking, *TAKEN["a row"]) is None
    assert own_way(two, *TAKEN["a row"])[0] == 200


def test_each_row_is_logged_as_on_the_own_way(
    request: pytest.FixtureRequest, store: Path, tmp_path: Path
) -> None:
    package = request.getfixturevalue("three_classes")
    by_c = logging(package, store, tmp_path / "c")
    by_python = logging(package, store, tmp_path / "python")
    for url, body in TAKEN.values():
        assert usual(by_c, url, body) is not None
        assert own_way(by_python, url, body)[0] == 200
    one, other = logged(by_c, tmp_path / "c"), logged(by_python, tmp_path / "python")

    hold_rows_to_each_other(one, other)
    assert set(one["form"]) == {"predict", "v1", "invocations"}
