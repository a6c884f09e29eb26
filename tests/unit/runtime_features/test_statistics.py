"""Statistics of columns: bounded, and the same whatever the order of the rows."""

from datetime import UTC, datetime

import polars as pl

from serinus_runtime.features.statistics import CATEGORIES_MAX, column_statistics, statistics


def test_numbers_have_ranges_quantiles_and_a_histogram() -> None:
    found = column_statistics(pl.Series([float(n) for n in range(101)] + [None]))

    assert (found["nulls"], found["min"], found["max"], found["mean"]) == (1, 0.0, 100.0, 50.0)
    assert found["quantiles"]["0.5"] == 50.0
    assert found["histogram"]["edges"][:2] == [0.0, 5.0]
    assert found["histogram"]["counts"] == [5] * 19 + [6]


def test_a_constant_has_one_bin() -> None:
    assert column_statistics(pl.Series([2.0, 2.0]))["histogram"] == {
        "edges": [2.0, 2.0],
        "counts": [2],
    }


def test_infinite_values_are_counted_apart() -> None:
    found = column_statistics(pl.Series([1.0, float("inf")]))

    assert (found["infinite"], found["max"]) == (1, 1.0)


def test_categories_are_bounded() -> None:
    values = [f"v{n:03d}" for n in range(150)] + ["v149"]

    found = column_statistics(pl.Series(values))

    assert found["distinct"] == 150
    assert next(iter(found["categories"].items())) == ("v149", 2)
    assert len(found["categories"]) == CATEGORIES_MAX
    assert found["others"] == 50


def test_times_have_a_range_and_empty_columns_only_nulls() -> None:
    moment = datetime(2024, 1, 1, tzinfo=UTC)

    assert column_statistics(pl.Series([moment]))["min"] == "2024-01-01T00:00:00+00:00"
    assert column_statistics(pl.Series([None], dtype=pl.Float64)) == {"type": "Float64", "nulls": 1}


def test_the_order_of_rows_says_nothing() -> None:
    frame = pl.DataFrame({"x": [0.1, 0.7, 0.2] * 50, "y": ["a", "b", "a"] * 50})

    assert statistics(frame, []) == statistics(frame[::-1], [])
