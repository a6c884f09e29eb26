"""A forest's tables as `contributions.c` reads them, and its walk down all branches.

The C code checks nothing: whoever makes the tables has seen that they are trees.
"""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from serinus_runtime.kernel.forest_kernel import extended_width, tables_fit
from serinus_runtime.kernel.library import library

if TYPE_CHECKING:
    from serinus_runtime.artifact.tree_contributions import TreeContributions

FloatArray: TypeAlias = NDArray[np.float64]


class _Tables(ctypes.Structure):
    """`forest` in contributions.c."""

    _fields_ = (
        *((name, ctypes.c_void_p) for name in (
            "threshold", "value", "share", "points", "weights", "feature", "left", "column",
            "roots",
        )),
        *((name, ctypes.c_int64) for name in (
            "trees", "columns", "extended_width", "outputs", "width", "n_points", "depth",
        )),
    )  # fmt: skip


class ContributionKernel:
    """The walk of one forest in C; `contribution_kernel` makes it."""

    def __init__(self, function: Any, explained: TreeContributions) -> None:
        forest = explained.forest
        floats = (forest.threshold, forest.value, explained.share)
        quadrature = (explained.points, explained.weights)
        numbers = (forest.feature, forest.left, explained.column, forest.roots)
        # The structure holds addresses: these arrays live as long as it does.
        self._kept: tuple[NDArray[Any], ...] = (
            *(np.ascontiguousarray(array, dtype=np.float64) for array in (*floats, *quadrature)),
            *(np.ascontiguousarray(array, dtype=np.int32) for array in numbers),
        )
        width, points = forest.value.shape[1], len(explained.points)
        self._function = function
        self._columns, self._outputs = forest.n_features, forest.n_outputs
        self._width = extended_width(forest)
        self._scratch_cells = 2 * self._columns + (forest.depth + 1) * points * (1 + width)
        self._tables = _Tables(
            *(array.ctypes.data for array in self._kept),
            len(forest.roots),
            self._columns,
            self._width,
            self._outputs,
            width,
            points,
            forest.depth,
        )
        self._address = ctypes.addressof(self._tables)

    def contributions(self, extended: FloatArray) -> FloatArray:
        """Sums over the trees (n_rows, n_columns, n_outputs) of extended rows."""
        extended = np.ascontiguousarray(extended, dtype=np.float64)
        if extended.shape != (len(extended), self._width):  # C would read on
            raise ValueError(f"rows: expected {self._width} cells each, got {extended.shape}")
        out = np.zeros((len(extended), self._columns, self._outputs))
        scratch = np.empty(self._scratch_cells)
        self._function(
            self._address, extended.ctypes.data, len(extended), scratch.ctypes.data, out.ctypes.data
        )
        return out


def contribution_kernel(explained: TreeContributions) -> ContributionKernel | None:
    """The kernel of a forest; None where there is no library, or the tables don't fit."""
    found = library()
    if found is None or not tables_fit(explained.forest):
        return None
    function = getattr(found, "serinus_forest_contributions", None)
    if function is None:  # as in the image of Jobs, which explain nothing
        return None
    function.restype = None
    function.argtypes = (
        ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_void_p, ctypes.c_void_p,
    )  # fmt: skip
    return ContributionKernel(function, explained)
