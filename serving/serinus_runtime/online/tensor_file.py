"""Named arrays in one file, in the format of safetensors: eight bytes with the length of a JSON
header, the header, and the arrays one after the other.

A reader maps the file into memory and needs no library: what isn't looked at takes no memory, and
processes that map the same file share it.

References
----------
Hugging Face, "safetensors", section "Format".
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, TypeAlias

_LENGTH = struct.Struct("<Q")
_NOTES = "__metadata__"
_ALIGNMENT = 8
_Code: TypeAlias = Literal["Q", "q", "d", "f", "i", "B"]
_CODES: Mapping[str, tuple[_Code, int]] = {
    "U64": ("Q", 8),
    "I64": ("q", 8),
    "F64": ("d", 8),
    "F32": ("f", 4),
    "I32": ("i", 4),
    "U8": ("B", 1),
}
"""Codes of the `struct` module and sizes in bytes, by the format's names of datatypes."""


class TensorFileError(ValueError):
    """The bytes aren't such a file."""


class Tensor(NamedTuple):
    """An array of one dimension: its datatype, and its values as little-endian bytes."""

    datatype: str
    content: bytes

    @property
    def size(self) -> int:
        """How many values it has."""
        return len(self.content) // _CODES[self.datatype][1]


@dataclass(frozen=True, slots=True)
class TensorFile:
    """A file's notes, and its arrays as views of its bytes."""

    notes: Mapping[str, str]
    tensors: Mapping[str, memoryview[Any]]


def written(tensors: Mapping[str, Tensor], notes: Mapping[str, str]) -> list[bytes]:
    """The file in pieces; each array begins at a multiple of its values' size."""
    widest_first = sorted(tensors.items(), key=lambda item: (-_CODES[item[1].datatype][1], item[0]))
    header: dict[str, Any] = {_NOTES: dict(notes)}
    end = 0
    for name, tensor in widest_first:
        begin, end = end, end + len(tensor.content)
        header[name] = {
            "dtype": tensor.datatype,
            "shape": [tensor.size],
            "data_offsets": [begin, end],
        }
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % _ALIGNMENT)
    return [_LENGTH.pack(len(text)), text, *(tensor.content for _, tensor in widest_first)]


def read(content: memoryview[Any]) -> TensorFile:
    """The file in `content`, nothing of which is copied; raises `TensorFileError`."""
    try:
        (length,) = _LENGTH.unpack_from(content)
        if length > len(content) - _LENGTH.size:
            raise TensorFileError("its header isn't whole")
        header = json.loads(bytes(content[_LENGTH.size : _LENGTH.size + length]))
        data = content[_LENGTH.size + length :]
        notes = header.pop(_NOTES, {})
        return TensorFile(notes, dict(_tensors(header.items(), data)))
    except (struct.error, AttributeError, KeyError, TypeError, ValueError) as error:
        raise TensorFileError(f"no file of arrays: {error!r}") from error


def _tensors(
    entries: Iterable[tuple[str, Any]], data: memoryview[Any]
) -> Iterable[tuple[str, memoryview[Any]]]:
    for name, entry in entries:
        code, width = _CODES[entry["dtype"]]
        (size,) = entry["shape"]
        begin, end = entry["data_offsets"]
        if not 0 <= begin <= end <= len(data) or end - begin != size * width:
            raise TensorFileError(f"`{name}` isn't where the header says")
        yield name, data[begin:end].cast(code)
