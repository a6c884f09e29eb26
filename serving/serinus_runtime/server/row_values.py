"""Rows as clients write them, encoded: objects of names and values, or lists in the inputs' order.

What a client is told of a value that doesn't fit names its row and field; the quick way through
doesn't count rows, so they are looked at one by one only once something was refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from serinus_runtime.artifact.encoding import RowEncoder, ValueRefused, shown, some_names
from serinus_runtime.artifact.forest import FloatArray
from serinus_runtime.server.errors import BadRequest


def encoded_objects(rows: Sequence[Any], encoder: RowEncoder, *, where: str) -> FloatArray:
    """Matrix (n_rows, n_inputs) of objects; fields without an input are ignored.

    Raises
    ------
    BadRequest
        Names the row by `where`, the request's field that has the rows.
    """
    try:
        return encoder.rows(rows)
    except ValueRefused as error:
        raise _refused_row(rows, encoder, where) from error
    except AttributeError as error:  # an item without `get`
        index = next(index for index, row in enumerate(rows) if type(row) is not dict)
        raise BadRequest(
            f"`{where}[{index}]`: expected an object of field names and values, "
            f"got {shown(rows[index])}"
        ) from error


def objects_of(rows: Sequence[Any], names: Sequence[str], *, where: str) -> list[Any]:
    """Rows as objects, of rows that are lists of a value for each name; raises `BadRequest`."""
    objects = []
    for index, row in enumerate(rows):
        if type(row) is not list:
            raise BadRequest(f"`{where}[{index}]`: expected a list of values, got {shown(row)}")
        if len(row) != len(names):
            raise BadRequest(
                f"`{where}[{index}]`: expected {len(names)} values ({some_names(names)}), "
                f"got {len(row)}"
            )
        objects.append(dict(zip(names, row, strict=True)))
    return objects


def some_rows(rows: Any, where: str, of_what: str = "objects") -> list[Any]:
    """`rows`, if it is a list that isn't empty; raises `BadRequest`."""
    if type(rows) is not list:
        found = f", got {shown(rows)}" if rows is not None else ""
        raise BadRequest(f"expected `{where}`, a list of {of_what}{found}")
    if not rows:
        raise BadRequest(f"`{where}`: expected at least one row, got none")
    return rows


def _refused_row(rows: Sequence[Any], encoder: RowEncoder, where: str) -> BadRequest:
    for index, row in enumerate(rows):
        try:
            encoder.rows([row])
        except ValueRefused as error:
            return BadRequest(f"`{where}[{index}].{error.name}`: {error.expectation}")
    raise AssertionError("a value was refused in a batch but in none of its rows")
