"""The online table of a snapshot's rows: the newest row of each entity, ready to be looked up.

Of rows at the same time the last one in the snapshot's order counts. Rows without a time or a part
of the key are left out, since nobody could ask for them. Left out, too, are features that no client
leaves to the table: those that are part of the key, private ones, and times, which no model takes.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np
import polars as pl

from serinus.api.column_type import ColumnType
from serinus.api.featureset import FeatureSetSpec, Online, Sensitivity
from serinus.api.quantities import duration_seconds
from serinus_runtime.online.keys import PARTS, key_of
from serinus_runtime.online.table import (
    FORMAT,
    FORMAT_NOTE,
    KEY_HIGH,
    KEY_LOW,
    TABLE_NOTE,
    TIME,
    OnlineColumn,
    ends_name,
    texts_name,
    there_name,
    values_name,
)
from serinus_runtime.online.tensor_file import Tensor, written
from serinus_runtime.user_error import ColumnError

_TENSORS: dict[ColumnType, tuple[str, str]] = {
    ColumnType.FLOAT64: ("F64", "<f8"),
    ColumnType.FLOAT32: ("F32", "<f4"),
    ColumnType.INT64: ("I64", "<i8"),
    ColumnType.INT32: ("I32", "<i4"),
    ColumnType.BOOLEAN: ("U8", "u1"),
}
"""Datatypes of arrays, in the words of the file and of NumPy."""


@dataclass(frozen=True, slots=True)
class WrittenTable:
    """A table's file, in pieces, and how many entities it has."""

    content: list[bytes]
    entities: int


def newest_rows(frame: pl.DataFrame, spec: FeatureSetSpec) -> pl.DataFrame:
    """The newest row of each entity among the rows of a snapshot, which is sorted as it is.

    Raises
    ------
    ColumnError
        The FeatureSet doesn't say what is needed for newest values.
    """
    time = time_column(spec)
    names = [entity.name for entity in spec.entities]
    return (
        frame.drop_nulls([time, *names])
        .with_row_index("#row")
        .sort([time, "#row"])
        .unique(names, keep="last", maintain_order=True)
    )


def online_table(frame: pl.DataFrame, spec: FeatureSetSpec) -> WrittenTable | None:
    """The table of the rows of a snapshot, sorted as it is.

    None where none is wanted, or a server has the newest values.

    Raises
    ------
    ColumnError
        The FeatureSet doesn't say what is needed for a table.
    """
    online = spec.online
    if online is None or not online.enabled or online.redis is not None:
        return None
    rows, time = newest_rows(frame, spec), time_column(spec)
    keys = _keys(rows, spec)
    order = np.lexsort((keys[:, 1], keys[:, 0]))
    tensors = {
        KEY_HIGH: Tensor("U64", keys[order, 0].tobytes()),
        KEY_LOW: Tensor("U64", keys[order, 1].tobytes()),
        TIME: Tensor("I64", rows[time].to_physical().to_numpy()[order].astype("<i8").tobytes()),
    }
    features = online_features(spec)
    for column in features:
        tensors |= _tensors(column, rows[column.name][pl.Series(order)])
    notes = {FORMAT_NOTE: FORMAT, TABLE_NOTE: json.dumps(_told(spec, online, features))}
    return WrittenTable(written(tensors, notes), rows.height)


def online_features(spec: FeatureSetSpec) -> tuple[OnlineColumn, ...]:
    """The features that are looked up."""
    entities = {entity.name for entity in spec.entities}
    return tuple(
        OnlineColumn(feature.name, feature.type, feature.unit)
        for feature in spec.features
        if feature.name not in entities
        and feature.type is not ColumnType.TIMESTAMP
        and feature.sensitivity is not Sensitivity.PSEUDONYMIZE
    )


def time_column(spec: FeatureSetSpec) -> str:
    """The column that tells a row's age; raises `ColumnError` where nothing could be looked up."""
    if not spec.entities or spec.timestamp_field is None:
        raise ColumnError(
            "online: expected `entities`, by which values are looked up, and `timestampField`, "
            "which tells their age. Declare them, or leave `online` out"
        )
    for entity in spec.entities:
        if entity.type not in PARTS:
            raise ColumnError(
                f"online: entity `{entity.name}` is a {entity.type.value}. Values are looked up by "
                "texts, whole numbers and booleans: declare one of them"
            )
    return spec.timestamp_field


def _keys(
    rows: pl.DataFrame, spec: FeatureSetSpec
) -> np.ndarray[tuple[int, int], np.dtype[np.uint64]]:
    types = [entity.type for entity in spec.entities]
    keys = [key_of(values, types) for values in rows.select(e.name for e in spec.entities).rows()]
    return np.array(keys, dtype="<u8").reshape(-1, 2)


def _told(
    spec: FeatureSetSpec, online: Online, features: tuple[OnlineColumn, ...]
) -> dict[str, object]:
    return {
        "entities": [{"name": one.name, "type": one.type.value} for one in spec.entities],
        "features": [
            {"name": one.name, "type": one.type.value, "unit": one.unit} for one in features
        ],
        "maxStalenessSeconds": duration_seconds(online.max_staleness),
    }


def _tensors(column: OnlineColumn, series: pl.Series) -> dict[str, Tensor]:
    if column.type is ColumnType.STRING:
        return _texts(column.name, series)
    datatype, kind = _TENSORS[column.type]
    there = series.is_not_null()
    if column.type in (ColumnType.FLOAT64, ColumnType.FLOAT32):
        there &= series.is_finite().fill_null(False)
    values = series.to_physical().cast(pl.UInt8) if column.type is ColumnType.BOOLEAN else series
    found = {
        values_name(column.name): Tensor(
            datatype, values.fill_null(0).to_numpy().astype(kind).tobytes()
        )
    }
    if not there.all():
        found[there_name(column.name)] = Tensor("U8", there.to_numpy().astype("u1").tobytes())
    return found


def _texts(name: str, series: pl.Series) -> dict[str, Tensor]:
    texts = series.drop_nulls().unique().sort().to_list()
    encoded = [text.encode() for text in texts]
    codes = series.replace_strict(texts, range(len(texts)), return_dtype=pl.Int32, default=-1)
    ends = np.cumsum([len(text) for text in encoded], dtype="<i8")
    return {
        values_name(name): Tensor("I32", codes.fill_null(-1).to_numpy().astype("<i4").tobytes()),
        texts_name(name): Tensor("U8", b"".join(encoded)),
        ends_name(name): Tensor("I64", ends.tobytes()),
    }
