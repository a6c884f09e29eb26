"""Zip archives of arrays, unpacked in memory and bounded before a byte is.

What an archive and the arrays in it say of their size is held against what is there, so that a
small file can't ask for a large memory. Names are plain, methods are the two that we write.
"""

from __future__ import annotations

import io
import math
import re
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from serinus_runtime.artifact.errors import FormatRefused, refusing

UNPACKED_BYTES = 1 << 30
"""What any archive may unpack to; a larger one `UNPACKED_RATIO` times its own size."""
UNPACKED_RATIO = 32
MEMBERS_MAX = 100_000
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_NAME = re.compile(r"[A-Za-z0-9_-]{1,80}\.[a-z]{2,5}")
_ENCRYPTED = 0x1
_EPOCH = (1980, 1, 1, 0, 0, 0)
_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


def unpacked(content: bytes, *, name: str) -> dict[str, bytes]:
    """Members of a zip archive; raises `FormatRefused`."""
    with refusing(name), zipfile.ZipFile(io.BytesIO(content)) as archive:
        entries = archive.infolist()
        _check_entries(entries, len(content), name)
        return {entry.filename: _read(archive, entry, name) for entry in entries}


def _check_entries(entries: list[zipfile.ZipInfo], packed_bytes: int, name: str) -> None:
    if len(entries) > MEMBERS_MAX:
        raise FormatRefused(f"{name}: holds {len(entries)} members, at most {MEMBERS_MAX}")
    allowed = max(UNPACKED_BYTES, UNPACKED_RATIO * packed_bytes)
    total = sum(entry.file_size for entry in entries)
    if total > allowed:
        raise FormatRefused(
            f"{name}: {packed_bytes} bytes would unpack to {total}, at most {allowed}"
        )
    if len({entry.filename for entry in entries}) < len(entries):
        raise FormatRefused(f"{name}: two members have one name")
    for entry in entries:
        if not _NAME.fullmatch(entry.filename):
            raise FormatRefused(f"{name}: the member name {entry.filename[:80]!r} isn't plain")
        if entry.compress_type not in _METHODS or entry.flag_bits & _ENCRYPTED:
            raise FormatRefused(f"{name}: `{entry.filename}` is packed in another way than ours")


def _read(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, name: str) -> bytes:
    with archive.open(entry) as member:
        content = member.read(entry.file_size)  # the size bounds how much is unpacked, too
    if len(content) != entry.file_size:
        raise FormatRefused(f"{name}: `{entry.filename}` is shorter than it says")
    return content


def packed(members: Mapping[str, bytes]) -> bytes:
    """A zip archive whose bytes depend on its members only."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, content in members.items():
            entry = zipfile.ZipInfo(name, date_time=_EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, content)
    return buffer.getvalue()


def array_bytes(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """Arrays as the bytes of an `.npz` that only depend on the arrays."""
    members = {}
    for name, array in sorted(arrays.items()):
        member = io.BytesIO()
        np.lib.format.write_array(member, np.ascontiguousarray(array), allow_pickle=False)
        members[f"{name}.npy"] = member.getvalue()
    return packed(members)


def read_arrays(content: bytes, *, name: str) -> dict[str, NDArray[Any]]:
    """Arrays of an `.npz`; raises `FormatRefused` where they need pickle or are no arrays."""
    arrays = {}
    for member, one in unpacked(content, name=name).items():
        where = f"{name}: {member}"
        array_shape(one, name=where)
        with refusing(where):
            arrays[member.removesuffix(".npy")] = np.lib.format.read_array(
                io.BytesIO(one), allow_pickle=False
            )
    return arrays


def array_shape(content: bytes, *, name: str) -> tuple[int, ...]:
    """Shape of an `.npy`; raises `FormatRefused` where its bytes aren't as many as it asks for.

    NumPy sets aside the memory of the whole shape before it looks at what is there.
    """
    with refusing(name):
        stream = io.BytesIO(content)
        version = np.lib.format.read_magic(stream)
        if version not in _HEADERS:
            raise FormatRefused(f"{name}: version {version} of .npy isn't ours")
        shape, _, dtype = _HEADERS[version](stream)
        if dtype.hasobject:
            raise FormatRefused(f"{name}: holds objects and can't be read without pickle")
        wanted = math.prod(shape) * dtype.itemsize
        present = len(content) - stream.tell()
        if any(size < 0 for size in shape) or wanted != present:
            raise FormatRefused(f"{name}: the shape {shape} takes {wanted} bytes, not {present}")
        return tuple(shape)
