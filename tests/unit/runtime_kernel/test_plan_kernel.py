"""A plan in C, where there is a library that has it; else NumPy does the same."""

import weakref

import numpy as np
import pytest

from serinus_runtime.artifact.plan import Linear, Link, Plan, Scale
from serinus_runtime.artifact.plan_predictor import PlanPredictor
from serinus_runtime.artifact.plan_program import tables_of
from serinus_runtime.kernel import plan_kernel as module
from serinus_runtime.kernel.plan_kernel import STEP, plan_kernel
from tests.support.random_forests import Shape, random_forest, random_rows

PLAN = Plan(
    (Scale(np.array([1.0, 2.0]), np.array([2.0, 4.0])),),
    Linear(np.array([[3.0], [5.0]]), np.array([0.5])),
    Link.IDENTITY,
)
ROWS = np.array([[3.0, 6.0], [1.0, 2.0]])


def test_the_tables_are_steps_and_pools() -> None:
    tables = tables_of(PLAN, 2)

    assert tables is not None
    assert tables.steps.dtype == STEP
    assert tables.steps.tolist() == [(4, 0, 2, 2, 0, 0, 2)]
    assert tables.numbers.tolist() == [1.0, 2.0, 2.0, 4.0]
    assert (tables.inputs, tables.width, tables.outputs, tables.answers) == (2, 2, 1, 1)


def test_rows_are_answered_in_one_call() -> None:
    tables = tables_of(PLAN, 2)
    assert tables is not None
    kernel = plan_kernel(tables)

    assert kernel is not None
    assert kernel.answers(ROWS).tolist() == [[8.5], [0.5]]
    assert kernel.answers(ROWS[:0]).shape == (0, 1)
    assert kernel.answers(np.asfortranarray(ROWS)).tolist() == [[8.5], [0.5]]


@pytest.mark.parametrize(
    "rows",
    [ROWS[:, :1], np.ones((2, 3)), ROWS[0], ROWS.astype(np.float32)],
    ids=["too narrow", "too wide", "no matrix", "of 32 bits"],
)
def test_other_rows_are_refused(rows: np.ndarray) -> None:
    tables = tables_of(PLAN, 2)
    assert tables is not None
    kernel = plan_kernel(tables)
    assert kernel is not None

    assert kernel.shape == (2, 1)
    with pytest.raises(ValueError, match="rows: expected 2 numbers of 64 bits each, got an array"):
        kernel.answers(rows)


@pytest.mark.parametrize("found", [None, object()], ids=["no library", "a library without it"])
def test_without_the_function_numpy_does_the_same(
    found: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "library", lambda: found)
    predictor = PlanPredictor(PLAN, 2)

    assert predictor.kernel is None
    assert predictor.kind == "linear"
    assert predictor.answers(ROWS).tolist() == [[8.5], [0.5]]


def test_a_forest_in_c_keeps_no_tables_besides() -> None:
    forest = random_forest(Shape(n_features=3), seed=1)
    rows = random_rows(5, 3, seed=1)
    expected, threshold = forest.raw(rows), weakref.ref(forest.threshold)
    predictor = PlanPredictor(Plan((), forest, Link.IDENTITY), 3)
    del forest

    assert threshold() is None
    assert predictor.kind == "forest"
    np.testing.assert_array_equal(predictor.answers(rows), expected)


def test_no_memory_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    tables = tables_of(PLAN, 2)
    assert tables is not None
    kernel = plan_kernel(tables)
    assert kernel is not None
    monkeypatch.setattr(kernel, "_function", lambda *_: -1)

    with pytest.raises(MemoryError, match="no memory to predict 2 rows"):
        kernel.answers(ROWS)
