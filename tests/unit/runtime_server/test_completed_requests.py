"""Completing touches only what is left out, and counts each value once."""

from typing import Any

import pytest

from serinus_runtime.artifact.signature import Datatype, InputSpec
from serinus_runtime.server.completed_requests import Completion, Source
from serinus_runtime.server.exchange import LookedUp
from tests.support.online_tables import a_spec, table_of_rows

SPEC = a_spec({"user": "string"}, {"spent": "float64", "city": "string"})
TABLE = table_of_rows(
    SPEC,
    [
        {"user": "ada", "at": 5000, "spent": 1.5, "city": None},
        {"user": "bob", "at": 0, "spent": 2.5, "city": "Rome"},
    ],
)
SOURCE = Source(
    TABLE,
    ("user",),
    (SPEC.entities[0].type,),
    tuple((name, TABLE.values[name]) for name in ("spent", "city")),
)
INPUTS = (
    InputSpec("spent", Datatype.FP64),
    InputSpec("city", Datatype.BYTES),
    InputSpec("other", Datatype.FP64),
)


def completed(word: str, document: dict[str, Any]) -> LookedUp | None:
    completion = Completion([SOURCE], INPUTS)
    completion.make_places(word, document)
    return completion.fill(5000.0)


def test_each_value_is_present_stale_or_missing() -> None:
    document = {"rows": [{"user": "ada"}, {"user": "bob"}, {"user": "eve"}]}

    assert completed("predict", document) == LookedUp(present=1, stale=2, missing=3)
    assert document["rows"] == [
        {"user": "ada", "spent": 1.5, "city": None},
        {"user": "bob", "spent": None, "city": None},
        {"user": "eve", "spent": None, "city": None},
    ]


def test_what_is_given_isn_t_touched() -> None:
    row = {"user": "ada", "spent": None, "city": "Bonn"}
    document = {"rows": [dict(row)]}

    assert completed("predict", document) is None
    assert document == {"rows": [row]}


def test_only_the_rows_of_the_form_are_completed() -> None:
    document = {"inputs": [{"user": "ada"}]}

    assert completed("predict", document) is None
    assert document == {"inputs": [{"user": "ada"}]}


def test_one_tensor_for_all_inputs_leaves_none_out() -> None:
    rows = {"name": "rows", "datatype": "BYTES", "shape": [1, 3], "data": [1.5, "Rome", 2]}
    document: dict[str, Any] = {"inputs": [dict(rows)]}

    assert completed("v2", document) is None
    assert document == {"inputs": [rows]}


def test_tensors_are_added_behind_those_that_came_one_for_each_input() -> None:
    user = {"name": "user", "datatype": "BYTES", "shape": [2], "data": ["ada", "bob"]}
    document: dict[str, Any] = {"inputs": [user]}

    assert completed("v2", document) == LookedUp(present=1, stale=2, missing=1)
    assert document["inputs"] == [
        user,
        {"name": "spent", "datatype": "FP64", "shape": [2], "data": [1.5, None]},
        {"name": "city", "datatype": "BYTES", "shape": [2], "data": [None, None]},
        {"name": "other", "datatype": "FP64", "shape": [2], "data": [None, None]},
    ]


@pytest.mark.parametrize(
    "document",
    [
        {"inputs": [{"name": "spent", "datatype": "FP64", "shape": [1], "data": [1.0]}]},
        {"inputs": [{"name": "user", "datatype": "BYTES", "shape": [2], "data": ["ada"]}]},
        {"inputs": "ada"},
    ],
)
def test_tensors_that_give_no_key_stay_as_they_are(document: dict[str, Any]) -> None:
    before = repr(document)

    assert completed("v2", document) is None
    assert repr(document) == before
