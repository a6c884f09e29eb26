"""Does the transform look into the future? It is tried, not proven by reading the SQL.

The transform runs again on sources in which every value known after a cutoff is null. A row that
was asked before the cutoff can't depend on those values, so its features must be the same. Three
cutoffs at the quartiles of the known times see any window that reaches over an instant.

Numbers count as the same within the rounding of a sum, as nulls change the order of additions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import duckdb
import polars as pl

from serinus_runtime.features.engine import KnownAt
from serinus_runtime.features.tables import quoted

CUTOFF_QUANTILES = (0.25, 0.5, 0.75)
RELATIVE_ROUNDING = 1e-9


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


def rules_of_source(
    columns: Sequence[str],
    *,
    known_at: Mapping[str, str],
    created_field: str | None,
    kept: Sequence[str],
) -> tuple[KnownAt, ...]:
    """What to null in a source.

    `known_at` maps a column to its known time. With `created_field`, all other columns but `kept`
    (keys and the event time, which say what the row is about) became known then.
    """
    rules = [
        KnownAt(field, (*(name for name, at in known_at.items() if at == field), field))
        for field in dict.fromkeys(known_at.values())
    ]
    if created_field in columns and created_field is not None:
        taken = {name for rule in rules for name in rule.columns} | set(kept) | {created_field}
        rules.append(KnownAt(created_field, tuple(name for name in columns if name not in taken)))
    return tuple(rules)


def cutoffs(
    connection: duckdb.DuckDBPyConnection, sources: Mapping[str, Sequence[KnownAt]]
) -> tuple[datetime, ...]:
    """Instants at the quartiles of all known times, without repetition; none if none is told."""
    parts = [
        f"SELECT CAST({quoted(rule.known_at)} AS TIMESTAMPTZ) AS moment FROM {quoted(table)}"  # noqa: S608
        for table, rules in sources.items()
        for rule in rules
    ]
    if not parts:
        return ()
    asked = ", ".join(f"epoch_us(quantile_disc(moment, {q}))" for q in CUTOFF_QUANTILES)
    row = connection.execute(f"SELECT {asked} FROM ({' UNION ALL '.join(parts)})").fetchone()  # noqa: S608
    micros = sorted({value for value in row or () if value is not None})
    return tuple(datetime.fromtimestamp(value / 1e6, UTC) for value in micros)


def first_leak(
    full: pl.DataFrame,
    past: pl.DataFrame,
    *,
    asked_at: str,
    keys: Sequence[str],
    features: Sequence[str],
    cutoff: datetime,
) -> Leak | None:
    """Compare rows asked before `cutoff`; both frames are sorted and have the same columns.

    `asked_at` names the timestamp column of the question. Where the numbers of rows differ, the
    first key that occurs on one side only is the leak.
    """
    before = full[asked_at] < cutoff
    one, other = full.filter(before), past.filter(pl.col(asked_at) < cutoff)
    if one.height != other.height:
        return _row_leak(one, other, asked_at, keys, cutoff)
    for column in (*keys, *features):
        differs = ~_same(one[column], other[column])
        if differs.any():
            first = int(differs.arg_max() or 0)
            row = int(before.arg_true()[first])
            return Leak(column, row, int(differs.sum()), one[asked_at][first], cutoff)
    return None


def _same(one: pl.Series, other: pl.Series) -> pl.Series:
    equal = one.eq_missing(other)
    if not one.dtype.is_float():
        return equal
    bound = RELATIVE_ROUNDING * pl.max_horizontal(pl.lit(one).abs(), pl.lit(1.0))
    close = pl.select(((pl.lit(one) - pl.lit(other)).abs() <= bound).fill_null(False)).to_series()
    return equal | close


def _row_leak(
    one: pl.DataFrame, other: pl.DataFrame, asked_at: str, keys: Sequence[str], cutoff: datetime
) -> Leak:
    """Rows that exist or not by what came later."""
    by = [asked_at, *keys]
    numbered = one.with_row_index("__row")
    alone = numbered.join(
        other.select(by), on=by, how="anti", nulls_equal=True, maintain_order="left"
    )
    rows = abs(one.height - other.height)
    if alone.height:
        return Leak("(row)", int(alone["__row"][0]), rows, alone[asked_at][0], cutoff)
    added = other.join(one.select(by), on=by, how="anti", nulls_equal=True, maintain_order="left")
    asked = added[asked_at][0] if added.height else cutoff
    return Leak("(row)", one.height, rows, asked, cutoff)


def _shown(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
