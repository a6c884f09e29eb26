"""Every family of models that has a compiled form, and how near it comes to the original."""

from typing import Any

import pytest
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from serinus_runtime.artifact.equality import ANSWER_BOUND
from tests.support.trained_models import one_hot, ordinal

TWO = (False, True)
THREE = ("early", "late", "on time")
EXACT = 0.0


def case(name: str, preprocessing: Any, estimator: Any, classes: Any, bound: float) -> Any:
    return pytest.param(preprocessing, estimator, classes, bound, id=name)


FAMILIES = [
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
"""Preprocessing, estimator, classes, and the largest difference of an answer."""
