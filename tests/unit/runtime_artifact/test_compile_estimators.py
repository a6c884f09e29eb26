"""Estimators alone, without preprocessing: the arrays that are read, and what is refused."""

from typing import Any

import numpy as np
import pytest
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestRegressor
from sklearn.linear_model import (
    GammaRegressor,
    Lars,
    LarsCV,
    LassoLars,
    LassoLarsCV,
    LassoLarsIC,
    LinearRegression,
    LogisticRegression,
    OrthogonalMatchingPursuit,
    OrthogonalMatchingPursuitCV,
    PassiveAggressiveRegressor,
    Ridge,
)
from sklearn.multiclass import OneVsRestClassifier

from serinus_runtime.artifact.compile_linear import compile_linear
from serinus_runtime.artifact.compile_trees import compile_trees
from serinus_runtime.artifact.not_compilable import NotCompilableError
from serinus_runtime.artifact.plan import Link, Plan, linked

CHANCE = np.random.default_rng(1)
ROWS = CHANCE.normal(size=(800, 4))
TWO = ROWS[:, 0] + ROWS[:, 1] * ROWS[:, 2] > 0
THREE = np.digitize(ROWS[:, 0] + ROWS[:, 1], [-0.5, 0.5])
VALUES = np.exp(ROWS[:, 0])


def test_links_follow_from_the_model() -> None:
    assert compile_linear(LogisticRegression().fit(ROWS, TWO))[1] is Link.SIGMOID
    assert compile_linear(LogisticRegression().fit(ROWS, THREE))[1] is Link.SOFTMAX
    assert compile_linear(LinearRegression().fit(ROWS, VALUES))[1] is Link.IDENTITY
    assert compile_linear(GammaRegressor().fit(ROWS, VALUES))[1] is Link.EXP


@pytest.mark.parametrize(
    "estimator",
    [
        *(Lars(), LarsCV(), LassoLars(0.01), LassoLarsCV(), LassoLarsIC()),
        *(OrthogonalMatchingPursuit(), OrthogonalMatchingPursuitCV()),
        PassiveAggressiveRegressor(),
    ],
    ids=lambda estimator: type(estimator).__name__,
)
def test_whatever_chose_its_weights_a_linear_model_is_their_sum(estimator: Any) -> None:
    estimator.fit(ROWS, VALUES)

    answers = Plan((), *compile_linear(estimator)).answers(ROWS)

    np.testing.assert_allclose(answers[:, 0], estimator.predict(ROWS), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("classes", [TWO, THREE], ids=["two", "three"])
@pytest.mark.parametrize("solver", ["svd", "lsqr", "eigen"])
def test_discriminants_are_linear_too(classes: np.ndarray, solver: str) -> None:
    estimator = LinearDiscriminantAnalysis(solver=solver).fit(ROWS, classes)

    answers = Plan((), *compile_linear(estimator)).answers(ROWS)

    np.testing.assert_allclose(answers, estimator.predict_proba(ROWS), rtol=0, atol=1e-14)


def test_a_model_without_intercept_has_none() -> None:
    linear, _ = compile_linear(Ridge(fit_intercept=False).fit(ROWS, VALUES))

    assert linear.intercept.tolist() == [0.0]


@pytest.mark.parametrize(
    "compiled",
    [
        lambda: compile_linear(Ridge().fit(ROWS, np.stack([VALUES, VALUES], axis=1))),
        lambda: compile_trees(
            RandomForestRegressor(2).fit(ROWS, np.stack([VALUES, VALUES], axis=1))
        ),
    ],
)
def test_several_labels_at_once_are_refused(compiled: Any) -> None:
    with pytest.raises(NotCompilableError, match="predicts several labels at once"):
        compiled()


def test_extreme_scores_become_certain_without_a_warning() -> None:
    raw = np.array([[-1e4], [1e4], [0.0]])

    with np.errstate(all="raise", under="ignore"):
        answers = linked(Link.SIGMOID, raw)

    assert answers.tolist() == [[1.0, 0.0], [0.0, 1.0], [0.5, 0.5]]


def test_categories_beyond_those_known_go_the_way_of_missing_values() -> None:
    rows = ROWS.copy()
    rows[:, 0] = CHANCE.integers(0, 40, len(rows))
    rows[::17, 0] = np.nan
    target = (rows[:, 0] % 3 == 1) ^ TWO
    estimator = HistGradientBoostingClassifier(max_iter=30, categorical_features=[0])
    estimator.fit(rows, target)
    trees = compile_trees(estimator)
    odd = np.repeat(rows[:1], 6, axis=0)
    odd[:, 0] = [-1.0, 41.0, 255.0, np.nan, 39.0, 0.0]

    answers = Plan((), trees.forest, trees.link).answers(odd)

    assert len(trees.forest.category_feature) > 0
    np.testing.assert_allclose(answers, estimator.predict_proba(odd), rtol=0, atol=1e-12)


def test_a_wrapper_of_models_isnt_taken_for_one_of_them() -> None:
    from serinus_runtime.artifact.compile import compile_model
    from serinus_runtime.artifact.not_compilable import NotCompilable

    wrapped = OneVsRestClassifier(LogisticRegression()).fit(ROWS, THREE)

    assert compile_model(wrapped, ()) == NotCompilable(
        "the estimator OneVsRestClassifier has no compiled form"
    )
