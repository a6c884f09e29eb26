"""Usual requests for rows answered in C, by the kernel that answers tensors.

Only `server.usual_rows` makes the tables.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from serinus_runtime.kernel.library import library, short_calls
from serinus_runtime.kernel.tensor_kernel import SHORT_BYTES, TensorKernel


@dataclass(frozen=True, slots=True, eq=False)
class RowTables:
    """A form of rows as tensors.c knows it.

    Attributes
    ----------
    words
        Of `TEXT`: the fields under which rows may come; the code says whether also as lists.
    fragments
        Of `TEXT`: the answer's text around what varies, in the order of tensors.c.
    keys
        Of `TEXT`: what stands before the probability of each class; none: they aren't told.
    letters
        The bytes into which these point.
    row_bytes_max
        How long the answer to a row may be.
    tells_probability
        Whether an answer has more than its prediction.
    """

    words: NDArray[Any]
    fragments: NDArray[Any]
    keys: NDArray[Any]
    letters: bytes
    row_bytes_max: int
    tells_probability: bool


class _RowForm(ctypes.Structure):
    """`row_form` in tensors.c."""

    _fields_ = (
        *((name, ctypes.c_void_p) for name in ("words", "fragments", "keys", "letters")),
        ("row_size_max", ctypes.c_int64),
        *((name, ctypes.c_int32) for name in (
            "n_words", "n_keys", "tells_probability",
        )),
    )  # fmt: skip


class RowsKernel:
    """Answers requests for rows of one form; `rows_kernel` makes it. For one thread.

    What was answered is told by the kernel of the tensors.
    """

    def __init__(self, short: Any, long: Any, kernel: TensorKernel, tables: RowTables) -> None:
        self._short, self._long = short, long
        self._kernel = kernel
        letters = np.frombuffer(tables.letters, dtype=np.uint8)
        # The structure holds addresses: what is there lives as long as it does.
        self._kept = (tables, letters)
        self._form = _RowForm(
            words=tables.words.ctypes.data,
            fragments=tables.fragments.ctypes.data,
            keys=tables.keys.ctypes.data,
            letters=letters.ctypes.data,
            row_size_max=tables.row_bytes_max,
            n_words=len(tables.words),
            n_keys=len(tables.keys),
            tells_probability=tables.tells_probability,
        )
        self._reference = ctypes.byref(self._form)

    def answer(self, request: bytes, now_ms: int, number: int) -> bytes | None:
        """The answer's JSON, with the id of that `number`; None: not a usual request."""
        function = self._short if len(request) <= SHORT_BYTES else self._long
        state = self._kernel.reference
        size: int = function(state, self._reference, request, len(request), now_ms, number)
        self._kernel.unlogged = size > 0
        return self._kernel.text(size) if size else None


def rows_kernel(kernel: TensorKernel, tables: RowTables) -> RowsKernel | None:
    """What answers rows of that form; None where the library is an older one."""
    short, long = (_answering_in(one) for one in (short_calls(), library()))
    return RowsKernel(short, long, kernel, tables) if short and long else None


def _answering_in(found: ctypes.CDLL | None) -> Any:
    function = getattr(found, "serinus_rows_answer", None)
    if function is not None:
        function.restype = ctypes.c_int64
        function.argtypes = (
            ctypes.c_void_p, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int64, ctypes.c_int64,
            ctypes.c_uint32,
        )  # fmt: skip
    return function
