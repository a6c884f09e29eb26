"""The sources as they were known at a moment."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import duckdb
import pytest

from serinus_runtime.features.pasts import (
    KnownAt,
    KnownTimes,
    Past,
    Unknown,
    known_times,
    pasts,
    view_of,
)
from serinus_runtime.user_error import TransformError

START = datetime(2024, 1, 1, tzinfo=UTC)
NOON = START + timedelta(hours=12)
LANDED = KnownTimes((KnownAt("landed_at", ("delay", "landed_at")),))
LOADED = KnownTimes((KnownAt("loaded_at", ("delay",)),), row_known_at="loaded_at")


@pytest.fixture
def database() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as database:
        database.execute("SET TimeZone = 'UTC'")
        yield database


def shown(
    database: duckdb.DuckDBPyConnection, column: str, known: KnownTimes, unknown: Unknown
) -> list[tuple[object, ...]]:
    """Flight and delay of flights known in the morning, in the evening and without a time."""
    database.execute(
        "CREATE TABLE flights AS SELECT * FROM (VALUES "
        "(1, 10, '2024-01-01 10:00Z'), (2, 20, '2024-01-01 20:00Z'), (3, 30, NULL)) "
        f"AS t(flight, delay, {column})"
    )
    view = view_of("flights", known, Past(NOON, unknown))
    return database.execute(f"SELECT flight, delay FROM ({view}) ORDER BY flight").fetchall()


@pytest.mark.parametrize(
    ("column", "known", "unknown", "rows"),
    [
        ("landed_at", LANDED, Unknown.NULLED, [(1, 10), (2, None), (3, 30)]),
        ("landed_at", LANDED, Unknown.LEFT_OUT, [(1, 10), (2, None), (3, 30)]),
        ("loaded_at", LOADED, Unknown.NULLED, [(1, 10), (2, None), (3, 30)]),
        ("loaded_at", LOADED, Unknown.LEFT_OUT, [(1, 10), (3, 30)]),
        ("seen_at", KnownTimes(), Unknown.LEFT_OUT, [(1, 10), (2, 20), (3, 30)]),
    ],
)
def test_a_past_shows_what_was_known(
    database: duckdb.DuckDBPyConnection,
    column: str,
    known: KnownTimes,
    unknown: Unknown,
    rows: list[tuple[object, ...]],
) -> None:
    assert shown(database, column, known, unknown) == rows


def test_columns_with_one_known_time_are_nulled_together_with_it() -> None:
    known_at = {"delay": "landed_at", "gate": "landed_at", "fuel": "left_at"}

    known = known_times(["x"], known_at=known_at, created_field=None, kept=[])

    assert known.values == (
        KnownAt("landed_at", ("delay", "gate", "landed_at")),
        KnownAt("left_at", ("fuel", "left_at")),
    )
    assert known.row_known_at is None


def test_a_late_row_loses_all_but_its_keys() -> None:
    known = known_times(
        ["id", "at", "loaded_at", "delay", "value"],
        known_at={"delay": "at"},
        created_field="loaded_at",
        kept=["id", "at"],
    )

    assert known.values[-1] == KnownAt("loaded_at", ("value",))
    assert known.row_known_at == "loaded_at"


def hourly(database: duckdb.DuckDBPyConnection, *, extra: str = "") -> None:
    database.execute(
        f"CREATE TABLE t AS SELECT TIMESTAMPTZ '{START}' + to_hours(i) AS at "
        f"FROM range(101) AS r(i) {extra}"
    )


def test_cutoffs_are_quartiles_of_known_times(database: duckdb.DuckDBPyConnection) -> None:
    hourly(database)

    tried = pasts(database, {"t": KnownTimes((KnownAt("at", ("x",)),))})

    assert tried == tuple(
        Past(START + timedelta(hours=hours), Unknown.NULLED) for hours in (25, 50, 75)
    )
    assert pasts(database, {"t": KnownTimes()}) == ()


def test_where_rows_have_known_times_they_are_left_out_as_well(
    database: duckdb.DuckDBPyConnection,
) -> None:
    hourly(database)

    tried = pasts(database, {"t": KnownTimes((KnownAt("at", ("x",)),), row_known_at="at")})

    assert [past.unknown for past in tried] == [Unknown.NULLED] * 3 + [Unknown.LEFT_OUT] * 3
    assert tried[0].cutoff == tried[3].cutoff


def test_times_outside_of_the_calendar_are_no_cutoffs(
    database: duckdb.DuckDBPyConnection,
) -> None:
    hourly(database, extra="UNION ALL SELECT 'infinity' FROM range(900)")

    tried = pasts(database, {"t": KnownTimes((KnownAt("at", ("x",)),))})

    assert [past.cutoff - START for past in tried] == [timedelta(hours=h) for h in (25, 50, 75)]


def test_a_known_time_that_is_none_is_named_without_its_value(
    database: duckdb.DuckDBPyConnection,
) -> None:
    database.execute("CREATE TABLE t AS SELECT 'geheim' AS at")

    with pytest.raises(TransformError, match="source `t`: column `at`, which says when") as error:
        pasts(database, {"t": KnownTimes((KnownAt("at", ("x",)),))})

    assert "geheim" not in str(error.value)
