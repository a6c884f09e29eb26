"""The key of an entity: 128 bits of a hash of its values, the same in a Job and in a pod.

A table keeps keys of one size whatever the entities are, and nothing in it tells who they are
without their values.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

from serinus.api.column_type import ColumnType

_INT64_MIN, _INT64_MAX = -(1 << 63), (1 << 63) - 1
_HALVES = struct.Struct("<QQ")

Part: TypeAlias = Callable[[Any], bytes | None]


class EntityKey(NamedTuple):
    """A key in two halves of 64 bits; tables are sorted by them."""

    high: int
    low: int


def key_of(values: Sequence[Any], types: Sequence[ColumnType]) -> EntityKey | None:
    """The key of an entity; None where a value is none of its column's type.

    What JSON writes as `12.0` is the whole number 12. Raises `KeyError` for a type that no key
    can be made of.
    """
    content = b""
    for value, column_type in zip(values, types, strict=True):
        part = PARTS[column_type](value)
        if part is None:
            return None
        content += part
    return EntityKey(*_HALVES.unpack(hashlib.blake2b(content, digest_size=_HALVES.size).digest()))


def _text(value: Any) -> bytes | None:
    if type(value) is not str:
        return None
    content = value.encode(errors="surrogatepass")
    return b"s%d:%b" % (len(content), content)


def _whole_number(value: Any) -> bytes | None:
    if type(value) is float and value.is_integer():
        value = int(value)
    if type(value) is not int or not _INT64_MIN <= value <= _INT64_MAX:
        return None
    return b"i%d:" % value


def _truth(value: Any) -> bytes | None:
    if type(value) is not bool:
        return None
    return b"t" if value else b"f"


PARTS: Mapping[ColumnType, Part] = {
    ColumnType.STRING: _text,
    ColumnType.INT64: _whole_number,
    ColumnType.INT32: _whole_number,
    ColumnType.BOOLEAN: _truth,
}
"""How a value of each type goes into the hash; no value is the beginning of another one."""
