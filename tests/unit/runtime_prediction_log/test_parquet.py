"""Files as other implementations read them."""

import io
from typing import Any

import numpy as np
import pyarrow.parquet
import pytest

from serinus_runtime.prediction_log.parquet import (
    Column,
    Stored,
    Texts,
    Values,
    parquet_file,
    words_of,
)
from tests.support.parquet_readers import by_duckdb, by_polars, by_pyarrow

NOTES = {"serinus.model": "délai"}
READERS = [by_pyarrow, by_polars, by_duckdb]
N = 1000
EVEN = np.arange(N) % 2 == 0


def optional(values: list[Any]) -> list[Any]:
    return [value if there else None for value, there in zip(values, EVEN.tolist(), strict=True)]


TABLE: list[tuple[Column, list[Any]]] = [
    (Values("whole", Stored.INT32, np.arange(N)), list(range(N))),
    (
        Values("large", Stored.INT64, np.arange(N) << 40, EVEN),
        optional([n << 40 for n in range(N)]),
    ),
    (Values("share", Stored.DOUBLE, np.arange(N) / 7), [n / 7 for n in range(N)]),
    (Values("half", Stored.FLOAT, np.arange(N) / 2, EVEN), optional([n / 2 for n in range(N)])),
    (Values("few whole", Stored.INT32, np.arange(N) % 7), [n % 7 for n in range(N)]),
    (
        Values("few large", Stored.INT64, -(np.arange(N) % 3) << 40, EVEN),
        optional([-(n % 3) << 40 for n in range(N)]),
    ),
    (
        Values("few shares", Stored.DOUBLE, np.arange(N) % 100 / 7, EVEN),
        optional([n % 100 / 7 for n in range(N)]),
    ),
    (Values("few halves", Stored.FLOAT, np.arange(N) % 5 / 2), [n % 5 / 2 for n in range(N)]),
    (Values("the same", Stored.DOUBLE, np.full(N, -0.0)), [-0.0] * N),
    (Values("yes", Stored.BOOLEAN, EVEN), EVEN.tolist()),
    (Values("maybe", Stored.BOOLEAN, ~EVEN, EVEN), optional([False] * N)),
    (Values("never", Stored.DOUBLE, np.zeros(N), np.zeros(N, dtype=np.bool_)), [None] * N),
    (Texts("one", words_of(["a"]), np.zeros(N, dtype=np.intp)), ["a"] * N),
    (
        Texts("words", words_of(["", "née", "z" * 300]), np.arange(N) % 3, EVEN),
        optional(["" if n % 3 == 0 else "née" if n % 3 == 1 else "z" * 300 for n in range(N)]),
    ),
    (
        Texts("names", words_of([f"n{n}" for n in range(N)]), np.arange(N)),
        [f"n{n}" for n in range(N)],
    ),
    (
        Texts("nothing", words_of([]), np.zeros(N, dtype=np.intp), np.zeros(N, dtype=np.bool_)),
        [None] * N,
    ),
]


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize("rows", [1, 7, 8, N])
def test_each_value_is_read_as_it_was_written(read: Any, rows: int) -> None:
    content = parquet_file([first(column, rows) for column, _ in TABLE], NOTES)

    assert read(content) == {column.name: values[:rows] for column, values in TABLE}


def first(column: Column, rows: int) -> Column:
    present = None if column.present is None else column.present[:rows]
    if isinstance(column, Texts):
        return Texts(column.name, column.words, column.codes[:rows], present)
    return Values(column.name, column.stored, column.values[:rows], present)


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize("mean", [1, 3, 40])
def test_what_some_rows_have_in_turn_is_read_in_each(read: Any, mean: int) -> None:
    rows_each = np.arange(N, dtype=np.int32) % (2 * mean - 1) + 1
    text = Texts("text", words_of([f"n{n}" for n in range(N)]), np.arange(N), rows_each=rows_each)
    few = Values("few", Stored.INT64, np.arange(N) % 5, rows_each=rows_each)
    many = Values("many", Stored.DOUBLE, np.arange(N) / 7, rows_each=rows_each)
    yes = Values("yes", Stored.BOOLEAN, EVEN, rows_each=rows_each)

    found = read(parquet_file([text, few, many, yes], NOTES))

    of_row = np.repeat(np.arange(N), rows_each)
    assert found["text"] == [f"n{n}" for n in of_row]
    assert found["few"] == (of_row % 5).tolist()
    assert found["many"] == (of_row / 7).tolist()
    assert found["yes"] == EVEN[of_row].tolist()


def test_what_many_rows_have_in_turn_takes_no_room_for_each() -> None:
    rows_each, values = np.full(1000, 500, dtype=np.int32), np.arange(1000)

    assert len(parquet_file([Values("x", Stored.INT32, values, rows_each=rows_each)], NOTES)) < 6000


def test_times_are_moments_in_utc() -> None:
    at = Values("at", Stored.MILLISECONDS, np.array([1_796_000_000_123]))

    table = pyarrow.parquet.read_table(io.BytesIO(parquet_file([at], NOTES)))

    assert str(table.schema.field("at").type) == "timestamp[ms, tz=UTC]"
    assert table.to_pylist()[0]["at"].isoformat() == "2026-11-30T00:53:20.123000+00:00"


def test_types_and_notes_are_what_the_schema_says() -> None:
    content = parquet_file([column for column, _ in TABLE], NOTES)

    file = pyarrow.parquet.ParquetFile(io.BytesIO(content))

    fields = {field.name: (str(field.type), field.nullable) for field in file.schema_arrow}
    assert fields["whole"] == ("int32", False)
    assert fields["large"] == ("int64", True)
    assert fields["half"] == ("float", True)
    assert fields["words"] == ("string", True)
    assert file.metadata.metadata[b"serinus.model"].decode() == "délai"
    assert file.metadata.num_rows == N


def test_what_repeats_takes_little_room() -> None:
    constant = Texts("form", words_of(["predict"]), np.zeros(100_000, dtype=np.intp))
    few = Values("x", Stored.DOUBLE, np.arange(100_000) % 2 / 7)

    assert len(parquet_file([constant], NOTES)) < 500
    assert len(parquet_file([few], NOTES)) < 1000


@pytest.mark.parametrize("read", READERS)
def test_what_can_t_become_smaller_is_read_as_it_was_written(read: Any) -> None:
    values = np.random.default_rng(1).random(10_000)

    content = parquet_file([Values("x", Stored.DOUBLE, values)], NOTES)

    assert read(content) == {"x": values.tolist()}
    assert len(content) < values.nbytes + 1000
