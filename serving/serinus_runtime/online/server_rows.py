"""The newest rows of entities in a server that speaks the protocol of Redis: names and contents.

    serinus:<namespace>:<FeatureSet>:<schema>:<entity>    "<time in microseconds> [<values>]"

A name has a hash of all that says how a row is read, so that nobody reads one of another schema:
where columns, types or units change, the names do. Values stand in the order of the schema.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import orjson

from serinus.api.column_type import ColumnType
from serinus_runtime.online.keys import EntityKey
from serinus_runtime.online.table import OnlineColumn, Value

ROW_FORMAT = "1"
"""Version of how a row is written; part of the hash of the schema."""

_SCHEMA_DIGITS = 16


class Row(NamedTuple):
    """An entity's newest row: when it happened, in microseconds since 1970, and its values."""

    time: int
    values: Sequence[Value]


@dataclass(frozen=True, slots=True)
class ServedRows:
    """Where the rows of a FeatureSet are, and how they are read: what a pod is told of them.

    `entities` are the columns that a key is made of, in this order. `ca` has the certificates that
    vouch for the server, in PEM; None: those that the machine trusts.
    """

    namespace: str
    feature_set: str
    entities: tuple[OnlineColumn, ...]
    features: tuple[OnlineColumn, ...]
    max_staleness_seconds: float
    url: str
    ca: str | None
    timeout_seconds: float

    @property
    def prefix(self) -> str:
        """What the names of all its rows begin with."""
        schema = schema_hash(self.entities, self.features)
        return f"serinus:{self.namespace}:{self.feature_set}:{schema}:"


@dataclass(frozen=True, slots=True)
class Reader:
    """Who reads on a server: nobody in particular, unless a password is given."""

    username: str | None = None
    password: str | None = field(default=None, repr=False)


def schema_hash(entities: Sequence[OnlineColumn], features: Sequence[OnlineColumn]) -> str:
    """Hash of how a row is read, 16 hexadecimal digits."""
    told = [
        ROW_FORMAT,
        [[column.name, column.type.value] for column in entities],
        [[column.name, column.type.value, column.unit] for column in features],
    ]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:_SCHEMA_DIGITS]


def row_name(prefix: bytes, key: EntityKey) -> bytes:
    """The name of an entity's row."""
    return b"%b%016x%016x" % (prefix, key.high, key.low)


def written_row(time: int, values: Sequence[Any]) -> bytes:
    """A row's content; numbers that aren't finite are none, as in a table."""
    return b"%d %b" % (time, orjson.dumps(values))


def read_row(content: bytes | None, columns: int) -> Row | None:
    """The row in `content`; None where there is none that could be read."""
    if content is None:
        return None
    time, _, text = content.partition(b" ")
    try:
        values = orjson.loads(text)
        if type(values) is list and len(values) == columns:
            return Row(int(time), values)
    except ValueError:
        pass
    return None


def described(rows: ServedRows) -> dict[str, Any]:
    """What is told of the rows, as JSON."""
    return {
        "namespace": rows.namespace,
        "featureSet": rows.feature_set,
        "entities": [_column(column) for column in rows.entities],
        "features": [_column(column) for column in rows.features],
        "maxStalenessSeconds": rows.max_staleness_seconds,
        "url": rows.url,
        "ca": rows.ca,
        "timeoutSeconds": rows.timeout_seconds,
    }


def served_rows(told: Any) -> ServedRows:
    """The rows as they are told of; raises `ValueError` where that can't be read."""
    try:
        return ServedRows(
            namespace=str(told["namespace"]),
            feature_set=str(told["featureSet"]),
            entities=tuple(_read_column(item) for item in told["entities"]),
            features=tuple(_read_column(item) for item in told["features"]),
            max_staleness_seconds=float(told["maxStalenessSeconds"]),
            url=str(told["url"]),
            ca=told["ca"],
            timeout_seconds=float(told["timeoutSeconds"]),
        )
    except (KeyError, TypeError) as error:
        raise ValueError(f"what is told of the rows can't be read: {error!r}") from error


def _column(column: OnlineColumn) -> dict[str, Any]:
    return {"name": column.name, "type": column.type.value, "unit": column.unit}


def _read_column(item: Any) -> OnlineColumn:
    return OnlineColumn(str(item["name"]), ColumnType(item["type"]), item["unit"])
