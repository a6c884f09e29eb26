"""Thrift's compact protocol, as far as the metadata of a Parquet file needs it: writing only.

References
----------
Apache Thrift, doc/specs/thrift-compact-protocol.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

_I32, _I64, _BINARY, _LIST, _STRUCT = 5, 6, 8, 9, 12
_SHORT_LIST_MAX = 14
_SHORT_STEP_MAX = 15


@dataclass(frozen=True, slots=True)
class I64:
    """An integer of 64 bits; a plain `int` is one of 32."""

    value: int


Value: TypeAlias = "int | I64 | str | Sequence[Value] | Mapping[int, Value]"
"""A struct is a mapping of field numbers, in ascending order. The items of a list are of one type,
and a list has some."""


def encoded(struct: Mapping[int, Value]) -> bytes:
    """The bytes of a struct."""
    parts = bytearray()
    last = 0
    for number, value in struct.items():
        step = number - last
        kind = _kind(value)
        if step <= _SHORT_STEP_MAX:
            parts.append(step << 4 | kind)
        else:
            parts.append(kind)
            parts += _signed(number)
        parts += _content(value)
        last = number
    parts.append(0)
    return bytes(parts)


def unsigned(value: int) -> bytes:
    """A number as seven bits a byte, the lowest first."""
    parts = bytearray()
    while value > 0x7F:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    parts.append(value)
    return bytes(parts)


def _signed(value: int) -> bytes:
    return unsigned(value << 1 if value >= 0 else (-value << 1) - 1)


def _kind(value: Value) -> int:
    match value:
        case int():
            return _I32
        case I64():
            return _I64
        case str():
            return _BINARY
        case Mapping():
            return _STRUCT
        case _:
            return _LIST


def _content(value: Value) -> bytes:
    match value:
        case int():
            return _signed(value)
        case I64():
            return _signed(value.value)
        case str():
            text = value.encode()
            return unsigned(len(text)) + text
        case Mapping():
            return encoded(value)
        case _:
            return _listed(value)


def _listed(items: Sequence[Value]) -> bytes:
    kind, size = _kind(items[0]), len(items)
    head = bytes([size << 4 | kind]) if size <= _SHORT_LIST_MAX else b"%c" % (0xF0 | kind)
    length = b"" if size <= _SHORT_LIST_MAX else unsigned(size)
    return head + length + b"".join(_content(item) for item in items)
