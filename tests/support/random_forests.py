"""Forests that no library fitted: any shape, missing values, categories, both aggregations."""

from dataclasses import dataclass

import numpy as np

from serinus_runtime.artifact.forest import MISSING_CATEGORY, Aggregation, Forest
from serinus_runtime.artifact.forest_layout import NO_CATEGORY_SPLIT, Tree, forest_of


@dataclass(frozen=True)
class Shape:
    """What a random forest looks like."""

    n_features: int = 5
    n_trees: int = 7
    n_outputs: int = 1
    depth: int = 6
    aggregation: Aggregation = Aggregation.SUM
    single_precision: bool = False
    categories: bool = False


def random_tree(shape: Shape, width: int, chance: np.random.Generator) -> Tree:
    """A tree that splits each node with a probability of 0.8 down to the greatest depth."""
    feature, threshold, left, right, missing_left, split = [], [], [], [], [], []
    category_left: list[np.ndarray] = []
    levels: list[int] = []

    def add(level: int) -> int:
        node = len(feature)
        levels.append(level)
        feature.append(int(chance.integers(shape.n_features)))
        threshold.append(float(chance.choice([chance.normal(), 0.0, 0.1, 0.5])))
        missing_left.append(bool(chance.integers(2)))
        split.append(NO_CATEGORY_SPLIT)
        left.append(-1)
        right.append(-1)
        if level < shape.depth and (level == 0 or chance.random() < 0.8):
            if shape.categories and chance.random() < 0.4:
                split[node] = len(category_left)
                category_left.append(chance.integers(0, 2, MISSING_CATEGORY).astype(np.bool_))
            left[node], right[node] = add(level + 1), add(level + 1)
        return node

    add(0)
    n_nodes = len(feature)
    value = chance.choice([1.0, -1.0, 0.0, -0.0], (n_nodes, width)) * chance.random(
        (n_nodes, width)
    )
    return Tree(
        feature=np.array(feature, dtype=np.int32),
        threshold=np.array(threshold),
        left=np.array(left, dtype=np.int32),
        right=np.array(right, dtype=np.int32),
        missing_left=np.array(missing_left),
        value=value,
        category_split=np.array(split, dtype=np.int32),
        category_left=np.array(category_left, dtype=np.bool_).reshape(-1, MISSING_CATEGORY),
        cover=_cover(left, right, chance),
    )


def _cover(left: list[int], right: list[int], chance: np.random.Generator) -> np.ndarray:
    """Weights of leaves by chance, and of each node those of its children; children come later."""
    cover = np.where(np.array(left) < 0, chance.integers(1, 100, len(left)), 0).astype(np.float64)
    for node in reversed(range(len(left))):
        if left[node] >= 0:
            cover[node] = cover[left[node]] + cover[right[node]]
    return cover


def random_forest(shape: Shape, seed: int) -> Forest:
    """A forest of that shape; the same for the same seed."""
    chance = np.random.default_rng(seed)
    is_mean = shape.aggregation is Aggregation.MEAN
    width = shape.n_outputs if is_mean else 1
    n_trees = shape.n_trees if is_mean else shape.n_trees * shape.n_outputs
    return forest_of(
        [random_tree(shape, width, chance) for _ in range(n_trees)],
        n_features=shape.n_features,
        aggregation=shape.aggregation,
        baseline=np.zeros(shape.n_outputs) if is_mean else chance.normal(size=shape.n_outputs),
        single_precision=shape.single_precision,
    )


EDGES = (0.0, -0.0, 0.1, 0.5, 1.0, 255.0, 255.9, 256.0, -1.0, 1e300, -1e300, 5e-324)
NOT_FINITE = (np.inf, -np.inf, np.nan)


def random_rows(n_rows: int, n_features: int, seed: int) -> np.ndarray:
    """Rows of which each cell is at an edge or somewhere between."""
    chance = np.random.default_rng(seed)
    rows = chance.normal(size=(n_rows, n_features)) * chance.choice([1, 100], (n_rows, n_features))
    at_edge = chance.random((n_rows, n_features)) < 0.4
    return np.where(at_edge, chance.choice(EDGES + NOT_FINITE, (n_rows, n_features)), rows)
