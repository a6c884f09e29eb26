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


def test_a_walk_that_goes_astray_ends_nowhere() -> None:
    """The right child of the last node is beyond the table: it stops there, its value is NaN."""
    last = len(FOREST.left) - 1
    astray = changed(
        left=np.full_like(FOREST.left, last),
        feature=np.zeros_like(FOREST.feature),
        threshold=np.full_like(FOREST.threshold, -1.0),
    )
    kernel = forest_kernel(astray)

    assert kernel is not None
    assert np.isnan(kernel.raw(np.ones((1, FOREST.n_features)))).all()


def test_rows_in_any_layout_are_the_same_rows() -> None:
    rows = random_rows(20, FOREST.n_features, seed=3)
    columns = np.asfortranarray(rows)
    every_other = np.repeat(rows, 2, axis=0)[::2]

    expected = FOREST.raw(rows)
    np.testing.assert_array_equal(FOREST.raw(columns), expected)
    np.testing.assert_array_equal(FOREST.raw(every_other), expected)


def test_answers_are_the_callers_own() -> None:
    rows = random_rows(3, FOREST.n_features, seed=4)
    first = FOREST.raw(rows)
    kept = first.copy()
    FOREST.raw(random_rows(3, FOREST.n_features, seed=5))

    np.testing.assert_array_equal(first, kept)
