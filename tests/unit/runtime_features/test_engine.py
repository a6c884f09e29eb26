"""The barriers behind the fence: what holds although nobody has looked at the SQL."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from serinus.api.column_type import ColumnType
from serinus_runtime.features.columns import Column
from serinus_runtime.features.engine import Engine
from serinus_runtime.user_error import ColumnError, TransformError
from tests.support.user_sql import HOSTILE, LockedEngine

X = (Column("x", ColumnType.STRING, "feature"),)
DELAY = (Column("delay", ColumnType.INT64, "feature"),)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = Engine(tmp_path, memory_bytes=64 << 20)
    engine.connection.execute("CREATE TABLE flights AS SELECT 10 AS delay")
    engine.show("present", {"flights": f"FROM {engine.table('flights')}"})
    yield engine
    engine.close()


@pytest.mark.parametrize("sql", [*HOSTILE["files"], *HOSTILE["replacement scans"]])
def test_the_lock_alone_keeps_files_and_network_out(locked: LockedEngine, sql: str) -> None:
    with pytest.raises(TransformError):
        locked.run(sql, X)


HARMLESS_IN_MEMORY = ("CREATE TEMP", "SELECT write_log")


@pytest.mark.parametrize(
    "sql", [sql for sql in HOSTILE["writing"] if not sql.startswith(HARMLESS_IN_MEMORY)]
)
def test_lock_views_and_transaction_alone_refuse_to_write(locked: LockedEngine, sql: str) -> None:
    with pytest.raises(TransformError):
        locked.run(sql, X)


@pytest.mark.parametrize("setting", ["enable_external_access = true", "threads = 64"])
def test_no_setting_changes_after_the_lock(locked: LockedEngine, setting: str) -> None:
    with pytest.raises(TransformError):
        locked.run(f"SET {setting}", X)


@pytest.mark.parametrize("schema", ["main", "memory.main", "temp", "sources"])
def test_a_source_has_no_other_name(locked: LockedEngine, schema: str) -> None:
    with pytest.raises(TransformError, match="Catalog Error"):
        locked.run(f"SELECT delay FROM {schema}.flights", DELAY)


def test_who_knows_the_name_of_a_table_can_not_change_it(engine: Engine) -> None:
    session = engine.session("present")
    engine.lock()
    table = engine.table("flights")

    with pytest.raises(TransformError):
        engine.run(session, f"WITH u AS (UPDATE {table} SET delay = 0 RETURNING *) FROM u", DELAY)
    frame = engine.run(session, "SELECT delay FROM flights", DELAY)

    assert frame["delay"].to_list() == [10]


def test_nothing_runs_before_the_lock(engine: Engine) -> None:
    with pytest.raises(RuntimeError):
        engine.run(engine.session("present"), "SELECT 1 AS x", X)


def test_no_session_is_opened_after_the_lock(engine: Engine) -> None:
    engine.lock()

    with pytest.raises(RuntimeError):
        engine.session("present")


def test_only_the_asked_columns_are_fetched(locked: LockedEngine) -> None:
    sql = "SELECT 'a' AS x, INTERVAL 1 DAY AS length, [INTERVAL 1 DAY] AS lengths -- the end"

    assert locked.run(sql, X).columns == ["x"]


@pytest.mark.parametrize(
    "value",
    [
        "INTERVAL 1 DAY",
        "[INTERVAL 1 DAY]",
        "1::UNION(number INT, word TEXT)",
        "'12:00+01'::TIMETZ",
        "'a'::BLOB",
        "MAP {'a': 1}",
    ],
)
def test_a_column_that_can_not_be_read_is_named_before_the_query_runs(
    locked: LockedEngine, value: str
) -> None:
    with pytest.raises(ColumnError, match=r"feature `x`: expected string, the transform gives \w+"):
        locked.run(f"SELECT {value} AS x", X)


def test_an_error_tells_the_place_and_no_value(locked: LockedEngine) -> None:
    with pytest.raises(TransformError) as error:
        locked.run("SELECT CAST(carrier || '4111' AS INTEGER) AS x FROM flights", X)

    assert str(error.value) == (
        "transform.sql: a value can't be converted, at `CAST(carrier || '4111' AS INTEGER)`"
    )


def test_an_unknown_column_is_named_with_those_that_are_near(locked: LockedEngine) -> None:
    with pytest.raises(TransformError, match=r'"dalay" not found.*Candidate bindings: .*"delay"'):
        locked.run("SELECT dalay AS x FROM flights", X)


def test_times_are_in_utc(locked: LockedEngine) -> None:
    columns = (
        Column("landed_at", ColumnType.TIMESTAMP, "feature"),
        Column("hour", ColumnType.STRING, "feature"),
    )

    frame = locked.run("SELECT landed_at, strftime(landed_at, '%H') AS hour FROM flights", columns)

    assert frame["hour"][0] == "10"
    assert str(frame["landed_at"].dtype.time_zone) == "UTC"  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("spill_bytes", "told"),
    [(1 << 20, r"resources\.limits\.ephemeral-storage"), (0, r"resources\.limits\.[\w-]+")],
)
def test_a_query_that_is_too_large_is_told_what_to_raise(
    engine: Engine, spill_bytes: int, told: str
) -> None:
    session = engine.session("present")
    engine.limit_spill(spill_bytes)
    engine.lock()
    sql = "SELECT md5(range::TEXT) AS x FROM range(3000000) ORDER BY x"

    with pytest.raises(TransformError, match=f"needs more .* than the run may use. Raise `{told}`"):
        engine.run(session, f"SELECT x FROM ({sql}) LIMIT 2000000", X)


@pytest.mark.slow
def test_what_does_not_fit_into_memory_is_counted(engine: Engine) -> None:
    engine.limit_spill(1 << 30)
    none = engine.spilled_bytes()
    engine.connection.execute(
        "CREATE TABLE large AS SELECT md5(range::TEXT) AS x FROM range(3000000)"
    )

    assert none == 0
    assert engine.spilled_bytes() > 1 << 20
