"""Datatypes of inputs by the types of the columns that they come from."""

from __future__ import annotations

from collections.abc import Mapping

from serinus.api.column_type import ColumnType
from serinus_runtime.artifact.signature import Datatype

DATATYPES: Mapping[ColumnType, Datatype] = {
    ColumnType.FLOAT64: Datatype.FP64,
    ColumnType.FLOAT32: Datatype.FP32,
    ColumnType.INT64: Datatype.INT64,
    ColumnType.INT32: Datatype.INT32,
    ColumnType.BOOLEAN: Datatype.BOOL,
    ColumnType.STRING: Datatype.BYTES,
}
"""Times are absent: no model takes them."""
