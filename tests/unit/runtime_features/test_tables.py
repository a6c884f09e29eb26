"""Files of each format to a table, and what is said of those that can't be read."""

from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest

from serinus.api.featureset import FileSource
from serinus_runtime.features.source_files import LocalFile
from serinus_runtime.features.tables import load_table
from serinus_runtime.user_error import SourceError


def loaded(tmp_path: Path, source: dict[str, Any], *contents: bytes | str) -> list[tuple[Any, ...]]:
    """Column names and types, then the rows, of files with these contents."""
    files = []
    for number, content in enumerate(contents):
        path = tmp_path / f"{number}"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        files.append(LocalFile(f"file:///data/{number}", path))
    spec = FileSource.model_validate({"uris": ["file:///x"], **source})
    with duckdb.connect() as connection:
        load_table(connection, "flights", spec, files)
        described = connection.execute("DESCRIBE flights").fetchall()
        rows = connection.execute("SELECT * FROM flights").fetchall()
    return [tuple(f"{row[0]}:{row[1]}" for row in described), *rows]


def parquet(**columns: list[Any]) -> bytes:
    import io

    buffer = io.BytesIO()
    pl.DataFrame(columns).write_parquet(buffer)
    return buffer.getvalue()


def test_null_words_of_a_csv_are_null_even_late_in_the_file(tmp_path: Path) -> None:
    content = "delay\n" + "1\n" * 50_000 + "NA\n"
    source = {"format": "csv", "csv": {"nullValues": ["NA"]}}

    header, *rows = loaded(tmp_path, source, content)

    assert header == ("delay:BIGINT",)
    assert rows[-1] == (None,)


def test_an_undeclared_null_word_makes_a_text_column(tmp_path: Path) -> None:
    header, *_ = loaded(tmp_path, {"format": "csv"}, "delay\n1\nNA\n")

    assert header == ("delay:VARCHAR",)


def test_delimiter_and_missing_header_are_as_declared(tmp_path: Path) -> None:
    source = {"format": "csv", "csv": {"delimiter": ";", "header": False}}

    assert loaded(tmp_path, source, "1;a\n2;b\n")[1:] == [(1, "a"), (2, "b")]


def test_files_of_one_source_are_joined_by_column_name(tmp_path: Path) -> None:
    assert loaded(tmp_path, {"format": "csv"}, "a,b\n1,2\n", "b,a\n4,3\n")[1:] == [(1, 2), (3, 4)]


def test_json_and_parquet_are_read(tmp_path: Path) -> None:
    assert loaded(tmp_path, {"format": "json"}, '{"a": 1}\n{"a": null}\n')[1:] == [(1,), (None,)]
    assert loaded(tmp_path, {"format": "parquet"}, parquet(a=[1, None]))[1:] == [(1,), (None,)]


@pytest.mark.parametrize(
    ("source", "contents", "told"),
    [
        ({"format": "csv"}, ["a,b\n"], "source `flights`: file:///data/0 holds no row. Write it"),
        (
            {"format": "parquet"},
            ["no parquet"],
            "source `flights`: file:///data/0 can't be read as parquet",
        ),
        (
            {"format": "parquet"},
            [parquet(a=[1]), parquet(a=[1])[:-9]],
            "source `flights`: file:///data/1 can't be read as parquet",
        ),
        ({"format": "json"}, ["{"], "source `flights`: file:///data/0 can't be read as json"),
        ({"format": "parquet"}, [parquet(a=[])], "holds no row"),
    ],
    ids=["csv without rows", "no parquet", "cut parquet", "broken json", "parquet without rows"],
)
def test_what_cant_be_read_is_named_by_its_address(
    tmp_path: Path, source: dict[str, Any], contents: list[bytes | str], told: str
) -> None:
    with pytest.raises(SourceError, match=told) as error:
        loaded(tmp_path, source, *contents)

    assert str(tmp_path) not in str(error.value)
