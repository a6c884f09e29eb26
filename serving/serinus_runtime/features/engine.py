"""DuckDB with the user's SQL inside and nothing else.

Sources are loaded first, by us, into a schema whose name nobody can guess; the user's SQL sees them
through views. Then the database loses access to files, network and extensions, and its
configuration is locked; only then the SELECT runs, in a transaction that can't write. What the
SELECT consists of was looked at before (`sql_fence`): these are barriers behind one another.

A query runs on one thread, because the order in which threads add floats would show in the last
digits, and which of two rows an ASOF join takes would be chance; the same input has to lead to the
same snapshot.
"""

from __future__ import annotations

import secrets
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

import duckdb
import polars as pl
import pyarrow as pa

from serinus_runtime.features.columns import Column, check_columns
from serinus_runtime.features.sql_errors import is_about_disk, told
from serinus_runtime.features.tables import quoted
from serinus_runtime.user_error import ColumnError, TransformError

_LOCKS = {
    "enable_external_access": "false",
    "allow_community_extensions": "false",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "lock_configuration": "true",
}
_DATABASE = "memory"
_UNGUESSABLE_BYTES = 16


class Engine:
    """A database that holds the sources; `lock` it before any SQL of a user runs.

    `spill` is a folder for what doesn't fit into memory and must hold nothing else: DuckDB can read
    and write there whatever is locked.
    """

    def __init__(self, spill: Path, *, memory_bytes: int | None = None) -> None:
        config: dict[str, str | bool | int | float | list[str]] = {
            "threads": 1,
            "temp_directory": str(spill),
            "python_enable_replacements": "false",
        }
        if memory_bytes is not None:
            config["memory_limit"] = f"{memory_bytes}B"
        self._database = duckdb.connect(config=config)
        self._database.execute("SET TimeZone = 'UTC'")
        self._sources = f"sources_{secrets.token_hex(_UNGUESSABLE_BYTES)}"
        self._database.execute(f"CREATE SCHEMA {self._sources}")
        self._database.execute(f"USE {_DATABASE}.{self._sources}")
        self._is_locked = False

    @property
    def connection(self) -> duckdb.DuckDBPyConnection:
        """Where sources are loaded, until `lock`."""
        return self._database

    def limit_spill(self, size_bytes: int) -> None:
        """Let what doesn't fit into memory take so much disk at most."""
        self._database.execute(f"SET max_temp_directory_size = '{max(0, size_bytes)}B'")

    def spilled_bytes(self) -> int:
        """Disk that is taken by what didn't fit into memory."""
        taken = "SELECT coalesce(sum(size), 0) FROM duckdb_temporary_files()"
        row = self._database.execute(taken).fetchone()
        return int(row[0]) if row else 0

    def columns(self, source: str) -> tuple[str, ...]:
        """Names of a source's columns."""
        described = self._database.execute(f"DESCRIBE {self.table(source)}").fetchall()
        return tuple(str(row[0]) for row in described)

    def table(self, source: str) -> str:
        """The table of a source, as a view names it."""
        return f"{_DATABASE}.{self._sources}.{quoted(source)}"

    def show(self, schema: str, views: Mapping[str, str]) -> None:
        """Make a schema with these views; sessions on it see nothing else."""
        self._database.execute(f"CREATE SCHEMA {quoted(schema)}")
        for name, select in views.items():
            self._database.execute(f"CREATE VIEW {quoted(schema)}.{quoted(name)} AS {select}")

    def session(self, schema: str) -> duckdb.DuckDBPyConnection:
        """A connection of its own, for one thread, that sees the views of a schema."""
        if self._is_locked:
            raise RuntimeError("open all sessions before the engine is locked")
        session = self._database.cursor()
        session.execute("SET TimeZone = 'UTC'")
        session.execute(f"USE {_DATABASE}.{quoted(schema)}")
        return session

    def lock(self) -> None:
        """Take away files, network, extensions and settings, for good."""
        for setting, value in _LOCKS.items():
            self._database.execute(f"SET {setting} = {value}")
        self._is_locked = True

    def run(
        self, session: duckdb.DuckDBPyConnection, sql: str, columns: Sequence[Column]
    ) -> pl.DataFrame:
        """These columns of the user's SELECT, times in UTC. Refused before the lock.

        Raises
        ------
        TransformError
            The SELECT can't run.
        ColumnError
            It doesn't give these columns.
        """
        if not self._is_locked:
            raise RuntimeError("the engine isn't locked")
        session.execute("BEGIN TRANSACTION READ ONLY")
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                table = _selected(session, sql, columns)
        except duckdb.OutOfMemoryException as error:
            raise TransformError(_too_large(error)) from None
        except duckdb.Error as error:
            raise TransformError(f"transform.sql: {told(error, sql)}") from None
        finally:
            session.execute("ROLLBACK")
        return _frame(table)

    def close(self) -> None:
        """Free its memory."""
        self._database.close()


def _selected(session: duckdb.DuckDBPyConnection, sql: str, columns: Sequence[Column]) -> pa.Table:
    relation = session.sql(sql)
    found = zip(relation.columns, (str(kind.id) for kind in relation.types), strict=True)
    check_columns(tuple(found), columns)
    names = ", ".join(quoted(column.name) for column in columns)
    return relation.project(names).to_arrow_table()


def _frame(table: pa.Table) -> pl.DataFrame:
    try:
        frame = pl.from_arrow(table)
    except pl.exceptions.PolarsError:
        kinds = ", ".join(f"`{field.name}` {field.type}" for field in table.schema)
        raise ColumnError(f"the transform's columns can't be read: {kinds}") from None
    assert isinstance(frame, pl.DataFrame)
    return frame


def _too_large(error: duckdb.OutOfMemoryException) -> str:
    if is_about_disk(error):
        return (
            "transform.sql: needs more disk than the run may use. Raise "
            "`resources.limits.ephemeral-storage`, or make joins and windows smaller"
        )
    return (
        "transform.sql: needs more memory than the run may use. Raise `resources.limits.memory`, "
        "or make joins and windows smaller"
    )
