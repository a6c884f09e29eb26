"""What a snapshot's columns look like: counts, ranges, quantiles, histograms, categories.

One artefact serves people, validation of the next snapshot and drift. It depends on the rows only,
and is bounded: 20 bins, 100 categories a column.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl

BINS = 20
CATEGORIES_MAX = 100
QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
_SIGNIFICANT_DIGITS = 12


def statistics(frame: pl.DataFrame, broken: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Statistics of all columns as JSON values; `broken` are the promises that rows break."""
    return {
        "rows": frame.height,
        "columns": {name: column_statistics(frame[name]) for name in frame.columns},
        "broken": list(broken),
    }


def column_statistics(series: pl.Series) -> dict[str, Any]:
    """Statistics of one column by what its values are."""
    shared: dict[str, Any] = {"type": str(series.dtype), "nulls": series.null_count()}
    values = series.drop_nulls()
    if not values.len():
        return shared
    if isinstance(values.dtype, pl.Datetime):
        return shared | {"min": _moment(values.min()), "max": _moment(values.max())}
    if values.dtype.is_numeric():
        return shared | _of_numbers(values.cast(pl.Float64))
    return shared | _of_categories(values.cast(pl.String))


def _of_numbers(values: pl.Series) -> dict[str, Any]:
    finite = values.filter(values.is_finite())
    if not finite.len():
        return {"infinite": values.len()}
    low, high = _number(finite.min()), _number(finite.max())
    return {
        "infinite": values.len() - finite.len(),
        "min": low,
        "max": high,
        "mean": _number(finite.mean()),
        "standardDeviation": _number(finite.std() if finite.len() > 1 else 0.0),
        "zeros": int((finite == 0).sum()),
        "quantiles": {
            str(quantile): _number(finite.quantile(quantile, "nearest")) for quantile in QUANTILES
        },
        "histogram": _histogram(finite, low, high),
    }


def _histogram(values: pl.Series, low: float, high: float) -> dict[str, Any]:
    """Counts of `BINS` bins of equal width; the last one holds the maximum."""
    width = (high - low) / BINS
    if not width:
        return {"edges": [low, high], "counts": [values.len()]}
    positions = ((values - low) / width).cast(pl.Int32).clip(0, BINS - 1)
    counted = positions.value_counts()
    counts = dict(zip(counted[positions.name].to_list(), counted["count"].to_list(), strict=True))
    edges = [_number(low + index * width) for index in range(BINS + 1)]
    return {"edges": edges, "counts": [counts.get(index, 0) for index in range(BINS)]}


def _of_categories(values: pl.Series) -> dict[str, Any]:
    counted = (
        values.alias("value")
        .value_counts(name="count")
        .sort(["count", "value"], descending=[True, False])
    )
    top = counted.head(CATEGORIES_MAX)
    return {
        "distinct": counted.height,
        "categories": dict(zip(top["value"].to_list(), top["count"].to_list(), strict=True)),
        "others": values.len() - sum(top["count"].to_list()),
    }


def _number(value: Any) -> float:
    """A number whose last digits, where the order of additions shows, are cut off."""
    return float(f"{float(value):.{_SIGNIFICANT_DIGITS}g}")


def _moment(value: Any) -> str:
    return str(value.isoformat())
