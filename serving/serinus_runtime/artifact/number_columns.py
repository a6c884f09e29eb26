"""Inputs that are all plain numbers: many values are looked at together, as arrays.

Only what is beyond doubt is taken here; anything else is left to the encoder that looks at one
value after the other, counts what is flagged and says what is wrong. So the two can't disagree on
a value that both take.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from serinus_runtime.artifact.forest import FloatArray

EXACT_INTEGER_MAX = float(1 << 53)
"""Up to here a 64-bit float holds each whole number."""

_NUMBERS = frozenset({float, int})


@dataclass(frozen=True, slots=True)
class NumberColumn:
    """One input: what its datatype holds, what is promised of it, and how it is rounded."""

    type_low: float
    type_high: float
    low: float
    high: float
    is_whole: bool
    is_single: bool

    @property
    def largest(self) -> float:
        """Size up to which nothing is lost by reading it as a 64-bit float."""
        return EXACT_INTEGER_MAX if self.is_whole else math.inf


class NumberColumns:
    """Encodes rows of numbers of which none is missing, flagged or refused."""

    def __init__(self, columns: Sequence[NumberColumn]) -> None:
        self._type_low = np.array([max(one.type_low, -one.largest) for one in columns])
        self._type_high = np.array([min(one.type_high, one.largest) for one in columns])
        self._low = np.array([column.low for column in columns])
        self._high = np.array([column.high for column in columns])
        self._whole = _mask(column.is_whole for column in columns)
        self._single = _mask(column.is_single for column in columns)
        if self._single is None:
            self._type_low = np.maximum(self._type_low, self._low)
            self._type_high = np.minimum(self._type_high, self._high)

    def matrix(self, cells: Sequence[Any], n_rows: int) -> FloatArray | None:
        """Matrix (n_rows, n_inputs) of values row by row; None where one needs a closer look."""
        if not _NUMBERS.issuperset(map(type, cells)):
            return None
        try:
            matrix = np.array(cells, dtype=np.float64).reshape(n_rows, -1)
        except OverflowError:  # a whole number larger than any float
            return None
        if not _within(matrix, self._type_low, self._type_high):
            return None
        if self._whole is not None:
            whole = matrix[:, self._whole]
            if not np.array_equal(whole, np.floor(whole)):
                return None
        if self._single is not None:
            matrix[:, self._single] = matrix[:, self._single].astype(np.float32)
            if not _within(matrix, self._low, self._high):
                return None
        return matrix


def _mask(flags: Iterable[bool]) -> NDArray[np.bool_] | None:
    mask = np.array(list(flags), dtype=np.bool_)
    return mask if mask.any() else None


def _within(matrix: FloatArray, low: FloatArray, high: FloatArray) -> bool:
    """Whether all values are numbers within their column's limits; NaN is not."""
    return bool(((matrix >= low) & (matrix <= high)).all())
