"""Types of columns: a module of its own, for pods that start without the rest of the API."""

from __future__ import annotations

from enum import StrEnum


class ColumnType(StrEnum):
    """Type of a column."""

    FLOAT64 = "float64"
    FLOAT32 = "float32"
    INT64 = "int64"
    INT32 = "int32"
    BOOLEAN = "boolean"
    STRING = "string"
    TIMESTAMP = "timestamp"
