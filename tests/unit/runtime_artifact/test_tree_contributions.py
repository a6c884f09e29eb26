"""Contributions to a forest's output are Shapley values, in C and in NumPy alike."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations
from math import factorial
from typing import Any

import numpy as np
import pytest

from serinus_runtime.artifact.errors import FormatRefused
from serinus_runtime.artifact.forest import Aggregation, Forest
from serinus_runtime.artifact.tree_contributions import TreeContributions
from tests.support.random_forests import Shape, random_forest, random_rows

pytestmark = pytest.mark.slow

SHAPES = [
    pytest.param(Shape(n_features=4, n_trees=3, depth=4), id="boosting"),
    pytest.param(Shape(n_features=4, n_trees=3, n_outputs=3, depth=3), id="boosting of classes"),
    pytest.param(
        Shape(n_features=4, n_trees=3, n_outputs=3, depth=4, aggregation=Aggregation.MEAN),
        id="bagging",
    ),
    pytest.param(
        Shape(n_features=3, n_trees=2, depth=7, categories=True, single_precision=True),
        id="categories, and columns that are asked again and again",
    ),
    pytest.param(Shape(n_features=4, n_trees=2, depth=0), id="leaves only"),
]


def explained(forest: Forest) -> TreeContributions:
    assert forest.cover is not None
    return TreeContributions(forest, forest.cover)


def expected(one: TreeContributions, row: np.ndarray, known: frozenset[int]) -> np.ndarray:
    """What the forest expects of a row of which only these columns are known: the definition."""
    forest = one.forest
    (extended,) = forest.extended(row[np.newaxis])
    out = np.zeros(forest.n_outputs)
    of_output = len(forest.roots) if forest.is_mean else len(forest.roots) // forest.n_outputs
    for tree, root in enumerate(forest.roots):
        worth = below(one, extended, known, int(root))
        out[tree // of_output :][: len(worth)] += worth
    return out / len(forest.roots) if forest.is_mean else out + forest.baseline


def below(one: TreeContributions, extended: Any, known: frozenset[int], node: int) -> np.ndarray:
    forest, column = one.forest, int(one.column[node])
    if column < 0:
        return forest.value[node]
    first = int(forest.left[node])
    if column in known:
        answer = bool(extended[forest.feature[node]] > forest.threshold[node])
        return below(one, extended, known, first + answer)
    return sum(one.share[first + s] * below(one, extended, known, first + s) for s in (0, 1))


def by_definition(one: TreeContributions, row: np.ndarray) -> np.ndarray:
    """Shapley values over all sets of columns."""
    n = one.forest.n_features
    values = np.zeros((n, one.forest.n_outputs))
    for column in range(n):
        others = [other for other in range(n) if other != column]
        for some in subsets(others):
            weight = factorial(len(some)) * factorial(n - len(some) - 1) / factorial(n)
            gain = expected(one, row, some | {column}) - expected(one, row, some)
            values[column] += weight * gain
    return values


def subsets(columns: list[int]) -> Iterator[frozenset[int]]:
    for size in range(len(columns) + 1):
        yield from (frozenset(some) for some in combinations(columns, size))


@pytest.mark.parametrize("shape", SHAPES)
def test_contributions_are_shapley_values_by_their_definition(shape: Shape) -> None:
    one = explained(random_forest(shape, seed=3))
    rows = random_rows(5, shape.n_features, seed=4)

    contributions = one.of(rows)

    for row, got in zip(rows, contributions, strict=True):
        np.testing.assert_allclose(got, by_definition(one, row), rtol=0, atol=1e-12)
    np.testing.assert_allclose(one.base, expected(one, rows[0], frozenset()), rtol=0, atol=1e-12)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("seed", range(5))
def test_they_sum_to_the_output_and_numpy_says_the_same(shape: Shape, seed: int) -> None:
    big = replace(shape, n_features=9, n_trees=8, depth=min(shape.depth, 6) * 2)
    forest = random_forest(big, seed=seed)
    one, rows = explained(forest), random_rows(20, 9, seed=seed)

    contributions = one.of(rows)
    in_numpy = one.in_numpy(forest.extended(rows))
    in_numpy = in_numpy / len(forest.roots) if forest.is_mean else in_numpy

    total = one.base + contributions.sum(axis=1)
    np.testing.assert_allclose(total, forest.raw(rows), rtol=0, atol=1e-11)
    np.testing.assert_allclose(contributions, in_numpy, rtol=0, atol=1e-12)


def test_a_column_that_nobody_asks_adds_nothing() -> None:
    forest = random_forest(Shape(n_features=3, depth=4), seed=1)
    wider = replace(forest, n_features=3)
    one = explained(wider)
    rows = random_rows(4, 3, seed=2)
    unasked = [column for column in range(3) if column not in set(one.column.tolist())]

    assert not one.of(rows)[:, unasked].any()


def test_nodes_that_no_training_row_reached_share_evenly() -> None:
    forest = random_forest(Shape(n_features=3, n_trees=1, depth=3), seed=5)
    one = TreeContributions(forest, np.zeros(len(forest.feature)))
    rows = random_rows(4, 3, seed=6)

    total = one.base + one.of(rows).sum(axis=1)
    np.testing.assert_allclose(total, forest.raw(rows), rtol=0, atol=1e-12)


def test_a_way_that_no_training_row_took_is_explained_too() -> None:
    forest = random_forest(Shape(n_features=3, n_trees=1, depth=4), seed=5)
    cover = np.ones(len(forest.feature))
    cover[forest.left[0] + 1] = 0.0
    one = TreeContributions(forest, cover)
    rows = random_rows(30, 3, seed=6)

    contributions = one.of(rows)
    total = one.base + contributions.sum(axis=1)
    np.testing.assert_allclose(total, forest.raw(rows), rtol=0, atol=1e-12)
    np.testing.assert_allclose(
        contributions, one.in_numpy(forest.extended(rows)), rtol=0, atol=1e-12
    )


FOREST = random_forest(Shape(n_features=3, n_trees=2, depth=3), seed=1)


@pytest.mark.parametrize(
    ("changes", "cover"),
    [
        pytest.param({"left": np.zeros_like(FOREST.left)}, FOREST.cover, id="a cycle"),
        pytest.param({"roots": FOREST.roots * 0}, FOREST.cover, id="one root twice"),
        pytest.param({"roots": FOREST.roots + 1}, FOREST.cover, id="a root that is a child"),
        pytest.param({"depth": 401}, FOREST.cover, id="too deep"),
        pytest.param({"depth": 1}, FOREST.cover, id="deeper than it says"),
        pytest.param({}, np.full(len(FOREST.left), np.nan), id="no number of rows"),
        pytest.param({}, np.full(len(FOREST.left), -1.0), id="fewer rows than none"),
        pytest.param({}, np.ones(3), id="weights of other nodes"),
    ],
)
def test_what_isnt_a_table_of_trees_is_refused(changes: dict[str, Any], cover: Any) -> None:
    with pytest.raises(FormatRefused, match="aren't trees that were trained"):
        TreeContributions(replace(FOREST, **changes), cover)
