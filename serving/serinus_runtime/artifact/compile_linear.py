"""scikit-learn's linear models to `plan.Linear` and a link."""

from __future__ import annotations

from typing import Any

import numpy as np

from serinus_runtime.artifact.not_compilable import NotCompilableError
from serinus_runtime.artifact.plan import Linear, Link

REGRESSORS = frozenset(
    {
        "ARDRegression",
        "BayesianRidge",
        "ElasticNet",
        "ElasticNetCV",
        "HuberRegressor",
        "Lars",
        "LarsCV",
        "Lasso",
        "LassoCV",
        "LassoLars",
        "LassoLarsCV",
        "LassoLarsIC",
        "LinearRegression",
        "LinearSVR",
        "OrthogonalMatchingPursuit",
        "OrthogonalMatchingPursuitCV",
        "PassiveAggressiveRegressor",
        "QuantileRegressor",
        "Ridge",
        "RidgeCV",
        "SGDRegressor",
        "TheilSenRegressor",
    }
)
LOG_LINK_REGRESSORS = frozenset({"PoissonRegressor", "GammaRegressor"})
CLASSIFIERS = frozenset(
    {"LinearDiscriminantAnalysis", "LogisticRegression", "LogisticRegressionCV"}
)
LINEAR_FAMILIES = REGRESSORS | LOG_LINK_REGRESSORS | CLASSIFIERS
"""Names of the estimators that this module compiles."""


def compile_linear(estimator: Any) -> tuple[Linear, Link]:
    """Weights and link of a fitted estimator of `LINEAR_FAMILIES`; raises `NotCompilableError`."""
    name = type(estimator).__name__
    coefficients = np.atleast_2d(np.asarray(estimator.coef_, dtype=np.float64))
    outputs = len(coefficients)
    linear = Linear(
        weights=np.ascontiguousarray(coefficients.T),
        intercept=np.broadcast_to(
            np.asarray(estimator.intercept_, dtype=np.float64).reshape(-1), (outputs,)
        ).copy(),
    )
    if name in CLASSIFIERS:
        return linear, _class_link(estimator, outputs)
    if outputs != 1:
        raise NotCompilableError(f"{name} predicts several labels at once")
    return linear, Link.EXP if name in LOG_LINK_REGRESSORS else Link.IDENTITY


def _class_link(estimator: Any, outputs: int) -> Link:
    if outputs == 1:
        return Link.SIGMOID
    if getattr(estimator, "solver", "") == "liblinear":
        raise NotCompilableError("liblinear fits one model for each class")
    return Link.SOFTMAX
