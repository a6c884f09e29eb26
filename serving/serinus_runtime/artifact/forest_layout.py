"""From the trees that a library fitted to the flat table of `forest.Forest`.

The one place that knows both: how a tree is described (`Tree`) and how nodes are laid out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from serinus_runtime.artifact.forest import (
    MISSING_CATEGORY,
    Aggregation,
    BoolArray,
    FloatArray,
    Forest,
    IntArray,
)

NO_CATEGORY_SPLIT = -1


@dataclass(frozen=True, slots=True, eq=False)
class Tree:
    """One fitted tree. Arrays are (nodes,), node 0 is the root; `value` is (nodes, width).

    A row goes left where `x[feature] <= threshold`, or, at a node with
    `category_split >= 0`, where `category_left[category_split, code]`; a missing value (and an
    unknown category) goes left where `missing_left`. A leaf has `left == -1`. `cover` is the weight
    of the training rows that came to a node.
    """

    feature: IntArray
    threshold: FloatArray
    left: IntArray
    right: IntArray
    missing_left: BoolArray
    value: FloatArray
    category_split: IntArray
    category_left: BoolArray
    cover: FloatArray


def forest_of(
    trees: Sequence[Tree],
    *,
    n_features: int,
    aggregation: Aggregation,
    baseline: FloatArray,
    single_precision: bool,
) -> Forest:
    """Lay out `trees` (for `SUM` ordered by output, then iteration) as one table."""
    tables = []
    n_nodes = n_splits = 0
    for tree in trees:
        tables.append(_laid_out(tree, n_nodes, n_splits, n_features))
        n_nodes += len(tree.feature)
        n_splits += len(tree.category_left)
    roots = np.cumsum([0, *(len(tree.feature) for tree in trees[:-1])])
    return Forest(
        n_features=n_features,
        depth=max(table.depth for table in tables),
        aggregation=aggregation,
        single_precision=single_precision,
        feature=np.concatenate([table.feature for table in tables]),
        threshold=np.concatenate([table.threshold for table in tables]),
        left=np.concatenate([table.left for table in tables]),
        value=np.concatenate([table.value for table in tables]),
        roots=roots.astype(np.int32),
        baseline=np.asarray(baseline, dtype=np.float64),
        category_feature=np.concatenate([table.category_feature for table in tables]),
        category_second=np.concatenate([table.category_second for table in tables]),
        cover=np.concatenate([table.cover for table in tables]),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Table:
    depth: int
    feature: IntArray
    threshold: FloatArray
    left: IntArray
    value: FloatArray
    category_feature: IntArray
    category_second: BoolArray
    cover: FloatArray


def _laid_out(tree: Tree, first_node: int, first_split: int, n_features: int) -> _Table:
    """Nodes in breadth-first order, siblings adjacent, comparisons as `forest` describes."""
    order, depth = _breadth_first(tree)
    place = np.empty(len(order), dtype=np.int32)
    place[order] = np.arange(len(order), dtype=np.int32)
    is_leaf = tree.left[order] < 0
    split = tree.category_split[order]
    is_category = ~is_leaf & (split >= 0)
    swapped = _swapped(tree)[order]
    first_child = np.where(swapped, tree.right[order], tree.left[order])
    constant = 2 * n_features
    return _Table(
        depth=depth,
        feature=np.select(
            [is_leaf, is_category, swapped],
            [constant, constant + 1 + first_split + split, tree.feature[order] + n_features],
            tree.feature[order],
        ).astype(np.int32),
        threshold=np.select(
            [is_leaf, is_category, swapped],
            [np.inf, 0.5, -np.nextafter(tree.threshold[order], np.inf)],
            tree.threshold[order],
        ),
        left=(first_node + np.where(is_leaf, place[order], place[first_child])).astype(np.int32),
        value=np.ascontiguousarray(tree.value[order], dtype=np.float64),
        category_feature=_category_feature(tree),
        category_second=_category_second(tree),
        cover=np.ascontiguousarray(tree.cover[order], dtype=np.float64),
    )


def _swapped(tree: Tree) -> BoolArray:
    """Nodes whose missing values go right: they ask `-x > -next(t)`, right child first."""
    return (tree.left >= 0) & (tree.category_split < 0) & ~tree.missing_left


def _breadth_first(tree: Tree) -> tuple[IntArray, int]:
    """Node numbers by level, the two children of a node next to each other; and the depth."""
    swapped = _swapped(tree)
    levels = []
    level = np.zeros(1, dtype=np.int32)
    while level.size:
        levels.append(level)
        inner = level[tree.left[level] >= 0]
        left, right = tree.left[inner], tree.right[inner]
        flip = swapped[inner]
        pairs = np.stack([np.where(flip, right, left), np.where(flip, left, right)], axis=1)
        level = pairs.reshape(-1).astype(np.int32)
    return np.concatenate(levels), len(levels) - 1


def _category_feature(tree: Tree) -> IntArray:
    feature = np.zeros(len(tree.category_left), dtype=np.int32)
    nodes = np.flatnonzero((tree.left >= 0) & (tree.category_split >= 0))
    feature[tree.category_split[nodes]] = tree.feature[nodes]
    return feature


def _category_second(tree: Tree) -> BoolArray:
    """(splits, 257): which categories go right, the last column for missing and unknown."""
    second = np.ones((len(tree.category_left), MISSING_CATEGORY + 1), dtype=np.bool_)
    second[:, :MISSING_CATEGORY] = ~tree.category_left
    nodes = np.flatnonzero((tree.left >= 0) & (tree.category_split >= 0))
    second[tree.category_split[nodes], MISSING_CATEGORY] = ~tree.missing_left[nodes]
    return second
