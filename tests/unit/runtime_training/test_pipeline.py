"""Automatic preprocessing: every estimator gets what it can take, and the common ones compile."""

from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import (
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.tree import DecisionTreeClassifier

from serinus_runtime.artifact.compile import compile_model
from serinus_runtime.artifact.native import native_matrix
from serinus_runtime.artifact.plan import Plan
from serinus_runtime.artifact.signature import Datatype, InputSpec
from serinus_runtime.training.pipeline import is_tree, make_pipeline

NUMBER = InputSpec("x", Datatype.FP64)
TEXT = InputSpec("y", Datatype.BYTES, categories=("a", "b", "c"))
UNSEEN, MISSING = 3.0, np.nan
ROWS = np.array([[n % 11, n % 3] for n in range(99)] + [[MISSING, MISSING]], dtype=float)
LABELS = (ROWS[:, 0] > 4) ^ (ROWS[:, 1] == 1)
STRANGE = np.array([[MISSING, UNSEEN], [1e9, MISSING], [-1.0, 0.0]])

COMPILED = [
    LogisticRegression(),
    DecisionTreeClassifier(max_depth=3, random_state=0),
    RandomForestClassifier(5, random_state=0),
    ExtraTreesClassifier(5, random_state=0),
    GradientBoostingClassifier(n_estimators=5, random_state=0),
    HistGradientBoostingClassifier(max_iter=5, random_state=0),
]
NATIVE = [GaussianNB(), KNeighborsClassifier(3), MLPClassifier((3,), max_iter=20, random_state=0)]


def named(estimator: Any) -> str:
    return type(estimator).__name__


def fitted(estimator: Any, inputs: list[InputSpec], columns: list[int]) -> Any:
    rows = native_matrix(inputs, ROWS[:, columns])
    return make_pipeline(estimator, inputs).fit(rows, LABELS)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("estimator", [*COMPILED, *NATIVE], ids=named)
@pytest.mark.parametrize(
    ("inputs", "columns"),
    [([NUMBER, TEXT], [0, 1]), ([NUMBER], [0]), ([TEXT], [1])],
    ids=["both", "numbers", "texts"],
)
def test_missing_and_unseen_values_are_answered(
    estimator: Any, inputs: list[InputSpec], columns: list[int]
) -> None:
    pipeline = fitted(estimator, inputs, columns)

    answers = pipeline.predict_proba(native_matrix(inputs, STRANGE[:, columns]))

    assert np.allclose(answers.sum(axis=1), 1.0)


@pytest.mark.parametrize("estimator", COMPILED, ids=named)
def test_common_estimators_compile_and_answer_the_same(estimator: Any) -> None:
    inputs = [NUMBER, TEXT]
    pipeline = fitted(estimator, inputs, [0, 1])

    plan = compile_model(pipeline, inputs)

    assert isinstance(plan, Plan)
    expected = pipeline.predict_proba(native_matrix(inputs, STRANGE))
    assert np.allclose(plan.answers(STRANGE), expected, atol=1e-9)


def test_trees_are_told_from_the_rest() -> None:
    assert all(is_tree(estimator) for estimator in COMPILED[1:])
    assert not any(is_tree(estimator) for estimator in [COMPILED[0], *NATIVE])
