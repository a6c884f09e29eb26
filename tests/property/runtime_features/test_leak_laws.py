"""Laws of the leak check's comparison."""

from datetime import UTC, datetime, timedelta

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from serinus_runtime.features.leak_check import (
    Comparison,
    first_leak,
    first_leak_of_known_rows,
)

NOON = datetime(2024, 1, 1, 12, tzinfo=UTC)
COMPARED = Comparison("at", keys=("at", "flight"), features=("mean",))

numbers = st.integers(-(10**9), 10**9).map(lambda number: number / 1024)
columns = st.lists(st.none() | numbers, min_size=1, max_size=20)
powers = st.integers(-200, 200)


def asked(values: list[float | None]) -> pl.DataFrame:
    times = [NOON - timedelta(minutes=len(values) - minute) for minute in range(len(values))]
    return pl.DataFrame(
        {
            "at": times,
            "flight": range(len(values)),
            "mean": pl.Series(values, dtype=pl.Float64),
        }
    )


def scaled(values: list[float | None], power: int) -> list[float | None]:
    """The same in another unit; a power of two changes no digit."""
    return [None if value is None else value * 2.0**power for value in values]


@given(columns, st.data(), powers)
def test_whether_it_leaks_does_not_depend_on_the_unit(
    values: list[float | None], data: st.DataObject, power: int
) -> None:
    others = data.draw(st.lists(st.none() | numbers, min_size=len(values), max_size=len(values)))

    told = first_leak(asked(values), asked(others), COMPARED, NOON)
    in_another_unit = first_leak(
        asked(scaled(values, power)), asked(scaled(others, power)), COMPARED, NOON
    )

    assert told == in_another_unit


@given(columns, st.data())
def test_rows_that_were_left_out_are_never_a_leak(
    values: list[float | None], data: st.DataObject
) -> None:
    full = asked(values)
    known = data.draw(st.lists(st.booleans(), min_size=len(values), max_size=len(values)))

    assert first_leak_of_known_rows(full, full.filter(pl.Series(known)), COMPARED, NOON) is None


@given(columns)
def test_a_past_that_is_the_present_is_no_leak(values: list[float | None]) -> None:
    full = asked(values)

    assert first_leak(full, full, COMPARED, NOON) is None
    assert first_leak_of_known_rows(full, full, COMPARED, NOON) is None
