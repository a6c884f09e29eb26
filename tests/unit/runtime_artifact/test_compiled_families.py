"""100,000 rows for each family of models: its compiled form, in C and by NumPy, predicts alike.

Half of them are like those of training. In the others each cell is drawn from what is hard: values
of training and what lies halfway between two of them, where trees split, with their neighbours
among the floats, besides extremes, nothing, and categories that training never saw.
"""

from typing import Any

import numpy as np
import pytest

from serinus_runtime.artifact.compile import compile_model
from serinus_runtime.artifact.model import decided
from serinus_runtime.artifact.native import native_matrix
from serinus_runtime.artifact.plan import Plan
from serinus_runtime.artifact.plan_predictor import PlanPredictor
from tests.support.compiled_families import FAMILIES
from tests.support.trained_models import INPUTS, encoded, fitted, flights

pytestmark = pytest.mark.slow

N_ROWS = 100_000
EXTREMES = [0.0, -0.0, 1.0, -1.0, 5e-324, 1e-300, 1e6, -1e6, 2.0**40, np.nan]


def hard_values(column: int, usual: np.ndarray) -> np.ndarray:
    """What a cell of an input may hold that is hardest to treat as the original does."""
    categories = INPUTS[column].categories
    if categories is not None:
        return np.array([*range(len(categories) + 1), np.nan])
    values = np.unique(usual[~np.isnan(usual)])
    halfway = (values[1:] + values[:-1]) / 2
    beside = [np.nextafter(halfway, direction) for direction in (-np.inf, np.inf)]
    return np.concatenate([values, halfway, *beside, EXTREMES])


@pytest.fixture(scope="module")
def rows() -> np.ndarray:
    """Encoded rows (100,000, 6)."""
    chance = np.random.default_rng(5)
    usual = encoded(flights(N_ROWS // 2, seed=3, missing=0.1))
    trained = encoded(flights())
    hard = [
        chance.choice(hard_values(column, trained[:, column]), N_ROWS // 2)
        for column in range(len(INPUTS))
    ]
    return np.concatenate([usual, np.stack(hard, axis=1)])


@pytest.mark.parametrize(("preprocessing", "estimator", "classes", "bound"), FAMILIES)
def test_no_class_differs_and_no_answer_by_more_than_its_bound(
    rows: np.ndarray, preprocessing: Any, estimator: Any, classes: Any, bound: float
) -> None:
    pipeline = fitted(preprocessing, estimator, classes=classes)
    plan = compile_model(pipeline, INPUTS)
    assert isinstance(plan, Plan), plan
    original = native_matrix(INPUTS, rows)

    predictor = PlanPredictor(plan, len(INPUTS))

    if classes is None:
        expected = pipeline.predict(original).reshape(-1, 1)
    else:
        expected = pipeline.predict_proba(original)
    scale = np.maximum(1.0, np.abs(expected))
    assert predictor.kernel is not None
    for answers in (predictor.answers(rows), plan.answers(rows)):
        if classes is not None:
            predicted = pipeline.predict(original)
            assert (pipeline.classes_[decided(answers, None)] == predicted).all()
        assert float(np.max(np.abs(answers - expected) / scale)) <= bound
