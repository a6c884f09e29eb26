"""Lines of the access log written in C, for requests whose head came before.

What a line says is up to `server.access_log`; tests hold the lines to those that it writes itself.
"""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable
from typing import Any, TypeAlias

from serinus_runtime.kernel.library import short_calls
from serinus_runtime.kernel.powers_of_ten import powers

AddLine: TypeAlias = Callable[[Any, bytes, int, int], int]

LINES_BYTES = 64 << 10
_SECOND_BYTES = 20


class _Lines(ctypes.Structure):
    """`lines` in lines.c."""

    _fields_ = (
        ("out", ctypes.c_void_p),
        ("powers", ctypes.c_void_p),
        *((name, ctypes.c_int64) for name in ("out_max", "size", "count", "second")),
        ("second_text", ctypes.c_char * _SECOND_BYTES),
    )


class _Head(ctypes.Structure):
    """`line_head` in lines.c."""

    _fields_ = (
        ("before", ctypes.c_char_p),
        ("after", ctypes.c_char_p),
        ("before_size", ctypes.c_int64),
        ("after_size", ctypes.c_int64),
    )


class HeadOfLines:
    """What of a line is always the same: members of JSON before and after what varies.

    `after` begins with a comma, where it says anything.
    """

    __slots__ = ("_kept", "reference")

    def __init__(self, before: bytes, after: bytes) -> None:
        self._kept = _Head(before, after, len(before), len(after))
        self.reference = ctypes.byref(self._kept)


class LineKernel:
    """Lines that wait to be taken, of a bounded size; `line_kernel` makes it.

    One thread adds, any other may take meanwhile, but one at a time.
    """

    def __init__(self, add: Any, take: Any, bytes_max: int) -> None:
        self._take = take
        self._out = ctypes.create_string_buffer(bytes_max)
        self._taken = ctypes.create_string_buffer(bytes_max)
        self._powers = powers()
        self._state = _Lines(
            out=ctypes.addressof(self._out), powers=self._powers.ctypes.data, out_max=bytes_max
        )
        self._reference = ctypes.byref(self._state)
        self.add: AddLine = functools.partial(add, self._reference)
        """Adds a line: the `reference` of its head, the client as JSON, the microseconds that it
        took, the bytes of the answer; 0 where there is no room. No method: that would take longer.
        """

    def take(self) -> tuple[bytes, int]:
        """All lines, and how many they are; there are none then."""
        size = ctypes.c_int64()
        count: int = self._take(self._reference, self._taken, ctypes.byref(size))
        return ctypes.string_at(self._taken, size.value), count


def line_kernel(bytes_max: int = LINES_BYTES) -> LineKernel | None:
    """What writes lines; None where there is no library, or an older one."""
    found = short_calls()
    add, take = (getattr(found, f"serinus_lines_{name}", None) for name in ("add", "take"))
    if add is None or take is None:
        return None
    # No types of its arguments: to convert references, bytes and small numbers by them would take
    # longer than to write the line.
    add.restype = ctypes.c_int32
    take.restype = ctypes.c_int64
    take.argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p)
    return LineKernel(add, take, bytes_max)
