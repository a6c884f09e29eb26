"""Rows as CSV, which MLflow's protocol knows beside JSON, made into the JSON that they would be.

The first line names the columns. What a cell means follows from the input that it is for: an empty
one is missing, and one that can't be read stays a text, which is then refused by name.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import orjson

from serinus_runtime.artifact.signature import Datatype, InputSpec
from serinus_runtime.server.errors import BadRequest, TooLarge
from serinus_runtime.server.request_body import RequestHeaders

CONTENT_TYPE = b"text/csv"
_MISSING = frozenset({"", "NA", "NaN", "nan", "null"})
"""Of numbers and truths; of texts only an empty one, since the others may be categories."""
_TRUTHS = {"true": True, "1": True, "false": False, "0": False}
_WHOLE_DIGITS_MAX = 20

Cell: TypeAlias = Callable[[str], Any]


def is_csv(headers: RequestHeaders) -> bool:
    """Whether a body is CSV by its headers."""
    return any(
        name == b"content-type" and value.lower().startswith(CONTENT_TYPE)
        for name, value in headers
    )


def json_of_csv(body: bytes, inputs: Sequence[InputSpec], rows_max: int) -> bytes:
    """The request with `dataframe_split` that a body means.

    Raises
    ------
    BadRequest, TooLarge
    """
    try:
        lines = csv.reader(io.StringIO(body.decode("utf-8-sig"), newline=""), strict=True)
        names, *rows = _some_lines(lines, rows_max) or [[]]
    except UnicodeDecodeError as error:
        raise BadRequest("the body isn't CSV: it isn't UTF-8") from error
    except csv.Error as error:
        raise BadRequest(f"the body isn't CSV: {error}") from error
    cells = {spec.name: _cell(spec.datatype) for spec in inputs}
    read = [cells.get(name, _text) for name in names]
    data = [_read_row(row, read) for row in rows]
    return orjson.dumps({"dataframe_split": {"columns": names, "data": data}})


def _some_lines(lines: Any, rows_max: int) -> list[list[str]]:
    """All that aren't blank."""
    found = []
    for line in lines:
        if line:
            found.append(line)
        if len(found) > rows_max + 1:
            raise TooLarge(
                f"the body: expected at most {rows_max} rows, got more; send them in several "
                "requests"
            )
    return found


def _read_row(row: Sequence[str], read: Sequence[Cell]) -> list[Any]:
    """The values; of a row that is too long or too short the number of its cells is told later."""
    if len(row) != len(read):
        return list(row)
    return [cell(text) for cell, text in zip(read, row, strict=True)]


def _text(text: str) -> str | None:
    return text or None


def _number(text: str) -> float | str | None:
    if text in _MISSING:
        return None
    if not text.isascii() or "_" in text:  # Python reads more than others write
        return text
    try:
        value = float(text)
    except ValueError:
        return text
    return value if abs(value) < float("inf") else text


def _whole(text: str) -> int | float | str | None:
    digits = text.removeprefix("-")
    if digits.isascii() and digits.isdigit() and len(digits) < _WHOLE_DIGITS_MAX:
        return int(text)
    return _number(text)


def _truth(text: str) -> bool | str | None:
    return None if text in _MISSING else _TRUTHS.get(text.lower(), text)


def _cell(datatype: Datatype) -> Cell:
    if datatype.is_integer:
        return _whole
    special: Mapping[Datatype, Cell] = {Datatype.BYTES: _text, Datatype.BOOL: _truth}
    return special.get(datatype, _number)
