"""Rows as lists and as objects: what they mean, and where the first wrong one is."""

import pytest

from serinus_runtime.server.errors import BadRequest
from serinus_runtime.server.row_values import objects_of, some_rows


def test_lists_get_the_names_in_order() -> None:
    assert objects_of([[1, "a"], [2, "b"]], ["n", "text"], where="rows") == [
        {"n": 1, "text": "a"},
        {"n": 2, "text": "b"},
    ]


def test_of_many_names_some_are_told() -> None:
    with pytest.raises(BadRequest) as refused:
        objects_of([[1]], [f"n{index}" for index in range(20)], where="data")

    assert refused.value.message == (
        "`data[0]`: expected 20 values (n0, n1, n2, n3, n4, n5, n6, n7, …), got 1"
    )


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (None, "expected `data`, a list of lists"),
        ("abc", "expected `data`, a list of lists, got the text 'abc'"),
        ([], "`data`: expected at least one row, got none"),
    ],
)
def test_no_rows_are_refused(rows: object, message: str) -> None:
    with pytest.raises(BadRequest) as refused:
        some_rows(rows, "data", "lists")

    assert refused.value.message == message
