"""A forest as flat arrays, and its evaluation: in C, or in NumPy over all trees at once.

All trees of a model share one table of nodes. Siblings are neighbours (`right == left + 1`), so a
step of the walk is one comparison and one addition; a leaf is its own left child and compares a
constant that is never greater, so that every tree can walk the same number of steps.

Missing values and categories need no branch in the walk. A row is *extended* before it:

    [x_0 .. x_{F-1}, -x_0 .. -x_{F-1}, 0, c_0 .. c_{C-1}]

A node asks `extended[feature] > threshold`, and a comparison with NaN is false. Where a missing
value goes left, the node asks `x > t` and "yes" is the right child; where it goes right, the node
asks `-x > -next(t)`, which says `x <= t` exactly, and its children change places. `c_j` is 1 where
the category of the row belongs to the second child of the categorical split `j`.

Sums run in the order of the trees, as scikit-learn's do, so that equal leaves give equal bits.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from serinus_runtime.kernel.forest_kernel import ForestKernel, forest_kernel

FloatArray: TypeAlias = NDArray[np.float64]
IntArray: TypeAlias = NDArray[np.int32]
BoolArray: TypeAlias = NDArray[np.bool_]

MISSING_CATEGORY = 256
"""Column of the category tables for values that are missing, negative or not known."""

_CHUNK_CELLS = 1 << 16
"""Trees times rows walked at once: the working set stays in the second-level cache."""


class Aggregation(StrEnum):
    """How the leaves of the trees become the model's raw output."""

    SUM = "sum"
    """Baseline plus the leaves of the trees of each output, one output per tree (boosting)."""
    MEAN = "mean"
    """Mean over the trees, every leaf has a value for each output (bagging)."""


@dataclass(frozen=True, slots=True, eq=False)
class Forest:
    """Flat arrays of all trees.

    `feature`, `threshold`, `left`: (nodes,). `value`: (nodes, width) with width 1 for `SUM` and the
    number of outputs for `MEAN`. `roots`: (trees,), for `SUM` ordered by output, then by
    iteration, with as many trees for each output. `baseline`: (outputs,).
    `category_feature`: (splits,) and `category_second`: (splits, 257), true where a category goes
    to the second child. `single_precision`: inputs are rounded to 32 bits first. `cover`: (nodes,),
    the weight of the training rows at each node; None where nobody asked for it.
    """

    n_features: int
    depth: int
    aggregation: Aggregation
    single_precision: bool
    feature: IntArray
    threshold: FloatArray
    left: IntArray
    value: FloatArray
    roots: IntArray
    baseline: FloatArray
    category_feature: IntArray
    category_second: BoolArray
    cover: FloatArray | None = None
    _split_index: IntArray = field(init=False, repr=False)
    kernel: ForestKernel | None = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(
            self, "_split_index", np.arange(len(self.category_feature), dtype=np.int32)
        )
        object.__setattr__(self, "kernel", forest_kernel(self))

    @property
    def is_mean(self) -> bool:
        """Whether the leaves of all trees are averaged."""
        return self.aggregation is Aggregation.MEAN

    @property
    def n_outputs(self) -> int:
        """Number of raw outputs."""
        return len(self.baseline)

    def raw(self, rows: FloatArray) -> FloatArray:
        """Raw outputs (n_rows, n_outputs) of `rows` (n_rows, n_features)."""
        return self.raw_in_numpy(rows) if self.kernel is None else self.kernel.raw(rows)

    def raw_in_numpy(self, rows: FloatArray) -> FloatArray:
        """The same, bit by bit, where the C library wasn't built."""
        extended = self.extended(rows)
        if len(rows) == 1:
            return self._raw_of_one(extended[0])
        step = max(1, _CHUNK_CELLS // len(self.roots))
        out = np.empty((len(rows), self.n_outputs))
        for start in range(0, len(rows), step):
            out[start : start + step] = self._raw_of_many(extended[start : start + step])
        return out

    def extended(self, rows: FloatArray) -> FloatArray:
        """The rows with what the nodes ask besides, (n_rows, extended width)."""
        n_rows, n_features = rows.shape
        if self.single_precision:
            with np.errstate(over="ignore"):  # what is too large for 32 bits is infinite in them
                rows = rows.astype(np.float32).astype(np.float64)
        n_splits = len(self.category_feature)
        extended = np.empty((n_rows, 2 * n_features + 1 + n_splits))
        extended[:, :n_features] = rows
        np.negative(rows, out=extended[:, n_features : 2 * n_features])
        extended[:, 2 * n_features] = 0.0
        if n_splits:
            extended[:, 2 * n_features + 1 :] = self._category_answers(rows)
        return extended

    def _category_answers(self, rows: FloatArray) -> BoolArray:
        known = (rows >= 0) & (rows < MISSING_CATEGORY)
        codes = np.where(known, rows, MISSING_CATEGORY).astype(np.intp)
        return self.category_second[self._split_index, codes[:, self.category_feature]]

    def _raw_of_one(self, extended: FloatArray) -> FloatArray:
        """The walk for a single row, where the cost is the number of NumPy calls."""
        node = self.roots
        feature, threshold, left = self.feature, self.threshold, self.left
        for _ in range(self.depth):
            node = left.take(node) + (extended.take(feature.take(node)) > threshold.take(node))
        return self._aggregated(self.value.take(node, axis=0)[:, np.newaxis, :])

    def _raw_of_many(self, extended: FloatArray) -> FloatArray:
        n_rows, width = extended.shape
        flat = np.ascontiguousarray(extended).reshape(-1)
        offset = np.arange(n_rows, dtype=np.intp) * width
        node = np.repeat(self.roots[:, np.newaxis], n_rows, axis=1)
        for _ in range(self.depth):
            answer = flat.take(self.feature.take(node) + offset) > self.threshold.take(node)
            node = self.left.take(node) + answer
        return self._aggregated(self.value.take(node, axis=0))

    def _aggregated(self, leaves: FloatArray) -> FloatArray:
        """Raw outputs of leaves (trees, n_rows, width), summed in the order of the trees."""
        n_trees, n_rows, _ = leaves.shape
        if self.is_mean:
            mean: FloatArray = np.add.accumulate(leaves, axis=0)[-1] / n_trees
            return mean
        by_output: FloatArray = leaves.reshape(self.n_outputs, -1, n_rows)
        start = np.broadcast_to(
            self.baseline[:, np.newaxis, np.newaxis], (self.n_outputs, 1, n_rows)
        )
        summed: FloatArray = np.add.accumulate(np.concatenate([start, by_output], axis=1), axis=1)
        last: FloatArray = summed[:, -1, :].T
        return last
