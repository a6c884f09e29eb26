"""Columns of the transform's result against the spec: there, of the right type, in a fixed order.

Only declared columns go on. Casts lose nothing: whole numbers may become floats, floats without
fraction whole numbers; a text never becomes a number by itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

import polars as pl

from serinus.api.column_type import ColumnType
from serinus.api.featureset import FeatureSetSpec, OnNull
from serinus_runtime.user_error import ColumnError

TIMESTAMP = pl.Datetime("us", "UTC")

_POLARS: dict[ColumnType, pl.DataType] = {
    ColumnType.FLOAT64: pl.Float64(),
    ColumnType.FLOAT32: pl.Float32(),
    ColumnType.INT64: pl.Int64(),
    ColumnType.INT32: pl.Int32(),
    ColumnType.BOOLEAN: pl.Boolean(),
    ColumnType.STRING: pl.String(),
    ColumnType.TIMESTAMP: TIMESTAMP,
}
_READABLE = frozenset(
    {
        *("boolean", "null", "varchar", "enum", "uuid"),
        *("tinyint", "smallint", "integer", "bigint", "hugeint"),
        *("utinyint", "usmallint", "uinteger", "ubigint", "uhugeint"),
        *("float", "double", "decimal"),
        *("date", "timestamp", "timestamp_s", "timestamp_ms", "timestamp_ns"),
        "timestamp with time zone",
    }
)
"""DuckDB's types that a column of a snapshot can be made from."""
_SECONDS_A_DAY = 86_400
_UNITS_A_SECOND = {"ms": 10**3, "us": 10**6, "ns": 10**9}
_EPOCH = date(1970, 1, 1)
_CALENDAR_DAYS = ((date.min - _EPOCH).days, (date.max - _EPOCH).days)
_SHOWN_NAMES = 12


@dataclass(frozen=True, slots=True)
class Column:
    """A declared column; `role` is its place in the spec, for messages."""

    name: str
    type: ColumnType
    role: str


def declared_columns(spec: FeatureSetSpec) -> tuple[Column, ...]:
    """All columns that a snapshot has, in their order: keys, times, features, labels."""
    columns: dict[str, Column] = {}
    for column in _declared(spec):
        known = columns.setdefault(column.name, column)
        if known.type is not column.type:
            raise ColumnError(
                f"`{column.name}` is declared twice: {known.role} with type {known.type.value}, "
                f"{column.role} with type {column.type.value}. Declare it with one type"
            )
    return tuple(columns.values())


def _declared(spec: FeatureSetSpec) -> Iterator[Column]:
    if spec.timestamp_field:
        yield Column(spec.timestamp_field, ColumnType.TIMESTAMP, "timestampField")
    if spec.prediction_time:
        yield Column(spec.prediction_time.field, ColumnType.TIMESTAMP, "predictionTime.field")
    for entity in spec.entities:
        yield Column(entity.name, entity.type, "entity")
    for feature in spec.features:
        yield Column(feature.name, feature.type, "feature")
    for label in spec.labels:
        yield Column(label.name, label.type, "label")
        if label.timestamp_field:
            yield Column(label.timestamp_field, ColumnType.TIMESTAMP, "timestampField of a label")


_SEPARATORS = (";", "\t", "|")
"""What files of comma-separated values are separated by where it isn't the comma."""


def key_columns(spec: FeatureSetSpec) -> tuple[str, ...]:
    """Columns that say what a row is about, in the order of sorting."""
    times = (spec.timestamp_field, asked_field(spec))
    names = (*times, *(entity.name for entity in spec.entities))
    return tuple(dict.fromkeys(name for name in names if name is not None))


def asked_field(spec: FeatureSetSpec) -> str | None:
    """Column from which the moment of the question is counted."""
    return spec.prediction_time.field if spec.prediction_time else spec.timestamp_field


def check_columns(found: Sequence[tuple[str, str]], columns: Sequence[Column]) -> None:
    """Raise `ColumnError` unless `found`, names with DuckDB's types, can become `columns`.

    What is found here is told before a long query has run.
    """
    names = [name for name, _ in found]
    missing = [column for column in columns if column.name not in names]
    if missing:
        named = ", ".join(f"{column.role} `{column.name}`" for column in missing[:_SHOWN_NAMES])
        there = ", ".join(names[:_SHOWN_NAMES])
        more = "" if len(names) <= _SHOWN_NAMES else f" and {len(names) - _SHOWN_NAMES} more"
        raise ColumnError(
            f"{named}: no such column. The transform gives {there}{more}. {_way_out(names)}"
        )
    for column in columns:
        kinds = [kind for name, kind in found if name.lower() == column.name.lower()]
        if len(kinds) > 1:
            raise ColumnError(
                f"{column.role} `{column.name}`: the transform gives {len(kinds)} columns of that "
                "name. Name each once; upper and lower case are the same"
            )
        if kinds[0] not in _READABLE:
            raise _mismatch(column, kinds[0], " Cast it in the transform")


def _way_out(names: Sequence[str]) -> str:
    """A table of one column whose name has separators in it was read with the wrong one."""
    separators = [one for one in _SEPARATORS if one in names[0]] if len(names) == 1 else []
    if separators:
        shown = separators[0].replace("\t", "\\t")
        return f'Is the file separated by `{shown}`? Then set `files.csv.delimiter: "{shown}"`'
    return "Add it there, or correct its name"


def typed(frame: pl.DataFrame, columns: Sequence[Column]) -> pl.DataFrame:
    """The columns of a checked result, cast, NaN as null.

    Raises
    ------
    ColumnError
        Values don't fit the column's type; the text names it and what is there.
    """
    return pl.DataFrame([_cast(frame[column.name], column) for column in columns])


def _cast(series: pl.Series, column: Column) -> pl.Series:
    wanted = _POLARS[column.type]
    found = series.dtype
    if found == pl.Null:
        return series.cast(wanted)
    if not _fits(found, column.type):
        raise _mismatch(column, _shown(found), _hint(found, column.type))
    if column.type is ColumnType.TIMESTAMP:
        return _in_utc(series, column)
    if found.is_decimal():
        series = series.cast(pl.Float64)
    if series.dtype.is_float():
        series = series.fill_nan(None)
    cast = series.cast(wanted, strict=False)
    lost = int((cast.is_null() & series.is_not_null()).sum())
    if wanted.is_integer() and series.dtype.is_float():
        lost = int((cast.cast(pl.Float64) != series.cast(pl.Float64)).fill_null(False).sum())
    if lost:
        raise ColumnError(
            f"{column.role} `{column.name}`: {lost} of {series.len()} values don't fit "
            f"{column.type.value}; the transform gives {_shown(found)}. Mend them there, or "
            "declare another type"
        )
    return cast


def _fits(found: pl.DataType, wanted: ColumnType) -> bool:
    match wanted:
        case ColumnType.FLOAT64 | ColumnType.FLOAT32 | ColumnType.INT64 | ColumnType.INT32:
            return found.is_numeric()
        case ColumnType.BOOLEAN:
            return found == pl.Boolean
        case ColumnType.STRING:
            return found in (pl.String, pl.Categorical, pl.Enum)
        case ColumnType.TIMESTAMP:
            return found in (pl.Datetime, pl.Date)


def _in_utc(series: pl.Series, column: Column) -> pl.Series:
    """A time without zone counts as UTC."""
    _check_calendar(series, column)
    moments = series.cast(pl.Datetime("us")) if series.dtype == pl.Date else series
    if isinstance(moments.dtype, pl.Datetime) and moments.dtype.time_zone is None:
        return moments.dt.cast_time_unit("us").dt.replace_time_zone("UTC")
    return moments.dt.convert_time_zone("UTC").cast(TIMESTAMP)


def _check_calendar(series: pl.Series, column: Column) -> None:
    """`infinity` and the like have no place in Python's calendar, nor in anybody's."""
    unit = series.dtype.time_unit if isinstance(series.dtype, pl.Datetime) else None
    units_a_day = _UNITS_A_SECOND[unit] * _SECONDS_A_DAY if unit else 1
    days = series.to_physical().cast(pl.Int64) // units_a_day
    outside = int((~days.is_between(*_CALENDAR_DAYS)).fill_null(False).sum())
    if outside:
        raise ColumnError(
            f"{column.role} `{column.name}`: {outside} of {series.len()} values are outside of the "
            "years 1 to 9999. Leave such rows out in the transform"
        )


def _mismatch(column: Column, found: str, hint: str) -> ColumnError:
    return ColumnError(
        f"{column.role} `{column.name}`: expected {column.type.value}, the transform gives "
        f"{found}.{hint}"
    )


def _hint(found: pl.DataType, wanted: ColumnType) -> str:
    if found == pl.String and wanted not in (ColumnType.STRING, ColumnType.TIMESTAMP):
        return (
            " A CSV column with a word such as `NA` is read as text: list the word in "
            "`csv.nullValues`, or cast in the transform"
        )
    return " Cast it in the transform"


def _shown(dtype: pl.DataType) -> str:
    return str(dtype).lower()


def in_order(frame: pl.DataFrame, keys: Sequence[str]) -> pl.DataFrame:
    """Rows sorted by the keys, then by all other columns, so that the order says nothing."""
    others = [name for name in frame.columns if name not in keys]
    return frame.sort([*keys, *others], nulls_last=True, maintain_order=True)


def with_labels_filled(frame: pl.DataFrame, spec: FeatureSetSpec) -> pl.DataFrame:
    """Null labels replaced where the spec says `onNull: value`; raises `ColumnError`."""
    for label in spec.labels:
        if label.on_null is not OnNull.VALUE or label.null_value is None:
            continue
        filled = frame[label.name].fill_null(_parsed(label.name, label.type, label.null_value))
        frame = frame.with_columns(filled)
    return frame


def _parsed(name: str, column_type: ColumnType, text: str) -> str | bool | int | float:
    try:
        match column_type:
            case ColumnType.STRING:
                return text
            case ColumnType.BOOLEAN:
                return {"true": True, "false": False}[text.lower()]
            case ColumnType.INT32 | ColumnType.INT64:
                return int(text)
            case _:
                return float(text)
    except (KeyError, ValueError) as error:
        raise ColumnError(
            f"label `{name}`: nullValue `{text}` is no {column_type.value}"
        ) from error
