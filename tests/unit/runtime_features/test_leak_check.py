"""What counts as a look into the future."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from serinus_runtime.features.leak_check import (
    Comparison,
    Leak,
    first_leak,
    first_leak_of_known_rows,
)

NOON = datetime(2024, 1, 1, 12, tzinfo=UTC)
MEAN = Comparison("at", keys=("at",), features=("mean",))
FLIGHTS = Comparison("at", keys=("at", "flight"), features=("mean",))


def asked(*hours: int, **columns: list[object]) -> pl.DataFrame:
    times = [NOON + timedelta(hours=hour) for hour in hours]
    return pl.DataFrame({"at": times, **columns})


def numbers(*values: float, dtype: pl.DataType | None = None) -> pl.DataFrame:
    """Values asked a minute after one another, all before noon."""
    times = [NOON - timedelta(minutes=len(values) - minute) for minute in range(len(values))]
    return pl.DataFrame({"at": times, "mean": pl.Series(values, dtype=dtype or pl.Float64())})


def test_a_row_asked_before_the_cutoff_that_changes_is_a_leak() -> None:
    full = asked(-3, -2, -1, mean=[1.0, 2.0, 3.0])
    past = asked(-3, -2, -1, mean=[1.0, 2.5, None])

    leak = first_leak(full, past, MEAN, NOON)

    assert leak == Leak("mean", row=1, rows=2, asked_at=full["at"][1], cutoff=NOON)
    assert leak.message.startswith("feature `mean`: row 1, asked at 2024-01-01T10:00:00Z, changes")


def test_rows_asked_at_the_cutoff_or_later_may_change() -> None:
    full = asked(-1, 0, 1, mean=[1.0, 2.0, 3.0])

    assert first_leak(full, asked(-1, 0, 1, mean=[1.0, 9.0, None]), MEAN, NOON) is None


@pytest.mark.parametrize("unit", [1e-300, 1e-12, 1.0, 1e12])
def test_the_rounding_of_a_sum_is_no_leak_in_any_unit(unit: float) -> None:
    full = numbers((0.1 + 0.2) * unit, 0.5 * unit, 7 * unit)
    past = numbers(0.3 * unit, 0.5 * unit, 7 * unit)

    assert first_leak(full, past, MEAN, NOON) is None


@pytest.mark.parametrize("unit", [1e-300, 1e-12, 1.0, 1e12])
def test_a_change_is_a_leak_in_any_unit(unit: float) -> None:
    full = numbers(1 * unit, 2 * unit, 3 * unit)
    past = numbers(1 * unit, 2.001 * unit, 3 * unit)

    leak = first_leak(full, past, MEAN, NOON)

    assert leak is not None
    assert leak.row == 1


def test_a_change_is_a_leak_beside_values_that_dwarf_it() -> None:
    one_outlier = numbers(1.0, 2.0, 3.0, 1e20)
    high_level = numbers(1e12 + 1, 1e12 + 2, 1e12 + 3)

    assert first_leak(one_outlier, numbers(1.0, 2.1, 3.0, 1e20), MEAN, NOON) is not None
    assert first_leak(high_level, numbers(1e12 + 1, 1e12 + 9, 1e12 + 3), MEAN, NOON) is not None


def test_where_a_sum_cancels_out_its_rounding_is_no_leak() -> None:
    full = numbers(-40.0, 1e-12, 40.0, 20.0)
    past = numbers(-40.0, 0.0, 40.0, 20.0)

    assert first_leak(full, past, MEAN, NOON) is None


def test_the_last_digit_of_a_float32_is_rounding() -> None:
    full = numbers(1.0, 16777216.0, dtype=pl.Float32())

    assert first_leak(full, numbers(1.0, 16777218.0, dtype=pl.Float32()), MEAN, NOON) is None
    assert first_leak(full, numbers(1.0, 16777316.0, dtype=pl.Float32()), MEAN, NOON) is not None


def test_nulls_and_infinities_are_compared_as_they_are() -> None:
    full = asked(-3, -2, -1, mean=[None, float("inf"), 1.0])

    assert first_leak(full, full, MEAN, NOON) is None
    assert first_leak(full, asked(-3, -2, -1, mean=[0.0, 2.0, 1.0]), MEAN, NOON) is not None


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
    leak = first_leak(full, past, MEAN, NOON)

    assert leak is not None
    assert (leak.column, leak.row, leak.rows) == ("(row)", row, 1)


def test_a_row_that_was_not_known_is_not_judged() -> None:
    full = asked(-3, -2, -1, flight=[1, 2, 3], mean=[1.0, 2.0, 3.0])
    past = asked(-3, -1, flight=[1, 3], mean=[1.0, 3.0])

    assert first_leak(full, past, FLIGHTS, NOON) is not None
    assert first_leak_of_known_rows(full, past, FLIGHTS, NOON) is None


def test_a_known_row_that_changes_is_a_leak() -> None:
    full = asked(-3, -2, -1, flight=[1, 2, 3], mean=[1.0, 2.0, 3.0])
    past = asked(-3, -1, flight=[1, 3], mean=[1.0, 3.5])

    leak = first_leak_of_known_rows(full, past, FLIGHTS, NOON)

    assert leak == Leak("mean", row=2, rows=1, asked_at=full["at"][2], cutoff=NOON)


def test_rows_of_one_key_are_compared_if_all_of_them_were_known() -> None:
    full = asked(-3, -3, -2, -2, flight=[1, 1, 2, 2], mean=[1.0, 2.0, 3.0, 4.0])
    one_late = asked(-3, -2, -2, flight=[1, 2, 2], mean=[2.0, 3.0, 4.0])
    changed = asked(-3, -2, -2, flight=[1, 2, 2], mean=[2.0, 3.0, 9.0])

    assert first_leak_of_known_rows(full, one_late, FLIGHTS, NOON) is None
    assert first_leak_of_known_rows(full, changed, FLIGHTS, NOON) is not None


def test_a_row_that_goes_by_what_came_later_is_a_leak_among_known_rows_too() -> None:
    full = asked(-3, flight=[1], mean=[1.0])
    past = asked(-3, -2, flight=[1, None], mean=[1.0, 2.0])

    leak = first_leak_of_known_rows(full, past, FLIGHTS, NOON)

    assert leak is not None
    assert (leak.column, leak.rows, leak.asked_at) == ("(row)", 1, NOON - timedelta(hours=2))
