"""What was known of the sources at a moment, as views over them.

There are two ways to show what wasn't known yet. *Nulled*: each row stays with its keys, for it may
be the very row that asks, and its later values are null. *Left out*: rows that weren't known at all
aren't there, so that counting them shows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum, auto

import duckdb

from serinus_runtime.features.sql_errors import told
from serinus_runtime.features.tables import literal, quoted
from serinus_runtime.user_error import TransformError

CUTOFF_QUANTILES = (0.25, 0.5, 0.75)
_IN_THE_CALENDAR = (
    "moment BETWEEN TIMESTAMPTZ '0001-01-02 00:00:00Z' AND TIMESTAMPTZ '9999-12-30 00:00:00Z'"
)
"""What Python can tell; `infinity` and the like are no cutoffs."""


@dataclass(frozen=True, slots=True)
class KnownAt:
    """Columns of a source whose values became known at the timestamp in column `known_at`."""

    known_at: str
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class KnownTimes:
    """When the values of a source became known.

    `row_known_at` is the column that says when a row did, None where nothing says it.
    """

    values: tuple[KnownAt, ...] = ()
    row_known_at: str | None = None


class Unknown(Enum):
    """How a past shows what wasn't known yet."""

    NULLED = auto()
    LEFT_OUT = auto()


@dataclass(frozen=True, slots=True)
class Past:
    """The sources as they were known at `cutoff`."""

    cutoff: datetime
    unknown: Unknown


def known_times(
    columns: Sequence[str],
    *,
    known_at: Mapping[str, str],
    created_field: str | None,
    kept: Sequence[str],
) -> KnownTimes:
    """When the values of a source's columns became known.

    `known_at` maps a column to its known time. With `created_field`, all other columns but `kept`
    (keys and the event time, which say what the row is about) became known then.
    """
    values = [
        KnownAt(field, (*(name for name, at in known_at.items() if at == field), field))
        for field in dict.fromkeys(known_at.values())
    ]
    if created_field is None or created_field not in columns:
        return KnownTimes(tuple(values))
    taken = {name for known in values for name in known.columns} | set(kept) | {created_field}
    values.append(KnownAt(created_field, tuple(name for name in columns if name not in taken)))
    return KnownTimes(tuple(values), created_field)


def pasts(
    connection: duckdb.DuckDBPyConnection, sources: Mapping[str, KnownTimes]
) -> tuple[Past, ...]:
    """Pasts to compare the present with: at the quartiles of all known times; none if none is told.

    Rows are left out where a source says when they became known.
    """
    moments = _cutoffs(connection, sources)
    rows_have_times = any(known.row_known_at for known in sources.values())
    ways = (Unknown.NULLED, Unknown.LEFT_OUT) if rows_have_times else (Unknown.NULLED,)
    return tuple(Past(moment, way) for way in ways for moment in moments)


def view_of(table: str, known: KnownTimes, past: Past) -> str:
    """SELECT that shows `table`, as SQL names it, in a past.

    A value without a known time counts as known. The known time itself is null while later.
    """
    moment = f"TIMESTAMPTZ {literal(past.cutoff.isoformat())}"
    replaced = [
        f"CASE WHEN {_moment_of(value)} > {moment} THEN NULL ELSE {quoted(column)} END "
        f"AS {quoted(column)}"
        for value in known.values
        for column in value.columns
    ]
    columns = f"* REPLACE ({', '.join(replaced)})" if replaced else "*"
    view = f"SELECT {columns} FROM {table}"  # noqa: S608
    if past.unknown is Unknown.NULLED or known.row_known_at is None:
        return view
    row_known_at = f"CAST({quoted(known.row_known_at)} AS TIMESTAMPTZ)"
    return f"{view} WHERE coalesce({row_known_at} <= {moment}, true)"


def _cutoffs(
    connection: duckdb.DuckDBPyConnection, sources: Mapping[str, KnownTimes]
) -> tuple[datetime, ...]:
    parts = [
        f"SELECT {_moment_of(value)} AS moment FROM {quoted(table)}"  # noqa: S608
        for table, known in sources.items()
        for value in known.values
    ]
    if not parts:
        return ()
    quantiles = ", ".join(f"epoch_us(quantile_disc(moment, {q}))" for q in CUTOFF_QUANTILES)
    asked = f"SELECT {quantiles} FROM ({' UNION ALL '.join(parts)}) WHERE {_IN_THE_CALENDAR}"  # noqa: S608
    try:
        row = connection.execute(asked).fetchone()
    except duckdb.Error as error:
        raise TransformError(_no_time(connection, sources, error)) from None
    micros = sorted({value for value in row or () if value is not None})
    return tuple(datetime.fromtimestamp(value / 1e6, UTC) for value in micros)


def _moment_of(value: KnownAt) -> str:
    return f"CAST({quoted(value.known_at)} AS TIMESTAMPTZ)"


def _no_time(
    connection: duckdb.DuckDBPyConnection, sources: Mapping[str, KnownTimes], error: duckdb.Error
) -> str:
    """The message, naming the first column that holds no times."""
    for table, known in sources.items():
        for value in known.values:
            try:
                tried = f"SELECT count({_moment_of(value)}) FROM {quoted(table)}"  # noqa: S608
                connection.execute(tried).fetchall()
            except duckdb.Error as reason:
                return (
                    f"source `{table}`: column `{value.known_at}`, which says when values became "
                    f"known, holds something that is no time: {told(reason)}"
                )
    return f"the known times of the sources can't be read: {told(error)}"
