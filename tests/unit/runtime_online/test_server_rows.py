"""A row on a server is read as it was written, or not at all."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serinus.api.column_type import ColumnType
from serinus_runtime.online.keys import EntityKey
from serinus_runtime.online.server_rows import (
    Reader,
    Row,
    ServedRows,
    described,
    read_row,
    row_name,
    schema_hash,
    served_rows,
    written_row,
)
from serinus_runtime.online.table import OnlineColumn

USER = (OnlineColumn("user", ColumnType.STRING),)
SPENT = (OnlineColumn("spent", ColumnType.FLOAT64, "EUR"), OnlineColumn("city", ColumnType.STRING))
ROWS = ServedRows("shop", "users", USER, SPENT, 3600.0, "rediss://cache:6379", "PEM", 0.1)
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(exclude_categories=["Cs"])),
)


@given(st.integers(-(2**53), 2**53), st.lists(VALUES, max_size=5))
def test_a_row_comes_back(time: int, values: list[Any]) -> None:
    assert read_row(written_row(time, values), len(values)) == Row(time, values)


@pytest.mark.parametrize(
    "content",
    [None, b"", b"5", b"5 ", b"5 7", b"5 [1]", b"5 [1,2,3]", b"x [1,2]", b" [1,2]", b"5 {}", b"[]"],
)
def test_what_is_no_row_of_these_columns_is_none(content: bytes | None) -> None:
    assert read_row(content, 2) is None


def test_what_is_told_of_rows_comes_back() -> None:
    assert served_rows(described(ROWS)) == ROWS


@pytest.mark.parametrize("told", [None, {}, [], {**described(ROWS), "features": [{"name": "x"}]}])
def test_what_isn_t_told_of_rows_is_refused(told: Any) -> None:
    with pytest.raises(ValueError):
        served_rows(told)


def test_a_name_has_the_owner_the_schema_and_the_entity() -> None:
    name = row_name(ROWS.prefix.encode(), EntityKey(1, 2**64 - 1))

    schema = schema_hash(USER, SPENT)
    assert name.decode() == f"serinus:shop:users:{schema}:{1:016x}{'f' * 16}"


@pytest.mark.parametrize(
    ("entities", "features"),
    [
        (USER, SPENT[::-1]),
        (USER, SPENT[:1]),
        (USER, (OnlineColumn("spent", ColumnType.FLOAT64, "USD"), SPENT[1])),
        (USER, (OnlineColumn("spent", ColumnType.FLOAT32, "EUR"), SPENT[1])),
        ((OnlineColumn("user", ColumnType.INT64),), SPENT),
        ((OnlineColumn("id", ColumnType.STRING),), SPENT),
        ((*USER, *USER), SPENT),
    ],
)
def test_whatever_says_how_a_row_is_read_is_in_the_hash(
    entities: tuple[OnlineColumn, ...], features: tuple[OnlineColumn, ...]
) -> None:
    assert schema_hash(entities, features) != schema_hash(USER, SPENT)


def test_a_password_is_never_shown() -> None:
    assert "hunter2" not in repr(Reader("ada", "hunter2"))
