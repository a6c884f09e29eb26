"""Absence that tells the label."""

import polars as pl

from serinus_runtime.training.missingness import missingness_warnings

LATE = [True] * 30 + [False] * 70


def warned(missing: list[bool], late: list[bool] = LATE * 10) -> list[str]:
    values = [None if gone else 1.0 for gone in missing]
    return missingness_warnings(pl.DataFrame({"x": values, "late": late}), ["x"], "late")


def test_a_value_that_only_late_flights_lack_is_warned_of() -> None:
    missing = ([True] * 10 + [False] * 90) * 10

    told = (
        "MissingnessLeak: `x` is missing in 100 training rows; 100 % of them are `true`, of the "
        "others 22.2 %. Check that it isn't filled in after the outcome"
    )
    assert warned(missing) == [told]


def test_absence_by_chance_is_not() -> None:
    assert warned([number % 3 == 0 for number in range(1000)]) == []


def test_few_rows_prove_nothing() -> None:
    assert warned([True] * 20 + [False] * 80, LATE) == []


def test_a_complete_or_empty_column_is_not() -> None:
    assert warned([False] * 1000) == []
    assert warned([True] * 1000) == []
