"""Whatever a column holds, another implementation reads it as it was."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serinus_runtime.prediction_log.parquet import (
    Column,
    Stored,
    Texts,
    Values,
    parquet_file,
    words_of,
)
from tests.support.parquet_readers import by_polars, by_pyarrow

pytestmark = pytest.mark.slow

STORED: dict[Stored, st.SearchStrategy[Any]] = {
    Stored.BOOLEAN: st.booleans(),
    Stored.INT32: st.integers(-(2**31), 2**31 - 1),
    Stored.INT64: st.integers(-(2**63), 2**63 - 1),
    Stored.FLOAT: st.floats(width=32, allow_nan=False),
    Stored.DOUBLE: st.floats(allow_nan=False),
}
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


@st.composite
def columns(draw: st.DrawFn, rows: int, name: str) -> tuple[Column, list[Any]]:
    """A column, and what a reader should find in it."""
    present = draw(st.none() | st.lists(st.booleans(), min_size=rows, max_size=rows))
    there = None if present is None else np.array(present, dtype=np.bool_)
    if draw(st.booleans()):
        words = draw(st.lists(TEXT, min_size=1, max_size=300, unique=True))
        codes = draw(st.lists(st.integers(0, len(words) - 1), min_size=rows, max_size=rows))
        values: list[Any] = [words[code] for code in codes]
        column: Column = Texts(name, words_of(words), np.array(codes, dtype=np.intp), there)
    else:
        stored = draw(st.sampled_from(list(STORED)))
        values = draw(st.lists(STORED[stored], min_size=rows, max_size=rows))
        column = Values(name, stored, np.array(values, dtype=stored.dtype), there)
    if present is None:
        return column, values
    return column, [
        value if is_there else None for value, is_there in zip(values, present, strict=True)
    ]


@st.composite
def tables(draw: st.DrawFn) -> list[tuple[Column, list[Any]]]:
    rows = draw(st.integers(1, 40))
    return [draw(columns(rows, f"c{number}")) for number in range(draw(st.integers(1, 4)))]


@given(tables())
def test_what_is_written_is_read(table: list[tuple[Column, list[Any]]]) -> None:
    content = parquet_file([column for column, _ in table], {"a": "b"})

    expected = {column.name: values for column, values in table}
    assert by_pyarrow(content) == expected
    assert by_polars(content) == expected


@given(st.integers(1, 5000), st.integers(1, 3000))
def test_as_many_words_as_there_are(rows: int, words: int) -> None:
    texts = [f"word {number}" for number in range(words)]
    codes = np.arange(rows) * 7 % words

    content = parquet_file([Texts("t", words_of(texts), codes)], {"a": "b"})

    assert by_pyarrow(content)["t"] == [texts[code] for code in codes]


@st.composite
def columns_in_turn(draw: st.DrawFn) -> tuple[Column, list[Any]]:
    """A column in which a value is that of some rows in turn, and what a reader should find."""
    rows_each = draw(st.lists(st.integers(1, draw(st.sampled_from([1, 3, 200]))), min_size=1))
    n = len(rows_each)
    each = np.array(rows_each, dtype=np.int32)
    if draw(st.booleans()):
        words = draw(st.lists(TEXT, min_size=1, max_size=300, unique=True))
        codes = draw(st.lists(st.integers(0, len(words) - 1), min_size=n, max_size=n))
        values: list[Any] = [words[code] for code in codes]
        column: Column = Texts("t", words_of(words), np.array(codes), rows_each=each)
    else:
        stored = draw(st.sampled_from(list(STORED)))
        values = draw(st.lists(STORED[stored], min_size=n, max_size=n))
        column = Values("t", stored, np.array(values, dtype=stored.dtype), rows_each=each)
    return column, [
        value for value, rows in zip(values, rows_each, strict=True) for _ in range(rows)
    ]


@given(columns_in_turn())
def test_a_value_of_several_rows_is_read_in_each(drawn: tuple[Column, list[Any]]) -> None:
    column, values = drawn

    content = parquet_file([column], {"a": "b"})

    assert by_pyarrow(content) == {"t": values}
    assert by_polars(content) == {"t": values}
