"""The user's SQL reads its sources and nothing else."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from serinus_runtime.features.engine import Engine, KnownAt, check_statement
from serinus_runtime.user_error import TransformError


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = Engine(str(tmp_path))
    engine.connection.execute(
        "CREATE TABLE flights AS SELECT * FROM (VALUES "
        "(1, 10, TIMESTAMPTZ '2024-01-01 10:00Z'), (2, 20, TIMESTAMPTZ '2024-01-02 10:00Z'), "
        "(3, 30, NULL)) AS t(flight, delay, landed_at)"
    )
    yield engine
    engine.close()


def run(engine: Engine, sql: str) -> pl.DataFrame:
    check_statement(sql)
    session = engine.session()
    engine.lock()
    return engine.run(session, sql)


HOSTILE = [
    "SELECT * FROM read_text('/etc/passwd')",
    "SELECT * FROM read_blob('/proc/self/environ')",
    "SELECT * FROM read_csv('../../secret.csv')",
    "SELECT * FROM '/etc/passwd'",
    "SELECT * FROM '../flights.csv'",
    "SELECT * FROM glob('/etc/*')",
    "SELECT * FROM sniff_csv('/etc/passwd')",
    "SELECT * FROM read_parquet('http://127.0.0.1:1/x.parquet')",
    "SELECT getenv('HOME')",
    "SELECT * FROM duckdb_secrets()",
    "SELECT * FROM enable_logging(storage='file', storage_path='/tmp/stolen')",
    "SELECT * FROM parquet_metadata('/etc/passwd')",
    "SELECT * FROM query('COPY flights TO ''/tmp/stolen.csv''')",
    "COPY flights TO '/tmp/stolen.csv'",
    "ATTACH '/tmp/other.db'",
    "INSTALL httpfs",
    "LOAD httpfs",
    "EXPORT DATABASE '/tmp/stolen'",
    "IMPORT DATABASE '/tmp/stolen'",
    "SET enable_external_access = true",
    "SET threads = 64",
    "RESET lock_configuration",
    "PRAGMA database_list",
    "CREATE TABLE more AS SELECT 1",
    "DROP TABLE flights",
    "SELECT 1; COPY flights TO '/tmp/stolen.csv'",
    "SELECT * FROM engine",
    "SELECT * FROM KEY",
    "",
]


@pytest.mark.parametrize("sql", HOSTILE)
def test_sql_that_reaches_out_is_refused(engine: Engine, sql: str) -> None:
    with pytest.raises(TransformError, match=r"^transform\.sql: "):
        run(engine, sql)


HARMLESS_IN_MEMORY = ("CREATE", "DROP", "PRAGMA", "SELECT 1;")


@pytest.mark.parametrize(
    "sql", [sql for sql in HOSTILE if sql and not sql.startswith(HARMLESS_IN_MEMORY)]
)
def test_the_lock_alone_keeps_files_network_and_settings_out(engine: Engine, sql: str) -> None:
    session = engine.session()
    engine.lock()

    with pytest.raises(TransformError):
        engine.run(session, sql)


@pytest.mark.parametrize("table", ["main.flights", "memory.main.flights", "past_0.flights"])
def test_a_schema_in_front_of_a_source_is_refused(table: str) -> None:
    with pytest.raises(TransformError, match="without a schema"):
        check_statement(f"SELECT * FROM {table}")


def test_nothing_runs_before_the_lock(engine: Engine) -> None:
    with pytest.raises(RuntimeError):
        engine.run(engine.session(), "SELECT 1")


def test_no_session_is_opened_after_the_lock(engine: Engine) -> None:
    engine.lock()

    with pytest.raises(RuntimeError):
        engine.session()


def test_an_error_tells_no_value(engine: Engine) -> None:
    with pytest.raises(TransformError) as error:
        run(engine, "SELECT CAST('4111-1111-1111-1111' AS INTEGER) FROM flights")

    assert "4111" not in str(error.value)
    assert "convert" in str(error.value)


def test_an_unknown_column_is_named(engine: Engine) -> None:
    with pytest.raises(TransformError, match="dalay"):
        run(engine, "SELECT dalay FROM flights")


def test_times_are_in_utc(engine: Engine) -> None:
    frame = run(engine, "SELECT landed_at, strftime(landed_at, '%H') AS hour FROM flights")

    assert frame["hour"][0] == "10"
    assert str(frame["landed_at"].dtype.time_zone) == "UTC"  # type: ignore[attr-defined]


def test_the_past_shows_later_values_as_null(engine: Engine) -> None:
    rules = {"flights": [KnownAt("landed_at", ("delay", "landed_at"))]}
    engine.add_past("past_0", datetime(2024, 1, 1, 12, tzinfo=UTC), rules)
    session = engine.session("past_0")
    engine.lock()

    past = engine.run(session, "SELECT flight, delay FROM flights ORDER BY flight")

    assert past.rows() == [(1, 10), (2, None), (3, 30)]


def test_several_statements_are_refused_with_their_kinds() -> None:
    with pytest.raises(TransformError, match="expected one SELECT, got SELECT, COPY"):
        check_statement("SELECT 1; COPY x TO 'y'")
