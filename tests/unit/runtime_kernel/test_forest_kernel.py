"""The walk in C: what gets a kernel, and that no table leads it astray."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from serinus_runtime.artifact.forest import Aggregation, Forest
from serinus_runtime.kernel.forest_kernel import forest_kernel
from tests.support.random_forests import Shape, random_forest, random_rows

FOREST = random_forest(Shape(n_outputs=2, categories=True), seed=1)


def changed(**tables: Any) -> Forest:
    return replace(FOREST, **tables)


def moved(array: np.ndarray, value: int) -> np.ndarray:
    """The array with another first element."""
    return np.concatenate([[value], array[1:]]).astype(array.dtype)


def test_a_forest_whose_tables_fit_has_a_kernel() -> None:
    assert forest_kernel(FOREST) is not None


@pytest.mark.parametrize(
    "tables",
    [
        pytest.param({"left": moved(FOREST.left, len(FOREST.left))}, id="a child beyond the nodes"),
        pytest.param({"left": moved(FOREST.left, -1)}, id="a child before them"),
        pytest.param({"feature": moved(FOREST.feature, 10_000)}, id="an input that isn't there"),
        pytest.param({"feature": moved(FOREST.feature, -1)}, id="an input before the first"),
        pytest.param({"roots": moved(FOREST.roots, len(FOREST.left))}, id="a root beyond"),
        pytest.param({"roots": FOREST.roots[:-1]}, id="not as many trees for each output"),
        pytest.param({"threshold": FOREST.threshold[:-1]}, id="a threshold too few"),
        pytest.param({"value": FOREST.value[:-1]}, id="a value too few"),
        pytest.param({"value": np.ones((len(FOREST.value), 3))}, id="values of another width"),
        pytest.param({"category_second": FOREST.category_second[:, :-1]}, id="no missing category"),
        pytest.param({"category_feature": FOREST.category_feature + 99}, id="a category's input"),
        pytest.param({"aggregation": Aggregation.MEAN}, id="another aggregation"),
        pytest.param({"n_features": -1}, id="inputs below none"),
        pytest.param({"baseline": np.zeros(0)}, id="no output"),
    ],
)
def test_tables_that_could_lead_out_of_an_array_have_none(tables: dict[str, Any]) -> None:
    assert forest_kernel(changed(**tables)) is None


LAST = len(FOREST.left) - 1
CHILDREN_OF_ROOT = int(FOREST.left[0])
IN_A_CIRCLE = np.where(np.arange(LAST + 1) == CHILDREN_OF_ROOT, 0, FOREST.left).astype(np.int32)


@pytest.mark.parametrize(
    "tables",
    [
        pytest.param({"left": moved(FOREST.left, LAST)}, id="a right child beyond the nodes"),
        pytest.param({"left": IN_A_CIRCLE}, id="a child that is its own ancestor"),
        pytest.param({"left": moved(FOREST.left, 0)}, id="a node that asks, and is its own child"),
        pytest.param({"roots": np.tile(FOREST.roots, 9)}, id="each tree over and over"),
        pytest.param({"depth": FOREST.depth - 1}, id="a tree deeper than told"),
        pytest.param(
            {"threshold": np.where(np.isinf(FOREST.threshold), -1.0, FOREST.threshold)},
            id="leaves that are left",
        ),
        pytest.param(
            {"feature": moved(FOREST.feature, 2 * FOREST.n_features)}, id="a node that asks nothing"
        ),
    ],
)
def test_tables_that_are_no_trees_have_none(tables: dict[str, Any]) -> None:
    assert forest_kernel(changed(**tables)) is None


@pytest.mark.parametrize(
    ("feature", "left"),
    [
        pytest.param((2, 0, 2), (0, 1, 2), id="one that would be its own child"),
        pytest.param((2, 2, 0), (0, 1, 1), id="a leaf"),
    ],
)
def test_a_node_that_is_nobodys_child_is_of_no_tree(
    feature: tuple[int, ...], left: tuple[int, ...]
) -> None:
    """It would have no place: what is packed would be written anywhere."""
    nodes = complete_forest(1, values=np.ones(1), single_precision=False)
    tables = replace(
        nodes,
        n_features=1,
        depth=2,
        feature=np.array(feature, dtype=np.int32),
        left=np.array(left, dtype=np.int32),
        threshold=np.where(np.array(feature) == 2, np.inf, 0.5),
        value=np.ones((len(feature), 1)),
    )

    assert forest_kernel(tables) is None


def complete_forest(levels: int, *, values: np.ndarray, single_precision: bool = True) -> Forest:
    """One tree that splits all nodes down to that level, at thresholds between -1 and 1."""
    inner, nodes = 2**levels - 1, 2 ** (levels + 1) - 1
    place = np.arange(nodes, dtype=np.int32)
    chance = np.random.default_rng(levels)
    return Forest(
        n_features=3,
        depth=levels,
        aggregation=Aggregation.MEAN,
        single_precision=single_precision,
        feature=np.where(place < inner, place % 6, 6).astype(np.int32),
        threshold=np.where(place < inner, chance.uniform(-1, 1, nodes), np.inf),
        left=np.where(place < inner, 2 * place + 1, place).astype(np.int32),
        value=np.resize(values, (nodes, 1)),
        roots=np.zeros(1, dtype=np.int32),
        baseline=np.zeros(1),
        category_feature=np.zeros(0, dtype=np.int32),
        category_second=np.zeros((0, 257), dtype=np.bool_),
    )


@pytest.mark.parametrize(
    ("levels", "single_precision", "is_wide"),
    [
        pytest.param(4, True, False, id="floats"),
        pytest.param(4, False, True, id="inputs that are doubles"),
        pytest.param(16, True, False, id="steps of 16 bits, the longest"),
        pytest.param(17, True, True, id="longer steps"),
    ],
)
def test_nodes_are_narrow_where_these_say_the_same(
    levels: int, single_precision: bool, is_wide: bool
) -> None:
    forest = complete_forest(
        levels, values=np.arange(2.0 ** (levels + 1)), single_precision=single_precision
    )
    rows = random_rows(70, 3, seed=levels)

    assert forest.kernel is not None
    assert forest.kernel.trees.is_wide is is_wide
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(forest.raw(rows), forest.raw_in_numpy(rows))


def test_many_inputs_need_wide_nodes() -> None:
    forest = replace(complete_forest(3, values=np.ones(1)), n_features=1 << 15)
    forest = replace(forest, feature=np.where(forest.feature == 6, 1 << 16, forest.feature))

    assert forest.kernel is not None
    assert forest.kernel.trees.is_wide


def test_a_value_that_comes_again_is_kept_once() -> None:
    forest = complete_forest(9, values=np.array([1.0, 0.0, -0.0]))
    rows = random_rows(70, 3, seed=2)

    assert forest.kernel is not None
    assert len(forest.kernel.trees.values) == 3
    signs = np.signbit(forest.raw(rows)), np.signbit(forest.raw_in_numpy(rows))
    np.testing.assert_array_equal(*signs)


def test_rows_in_any_layout_are_the_same_rows() -> None:
    rows = random_rows(20, FOREST.n_features, seed=3)
    columns = np.asfortranarray(rows)
    every_other = np.repeat(rows, 2, axis=0)[::2]

    expected = FOREST.raw(rows)
    np.testing.assert_array_equal(FOREST.raw(columns), expected)
    np.testing.assert_array_equal(FOREST.raw(every_other), expected)


@pytest.mark.parametrize("shape", [(2, 4), (2, 6), (5,)])
def test_other_rows_are_refused(shape: tuple[int, ...]) -> None:
    assert FOREST.kernel is not None

    with pytest.raises(ValueError, match="rows: expected 5 numbers each, got"):
        FOREST.kernel.raw(np.zeros(shape))


def test_answers_are_the_callers_own() -> None:
    rows = random_rows(3, FOREST.n_features, seed=4)
    first = FOREST.raw(rows)
    kept = first.copy()
    FOREST.raw(random_rows(3, FOREST.n_features, seed=5))

    np.testing.assert_array_equal(first, kept)
