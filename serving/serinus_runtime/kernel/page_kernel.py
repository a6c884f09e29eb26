"""What makes pages of a file quickly, in C; it lets other threads work meanwhile.

Where there is no library NumPy packs numbers, and nobody looks for a column's different values or
puts them into runs.
"""

from __future__ import annotations

import ctypes
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from serinus_runtime.kernel.library import library

DISTINCT_MAX = 4096
_ROWS_BYTES_MAX = 5
"""What twice a number of 31 bits takes, by seven bits."""


class Distinct(NamedTuple):
    """Different values, by their 64 bits, and which of them each value is."""

    values: NDArray[Any]
    codes: NDArray[np.int32]


def distinct(values: NDArray[np.uint64], values_max: int = DISTINCT_MAX) -> Distinct | None:
    """The different values in the order in which they come; None: too many, or nobody to look."""
    function = _function("serinus_distinct")
    if function is None:
        return None
    function.restype = ctypes.c_int64
    values_max = min(values_max, DISTINCT_MAX)
    found = np.empty(values_max, dtype=np.uint64)
    codes = np.empty(len(values), dtype=np.int32)
    values = np.ascontiguousarray(values, dtype=np.uint64)
    count = function(
        _address(values), ctypes.c_int64(len(values)), ctypes.c_int64(values_max),
        _address(found), _address(codes),
    )  # fmt: skip
    return None if count < 0 else Distinct(found[:count], codes)


def packed_bits(numbers: NDArray[Any], width: int) -> bytes:
    """Numbers from 0 on in `width` bits each, the lowest first; zeros fill a group of eight."""
    function = _function("serinus_pack_bits")
    if function is None:
        return packed_by_numpy(numbers, width)
    function.restype = None
    to = np.empty(_groups(numbers) * width, dtype=np.uint8)
    numbers = np.ascontiguousarray(numbers, dtype=np.int32)
    function(_address(numbers), ctypes.c_int64(len(numbers)), ctypes.c_int32(width), _address(to))
    return to.tobytes()


def packed_by_numpy(numbers: NDArray[Any], width: int) -> bytes:
    """As `packed_bits`."""
    bits = np.zeros((_groups(numbers) * 8, width), dtype=np.uint8)
    for place in range(width):
        bits[: len(numbers), place] = numbers >> place & 1
    return np.packbits(bits.reshape(-1), bitorder="little").tobytes()


def runs(numbers: NDArray[Any], rows_each: NDArray[np.int32], value_bytes: int) -> bytes | None:
    """Numbers from 0 on in so many bytes each, before it twice the rows of its run, by seven bits.

    None: nobody does it.
    """
    function = _function("serinus_put_runs")
    if function is None:
        return None
    function.restype = ctypes.c_int64
    to = np.empty(len(numbers) * (_ROWS_BYTES_MAX + value_bytes), dtype=np.uint8)
    numbers = np.ascontiguousarray(numbers, dtype=np.int32)
    rows_each = np.ascontiguousarray(rows_each, dtype=np.int32)
    size = function(
        _address(numbers), _address(rows_each), ctypes.c_int64(len(numbers)),
        ctypes.c_int32(value_bytes), _address(to),
    )  # fmt: skip
    return to[:size].tobytes()


def _groups(numbers: NDArray[Any]) -> int:
    return (len(numbers) + 7) // 8


def _address(array: NDArray[Any]) -> ctypes.c_void_p:
    return ctypes.c_void_p(array.ctypes.data)


def _function(name: str) -> Any:
    return getattr(library(), name, None)
