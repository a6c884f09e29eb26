"""Three implementations of Parquet that aren't ours: a file's columns by name."""

import io
import tempfile
from typing import Any

import duckdb
import polars as pl
import pyarrow.parquet

Table = dict[str, list[Any]]


def by_pyarrow(content: bytes) -> Table:
    table: Table = pyarrow.parquet.read_table(io.BytesIO(content)).to_pydict()
    return table


def by_polars(content: bytes) -> Table:
    return pl.read_parquet(io.BytesIO(content)).to_dict(as_series=False)


def by_duckdb(content: bytes) -> Table:
    with tempfile.NamedTemporaryFile(suffix=".parquet") as file:
        file.write(content)
        file.flush()
        relation = duckdb.connect().read_parquet(file.name)
        rows = relation.fetchall()
        return {name: [row[at] for row in rows] for at, name in enumerate(relation.columns)}
