"""Parquet files of flat tables: one row group, one page a column.

A library for this is a hundred and sixty megabytes of image, and tens of megabytes of memory in
each pod that serves. The files here use a small part of the format, which each reader knows: plain
and dictionary encoding, GZIP. The tests read them with three other implementations.

Numbers have a dictionary where they are few different ones. What wouldn't become smaller
is put into the frame of GZIP as it is: to try it on all would take most of the time.

References
----------
Apache Parquet, README.md ("Data Pages"), Encodings.md, LogicalTypes.md and parquet.thrift.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from serinus_runtime.kernel.page_kernel import Distinct, distinct, packed_bits, runs
from serinus_runtime.prediction_log.thrift import I64, Value, encoded, unsigned

_MAGIC = b"PAR1"
_FORMAT_VERSION = 1
_REQUIRED, _OPTIONAL = 0, 1
_PLAIN, _RLE, _RLE_DICTIONARY = 0, 3, 8
_GZIP = 2
_DATA_PAGE, _DICTIONARY_PAGE = 0, 2
_UTF8, _TIMESTAMP_MILLIS = 0, 9
_BYTE_ARRAY = 6
_BITS = {4: np.uint32, 8: np.uint64}

_GZIP_LEVEL, _GZIP_STORED = 1, 0
_GZIP_WINDOW_BITS = 31
"""With the frame of a gzip file."""
_TRIED_BYTES = 1024
"""Of a page that is several times as long: from its middle."""
_WORTH_SHARE = 0.8
"""What doesn't become smaller than that isn't compressed."""
_ROWS_OF_A_VALUE = 4
"""From so many rows for each different value on a column has a dictionary."""
_ROWS_OF_A_RUN = 8
"""From so many rows with one value in turn, in the mean, on each has a run of its own."""

BoolArray = NDArray[np.bool_]
RowCounts = NDArray[np.int32]


class Stored(Enum):
    """How values that aren't texts are stored: Parquet's type, NumPy's, and what they mean."""

    BOOLEAN = (0, "bool", None)
    INT32 = (1, "<i4", None)
    INT64 = (2, "<i8", None)
    MILLISECONDS = (2, "<i8", _TIMESTAMP_MILLIS)
    FLOAT = (4, "<f4", None)
    DOUBLE = (5, "<f8", None)

    def __init__(self, number: int, dtype: str, meaning: int | None) -> None:
        self.number = number
        self.dtype = dtype
        self.meaning = meaning

    def bytes_of(self, values: NDArray[Any]) -> bytes:
        """Plain encoding of values that are there."""
        if self is Stored.BOOLEAN:
            return np.packbits(values.astype(np.bool_), bitorder="little").tobytes()
        return values.astype(self.dtype, copy=False).tobytes()


@dataclass(frozen=True, slots=True, eq=False)
class Values:
    """A column of numbers, booleans or times (milliseconds since 1970, UTC).

    `values` and `present` are (n_rows,); where nothing is present the value doesn't matter. None:
    all are there, and none may ever be missing. With `rows_each` a value is that of so many rows in
    turn, one or more, and all are there.
    """

    name: str
    stored: Stored
    values: NDArray[Any]
    present: BoolArray | None = None
    rows_each: RowCounts | None = None


@dataclass(frozen=True, slots=True)
class Words:
    """The different texts of a column, as a file has them: each with its length before it."""

    packed: bytes
    count: int


def words_of(texts: Sequence[str]) -> Words:
    """The words that these texts are."""
    raw = [text.encode() for text in texts]
    packed = b"".join([part for text in raw for part in (len(text).to_bytes(4, "little"), text)])
    return Words(packed, len(texts))


@dataclass(frozen=True, slots=True, eq=False)
class Texts:
    """A column of texts: `codes` (n_rows,) are positions in `words`; the rest is as of `Values`."""

    name: str
    words: Words
    codes: NDArray[Any]
    present: BoolArray | None = None
    rows_each: RowCounts | None = None


Column = Values | Texts


def parquet_file(columns: Iterable[Column], notes: Mapping[str, str]) -> bytes:
    """The bytes of a file with these columns, of one length, and notes of the whole.

    A column isn't needed any more once the next one is asked for.
    """
    body = bytearray(_MAGIC)
    schemas: list[Value] = []
    chunks: list[Value] = []
    n_rows = 0
    for column in columns:
        n_rows = _length(column)
        schemas.append(_schema(column))
        chunks.append(_written_chunk(column, body))
    footer = encoded(
        {
            1: _FORMAT_VERSION,
            2: [{4: "schema", 5: len(schemas)}, *schemas],
            3: I64(n_rows),
            4: [{1: chunks, 2: I64(len(body) - len(_MAGIC)), 3: I64(n_rows)}],
            5: [{1: key, 2: text} for key, text in notes.items()],
            6: "serinus",
        }
    )
    return bytes(body) + footer + len(footer).to_bytes(4, "little") + _MAGIC


def _length(column: Column) -> int:
    if column.rows_each is not None:
        return int(column.rows_each.sum())
    return len(column.codes if isinstance(column, Texts) else column.values)


def _schema(column: Column) -> Value:
    repetition = _REQUIRED if column.present is None else _OPTIONAL
    if isinstance(column, Texts):
        return {1: _BYTE_ARRAY, 3: repetition, 4: column.name, 6: _UTF8}
    meaning = {} if column.stored.meaning is None else {6: column.stored.meaning}
    return {1: column.stored.number, 3: repetition, 4: column.name, **meaning}


@dataclass(frozen=True, slots=True, eq=False)
class _Pages:
    """A column as its pages have it: `words`, if it has a dictionary of them, and the data."""

    physical: int
    words: Words | None
    data: bytes


def _written_chunk(column: Column, body: bytearray) -> Value:
    """Append the pages of a column; what the footer says of them."""
    start = len(body)
    raw_bytes = 0
    dictionary: dict[int, Value] = {}
    encoding = _PLAIN
    pages = _pages(column)
    if pages.words is not None:
        encoding = _RLE_DICTIONARY
        dictionary = {11: I64(start)}
        page = {1: pages.words.count, 2: _PLAIN}
        raw_bytes += _write_page(body, pages.words.packed, _DICTIONARY_PAGE, 7, page)
    data_start = len(body)
    page = {1: _length(column), 2: encoding, 3: _RLE, 4: _RLE}
    raw_bytes += _write_page(body, pages.data, _DATA_PAGE, 5, page)
    return {
        2: I64(start),
        3: {
            1: pages.physical,
            2: [_PLAIN, _RLE, encoding],
            3: [column.name],
            4: _GZIP,
            5: I64(_length(column)),
            6: I64(raw_bytes),
            7: I64(len(body) - start),
            9: I64(data_start),
            **dictionary,
        },
    }


def _write_page(
    body: bytearray, content: bytes, kind: int, field: int, header: Mapping[int, Value]
) -> int:
    """Append a page; its length before it was compressed."""
    packed = _compressed(content)
    head = encoded({1: kind, 2: len(content), 3: len(packed), field: header})
    body += head
    body += packed
    return len(head) + len(content)


def _compressed(content: bytes) -> bytes:
    """In the frame of a gzip file; smaller, unless a part of it shows that this isn't worth it."""
    if len(content) < 16 * _TRIED_BYTES:
        return _gzip(content, _GZIP_LEVEL)
    middle = len(content) // 2
    tried = _gzip(content[middle : middle + _TRIED_BYTES], _GZIP_LEVEL)
    is_worth_it = len(tried) < _WORTH_SHARE * _TRIED_BYTES
    return _gzip(content, _GZIP_LEVEL if is_worth_it else _GZIP_STORED)


def _gzip(content: bytes, level: int) -> bytes:
    compressor = zlib.compressobj(level, wbits=_GZIP_WINDOW_BITS)
    return compressor.compress(content) + compressor.flush()


def _pages(column: Column) -> _Pages:
    """Which rows have a value, and the values of those."""
    kept: BoolArray | slice = slice(None)
    levels = b""
    if column.present is not None:
        kept = slice(None) if column.present.all() else column.present
        levels = _hybrid(column.present, 1)
        levels = len(levels).to_bytes(4, "little") + levels
    if isinstance(column, Texts):
        data = levels + _coded(column.codes[kept], column.words, column.rows_each)
        return _Pages(_BYTE_ARRAY, column.words, data)
    number, values = column.stored.number, column.values[kept]
    if (few := _few(column, values)) is not None:
        words = Words(few.values.tobytes(), len(few.values))
        return _Pages(number, words, levels + _coded(few.codes, words, column.rows_each))
    if column.rows_each is not None:
        values = np.repeat(values, column.rows_each)
    return _Pages(number, None, levels + column.stored.bytes_of(values))


def _few(column: Values, values: NDArray[Any]) -> Distinct | None:
    """The different values as they are stored, where a dictionary of them is worth it."""
    dtype = np.dtype(column.stored.dtype)
    bits = _BITS.get(dtype.itemsize)
    if bits is None:
        return None
    seen = np.ascontiguousarray(values, dtype=dtype).view(bits)
    found = distinct(seen.astype(np.uint64, copy=False), _length(column) // _ROWS_OF_A_VALUE)
    if found is None or len(found.values) == 0:
        return None
    return Distinct(found.values.astype(bits), found.codes)


def _coded(codes: NDArray[Any], words: Words, rows_each: RowCounts | None) -> bytes:
    """Positions in a dictionary."""
    width = max(1, (words.count - 1).bit_length())
    return bytes([width]) + _hybrid(codes, width, rows_each)


def _hybrid(numbers: NDArray[Any], width: int, rows_each: RowCounts | None = None) -> bytes:
    """Small numbers as runs of one value, or as one run of `width` bits each."""
    if len(numbers) == 0:
        return b""
    n_rows = len(numbers) if rows_each is None else int(rows_each.sum())
    if (numbers == numbers[0]).all():
        return unsigned(n_rows << 1) + int(numbers[0]).to_bytes((width + 7) // 8, "little")
    if rows_each is not None:
        are_long = n_rows >= _ROWS_OF_A_RUN * len(numbers)
        if are_long and (made := runs(numbers, rows_each, (width + 7) // 8)) is not None:
            return made
        numbers = np.repeat(numbers, rows_each)
    return unsigned((n_rows + 7) // 8 << 1 | 1) + packed_bits(numbers, width)
