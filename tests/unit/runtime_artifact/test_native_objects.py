"""Sound models pass; one whose indices or lengths lead outside is refused before it is asked.

Asking it would be the end of the process: these tests couldn't report it.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from sklearn.base import clone
from sklearn.ensemble import (
    BaggingClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.neighbors import KNeighborsClassifier, RadiusNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.svm import SVC, SVR
from sklearn.tree import DecisionTreeClassifier

from serinus_runtime.artifact.errors import FormatRefused
from serinus_runtime.artifact.native_objects import check_objects

ROWS = np.abs(np.random.default_rng(3).normal(size=(90, 3))).round(1)
LABELS = (ROWS[:, 0] > 0.5).astype(int) + (ROWS[:, 1] > 0.8)

ESTIMATORS: dict[str, Any] = {
    "tree": DecisionTreeClassifier(max_depth=3),
    "forest": RandomForestClassifier(3, max_depth=2),
    "bagging": BaggingClassifier(n_estimators=2, max_features=2),
    "boosting": GradientBoostingClassifier(n_estimators=2),
    "hist": HistGradientBoostingClassifier(max_iter=2, categorical_features=[2]),
    "kd": KNeighborsClassifier(algorithm="kd_tree", leaf_size=5),
    "ball": KNeighborsClassifier(algorithm="ball_tree", leaf_size=5),
    "weighed": KNeighborsClassifier(
        algorithm="ball_tree", metric="minkowski", metric_params={"w": [1.0, 2.0, 3.0]}
    ),
    "brute": RadiusNeighborsClassifier(algorithm="brute"),
    "svm": SVC(),
    "svr": SVR(),
}


def fitted(name: str) -> Any:
    pipeline = make_pipeline(clone(ESTIMATORS[name])).fit(ROWS, LABELS)
    if name == "hist":  # its own preprocessor calls a function, and is refused for that already
        pipeline[-1]._preprocessor = None
    return pipeline


@pytest.mark.parametrize("name", ESTIMATORS)
def test_what_was_fitted_is_sound(name: str) -> None:
    check_objects(fitted(name))


def test_an_estimator_that_isnt_fitted_has_nothing_to_check() -> None:
    check_objects(make_pipeline(BaggingClassifier(DecisionTreeClassifier())))


def tree_state(tree: Any, change: Callable[[dict[str, Any]], None]) -> None:
    """Change what a tree of scikit-learn consists of."""
    state = tree.__getstate__()
    state = {
        key: value.copy() if isinstance(value, np.ndarray) else value
        for key, value in state.items()
    }
    change(state)
    tree.__setstate__(state)


def nodes_of(**values: Any) -> Callable[[dict[str, Any]], None]:
    """Set fields of the root of a tree."""

    def change(state: dict[str, Any]) -> None:
        for field, value in values.items():
            state["nodes"][field][0] = value

    return change


def more_nodes_than_there_are(state: dict[str, Any]) -> None:
    state["node_count"] = 10**6


TREES = [
    ("a child outside", nodes_of(left_child=10**6)),
    ("a child before the first", nodes_of(right_child=-2)),
    ("a circle", nodes_of(left_child=0)),
    ("a feature outside", nodes_of(feature=3)),
    ("a feature before the first", nodes_of(feature=-1)),
    ("more nodes than there are", more_nodes_than_there_are),
]


@pytest.mark.parametrize("change", [pytest.param(c, id=name) for name, c in TREES])
@pytest.mark.parametrize("name", ["tree", "forest", "bagging", "boosting"])
def test_a_tree_that_leads_outside_is_refused(
    name: str, change: Callable[[dict[str, Any]], None]
) -> None:
    pipeline = fitted(name)
    members = np.ravel(getattr(pipeline[-1], "estimators_", [pipeline[-1]]))
    tree_state(members[-1].tree_, change)

    with pytest.raises(FormatRefused, match="don't fit each other"):
        check_objects(pipeline)


def wider_forest(pipeline: Any) -> None:
    pipeline[-1].n_features_in_ = 1


def foreign_member(pipeline: Any) -> None:
    pipeline[-1].estimators_[0] = SVC()


def more_columns_than_outputs(pipeline: Any) -> None:
    """It would write behind the end of its answers."""
    stages = pipeline[-1].estimators_
    pipeline[-1].estimators_ = np.concatenate([stages, stages], axis=1)


def start_of_another_width(pipeline: Any) -> None:
    initial = pipeline[-1].init_
    initial.class_prior_ = np.array([0.5, 0.5])
    initial.classes_ = np.array([0, 1])
    initial.n_classes_ = 2


def of_nodes(field: str, value: Any) -> Callable[[Any], None]:
    """Set a field of the first node of the first boosted tree that isn't a leaf."""

    def change(pipeline: Any) -> None:
        predictor = pipeline[-1]._predictors[0][0]
        predictor.nodes = predictor.nodes.copy()
        predictor.nodes[field][0] = value

    return change


def no_categories(pipeline: Any) -> None:
    mapper = pipeline[-1]._bin_mapper
    for predictors in pipeline[-1]._predictors:
        for predictor in predictors:
            predictor.nodes["is_categorical"] = 1
    mapper.is_categorical_ = np.zeros_like(mapper.is_categorical_)


def bits_of_another_width(pipeline: Any) -> None:
    for predictors in pipeline[-1]._predictors:
        for predictor in predictors:
            predictor.raw_left_cat_bitsets = predictor.raw_left_cat_bitsets[:, :1]


def of_tree(at: int, change: Callable[[Any], Any]) -> Callable[[Any], None]:
    """Change one part of the state of a tree of neighbours."""

    def changed(pipeline: Any) -> None:
        tree = pipeline[-1]._tree
        state = list(tree.__getstate__())
        state[at] = change(np.array(state[at]) if isinstance(state[at], np.ndarray) else state[at])
        tree.__setstate__(tuple(state))

    return changed


def with_first(field: str, value: int) -> Callable[[Any], Any]:
    def change(nodes: Any) -> Any:
        nodes[field][0] = value
        return nodes

    return change


def all_inner(nodes: Any) -> Any:
    nodes["is_leaf"] = 0
    return nodes


def short_weights(metric: Any) -> Any:
    power, _, matrix = metric.__getstate__()
    metric.__setstate__((power, np.array([1.0]), matrix))
    return metric


def attribute(name: str, change: Callable[[Any], Any]) -> Callable[[Any], None]:
    def changed(pipeline: Any) -> None:
        setattr(pipeline[-1], name, change(getattr(pipeline[-1], name)))

    return changed


def sparse_with_indices_outside(pipeline: Any) -> None:
    matrix = csr_matrix(ROWS)
    matrix.indices = matrix.indices + 7
    pipeline[-1]._fit_X = matrix


CHANGES: list[tuple[str, str, Callable[[Any], None]]] = [
    ("a forest of fewer features", "forest", wider_forest),
    ("a forest of something else", "forest", foreign_member),
    ("stages of more columns than outputs", "boosting", more_columns_than_outputs),
    ("a start of another width", "boosting", start_of_another_width),
    ("boosted: a child outside", "hist", of_nodes("left", 10**6)),
    ("boosted: a circle", "hist", of_nodes("right", 0)),
    ("boosted: a feature outside", "hist", of_nodes("feature_idx", 9)),
    ("boosted: a category where there is none", "hist", no_categories),
    ("boosted: bits of another width", "hist", bits_of_another_width),
    ("neighbours: an index outside", "kd", of_tree(1, lambda index: index + 50)),
    ("neighbours: an index too few", "kd", of_tree(1, lambda index: index[:-1])),
    ("neighbours: a node's end outside", "kd", of_tree(2, with_first("idx_end", 10**6))),
    ("neighbours: a node's start outside", "ball", of_tree(2, with_first("idx_start", -5))),
    ("neighbours: a leaf that isn't one", "ball", of_tree(2, all_inner)),
    ("neighbours: more nodes than there are", "kd", of_tree(6, lambda _: 10**6)),
    ("neighbours: bounds of fewer nodes", "ball", of_tree(3, lambda bounds: bounds[:, :1])),
    ("neighbours: weights of fewer features", "weighed", of_tree(11, short_weights)),
    ("neighbours: fewer labels than rows", "brute", attribute("_y", lambda y: y[:3])),
    ("neighbours: a label outside", "brute", attribute("_y", lambda y: y + 40)),
    ("neighbours: more rows than there are", "brute", attribute("n_samples_fit_", lambda _: 10**6)),
    ("neighbours: fewer features", "brute", attribute("_fit_X", lambda rows: rows[:, :1])),
    ("neighbours: a sparse matrix", "brute", sparse_with_indices_outside),
    ("vectors: other counts", "svm", attribute("_n_support", lambda counts: counts + 9)),
    ("vectors: fewer of them", "svm", attribute("support_vectors_", lambda rows: rows[:2])),
    ("vectors: fewer features", "svr", attribute("support_vectors_", lambda rows: rows[:, :1])),
    ("vectors: fewer coefficients", "svr", attribute("_dual_coef_", lambda rows: rows[:, :1])),
    ("vectors: fewer intercepts", "svm", attribute("_intercept_", lambda found: found[:1])),
    ("vectors: one probability", "svm", attribute("_probA", lambda _: np.zeros(1))),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "change"), [pytest.param(name, change, id=told) for told, name, change in CHANGES]
)
def test_what_leads_outside_is_refused(name: str, change: Callable[[Any], None]) -> None:
    pipeline = fitted(name)
    change(pipeline)

    with pytest.raises(FormatRefused, match="don't fit each other"):
        check_objects(pipeline)
