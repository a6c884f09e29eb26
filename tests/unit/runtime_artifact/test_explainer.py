"""Compiled models explain their answers by input, and what they say adds up."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import (
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import LinearRegression, LogisticRegression, PoissonRegressor
from sklearn.neighbors import KNeighborsClassifier
from sklearn.tree import DecisionTreeClassifier

from serinus_runtime.artifact.explainer import (
    Explained,
    Explainer,
    NotExplainable,
    explainer_of,
    sources_after,
)
from serinus_runtime.artifact.package import opened
from serinus_runtime.artifact.plan import (
    Concatenate,
    Impute,
    MissingIndicator,
    OneHot,
    Plan,
    Select,
)
from tests.support.trained_models import (
    INPUTS,
    encoded,
    fitted,
    flights,
    one_hot,
    ordinal,
    packaged,
)

pytestmark = pytest.mark.slow

TWO, THREE = (False, True), ("early", "late", "on time")
FEW: dict[str, Any] = {"n_estimators": 8, "max_depth": 5, "random_state": 0}
ROWS = flights(25, seed=33, missing=0.0)


def explainer(pipeline: Any, store: Path) -> Explainer:
    package = packaged(pipeline, store)
    model = opened(package.path, package.digest)
    return explainer_of(model.model(), model)


def raw(plan: Plan, rows: np.ndarray) -> np.ndarray:
    """What the model says before the link."""
    return Plan(plan.operations, plan.model, type(plan.link).IDENTITY).answers(rows)


CASES = [
    (one_hot(), LogisticRegression(max_iter=500), TWO, Explained.MARGIN),
    (one_hot(), LogisticRegression(max_iter=500), THREE, Explained.MARGIN),
    (one_hot(), LinearRegression(), None, Explained.VALUE),
    (ordinal(), DecisionTreeClassifier(max_depth=6), TWO, Explained.PROBABILITY),
    (one_hot(), RandomForestClassifier(**FEW), TWO, Explained.PROBABILITY),
    (one_hot(), ExtraTreesClassifier(**FEW), THREE, Explained.PROBABILITY),
    (one_hot(), RandomForestRegressor(**FEW), None, Explained.VALUE),
    (one_hot(), GradientBoostingClassifier(n_estimators=8), TWO, Explained.MARGIN),
    (ordinal(), HistGradientBoostingClassifier(max_iter=8), THREE, Explained.MARGIN),
    (
        ordinal(),
        HistGradientBoostingClassifier(max_iter=8, categorical_features=[0, 1]),
        TWO,
        Explained.MARGIN,
    ),
    (ordinal(), HistGradientBoostingRegressor(max_iter=8), None, Explained.VALUE),
]


@pytest.mark.parametrize(
    ("preprocessing", "estimator", "classes", "explained"),
    CASES,
    ids=[f"{type(one[1]).__name__}-{len(one[2] or ())}" for one in CASES],
)
def test_base_and_contributions_sum_to_what_is_explained(
    preprocessing: Any, estimator: Any, classes: Any, explained: Explained, tmp_path: Path
) -> None:
    made = explainer(fitted(preprocessing, estimator, classes=classes, missing=0.0), tmp_path)
    rows = encoded(ROWS)

    told = made.explanation(rows)

    outputs = raw(made.plan, rows)
    if explained is Explained.PROBABILITY and classes is TWO:
        outputs = outputs[:, 1:]
    assert made.explained is explained
    assert told.contributions.shape == (len(rows), len(INPUTS), outputs.shape[1])
    np.testing.assert_allclose(told.total, outputs, rtol=0, atol=1e-10)
    np.testing.assert_allclose(
        told.base + told.contributions.sum(axis=1), told.total, rtol=0, atol=1e-12
    )


def test_a_linear_model_says_how_far_a_row_is_from_the_average(tmp_path: Path) -> None:
    made = explainer(fitted(one_hot(), LogisticRegression(max_iter=500), classes=TWO), tmp_path)
    near, far = encoded([ROWS[0]]), encoded([ROWS[0] | {"delay": 500.0}])

    change = made.explanation(far).contributions - made.explanation(near).contributions

    delay = [spec.name for spec in INPUTS].index("delay")
    assert change[0, delay, 0] > 1
    assert not np.delete(change, delay, axis=1).any()


def test_which_class_is_told_of(tmp_path: Path) -> None:
    tree = DecisionTreeClassifier(max_depth=3)
    two = explainer(fitted(ordinal(), tree, classes=TWO, missing=0.0), tmp_path)
    three = explainer(fitted(ordinal(), tree, classes=THREE, missing=0.0), tmp_path)
    none = explainer(fitted(one_hot(), LinearRegression(), classes=None), tmp_path)

    assert (two.classes, three.classes, none.classes) == ((True,), THREE, None)


def test_a_link_of_its_own_is_explained_before_it(tmp_path: Path) -> None:
    made = explainer(fitted(one_hot(), PoissonRegressor(), classes=(0, 1, 2)), tmp_path)
    rows = encoded(ROWS)

    told = made.explanation(rows)

    assert made.explained is Explained.MARGIN
    np.testing.assert_allclose(np.exp(told.total), made.plan.answers(rows), rtol=1e-12)


def test_a_model_that_isnt_compiled_says_why_and_what_to_do(tmp_path: Path) -> None:
    pipeline = fitted(one_hot(), KNeighborsClassifier(), classes=TWO)

    with pytest.raises(NotExplainable) as refused:
        explainer(pipeline, tmp_path)

    assert str(refused.value) == (
        "model `flight-delay` isn't compiled (the estimator KNeighborsClassifier has no compiled "
        "form; it keeps rows as a sparse matrix, which has no ONNX form); explain it where it was "
        "trained, with a library as `shap`"
    )


def whole(*numbers: int) -> np.ndarray:
    return np.array(numbers, dtype=np.int32)


def test_columns_remember_their_input() -> None:
    operations = (
        Concatenate(
            (
                (Select(whole(2, 0)), Impute(np.zeros(2)), MissingIndicator(whole(1))),
                (Select(whole(1, 3)), OneHot(whole(0, 3, 6), whole(0, 2, -1, 1, -1, 3), 4)),
            )
        ),
    )

    assert sources_after(operations, range(4)) == [2, 0, 0, 1, 3, 1, 3]
