"""A forest's tables as `forest.c` reads them, and its walk.

The C code checks nothing, so tables that could lead it out of an array get no kernel here; NumPy,
which looks, says then what is wrong.
"""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from serinus_runtime.kernel.library import library

if TYPE_CHECKING:
    from serinus_runtime.artifact.forest import Forest

FloatArray: TypeAlias = NDArray[np.float64]
IntArray: TypeAlias = NDArray[np.int32]

CATEGORIES = 257
_LANES = 8
_NODE = np.dtype([("threshold", np.float64), ("feature", np.int32), ("left", np.int32)])


class _Tables(ctypes.Structure):
    """`forest` in forest.c."""

    _fields_ = (
        *((name, ctypes.c_void_p) for name in (
            "nodes", "values", "roots", "baseline", "category_feature", "category_second",
        )),
        *((name, ctypes.c_int64) for name in (
            "trees", "features", "splits", "outputs", "value_width",
        )),
        *((name, ctypes.c_int32) for name in ("depth", "is_mean", "single_precision")),
    )  # fmt: skip


class ForestKernel:
    """The walk of one forest in C; `forest_kernel` makes it."""

    def __init__(self, function: Any, tables: Forest) -> None:
        self._function = function
        self._outputs = len(tables.baseline)
        self._scratch_cells = _LANES * extended_width(tables)
        # The structure holds addresses: these arrays live as long as it does.
        self._kept = (
            _nodes(tables),
            np.vstack([tables.value, np.full((1, tables.value.shape[1]), np.nan)]),
            np.ascontiguousarray(tables.roots, dtype=np.int32),
            np.ascontiguousarray(tables.baseline, dtype=np.float64),
            np.ascontiguousarray(tables.category_feature, dtype=np.int32),
            np.ascontiguousarray(tables.category_second, dtype=np.uint8),
        )
        self._tables = _Tables(
            *(array.ctypes.data for array in self._kept),
            len(tables.roots),
            tables.n_features,
            len(tables.category_feature),
            self._outputs,
            tables.value.shape[1],
            tables.depth,
            tables.is_mean,
            tables.single_precision,
        )
        self._address = ctypes.addressof(self._tables)

    def raw(self, rows: FloatArray) -> FloatArray:
        """Raw outputs (n_rows, n_outputs) of `rows` (n_rows, n_features)."""
        rows = np.ascontiguousarray(rows, dtype=np.float64)
        scratch = np.empty(self._scratch_cells)
        out = np.empty((len(rows), self._outputs))
        self._function(
            self._address, rows.ctypes.data, len(rows), scratch.ctypes.data, out.ctypes.data
        )
        return out


def forest_kernel(tables: Forest) -> ForestKernel | None:
    """The kernel of a forest; None where there is no library, or the tables don't fit."""
    found = library()
    if found is None or not _fit(tables):
        return None
    function = found.serinus_forest_raw
    function.restype = None
    function.argtypes = (
        ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_void_p, ctypes.c_void_p,
    )  # fmt: skip
    return ForestKernel(function, tables)


def extended_width(tables: Forest) -> int:
    """Cells of an extended row: inputs, their negatives, a zero, answers of categorical splits."""
    return 2 * tables.n_features + 1 + len(tables.category_feature)


def _nodes(tables: Forest) -> NDArray[Any]:
    """The nodes side by side, and one more, which a walk that goes astray can't leave."""
    n_nodes = len(tables.feature)
    nodes = np.zeros(n_nodes + 1, dtype=_NODE)
    nodes["threshold"][:n_nodes], nodes["threshold"][n_nodes] = tables.threshold, np.inf
    nodes["feature"][:n_nodes] = tables.feature
    nodes["left"][:n_nodes], nodes["left"][n_nodes] = tables.left, n_nodes
    return nodes


def indices_fit(tables: Forest) -> bool:
    """Whether no node, root or split points outside the tables: the walk itself doesn't look."""
    n_nodes, n_splits = len(tables.feature), len(tables.category_feature)
    return (
        len(tables.threshold) == len(tables.left) == len(tables.value) == n_nodes
        and _within(tables.feature, extended_width(tables))
        and _within(tables.left, n_nodes)
        and _within(tables.roots, n_nodes)
        and _within(tables.category_feature, tables.n_features)
        and tables.category_second.shape == (n_splits, CATEGORIES)
    )


def _fit(tables: Forest) -> bool:
    outputs, trees = len(tables.baseline), len(tables.roots)
    one_by_one = (tables.feature, tables.left, tables.roots, tables.category_feature)
    return (
        all(array.ndim == 1 for array in (*one_by_one, tables.threshold, tables.baseline))
        and tables.value.shape == (len(tables.feature), outputs if tables.is_mean else 1)
        and tables.n_features >= 0
        and 0 < outputs <= trees
        and (tables.is_mean or trees % outputs == 0)
        and indices_fit(tables)
    )


def _within(indices: IntArray, size: int) -> bool:
    return indices.size == 0 or (int(indices.min()) >= 0 and int(indices.max()) < size)
