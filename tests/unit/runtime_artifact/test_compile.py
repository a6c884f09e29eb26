"""Each family of models, compiled, against scikit-learn's own answers: usual rows and odd ones."""

from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import (
    AdaBoostClassifier,
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import LinearRegression, LogisticRegression, PoissonRegressor, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, PolynomialFeatures
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from serinus_runtime.artifact.compile import compile_model
from serinus_runtime.artifact.equality import ANSWER_BOUND
from serinus_runtime.artifact.not_compilable import NotCompilable
from serinus_runtime.artifact.plan import Plan
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

TWO = (False, True)
THREE = ("early", "late", "on time")
EXACT = 0.0


def case(name: str, preprocessing: Any, estimator: Any, classes: Any, bound: float) -> Any:
    return pytest.param(preprocessing, estimator, classes, bound, id=name)


CASES = [
    case("logistic regression", one_hot(), LogisticRegression(max_iter=500), TWO, ANSWER_BOUND),
    case("softmax", one_hot(), LogisticRegression(max_iter=500), THREE, ANSWER_BOUND),
    case("linear regression", one_hot(), LinearRegression(), None, ANSWER_BOUND),
    case("ridge", one_hot(), Ridge(), None, ANSWER_BOUND),
    case("decision tree", one_hot(), DecisionTreeClassifier(max_depth=6), TWO, EXACT),
    case("decision tree with nulls", ordinal(), DecisionTreeClassifier(max_depth=9), THREE, EXACT),
    case("regression tree", one_hot(), DecisionTreeRegressor(max_depth=6), None, EXACT),
    case("random forest", one_hot(), RandomForestClassifier(20, n_jobs=1), TWO, EXACT),
    case("random forest of 3", ordinal(), RandomForestClassifier(20, n_jobs=1), THREE, EXACT),
    case("forest regression", ordinal(), RandomForestRegressor(20, n_jobs=1), None, EXACT),
    case("extra trees", one_hot(), ExtraTreesClassifier(20), TWO, EXACT),
    case("extra trees regression", one_hot(), ExtraTreesRegressor(20), None, EXACT),
    case("gradient boosting", one_hot(), GradientBoostingClassifier(n_estimators=20), TWO,
         ANSWER_BOUND),
    case("gradient boosting of 3", one_hot(), GradientBoostingClassifier(n_estimators=20), THREE,
         ANSWER_BOUND),
    case("AdaBoost's loss", one_hot(),
         GradientBoostingClassifier(n_estimators=20, loss="exponential"), TWO, ANSWER_BOUND),
    case("boosted regression", one_hot(), GradientBoostingRegressor(n_estimators=20), None, EXACT),
    case("histogram boosting", ordinal(), HistGradientBoostingClassifier(max_iter=40), TWO,
         ANSWER_BOUND),
    case("histogram boosting of 3", ordinal(), HistGradientBoostingClassifier(max_iter=20), THREE,
         ANSWER_BOUND),
    case("histogram boosting with category splits", ordinal(),
         HistGradientBoostingClassifier(max_iter=40, categorical_features=[0, 1]), TWO,
         ANSWER_BOUND),
    case("histogram regression", ordinal(), HistGradientBoostingRegressor(max_iter=40), None,
         EXACT),
]  # fmt: skip


@pytest.mark.parametrize(("preprocessing", "estimator", "classes", "bound"), CASES)
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
