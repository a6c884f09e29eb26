"""Whether the parts of a plan fit each other, its model's inputs and its answers.

A plan is data from a file. Arrays that don't fit would fail at some later request, read a
neighbour's table, or grow a row into a matrix that no memory holds: here they are refused once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np

from serinus_runtime.artifact.errors import FormatRefused
from serinus_runtime.artifact.forest import Aggregation, FloatArray, Forest, IntArray
from serinus_runtime.artifact.model import TWO_CLASSES
from serinus_runtime.artifact.plan import (
    Cast,
    Concatenate,
    Impute,
    Linear,
    Link,
    MissingIndicator,
    OneHot,
    Operation,
    Ordinal,
    Plan,
    Scale,
    Select,
)
from serinus_runtime.artifact.signature import Datatype, Signature

Codes: TypeAlias = list[int]
"""For each column of a matrix how many codes of categories it can hold; 0 for numbers."""


def check_plan(plan: Plan, signature: Signature, *, n_answers: int) -> None:
    """Raise `FormatRefused` unless the plan makes `n_answers` of any row of the signature."""
    width = check_operations(plan.operations, signature)
    raw = (
        _linear(plan.model, width) if isinstance(plan.model, Linear) else _forest(plan.model, width)
    )
    _require(_answers(plan.link, raw) == n_answers, "the link and the number of answers")


def check_operations(operations: Sequence[Operation], signature: Signature) -> int:
    """How many columns operations make of a row; raises `FormatRefused` where they don't fit it."""
    codes = [
        len(spec.categories or ()) + 1 if spec.datatype is Datatype.BYTES else 0
        for spec in signature.inputs
    ]
    return len(_through(operations, codes))


def _require(fits: bool, what: str) -> None:  # noqa: FBT001  what fits, said by its name
    if not fits:
        raise FormatRefused(f"manifest.json: plan: {what} don't fit")


def _through(operations: Sequence[Operation], codes: Codes) -> Codes:
    for operation in operations:
        codes = _after(operation, codes)
    return codes


def _after(operation: Operation, codes: Codes) -> Codes:
    """Columns after an operation; raises `FormatRefused`."""
    numbers = [0] * len(codes)
    match operation:
        case Select(columns):
            _within(columns, len(codes), "the columns of select")
            return [codes[column] for column in columns]
        case Cast():
            return codes
        case Impute(values):
            _require(values.shape == (len(codes),), "the values of impute")
            return codes
        case MissingIndicator(columns):
            _within(columns, len(codes), "the columns of missing-indicator")
            return codes + [0] * len(columns)
        case Scale(offset, divisor):
            _require(offset.shape == divisor.shape == (len(codes),), "the values of scale")
            return numbers
        case Ordinal(start, values):
            _table(start, values, codes)
            return numbers
        case OneHot(start, position, width):
            _table(start, position, codes)
            _require(0 < width <= len(position), "the width of one-hot")
            _within(position + 1, width + 1, "the positions of one-hot")
            return [0] * width
        case Concatenate(branches):
            return [column for branch in branches for column in _through(branch, codes)]


def _within(indices: IntArray, size: int, what: str) -> None:
    inside = bool(((indices >= 0) & (indices < size)).all())
    _require(indices.ndim == 1 and len(indices) > 0 and inside, what)


def _table(start: IntArray, cells: FloatArray | IntArray, codes: Codes) -> None:
    """One cell for each code that a column can hold, and one for missing."""
    wanted = np.concatenate([[0], np.cumsum([count + 1 for count in codes])])
    fits = all(codes) and np.array_equal(start, wanted) and cells.shape == (wanted[-1],)
    _require(fits, "the categories and their table")


def _linear(model: Linear, width: int) -> int:
    outputs = len(model.intercept)
    fits = model.weights.shape == (width, outputs) and model.intercept.ndim == 1
    _require(fits, "the weights")
    return outputs


def _forest(model: Forest, width: int) -> int:
    outputs = model.n_outputs
    leaf_width = outputs if model.aggregation is Aggregation.MEAN else 1
    fits = (
        model.n_features == width
        and 0 <= model.depth < len(model.feature)
        and model.baseline.ndim == model.roots.ndim == model.feature.ndim == 1
        and model.value.shape == (len(model.feature), leaf_width)
        and len(model.roots) > 0
        and len(model.roots) % (1 if model.aggregation is Aggregation.MEAN else outputs) == 0
    )
    _require(fits, "the tables of the forest")
    return outputs


def _answers(link: Link, raw: int) -> int:
    """Number of answers of so many raw outputs; 0 where the link takes another number."""
    match link:
        case Link.IDENTITY | Link.SOFTMAX:
            return raw
        case Link.EXP:
            return raw if raw == 1 else 0
        case Link.SIGMOID | Link.SIGMOID_OF_DOUBLE:
            return TWO_CLASSES if raw == 1 else 0
