"""What is to be logged of usual requests, gathered in C in columns of fixed size.

One thread adds requests, which is one call of C and makes no object. A chunk of columns is handed
over as a whole, to that thread or another.
"""

from __future__ import annotations

import ctypes

import numpy as np
from numpy.typing import NDArray

_CHUNK_COLUMNS = (
    "ids", "issued_at_ms", "row_counts", "percents", "forms", "rows", "answers", "decided",
)  # fmt: skip
_OF_A_REQUEST_BYTES = 8 + 4 + 4 + 4
_OF_A_ROW_BYTES = 4
_IDS_SHARE = 3


class _Chunk(ctypes.Structure):
    """`chunk` in gather.c."""

    _fields_ = (
        *((name, ctypes.c_void_p) for name in _CHUNK_COLUMNS),
        *((name, ctypes.c_int64) for name in (
            "ids_max", "requests_max", "rows_max", "ids_size", "n_requests", "n_rows",
        )),
    )  # fmt: skip


class _Gathering(ctypes.Structure):
    """`gathering` in gather.c."""

    _fields_ = (
        ("current", ctypes.c_void_p),
        *((name, ctypes.c_int64) for name in (
            "n_columns", "width", "taken_rows", "unsampled_rows",
        )),
        ("percent", ctypes.c_int32),
        ("is_classification", ctypes.c_int32),
    )  # fmt: skip


class Chunk:
    """Columns for some requests, in at most `bytes_max` bytes."""

    def __init__(self, bytes_max: int, n_columns: int, width: int) -> None:
        ids_max = bytes_max // _IDS_SHARE
        self._row_bytes = _OF_A_ROW_BYTES + 8 * (n_columns + width)
        rows_max = (bytes_max - ids_max) // (_OF_A_REQUEST_BYTES + self._row_bytes)
        self._ids = np.empty(ids_max, dtype=np.uint8)
        self._issued_at_ms = np.empty(rows_max, dtype=np.int64)
        self._row_counts = np.empty(rows_max, dtype=np.int32)
        self._percents = np.empty(rows_max, dtype=np.int32)
        self._forms = np.empty(rows_max, dtype=np.int32)
        self._rows = np.empty((rows_max, n_columns))
        self._answers = np.empty((rows_max, width))
        self._decided = np.empty(rows_max, dtype=np.int32)
        columns = {name: getattr(self, f"_{name}").ctypes.data for name in _CHUNK_COLUMNS}
        self._state = _Chunk(**columns, ids_max=ids_max, requests_max=rows_max, rows_max=rows_max)
        self.address = ctypes.addressof(self._state)

    @property
    def n_requests(self) -> int:
        """How many requests are there."""
        count: int = self._state.n_requests
        return count

    @property
    def n_rows(self) -> int:
        """How many rows are there."""
        count: int = self._state.n_rows
        return count

    @property
    def held_bytes(self) -> int:
        """What that takes."""
        a_request = _OF_A_REQUEST_BYTES * self.n_requests + self._state.ids_size
        return int(a_request + self._row_bytes * self.n_rows)

    # Copies of what is there, that keep nothing of the chunk

    @property
    def ids(self) -> bytes:
        """Prediction ids, each with its length in four bytes before it."""
        return self._ids[: self._state.ids_size].tobytes()

    @property
    def issued_at_ms(self) -> NDArray[np.int64]:
        """Times of the requests."""
        return self._issued_at_ms[: self.n_requests].copy()

    @property
    def row_counts(self) -> NDArray[np.int32]:
        """Rows of each request."""
        return self._row_counts[: self.n_requests].copy()

    @property
    def percents(self) -> NDArray[np.int32]:
        """Of which sample each request was."""
        return self._percents[: self.n_requests].copy()

    @property
    def forms(self) -> NDArray[np.intp]:
        """The number of each request's form."""
        return self._forms[: self.n_requests].astype(np.intp)

    @property
    def rows(self) -> NDArray[np.float64]:
        """Encoded rows, (n_rows, n_columns)."""
        return self._rows[: self.n_rows].copy()

    @property
    def answers(self) -> NDArray[np.float64]:
        """What was answered, (n_rows, width)."""
        return self._answers[: self.n_rows].copy()

    @property
    def decided(self) -> NDArray[np.intp]:
        """Positions of the answered classes, (n_rows,); of a regression they say nothing."""
        return self._decided[: self.n_rows].astype(np.intp)


class Gathering:
    """Gathers in the chunk that it has, if it has one. `TensorKernel` makes and fills it."""

    def __init__(
        self, library: ctypes.PyDLL, n_columns: int, width: int, *, is_classification: bool
    ) -> None:
        self._shape = n_columns, width
        self._state = _Gathering(
            n_columns=n_columns, width=width, is_classification=is_classification
        )
        self.address = ctypes.addressof(self._state)
        self._exchange = library.serinus_gathered
        self._exchange.restype = ctypes.c_void_p
        self._exchange.argtypes = (ctypes.c_void_p, ctypes.c_void_p)
        self._chunks: dict[int, Chunk] = {}

    def new_chunk(self, bytes_max: int) -> Chunk:
        """An empty chunk for what is gathered here."""
        return Chunk(bytes_max, *self._shape)

    def exchange(self, chunk: Chunk | None) -> Chunk | None:
        """Go on with that chunk; the one that was there, which nobody else gets."""
        if chunk is not None:
            self._chunks[chunk.address] = chunk
        taken = self._exchange(self.address, chunk.address if chunk else None)
        return self._chunks.pop(taken) if taken else None

    @property
    def percent(self) -> int:
        """How many of a hundred requests are in the sample."""
        percent: int = self._state.percent
        return percent

    @percent.setter
    def percent(self, percent: int) -> None:
        self._state.percent = percent

    @property
    def taken_rows(self) -> int:
        """Rows that were gathered so far."""
        rows: int = self._state.taken_rows
        return rows

    @property
    def unsampled_rows(self) -> int:
        """Rows that weren't in the sample."""
        rows: int = self._state.unsampled_rows
        return rows
