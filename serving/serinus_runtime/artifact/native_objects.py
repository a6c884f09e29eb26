"""What a loaded pipeline holds that compiled code follows without looking, checked before its use.

Types say what a thing is, not that it is sound: scikit-learn's trees, neighbours and support
vectors are indices and lengths that lead into raw memory. A file where they lead outside would take
the process down at some later request, or worse. A function that a transformer would call is
refused here, too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from sklearn.ensemble._forest import BaseForest
from sklearn.ensemble._gb import BaseGradientBoosting
from sklearn.ensemble._hist_gradient_boosting.gradient_boosting import BaseHistGradientBoosting
from sklearn.neighbors import BallTree, KDTree
from sklearn.neighbors._base import NeighborsBase
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.svm._base import BaseLibSVM
from sklearn.tree import BaseDecisionTree

from serinus_runtime.artifact.errors import FormatRefused
from serinus_runtime.artifact.manifest import NATIVE_FILE

_LEAF = -1
_ANGLES = 2


def check_objects(pipeline: Any) -> None:
    """Raise `FormatRefused` unless it is a pipeline all of whose parts are sound."""
    if type(pipeline) is not Pipeline:
        raise FormatRefused(f"{NATIVE_FILE}: holds a {type(pipeline).__name__}, not a Pipeline")
    for part in _parts(pipeline):
        for kind, fitted, is_sound in _CHECKS:
            if isinstance(part, kind) and hasattr(part, fitted) and not is_sound(part):
                raise FormatRefused(
                    f"{NATIVE_FILE}: the parts of a {type(part).__name__} don't fit each other"
                )


def _parts(pipeline: Any) -> Iterator[Any]:
    """Everything that the pipeline is made of, once each."""
    seen: set[int] = set()
    waiting = [pipeline]
    while waiting:
        part = waiting.pop()
        if id(part) in seen or isinstance(part, str | bytes | int | float | None):
            continue
        seen.add(id(part))
        yield part
        if isinstance(part, dict):
            waiting += [*part.keys(), *part.values()]
        elif isinstance(part, list | tuple):
            waiting += part
        elif isinstance(part, np.ndarray):
            waiting += part.ravel().tolist() if part.dtype.hasobject else []
        else:
            waiting += getattr(part, "__dict__", {}).values()


def _calls_nothing(part: FunctionTransformer) -> bool:
    return part.func is None and part.inverse_func is None


def _tree(part: BaseDecisionTree) -> bool:
    tree, features = part.tree_, part.n_features_in_
    if tree.node_count != tree.capacity or not tree.node_count or tree.n_features != features:
        return False
    inner = np.flatnonzero(tree.children_left != _LEAF)
    return _descends(inner, tree.children_left, tree.children_right) and _within(
        tree.feature[inner], features
    )


def _descends(inner: Any, left: Any, right: Any) -> bool:
    """Whether the children of all inner nodes are nodes behind them, so that a walk ends."""
    children = np.concatenate([left[inner], right[inner]]).astype(np.int64)
    return _within(children, len(left)) and bool((children > np.tile(inner, 2)).all())


def _within(indices: Any, size: int) -> bool:
    return bool(((indices >= 0) & (indices < size)).all())


def _forest(part: BaseForest) -> bool:
    return all(_is_member(member, part.n_features_in_) for member in part.estimators_)


def _is_member(member: Any, features: int) -> bool:
    return isinstance(member, BaseDecisionTree) and member.n_features_in_ == features


def _gradient_boosting(part: BaseGradientBoosting) -> bool:
    features = part.n_features_in_
    start = part._raw_predict_init(np.zeros((1, features), dtype=np.float32))  # noqa: SLF001
    return start.shape == (1, part.estimators_.shape[1]) and all(
        _is_member(member, features) and member.tree_.value.shape[1:] == (1, 1)
        for member in part.estimators_.ravel()
    )


def _hist_gradient_boosting(part: BaseHistGradientBoosting) -> bool:
    categorical = part._bin_mapper.is_categorical_  # noqa: SLF001
    return categorical.shape == (part.n_features_in_,) and all(
        _predictor(predictor, categorical)
        for predictors in part._predictors  # noqa: SLF001
        for predictor in predictors
    )


def _predictor(predictor: Any, categorical: Any) -> bool:
    nodes, bitsets = predictor.nodes, predictor.raw_left_cat_bitsets
    inner = np.flatnonzero(nodes["is_leaf"] == 0)
    features = nodes["feature_idx"][inner]
    if not len(nodes) or not _within(features, len(categorical)):
        return False
    by_category = nodes["is_categorical"][inner] != 0
    return (
        _descends(inner, nodes["left"], nodes["right"])
        and bool(categorical[features[by_category]].all())
        and _within(nodes["bitset_idx"][inner][by_category], len(bitsets))
        and bitsets.shape[1:] == (8,)
    )


def _binary_tree(part: Any) -> bool:
    data, index, nodes, bounds, _, _, n_nodes, *_, metric, weight = part.__getstate__()
    count, features = data.shape
    inner = np.flatnonzero(nodes["is_leaf"] == 0)
    sides = 2 if isinstance(part, KDTree) else 1
    return (
        index.shape == (count,)
        and _within(index, count)
        and nodes.shape == (n_nodes,)
        and bounds.shape == (sides, n_nodes, features)
        and bool((nodes["idx_start"] <= nodes["idx_end"]).all())
        and _within(nodes["idx_start"], count + 1)
        and _within(nodes["idx_end"], count + 1)
        and _within(2 * inner + 2, n_nodes)
        and (weight is None or weight.shape == (count,))
        and _distance(metric, features)
    )


def _distance(metric: Any, features: int) -> bool:
    """Whether the metric's vector, if it reads one, has a number for each feature."""
    numbers = len(metric.__getstate__()[1])
    match type(metric).__name__:
        case "MinkowskiDistance64":
            return numbers in (0, features)
        case "SEuclideanDistance64":
            return numbers == features
        case "HaversineDistance64":
            return features == _ANGLES
        case _:
            return True


def _neighbors(part: NeighborsBase) -> bool:
    count = part._fit_X.shape[0]  # noqa: SLF001
    labels = getattr(part, "_y", None)
    classes = getattr(part, "classes_", None)
    return (
        part.n_samples_fit_ == count
        and part._fit_X.shape[1] == part.n_features_in_  # noqa: SLF001
        and (labels is None or labels.shape[0] == count)
        and (classes is None or labels is None or _within(labels, len(classes)))
    )


def _support_vectors(part: BaseLibSVM) -> bool:
    counts, vectors = part._n_support, part.support_vectors_  # noqa: SLF001
    classes = len(counts)
    pairs = classes * (classes - 1) // 2
    coefficients = part._dual_coef_
    is_classifier = hasattr(part, "classes_")
    return (
        vectors.shape[1] == part.shape_fit_[1] == part.n_features_in_
        and _size(coefficients) == (classes - 1) * vectors.shape[0]
        and part._intercept_.size == pairs
        and {part._probA.size, part._probB.size} <= {0, pairs}  # noqa: SLF001
        and bool((counts >= 0).all())
        and (
            not is_classifier
            or (len(part.classes_) == classes and int(counts.sum()) == vectors.shape[0])
        )
    )


def _size(matrix: Any) -> int:
    return int(matrix.data.size if hasattr(matrix, "indptr") else matrix.size)


def _sparse_matrix(part: Any) -> bool:
    try:
        part.check_format(full_check=True)
    except ValueError:
        return False
    return True


# Kind, the attribute that it has once it is fitted, and whether what it then holds is sound.
_CHECKS: tuple[tuple[Any, str, Callable[[Any], bool]], ...] = (
    (FunctionTransformer, "func", _calls_nothing),
    (BaseDecisionTree, "tree_", _tree),
    (BaseForest, "estimators_", _forest),
    (BaseGradientBoosting, "estimators_", _gradient_boosting),
    (BaseHistGradientBoosting, "_predictors", _hist_gradient_boosting),
    ((KDTree, BallTree), "__getstate__", _binary_tree),
    (NeighborsBase, "_fit_X", _neighbors),
    (BaseLibSVM, "support_vectors_", _support_vectors),
    (object, "check_format", _sparse_matrix),
)
