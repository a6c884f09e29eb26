"""Each family of models, compiled, against scikit-learn's own answers: usual rows and odd ones."""

from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import (
    AdaBoostClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.linear_model import LogisticRegression, PoissonRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, PolynomialFeatures
from sklearn.tree import DecisionTreeClassifier

from serinus_runtime.artifact.compile import compile_model
from serinus_runtime.artifact.not_compilable import NotCompilable
from serinus_runtime.artifact.plan import Plan
from serinus_runtime.artifact.signature import Datatype, InputSpec
from tests.support.compiled_families import FAMILIES, THREE, TWO
from tests.support.trained_models import (
    INPUTS,
    edge_rows,
    encoded,
    fitted,
    flights,
    one_hot,
    ordinal,
    original_answers,
)

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(("preprocessing", "estimator", "classes", "bound"), FAMILIES)
def test_compiled_model_answers_like_scikit_learn(
    preprocessing: Any, estimator: Any, classes: Any, bound: float
) -> None:
    pipeline = fitted(preprocessing, estimator, classes=classes)
    rows = flights(600, seed=3, missing=0.2) + edge_rows()

    plan = compile_model(pipeline, INPUTS)

    assert isinstance(plan, Plan), plan
    expected = original_answers(pipeline, rows)
    np.testing.assert_allclose(plan.answers(encoded(rows)), expected, rtol=0, atol=bound)


def test_one_row_and_many_rows_give_the_same_bits() -> None:
    pipeline = fitted(ordinal(), RandomForestClassifier(30, n_jobs=1), classes=THREE)
    plan = compile_model(pipeline, INPUTS)
    assert isinstance(plan, Plan)
    matrix = encoded(flights(300, seed=3) + edge_rows())

    alone = np.concatenate([plan.answers(row[np.newaxis]) for row in matrix])

    assert (alone == plan.answers(matrix)).all()


def test_chunks_of_a_large_batch_give_the_same_bits() -> None:
    pipeline = fitted(ordinal(), HistGradientBoostingClassifier(max_iter=100), classes=TWO)
    plan = compile_model(pipeline, INPUTS)
    assert isinstance(plan, Plan)
    matrix = encoded(flights(5000, seed=3, missing=0.3))

    pieces = [plan.answers(matrix[start : start + 999]) for start in range(0, 5000, 999)]

    assert (np.concatenate(pieces) == plan.answers(matrix)).all()


@pytest.mark.parametrize(
    ("preprocessing", "estimator", "reason"),
    [
        (one_hot(), AdaBoostClassifier(n_estimators=3), "the estimator AdaBoostClassifier"),
        (one_hot(), LogisticRegression(solver="liblinear"), None),
        (
            one_hot(),
            GradientBoostingClassifier(n_estimators=2, init=DecisionTreeClassifier(max_depth=2)),
            "it starts from another model, DecisionTreeClassifier",
        ),
    ],
)
def test_what_has_no_compiled_form_says_why(
    preprocessing: Any, estimator: Any, reason: str | None
) -> None:
    answer = compile_model(fitted(preprocessing, estimator, classes=TWO), INPUTS)

    if reason is None:
        assert isinstance(answer, Plan)
    else:
        assert isinstance(answer, NotCompilable)
        assert answer.reason.startswith(reason)


@pytest.mark.parametrize(
    ("transformer", "reason"),
    [
        (FunctionTransformer(np.abs), "a FunctionTransformer runs code of its own"),
        (PolynomialFeatures(2), "the transformer PolynomialFeatures has no compiled form"),
    ],
)
def test_a_transformer_that_mixes_or_runs_code_is_not_compiled(
    transformer: Any, reason: str
) -> None:
    matrix = np.abs(np.random.default_rng(0).normal(size=(50, 2)))
    pipeline = make_pipeline(transformer, PoissonRegressor()).fit(matrix, matrix[:, 0])

    assert compile_model(pipeline, INPUTS[:2]) == NotCompilable(reason)


def test_inputs_that_are_taken_as_they_are_arent_copied_first() -> None:
    estimator = LogisticRegression().fit(np.eye(4), [0, 1, 0, 1])
    inputs = [InputSpec(f"x{index}", Datatype.FP64) for index in range(4)]

    plan = compile_model(estimator, inputs)

    assert isinstance(plan, Plan)
    assert plan.operations == ()
