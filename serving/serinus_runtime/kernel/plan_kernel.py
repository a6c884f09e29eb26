"""A whole plan in C: operations, model and link of all rows in one call.

The C code checks nothing: only `artifact.plan_program`, which does, makes the tables.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from serinus_runtime.kernel.forest_kernel import ForestKernel
from serinus_runtime.kernel.library import library

FloatArray: TypeAlias = NDArray[np.float64]
IntArray: TypeAlias = NDArray[np.int32]

STEP = np.dtype(
    [
        ("kind", np.int32),
        ("n", np.int32),
        ("width_in", np.int32),
        ("width_out", np.int32),
        ("integers", np.int64),
        ("first", np.int64),
        ("second", np.int64),
    ]
)
"""`step` in plan.c."""


@dataclass(frozen=True, slots=True, eq=False)
class PlanTables:
    """A plan as plan.c reads it, for rows of `inputs` values.

    Attributes
    ----------
    steps
        Of `STEP`, in the order in which they are done; branches follow their `Concatenate`.
    integers, numbers
        Pools into which the steps point.
    weights, intercept
        Of a linear model, (width, outputs) and (outputs,); None with a `forest`.
    width
        Values of a row after the operations.
    link
        Its position in plan.c.
    """

    steps: NDArray[Any]
    count: int
    integers: IntArray
    numbers: FloatArray
    weights: FloatArray | None
    intercept: FloatArray | None
    forest: ForestKernel | None
    inputs: int
    width: int
    outputs: int
    answers: int
    link: int


class _Plan(ctypes.Structure):
    """`plan` in plan.c."""

    _fields_ = (
        *((name, ctypes.c_void_p) for name in (
            "steps", "integers", "numbers", "weights", "intercept", "forest",
        )),
        *((name, ctypes.c_int64) for name in (
            "inputs", "width", "outputs", "answers", "room", "forest_room",
        )),
        *((name, ctypes.c_int32) for name in ("count", "link")),
    )  # fmt: skip


class PlanKernel:
    """One plan in C; `plan_kernel` makes it."""

    def __init__(self, function: Any, tables: PlanTables) -> None:
        self._function = function
        self.shape = tables.inputs, tables.answers
        """Values of a row, and of its answer."""
        self._answers = tables.answers
        self._row_bytes = tables.inputs * np.dtype(np.float64).itemsize
        # The structure holds addresses: what is there lives as long as it does.
        self._kept = tables
        forest = tables.forest
        self._plan = _Plan(
            *(
                None if array is None else array.ctypes.data
                for array in (
                    tables.steps, tables.integers, tables.numbers, tables.weights, tables.intercept,
                )
            ),
            None if forest is None else forest.address,
            tables.inputs,
            tables.width,
            tables.outputs,
            tables.answers,
            int(tables.steps["width_out"].sum()),
            0 if forest is None else forest.row_cells,
            tables.count,
            tables.link,
        )  # fmt: skip
        self._reference = ctypes.byref(self._plan)
        self.address = ctypes.addressof(self._plan)
        """Of the plan, for other C code; valid as long as this lives."""

    def answers(self, rows: FloatArray) -> FloatArray:
        """Answers (n_rows, answers) of rows (n_rows, inputs); raises `ValueError` of others."""
        out = np.empty((len(rows), self._answers))
        if not len(rows):
            return out
        # A copy as bytes, and a number at the first place: quicker than asking for addresses.
        content = rows.tobytes()
        if len(content) != len(rows) * self._row_bytes:  # C would read on behind them
            raise ValueError(
                f"rows: expected {self.shape[0]} numbers of 64 bits each, got an array "
                f"{rows.shape} of {rows.dtype}"
            )
        place = ctypes.byref(ctypes.c_double.from_buffer(out))  # type: ignore[arg-type]
        if self._function(self._reference, content, len(rows), place):
            raise MemoryError(f"no memory to predict {len(rows)} rows")
        return out


def plan_kernel(tables: PlanTables) -> PlanKernel | None:
    """The kernel of a plan; None where there is no library, or an older one."""
    function = getattr(library(), "serinus_plan_answers", None)
    if function is None:
        return None
    function.restype = ctypes.c_int32
    function.argtypes = (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int64, ctypes.c_void_p)
    return PlanKernel(function, tables)
