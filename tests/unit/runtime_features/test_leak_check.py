"""What counts as a look into the future."""

from datetime import UTC, datetime, timedelta

import duckdb
import polars as pl
import pytest

from serinus_runtime.features.engine import KnownAt
from serinus_runtime.features.leak_check import Leak, cutoffs, first_leak, rules_of_source

NOON = datetime(2024, 1, 1, 12, tzinfo=UTC)


def asked(*hours: int, **columns: list[object]) -> pl.DataFrame:
    times = [NOON + timedelta(hours=hour) for hour in hours]
    return pl.DataFrame({"at": times, **columns})


def compared(full: pl.DataFrame, past: pl.DataFrame) -> Leak | None:
    return first_leak(full, past, asked_at="at", keys=[], features=["mean"], cutoff=NOON)


def test_a_row_asked_before_the_cutoff_that_changes_is_a_leak() -> None:
    full = asked(-3, -2, -1, mean=[1.0, 2.0, 3.0])
    past = asked(-3, -2, -1, mean=[1.0, 2.5, None])

    leak = compared(full, past)

    assert leak == Leak("mean", row=1, rows=2, asked_at=full["at"][1], cutoff=NOON)
    assert leak.message.startswith("feature `mean`: row 1, asked at 2024-01-01T10:00:00Z, changes")


def test_rows_asked_at_the_cutoff_or_later_may_change() -> None:
    assert (
        compared(asked(-1, 0, 1, mean=[1.0, 2.0, 3.0]), asked(-1, 0, 1, mean=[1.0, 9.0, None]))
        is None
    )


def test_the_rounding_of_a_sum_is_no_leak() -> None:
    assert compared(asked(-1, mean=[0.1 + 0.2]), asked(-1, mean=[0.3])) is None
    assert compared(asked(-1, mean=[None]), asked(-1, mean=[None])) is None


@pytest.mark.parametrize(
    ("full", "past", "row"),
    [
        (asked(-2, -1, mean=[1.0, 2.0]), asked(-2, mean=[1.0]), 1),
        (asked(-2, mean=[1.0]), asked(-2, -1, mean=[1.0, 2.0]), 1),
    ],
)
def test_a_row_that_exists_by_what_came_later_is_a_leak(
    full: pl.DataFrame, past: pl.DataFrame, row: int
) -> None:
    leak = compared(full, past)

    assert leak is not None
    assert (leak.column, leak.row, leak.rows) == ("(row)", row, 1)


def test_columns_with_one_known_time_are_nulled_together_with_it() -> None:
    known_at = {"delay": "landed_at", "gate": "landed_at", "fuel": "left_at"}

    rules = rules_of_source(["x"], known_at=known_at, created_field=None, kept=[])

    assert rules == (
        KnownAt("landed_at", ("delay", "gate", "landed_at")),
        KnownAt("left_at", ("fuel", "left_at")),
    )


def test_a_late_row_loses_all_but_its_keys() -> None:
    rules = rules_of_source(
        ["id", "at", "loaded_at", "delay", "value"],
        known_at={"delay": "at"},
        created_field="loaded_at",
        kept=["id", "at"],
    )

    assert rules[-1] == KnownAt("loaded_at", ("value",))


def test_cutoffs_are_quartiles_of_known_times() -> None:
    with duckdb.connect() as connection:
        connection.execute(
            "CREATE TABLE t AS SELECT TIMESTAMPTZ '2024-01-01 00:00Z' + to_hours(i) AS at "
            "FROM range(101) AS r(i)"
        )

        moments = cutoffs(connection, {"t": [KnownAt("at", ("x",))]})
        nothing = cutoffs(connection, {"t": []})

    hours = [
        (moment - datetime(2024, 1, 1, tzinfo=UTC)) // timedelta(hours=1) for moment in moments
    ]
    assert hours == [25, 50, 75]
    assert nothing == ()
