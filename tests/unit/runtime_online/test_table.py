"""A table finds each entity by its key, gives its values, and tells their age."""

import math

import pytest

from serinus.api.column_type import ColumnType
from serinus_runtime.online.keys import key_of
from serinus_runtime.online.table import OnlineColumn, table_in
from serinus_runtime.online.tensor_file import Tensor, TensorFileError, written
from tests.support.online_tables import a_spec, table_of_rows

SPEC = a_spec(
    {"user": "string"},
    {
        "spent": {"type": "float64", "unit": "EUR"},
        "share": "float32",
        "visits": "int64",
        "age": "int32",
        "member": "boolean",
        "city": "string",
    },
)
ROWS = [
    {
        "user": "ada",
        "at": 1000,
        "spent": 1.25,
        "share": 0.5,
        "visits": 2**62,
        "age": -3,
        "member": True,
        "city": "Köln",
    },
    {"user": "bob", "at": 2000, "member": False, "city": ""},
]


def row(user: str) -> dict[str, object] | None:
    table = table_of_rows(SPEC, ROWS)
    key = key_of([user], [ColumnType.STRING])
    assert key is not None
    position = table.position(key)
    if position is None:
        return None
    return {name: values.at(position) for name, values in table.values.items()}


def test_values_of_each_type_come_back() -> None:
    assert row("ada") == {
        "spent": 1.25,
        "share": 0.5,
        "visits": 2**62,
        "age": -3,
        "member": True,
        "city": "Köln",
    }


def test_a_value_that_isn_t_there_is_none_and_a_false_or_empty_one_is_there() -> None:
    assert row("bob") == {
        "spent": None,
        "share": None,
        "visits": None,
        "age": None,
        "member": False,
        "city": "",
    }


def test_nobody_else_is_found() -> None:
    assert row("eve") is None


def test_the_columns_are_told_with_their_units() -> None:
    table = table_of_rows(SPEC, ROWS)

    assert table.entities == (OnlineColumn("user", ColumnType.STRING),)
    assert table.features[0] == OnlineColumn("spent", ColumnType.FLOAT64, "EUR")
    assert len(table) == 2


@pytest.mark.parametrize(
    ("now", "stale"),
    [
        (1000, False),
        (1000 + 3599, False),
        (1000 + 3600, False),
        (1000 + 3600.001, True),
        (999, False),
        (math.inf, True),
    ],
)
def test_a_row_is_stale_once_it_is_older_than_allowed(now: float, stale: bool) -> None:
    table = table_of_rows(SPEC, ROWS[:1])

    assert table.is_stale(0, now) is stale


def test_entities_that_share_half_of_a_key_are_told_apart() -> None:
    table = table_of_rows(SPEC, ROWS)
    key = key_of(["ada"], [ColumnType.STRING])
    assert key is not None

    assert table.position(key._replace(low=key.low ^ 1)) is None
    assert table.position(key._replace(high=key.high ^ 1)) is None


@pytest.mark.parametrize(
    "content",
    [
        written({}, {}),
        written({}, {"serinus-online-table": "2"}),
        written({}, {"serinus-online-table": "1"}),
        written({}, {"serinus-online-table": "1", "table": "[]"}),
        written(
            {"time": Tensor("I64", b"")},
            {"serinus-online-table": "1", "table": '{"entities": [], "features": []}'},
        ),
    ],
)
def test_what_is_no_table_of_this_format_is_refused(content: list[bytes]) -> None:
    with pytest.raises(TensorFileError):
        table_in(memoryview(b"".join(content)))
