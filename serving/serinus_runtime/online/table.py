"""An online table as a pod reads it: the newest row of each entity, found by its key.

Keys are sorted, so that one is found in twenty steps among a million; nothing is made of the rows
that nobody asks for.
"""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, TypeAlias

from serinus.api.column_type import ColumnType
from serinus_runtime.online.keys import EntityKey
from serinus_runtime.online.tensor_file import TensorFileError, read

FORMAT = "1"
"""Version of what the arrays of a table mean; another one is refused."""
FORMAT_NOTE = "serinus-online-table"
TABLE_NOTE = "table"
KEY_HIGH = "key.high"
KEY_LOW = "key.low"
TIME = "time"
"""When each row happened, in microseconds since 1970."""

_MICROSECONDS = 1_000_000

Value: TypeAlias = float | int | str | bool | None
_View: TypeAlias = "memoryview[Any]"


class Values(Protocol):
    """The values of a feature."""

    def at(self, position: int) -> Value:
        """The value of a row; None where there is none."""


@dataclass(frozen=True, slots=True)
class OnlineColumn:
    """A column as its FeatureSet declares it."""

    name: str
    type: ColumnType
    unit: str | None = None


@dataclass(frozen=True, slots=True)
class OnlineTable:
    """The newest row of each entity.

    `entities` are the columns that a key is made of, in this order; `values` are those of each of
    the `features`.
    """

    entities: tuple[OnlineColumn, ...]
    features: tuple[OnlineColumn, ...]
    max_staleness_seconds: float
    values: Mapping[str, Values]
    key_high: _View
    key_low: _View
    times: _View
    size_bytes: int = 0
    """Of the file: what the table takes of memory once all of it was read."""

    def __len__(self) -> int:
        return len(self.times)

    expect: ClassVar[None] = None
    """Nobody has to know whose rows will be asked for: they are here."""
    is_away: ClassVar[bool] = False

    def position(self, key: EntityKey) -> int | None:
        """Where the entity's row is; None where there is none."""
        highs, lows = self.key_high, self.key_low
        position = bisect_left(highs, key.high)
        while position < len(highs) and highs[position] == key.high:
            if lows[position] == key.low:
                return position
            position += 1
        return None

    def is_stale(self, position: int, now: float) -> bool:
        """Whether the row is too old `now`, in seconds since 1970."""
        return is_stale(self.times[position], self.max_staleness_seconds, now)


def is_stale(time: int, max_staleness_seconds: float, now: float) -> bool:
    """Whether a row of that time, in microseconds since 1970, is too old `now`, in seconds."""
    return now - time / _MICROSECONDS > max_staleness_seconds


def table_in(content: _View) -> OnlineTable:
    """The table in a file's bytes; raises `TensorFileError` where there is none of this format."""
    file = read(content)
    if file.notes.get(FORMAT_NOTE) != FORMAT:
        raise TensorFileError("no online table of a format that this version can read")
    try:
        told = json.loads(file.notes[TABLE_NOTE])
        features = tuple(_column(item) for item in told["features"])
        table = OnlineTable(
            entities=tuple(_column(item) for item in told["entities"]),
            features=features,
            max_staleness_seconds=float(told["maxStalenessSeconds"]),
            values={column.name: _values(column, file.tensors) for column in features},
            key_high=file.tensors[KEY_HIGH],
            key_low=file.tensors[KEY_LOW],
            times=file.tensors[TIME],
            size_bytes=content.nbytes,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise TensorFileError(f"the online table can't be read: {error!r}") from error
    return table


def _column(item: Mapping[str, Any]) -> OnlineColumn:
    return OnlineColumn(str(item["name"]), ColumnType(item["type"]), item.get("unit"))


def _values(column: OnlineColumn, tensors: Mapping[str, _View]) -> Values:
    values = tensors[values_name(column.name)]
    there = tensors.get(there_name(column.name))
    match column.type:
        case ColumnType.STRING:
            ends, texts = tensors[ends_name(column.name)], tensors[texts_name(column.name)]
            return _Texts(values, ends, texts)
        case ColumnType.BOOLEAN:
            return _Truths(values, there)
        case _:
            return _Numbers(values, there)


def values_name(feature: str) -> str:
    """Array of a feature's values; of a text, its position among the feature's texts, or -1."""
    return f"value.{feature}"


def there_name(feature: str) -> str:
    """Array that says which values are there; where it is absent, all are."""
    return f"there.{feature}"


def texts_name(feature: str) -> str:
    """Array with all texts of a feature, each once, one after the other."""
    return f"texts.{feature}"


def ends_name(feature: str) -> str:
    """Array that says where each text ends."""
    return f"ends.{feature}"


@dataclass(frozen=True, slots=True)
class _Numbers:
    values: _View
    there: _View | None

    def at(self, position: int) -> Value:
        if self.there is not None and not self.there[position]:
            return None
        value: Value = self.values[position]
        return value


@dataclass(frozen=True, slots=True)
class _Truths:
    values: _View
    there: _View | None

    def at(self, position: int) -> Value:
        if self.there is not None and not self.there[position]:
            return None
        return bool(self.values[position])


@dataclass(frozen=True, slots=True)
class _Texts:
    codes: _View
    ends: _View
    texts: _View

    def at(self, position: int) -> Value:
        code = self.codes[position]
        if code < 0:
            return None
        begin = self.ends[code - 1] if code else 0
        return bytes(self.texts[begin : self.ends[code]]).decode()
