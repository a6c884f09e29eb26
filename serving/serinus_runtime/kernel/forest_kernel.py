"""A forest's tables as `forest.c` reads them, and its walk.

What the walk goes through is made at load, of the tables that the artifact has: it may change
without them. The walk checks nothing, so tables that aren't trees, or could lead out of an array,
get no kernel here; NumPy, which looks, says then what is wrong.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from serinus_runtime.kernel.library import library

if TYPE_CHECKING:
    from serinus_runtime.artifact.forest import Forest

FloatArray: TypeAlias = NDArray[np.float64]
IntArray: TypeAlias = NDArray[np.int32]

CATEGORIES = 257
_DIMENSIONS = 2
_WALKS = 64
_STEPS_MAX = 4
_NARROW, _WIDE = np.dtype(np.uint64), np.dtype([("half", np.uint64, 2)])
_WIDTH_NARROW = 1 << 16
_PLACES_MAX = (1 << 31) - 1


class _Tables(ctypes.Structure):
    """`tables` in forest.c."""

    _fields_ = (
        *((name, ctypes.c_void_p) for name in ("threshold", "value", "feature", "left", "roots")),
        *((name, ctypes.c_int64) for name in ("count", "trees", "width", "constant", "depth")),
    )


class _Packed(ctypes.Structure):
    """`packed` in forest.c."""

    _fields_ = (
        *((name, ctypes.c_void_p) for name in ("nodes", "values", "roots")),
        ("value_count", ctypes.c_int64),
    )


class _Forest(ctypes.Structure):
    """`forest` in forest.c."""

    _fields_ = (
        *((name, ctypes.c_void_p) for name in (
            "nodes", "values", "roots", "baseline", "category_feature", "category_second",
        )),
        *((name, ctypes.c_int64) for name in ("trees", "features", "splits", "outputs")),
        *((name, ctypes.c_int32) for name in ("steps", "is_mean", "single_precision", "is_wide")),
    )  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class PackedTrees:
    """The trees as they are walked; what forest.c says of `nodes`, `values` and `roots`."""

    nodes: NDArray[Any]
    values: FloatArray
    roots: IntArray
    is_wide: bool


class ForestKernel:
    """The walk of one forest in C; `forest_kernel` makes it."""

    def __init__(self, function: Any, tables: Forest, trees: PackedTrees) -> None:
        self._function = function
        self._features, self._outputs = tables.n_features, len(tables.baseline)
        self.trees = trees
        width = extended_width(tables)
        self.row_cells = width if trees.is_wide else (width + 1) // 2
        """Of the scratch, for each row of those that go down the trees together, at most 64."""
        # The structure holds addresses: these arrays live as long as it does.
        self._kept = (
            trees.nodes,
            trees.values,
            trees.roots,
            np.ascontiguousarray(tables.baseline, dtype=np.float64),
            np.ascontiguousarray(tables.category_feature, dtype=np.int32),
            np.ascontiguousarray(tables.category_second, dtype=np.uint8),
        )
        self._forest = _Forest(
            *(array.ctypes.data for array in self._kept),
            len(tables.roots),
            tables.n_features,
            len(tables.category_feature),
            self._outputs,
            _steps(tables.depth),
            tables.is_mean,
            tables.single_precision,
            trees.is_wide,
        )
        self.address = ctypes.addressof(self._forest)

    def raw(self, rows: FloatArray) -> FloatArray:
        """Raw outputs (n_rows, n_outputs) of `rows` (n_rows, n_features)."""
        rows = np.ascontiguousarray(rows, dtype=np.float64)
        if rows.ndim != _DIMENSIONS or rows.shape[1] != self._features:  # C would read on
            raise ValueError(f"rows: expected {self._features} numbers each, got {rows.shape}")
        scratch = np.empty(min(len(rows), _WALKS) * self.row_cells)
        out = np.empty((len(rows), self._outputs))
        self._function(
            self.address, rows.ctypes.data, len(rows), scratch.ctypes.data, out.ctypes.data
        )
        return out


def forest_kernel(tables: Forest) -> ForestKernel | None:
    """The kernel of a forest; None where there is no library, or the tables don't fit."""
    found = library()
    if found is None or not tables_fit(tables):
        return None
    trees = _packed(found, tables)
    if trees is None:
        return None
    function = found.serinus_forest_raw
    function.restype = None
    function.argtypes = (
        ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_void_p, ctypes.c_void_p,
    )  # fmt: skip
    return ForestKernel(function, tables, trees)


def _steps(depth: int) -> int:
    """Steps until it is asked which walks have ended: all as many, and few too many at the end."""
    rounds = -(-depth // _STEPS_MAX)
    return -(-depth // rounds) if rounds else 1


def _packed(found: ctypes.CDLL, tables: Forest) -> PackedTrees | None:
    """The packed trees, of narrow nodes where these do; None where the tables aren't trees."""
    function = found.serinus_forest_pack
    function.restype = ctypes.c_int32
    function.argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int32, ctypes.c_void_p)
    n_nodes, n_trees, width = len(tables.feature), len(tables.roots), tables.value.shape[1]
    room = n_nodes + n_trees
    if room > _PLACES_MAX:
        return None
    floats, numbers = (tables.threshold, tables.value), (tables.feature, tables.left, tables.roots)
    given: tuple[NDArray[Any], ...] = (
        *(np.ascontiguousarray(array, dtype=np.float64) for array in floats),
        *(np.ascontiguousarray(array, dtype=np.int32) for array in numbers),
    )
    shape = _Tables(
        *(array.ctypes.data for array in given),
        n_nodes,
        n_trees,
        width,
        2 * tables.n_features,
        tables.depth,
    )
    # What stays comes first, so that what goes leaves no hole in the memory below it.
    values, roots = np.empty((n_nodes, width)), np.empty(n_trees, dtype=np.int32)
    may_be_narrow = tables.single_precision and extended_width(tables) <= _WIDTH_NARROW
    for is_wide in (False, True) if may_be_narrow else (True,):
        nodes = np.empty(room, dtype=_WIDE if is_wide else _NARROW)
        scratch = np.empty(3 * n_nodes, dtype=np.int32)
        made = _Packed(nodes.ctypes.data, values.ctypes.data, roots.ctypes.data)
        if function(ctypes.byref(shape), ctypes.byref(made), is_wide, scratch.ctypes.data):
            values.resize((made.value_count, width), refcheck=False)
            return PackedTrees(nodes, values, roots, is_wide)
    return None


def extended_width(tables: Forest) -> int:
    """Cells of an extended row: inputs, their negatives, a zero, answers of categorical splits."""
    return 2 * tables.n_features + 1 + len(tables.category_feature)


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


def tables_fit(tables: Forest) -> bool:
    """Whether code that looks at nothing may walk these tables."""
    outputs, trees = len(tables.baseline), len(tables.roots)
    one_by_one = (tables.feature, tables.left, tables.roots, tables.category_feature)
    return (
        all(array.ndim == 1 for array in (*one_by_one, tables.threshold, tables.baseline))
        and tables.value.shape == (len(tables.feature), outputs if tables.is_mean else 1)
        and tables.n_features >= 0
        and tables.depth >= 0
        and outputs > 0
        and trees > 0
        and (tables.is_mean or trees % outputs == 0)
        and indices_fit(tables)
    )


def _within(indices: IntArray, size: int) -> bool:
    return indices.size == 0 or (int(indices.min()) >= 0 and int(indices.max()) < size)
