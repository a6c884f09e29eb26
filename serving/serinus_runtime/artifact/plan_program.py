"""A plan as tables for the kernel in C: numbered steps, and pools of numbers that they point into.

Whatever doesn't fit (an operation that asks for a column that isn't there, a table too short) gets
no tables, so that C code, which looks at nothing, is never led astray; NumPy says what is wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from serinus_runtime.artifact.forest import IntArray
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
from serinus_runtime.kernel.plan_kernel import STEP, PlanTables

_KINDS = (Select, Cast, Impute, MissingIndicator, Scale, Ordinal, OneHot, Concatenate)
_LINKS = (Link.IDENTITY, Link.SIGMOID, Link.SIGMOID_OF_DOUBLE, Link.SOFTMAX, Link.EXP)
"""Both in the order of plan.c."""
_TWO_CLASSES = 2
_WIDTH_MAX = 1 << 14
"""Values of a row; what is wider isn't worth a kernel."""


class _DoesntFitError(Exception):
    """The plan's parts don't fit each other, or rows of that width."""


def tables_of(plan: Plan, n_inputs: int) -> PlanTables | None:
    """The tables of a plan for rows of `n_inputs` values; None where they can't be made."""
    program = _Program()
    try:
        width = program.add_all(plan.operations, n_inputs)
        return _with_model(program, plan, n_inputs, width)
    except _DoesntFitError:
        return None


@dataclass(slots=True)
class _Program:
    """Steps and pools, as far as they are made."""

    steps: list[tuple[int, ...]] = field(default_factory=list)
    integers: list[int] = field(default_factory=list)
    numbers: list[float] = field(default_factory=list)

    def add_all(self, operations: Sequence[Operation], width: int) -> int:
        """Append operations on rows of `width` values; how many there are after them."""
        for operation in operations:
            width = self._add(operation, width)
        return width

    def _add(self, operation: Operation, width: int) -> int:
        n, integers, first, second = 0, len(self.integers), len(self.numbers), len(self.numbers)
        out = width
        match operation:
            case Select(columns):
                n = out = self._columns(columns, width)
            case MissingIndicator(columns):
                n = self._columns(columns, width)
                out = width + n
            case Impute(values):
                self._per_column(values, width)
            case Scale(offset, divisor):
                self._per_column(offset, width)
                second = len(self.numbers)
                self._per_column(divisor, width)
            case Ordinal(start, values):
                self._slots(start, width, len(values))
                self.numbers += values.tolist()
            case OneHot(start, position, out):
                self._slots(start, width, len(position))
                _require(bool((position >= -1).all() and (position < out).all()))
                self.integers += position.tolist()
            case Concatenate(branches):
                return self._concatenate(branches, width)
            case Cast():
                pass
        _require(0 < out <= _WIDTH_MAX)
        self.steps.append((_kind(operation), n, width, out, integers, first, second))
        return out

    def _concatenate(self, branches: Sequence[Sequence[Operation]], width: int) -> int:
        """Its own step comes first, and says how many steps and values each branch has."""
        at, integers = len(self.steps), len(self.integers)
        self.steps.append(())
        self.integers += [0] * (2 * len(branches))
        out = 0
        for index, branch in enumerate(branches):
            part = self.add_all(branch, width)
            told = slice(integers + 2 * index, integers + 2 * index + 2)
            self.integers[told] = [len(branch), part]
            out += part
        _require(0 < out <= _WIDTH_MAX)
        self.steps[at] = (_KINDS.index(Concatenate), len(branches), width, out, integers, 0, 0)
        return out

    def _columns(self, columns: IntArray, width: int) -> int:
        _require(bool((columns >= 0).all() and (columns < width).all()))
        self.integers += columns.tolist()
        return len(columns)

    def _per_column(self, values: ArrayLike, width: int) -> None:
        numbers = np.asarray(values, dtype=np.float64)
        _require(numbers.shape == (width,))
        self.numbers += numbers.tolist()

    def _slots(self, start: IntArray, width: int, size: int) -> None:
        """Where each column's look-up table begins; each has a slot for what is missing."""
        _require(len(start) == width + 1 and int(start[0]) == 0 and int(start[-1]) == size)
        _require(bool((start[1:] > start[:-1]).all()))  # a difference may be beyond 32 bits
        self.integers += start.tolist()


def _with_model(program: _Program, plan: Plan, n_inputs: int, width: int) -> PlanTables:
    weights = intercept = forest = None
    if isinstance(plan.model, Linear):
        weights = np.ascontiguousarray(plan.model.weights, dtype=np.float64)
        intercept = np.ascontiguousarray(plan.model.intercept, dtype=np.float64)
        _require(weights.ndim == 2 and weights.shape[0] == width and weights.shape[1] > 0)
        outputs = weights.shape[1]
        _require(intercept.shape == (outputs,))
    else:
        forest = plan.model.kernel
        _require(forest is not None and plan.model.n_features == width)
        outputs = plan.model.n_outputs
    is_sigmoid = plan.link in (Link.SIGMOID, Link.SIGMOID_OF_DOUBLE)
    _require(outputs == 1 or not is_sigmoid)
    return PlanTables(
        steps=np.array(program.steps, dtype=STEP),
        count=len(plan.operations),
        integers=np.array(program.integers, dtype=np.int32),
        numbers=np.array(program.numbers, dtype=np.float64),
        weights=weights,
        intercept=intercept,
        forest=forest,
        inputs=n_inputs,
        width=width,
        outputs=outputs,
        answers=_TWO_CLASSES if is_sigmoid else outputs,
        link=_LINKS.index(plan.link),
    )


def _kind(operation: Operation) -> int:
    return _KINDS.index(type(operation))


def _require(fits: bool) -> None:  # noqa: FBT001 (what it is named for)
    if not fits:
        raise _DoesntFitError
