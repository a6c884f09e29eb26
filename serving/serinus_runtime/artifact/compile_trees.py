"""scikit-learn's trees, forests and boosted trees to `forest.Forest` and a link.

Reads the fitted arrays, never calls `predict`. What these arrays mean is scikit-learn's private
business in part (`_predictors`, `_baseline_prediction`, `_raw_predict_init`); the equality check
at packaging and at verification is what vouches for the reading.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from serinus_runtime.artifact.forest import MISSING_CATEGORY, Aggregation, BoolArray, Forest
from serinus_runtime.artifact.forest_layout import NO_CATEGORY_SPLIT, Tree, forest_of
from serinus_runtime.artifact.not_compilable import NotCompilableError
from serinus_runtime.artifact.plan import Link


@dataclass(frozen=True, slots=True, eq=False)
class CompiledTrees:
    """A forest and what turns its raw outputs into answers."""

    forest: Forest
    link: Link


def compile_trees(estimator: Any) -> CompiledTrees:
    """Compile one fitted estimator of `TREE_FAMILIES`; raises `NotCompilableError`."""
    name = type(estimator).__name__
    if getattr(estimator, "n_outputs_", 1) != 1:
        raise NotCompilableError(f"{name} predicts several labels at once")
    return _FAMILIES[name](estimator)


def _single_tree(estimator: Any) -> CompiledTrees:
    return _bagged(estimator, [estimator])


def _bagging(estimator: Any) -> CompiledTrees:
    return _bagged(estimator, estimator.estimators_)


def _bagged(estimator: Any, members: Iterable[Any]) -> CompiledTrees:
    trees = [_tree_of(member.tree_, scale=1.0) for member in members]
    forest = forest_of(
        trees,
        n_features=int(estimator.n_features_in_),
        aggregation=Aggregation.MEAN,
        baseline=np.zeros(trees[0].value.shape[1]),
        single_precision=True,
    )
    return CompiledTrees(forest=forest, link=Link.IDENTITY)


def _gradient_boosting(estimator: Any) -> CompiledTrees:
    initial = type(estimator.init_).__name__
    if estimator.init_ != "zero" and initial not in ("DummyClassifier", "DummyRegressor"):
        raise NotCompilableError(f"it starts from another model, {initial}")
    rate = float(estimator.learning_rate)
    stages = estimator.estimators_
    trees = [_tree_of(member.tree_, scale=rate) for member in stages.T.reshape(-1)]
    start = estimator._raw_predict_init(np.zeros((1, estimator.n_features_in_), np.float32))  # noqa: SLF001
    forest = forest_of(
        trees,
        n_features=int(estimator.n_features_in_),
        aggregation=Aggregation.SUM,
        baseline=np.asarray(start, dtype=np.float64).reshape(-1),
        single_precision=True,
    )
    return _linked(estimator, forest, _GRADIENT_BOOSTING_LINKS)


def _hist_gradient_boosting(estimator: Any) -> CompiledTrees:
    mapper = estimator._bin_mapper  # noqa: SLF001
    known, position = mapper.make_known_categories_bitsets()
    known_categories = _bits(known)
    trees = [
        _hist_tree(predictor, known_categories, position)
        for of_output in zip(*estimator._predictors, strict=True)  # noqa: SLF001
        for predictor in of_output
    ]
    forest = forest_of(
        trees,
        n_features=int(estimator.n_features_in_),
        aggregation=Aggregation.SUM,
        baseline=np.asarray(estimator._baseline_prediction, np.float64).reshape(-1),  # noqa: SLF001
        single_precision=False,
    )
    return _linked(estimator, forest, _HIST_LINKS)


def _linked(estimator: Any, forest: Forest, links: Mapping[str, Link]) -> CompiledTrees:
    loss = str(estimator.loss)
    if loss not in links:
        raise NotCompilableError(f"its loss `{loss}` has no compiled link")
    link = links[loss]
    if link is Link.SIGMOID and forest.n_outputs > 1:
        link = Link.SOFTMAX
    return CompiledTrees(forest=forest, link=link)


def _tree_of(tree: Any, *, scale: float) -> Tree:
    """A `sklearn.tree._tree.Tree`; its leaves times `scale`, as boosting adds them."""
    n_nodes = int(tree.node_count)
    missing_left = getattr(tree, "missing_go_to_left", np.zeros(n_nodes))
    return Tree(
        feature=np.asarray(tree.feature, dtype=np.int32),
        threshold=np.asarray(tree.threshold, dtype=np.float64),
        left=np.asarray(tree.children_left, dtype=np.int32),
        right=np.asarray(tree.children_right, dtype=np.int32),
        missing_left=np.asarray(missing_left, dtype=np.bool_),
        value=np.asarray(tree.value[:, 0, :], dtype=np.float64) * scale,
        category_split=np.full(n_nodes, NO_CATEGORY_SPLIT, dtype=np.int32),
        category_left=np.zeros((0, MISSING_CATEGORY), dtype=np.bool_),
        cover=np.asarray(tree.weighted_n_node_samples, dtype=np.float64),
    )


def _hist_tree(predictor: Any, known: BoolArray, position: Any) -> Tree:
    """A `TreePredictor`; categories that it doesn't know take the way of missing values."""
    nodes = predictor.nodes
    is_leaf = nodes["is_leaf"].astype(np.bool_)
    is_category = nodes["is_categorical"].astype(np.bool_) & ~is_leaf
    missing_left = nodes["missing_go_to_left"].astype(np.bool_)
    left_categories = _bits(predictor.raw_left_cat_bitsets)
    for node in np.flatnonzero(is_category):
        split = nodes["bitset_idx"][node]
        is_known = known[position[nodes["feature_idx"][node]]] | left_categories[split]
        left_categories[split] |= ~is_known & missing_left[node]
    return Tree(
        feature=nodes["feature_idx"].astype(np.int32),
        threshold=nodes["num_threshold"].astype(np.float64),
        left=np.where(is_leaf, -1, nodes["left"].astype(np.int32)).astype(np.int32),
        right=np.where(is_leaf, -1, nodes["right"].astype(np.int32)).astype(np.int32),
        missing_left=missing_left,
        value=nodes["value"].astype(np.float64)[:, np.newaxis],
        category_split=np.where(
            is_category, nodes["bitset_idx"].astype(np.int32), NO_CATEGORY_SPLIT
        ).astype(np.int32),
        category_left=left_categories,
        cover=nodes["count"].astype(np.float64),
    )


def _bits(bitsets: Any) -> BoolArray:
    """(n, 8) words of 32 bits to (n, 256) truth values."""
    words = np.ascontiguousarray(bitsets, dtype="<u4").reshape(-1, 8)
    return np.unpackbits(words.view(np.uint8), axis=1, bitorder="little").astype(np.bool_)


_HIST_LINKS = {
    "log_loss": Link.SIGMOID,
    "squared_error": Link.IDENTITY,
    "absolute_error": Link.IDENTITY,
    "quantile": Link.IDENTITY,
    "gamma": Link.EXP,
    "poisson": Link.EXP,
}
_GRADIENT_BOOSTING_LINKS = {
    "log_loss": Link.SIGMOID,
    "exponential": Link.SIGMOID_OF_DOUBLE,
    "squared_error": Link.IDENTITY,
    "absolute_error": Link.IDENTITY,
    "huber": Link.IDENTITY,
    "quantile": Link.IDENTITY,
}
_FAMILIES: dict[str, Callable[[Any], CompiledTrees]] = {
    "DecisionTreeClassifier": _single_tree,
    "DecisionTreeRegressor": _single_tree,
    "ExtraTreeClassifier": _single_tree,
    "ExtraTreeRegressor": _single_tree,
    "RandomForestClassifier": _bagging,
    "RandomForestRegressor": _bagging,
    "ExtraTreesClassifier": _bagging,
    "ExtraTreesRegressor": _bagging,
    "GradientBoostingClassifier": _gradient_boosting,
    "GradientBoostingRegressor": _gradient_boosting,
    "HistGradientBoostingClassifier": _hist_gradient_boosting,
    "HistGradientBoostingRegressor": _hist_gradient_boosting,
}
TREE_FAMILIES = frozenset(_FAMILIES)
"""Names of the estimators that this module compiles."""
