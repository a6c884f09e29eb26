"""DuckDB with the user's SQL inside and nothing else: the fence around the transform.

Sources are loaded first, by us. Then the database loses access to files, network and extensions,
and its configuration is locked; only then the user's one SELECT runs. It runs on one thread for
each query, because the order in which threads add floats would show in the last digits, and the
same input has to lead to the same snapshot.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import duckdb
import polars as pl

from serinus_runtime.features.tables import literal, quoted, shortened
from serinus_runtime.user_error import TransformError

_LOCKS = {
    "enable_external_access": "false",
    "allow_community_extensions": "false",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "lock_configuration": "true",
}
_SOURCES = "memory.main"


@dataclass(frozen=True, slots=True)
class KnownAt:
    """Columns of a source whose values became known at the timestamp in column `known_at`."""

    known_at: str
    columns: tuple[str, ...]


class Engine:
    """A database that holds the sources; `lock` it before any SQL of a user runs."""

    def __init__(self, scratch: str) -> None:
        self._database = duckdb.connect(
            config={
                "threads": 1,
                "temp_directory": scratch,
                "python_enable_replacements": "false",
            }
        )
        self._database.execute("SET TimeZone = 'UTC'")
        self._is_locked = False

    @property
    def connection(self) -> duckdb.DuckDBPyConnection:
        """Where sources are loaded, until `lock`."""
        return self._database

    def columns(self, table: str) -> tuple[str, ...]:
        """Names of a source's columns."""
        described = self._database.execute(f"DESCRIBE {_SOURCES}.{quoted(table)}").fetchall()
        return tuple(str(row[0]) for row in described)

    def add_past(
        self, schema: str, cutoff: datetime, sources: Mapping[str, Sequence[KnownAt]]
    ) -> None:
        """Make a schema that shows the sources as they were known at `cutoff`: later values null.

        A value without a known time counts as known. The known time itself is null while later.
        """
        self._database.execute(f"CREATE SCHEMA {quoted(schema)}")
        for table, rules in sources.items():
            source = f"{_SOURCES}.{quoted(table)}"
            past = f"SELECT * {_replacements(rules, cutoff)} FROM {source}"  # noqa: S608
            self._database.execute(f"CREATE VIEW {quoted(schema)}.{quoted(table)} AS {past}")

    def session(self, schema: str = "main") -> duckdb.DuckDBPyConnection:
        """A connection of its own, for one thread, that sees the tables of a schema."""
        if self._is_locked:
            raise RuntimeError("open all sessions before the engine is locked")
        session = self._database.cursor()
        session.execute("SET TimeZone = 'UTC'")
        session.execute(f"USE memory.{quoted(schema)}")
        return session

    def lock(self) -> None:
        """Take away files, network, extensions and settings, for good."""
        for setting, value in _LOCKS.items():
            self._database.execute(f"SET {setting} = {value}")
        self._is_locked = True

    def run(self, session: duckdb.DuckDBPyConnection, sql: str) -> pl.DataFrame:
        """Rows of the user's SELECT; raises `TransformError`.

        Times are in UTC. Refused before the lock.
        """
        if not self._is_locked:
            raise RuntimeError("the engine isn't locked")
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                table = session.sql(sql).to_arrow_table()
        except duckdb.OutOfMemoryException as error:
            raise MemoryError(str(error)) from error
        except duckdb.Error as error:
            raise TransformError(f"transform.sql: {shortened(error)}") from error
        frame = pl.from_arrow(table)
        if not isinstance(frame, pl.DataFrame):
            raise TransformError("transform.sql: gives no columns")
        return frame

    def close(self) -> None:
        """Free its memory."""
        self._database.close()


def check_statement(sql: str) -> None:
    """Raise `TransformError` unless `sql` is one SELECT over plain table names."""
    with duckdb.connect() as parser:
        try:
            statements = parser.extract_statements(sql)
        except duckdb.Error as error:
            raise TransformError(f"transform.sql: {shortened(error)}") from error
        if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
            found = ", ".join(statement.type.name for statement in statements) or "nothing"
            raise TransformError(f"transform.sql: expected one SELECT, got {found}")
        try:
            tables = parser.get_table_names(sql, qualified=True)
        except duckdb.Error:
            return  # what can't be bound here is told better when it runs
    for name in sorted(tables):
        if "." in name and not name.startswith('"'):
            raise TransformError(
                f"transform.sql: reads `{name}`. Name a source alone, without a schema"
            )


def _replacements(rules: Sequence[KnownAt], cutoff: datetime) -> str:
    moment = f"TIMESTAMPTZ {literal(cutoff.isoformat())}"
    replaced = [
        f"CASE WHEN {quoted(rule.known_at)} > {moment} THEN NULL ELSE {quoted(column)} END "
        f"AS {quoted(column)}"
        for rule in rules
        for column in rule.columns
    ]
    return f"REPLACE ({', '.join(replaced)})" if replaced else ""
