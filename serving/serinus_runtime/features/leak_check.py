"""Does the transform look into the future? It is tried, not proven by reading the SQL.

The transform runs again on sources as they were known at a cutoff (`pasts`). A row that was asked
before the cutoff can't depend on what became known later, so its features must be the same. Three
cutoffs at the quartiles of the known times see any window that reaches over an instant.

Numbers count as the same within the rounding of a sum, as nulls change the order of additions.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import polars as pl

SPREAD_ROUNDING = 1e-9
"""Of what lies between the quartiles of a column: where sums cancel out, their rounding is small
beside that, whatever the column's unit."""
VALUE_ROUNDING: dict[pl.DataType, float] = {pl.Float64(): 1e-12, pl.Float32(): 2.5e-7}
"""Of the value itself: some thousand last digits of a float64, two of a float32."""

_ROW = "__row"
_COUNT = "__count"
_OTHER_COUNT = "__other_count"


@dataclass(frozen=True, slots=True)
class Leak:
    """The first row that changed: its number in the sorted result and when it was asked."""

    column: str
    row: int
    rows: int
    asked_at: datetime
    cutoff: datetime

    @property
    def message(self) -> str:
        """One line that a person can act on."""
        return (
            f"feature `{self.column}`: row {self.row}, asked at {_shown(self.asked_at)}, changes "
            f"with values that became known after {_shown(self.cutoff)} ({self.rows} such rows). "
            "Let the transform look back only, by the column that says when a value became known"
        )


@dataclass(frozen=True, slots=True)
class Comparison:
    """What is compared, and how rows are found again.

    Attributes
    ----------
    asked_at
        Timestamp column with the moment of the question.
    keys
        Columns that say what a row is about; both results are sorted by them first.
    """

    asked_at: str
    keys: tuple[str, ...]
    features: tuple[str, ...]


def first_leak(
    full: pl.DataFrame, past: pl.DataFrame, compared: Comparison, cutoff: datetime
) -> Leak | None:
    """Compare rows asked before `cutoff` with a past that keeps all rows.

    Both frames are sorted and have the same columns. Where the numbers of rows differ, the first
    key that occurs on one side only is the leak.
    """
    one, other = _before(full, compared, cutoff), _before(past, compared, cutoff)
    if one.height != other.height:
        return _row_leak(one, other, compared, cutoff)
    return _first_change(one, other, compared, cutoff)


def first_leak_of_known_rows(
    full: pl.DataFrame, past: pl.DataFrame, compared: Comparison, cutoff: datetime
) -> Leak | None:
    """Compare rows asked before `cutoff` with a past that leaves out rows not known by then.

    A question whose own row wasn't known isn't in the past and can't be judged: only keys with as
    many rows on both sides are compared. More rows in the past than in the end are a leak.
    """
    one, other = _before(full, compared, cutoff), _before(past, compared, cutoff)
    counts, other_counts = _counts(one, compared, _COUNT), _counts(other, compared, _OTHER_COUNT)
    keys = list(compared.keys)
    both = other_counts.join(counts, on=keys, how="left", nulls_equal=True)
    more = both.filter(pl.col(_OTHER_COUNT) > pl.col(_COUNT).fill_null(0)).sort(keys)
    if more.height:
        rows = int(more.select(pl.col(_OTHER_COUNT) - pl.col(_COUNT).fill_null(0)).sum().item())
        return Leak("(row)", one.height, rows, _asked(other, more, compared), cutoff)
    same = both.filter(pl.col(_OTHER_COUNT) == pl.col(_COUNT)).select(keys)
    return _first_change(
        _with_keys_of(one, same, keys), _with_keys_of(other, same, keys), compared, cutoff
    )


def _before(frame: pl.DataFrame, compared: Comparison, cutoff: datetime) -> pl.DataFrame:
    return frame.with_row_index(_ROW).filter(pl.col(compared.asked_at) < cutoff)


def _first_change(
    one: pl.DataFrame, other: pl.DataFrame, compared: Comparison, cutoff: datetime
) -> Leak | None:
    for column in (*compared.keys, *compared.features):
        differs = ~_same(one[column], other[column])
        if differs.any():
            first = int(differs.arg_max() or 0)
            asked_at = one[compared.asked_at][first]
            return Leak(column, int(one[_ROW][first]), int(differs.sum()), asked_at, cutoff)
    return None


def _same(one: pl.Series, other: pl.Series) -> pl.Series:
    equal = one.eq_missing(other)
    if not one.dtype.is_float():
        return equal
    bound = one.abs() * VALUE_ROUNDING[one.dtype] + _spread(one) * SPREAD_ROUNDING
    return equal | ((one - other).abs() <= bound).fill_null(False)


def _spread(values: pl.Series) -> float:
    finite = values.filter(values.is_finite()).drop_nulls().cast(pl.Float64)
    low, high = finite.quantile(0.25), finite.quantile(0.75)
    return 0.0 if low is None or high is None else float(high) - float(low)


def _counts(frame: pl.DataFrame, compared: Comparison, name: str) -> pl.DataFrame:
    return frame.group_by(list(compared.keys)).agg(pl.len().cast(pl.Int64).alias(name))


def _with_keys_of(frame: pl.DataFrame, chosen: pl.DataFrame, keys: list[str]) -> pl.DataFrame:
    return frame.join(chosen, on=keys, how="semi", nulls_equal=True, maintain_order="left")


def _asked(frame: pl.DataFrame, chosen: pl.DataFrame, compared: Comparison) -> datetime:
    asked_at: datetime = _with_keys_of(frame, chosen, list(compared.keys))[compared.asked_at][0]
    return asked_at


def _row_leak(
    one: pl.DataFrame, other: pl.DataFrame, compared: Comparison, cutoff: datetime
) -> Leak:
    """Rows that exist or not by what came later."""
    by = list(dict.fromkeys((compared.asked_at, *compared.keys)))
    alone = one.join(other, on=by, how="anti", nulls_equal=True, maintain_order="left")
    rows = abs(one.height - other.height)
    if alone.height:
        return Leak("(row)", int(alone[_ROW][0]), rows, alone[compared.asked_at][0], cutoff)
    added = other.join(one, on=by, how="anti", nulls_equal=True, maintain_order="left")
    asked = added[compared.asked_at][0] if added.height else cutoff
    return Leak("(row)", one.height, rows, asked, cutoff)


def _shown(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
