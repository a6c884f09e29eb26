"""The typed plan: what a compiled model does with a matrix of inputs, as data.

A plan is a list of column operations, one model (linear or forest) and one link. It holds numbers
only, so that it can be written without pickle, read without scikit-learn, and run by NumPy or, as
`plan_program` hands it on, by a kernel in C. Inputs are a float64 matrix (n_rows, n_inputs) in the
order of the signature as `encoding` makes it: booleans are 0 and 1, missing values NaN, and a text
is the position of its category (one past the last where it was never seen in training).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

import numpy as np

from serinus_runtime.artifact.forest import FloatArray, Forest, IntArray


class Link(StrEnum):
    """From raw outputs to answers: probabilities of the classes, or the predicted value."""

    IDENTITY = "identity"
    SIGMOID = "sigmoid"
    SIGMOID_OF_DOUBLE = "sigmoid_of_double"
    SOFTMAX = "softmax"
    EXP = "exp"


@dataclass(frozen=True, slots=True, eq=False)
class Select:
    """Keep these columns, in this order."""

    columns: IntArray


@dataclass(frozen=True, slots=True, eq=False)
class Cast:
    """Round to 32-bit floats."""


@dataclass(frozen=True, slots=True, eq=False)
class Impute:
    """Replace missing values by a constant of the training rows; NaN leaves them missing."""

    values: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class MissingIndicator:
    """Append, for each of these columns, a column that is 1 where it is missing."""

    columns: IntArray


@dataclass(frozen=True, slots=True, eq=False)
class Scale:
    """Subtract `offset`, divide by `divisor`, per column."""

    offset: FloatArray
    divisor: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Ordinal:
    """Replace the category codes of each column by numbers.

    Column `j` looks up `values[start[j] : start[j + 1]]`: one number for each code of the
    signature, then one for a category never seen, then one for a missing value.
    """

    start: IntArray
    values: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class OneHot:
    """Replace the category codes of all columns by `width` columns of 0 and 1.

    `position` is laid out as `Ordinal.values` and says which column becomes 1; -1 is none.
    """

    start: IntArray
    position: IntArray
    width: int


@dataclass(frozen=True, slots=True, eq=False)
class Concatenate:
    """Run branches on the same matrix and put their columns side by side."""

    branches: tuple[tuple[Operation, ...], ...]


Operation: TypeAlias = (
    Select | Cast | Impute | MissingIndicator | Scale | Ordinal | OneHot | Concatenate
)


@dataclass(frozen=True, slots=True, eq=False)
class Linear:
    """`rows @ weights + intercept`; weights are (n_columns, n_outputs)."""

    weights: FloatArray
    intercept: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """A compiled model."""

    operations: tuple[Operation, ...]
    model: Linear | Forest
    link: Link

    @property
    def kind(self) -> str:
        """`linear` or `forest`, as status tells it."""
        return "linear" if isinstance(self.model, Linear) else "forest"

    def answers(self, rows: FloatArray) -> FloatArray:
        """Probabilities (n_rows, n_classes), or predicted values (n_rows, 1)."""
        for operation in self.operations:
            rows = transformed(operation, rows)
        if isinstance(self.model, Linear):
            raw = rows @ self.model.weights
            raw += self.model.intercept
        else:
            raw = self.model.raw(rows)
        return linked(self.link, raw)


def transformed(operation: Operation, rows: FloatArray) -> FloatArray:
    """The matrix after `operation`."""
    match operation:
        case Select(columns):
            return rows.take(columns, axis=1)
        case Cast():
            return rows.astype(np.float32).astype(np.float64)
        case Impute(values):
            return np.where(np.isnan(rows), values, rows)
        case MissingIndicator(columns):
            flags = np.isnan(rows.take(columns, axis=1)).astype(np.float64)
            return np.concatenate([rows, flags], axis=1)
        case Scale(offset, divisor):
            return (rows - offset) / divisor
        case Ordinal(start, values):
            return values.take(_slots(rows, start))
        case OneHot(start, position, width):
            return _one_hot(position.take(_slots(rows, start)), width)
        case Concatenate(branches):
            return np.concatenate([_through(branch, rows) for branch in branches], axis=1)


def _through(branch: tuple[Operation, ...], rows: FloatArray) -> FloatArray:
    for operation in branch:
        rows = transformed(operation, rows)
    return rows


def _slots(rows: FloatArray, start: IntArray) -> IntArray:
    """Index into a look-up table of each cell: a code, or the column's last slot if missing."""
    last = np.diff(start) - 1
    codes: IntArray = (np.where(np.isnan(rows), last, rows) + start[:-1]).astype(np.int32)
    return codes


def _one_hot(position: IntArray, width: int) -> FloatArray:
    out = np.zeros((len(position), width + 1))  # the last column takes what is no category: -1
    out[np.arange(len(position))[:, np.newaxis], position] = 1.0
    return out[:, :width]


def linked(link: Link, raw: FloatArray) -> FloatArray:
    """Answers of raw outputs (n_rows, n_outputs)."""
    match link:
        case Link.IDENTITY:
            return raw
        case Link.EXP:
            return np.exp(raw)
        case Link.SIGMOID:
            return _two_classes(raw[:, 0])
        case Link.SIGMOID_OF_DOUBLE:
            return _two_classes(2.0 * raw[:, 0])
        case Link.SOFTMAX:
            # In place, and by what `max` and `sum` call: on few rows the ways there cost half.
            scaled = raw - np.maximum.reduce(raw, axis=1, keepdims=True)
            np.exp(scaled, scaled)
            scaled /= np.add.reduce(scaled, axis=1, keepdims=True)
            return scaled


def _two_classes(raw: FloatArray) -> FloatArray:
    with np.errstate(over="ignore"):  # exp of a large number is inf, and 1 / inf is right
        positive = 1.0 / (1.0 + np.exp(-raw))
    return np.stack([1.0 - positive, positive], axis=1)
