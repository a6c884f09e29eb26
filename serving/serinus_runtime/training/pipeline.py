"""Automatic preprocessing in front of an estimator, fitted on training rows, part of the artifact.

Trees get categories as numbers and take missing values as they are where they can. Everything else
gets categories as columns of their own, and numbers imputed by the median and scaled. A category
that training never saw, like a missing one, is no category: all zeros, or missing to a tree.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler
from sklearn.utils import get_tags

from serinus_runtime.artifact.signature import Datatype, InputSpec

_TREE_MODULES = ("sklearn.tree.", "sklearn.ensemble.")
_UNKNOWN_CODE = -1
_SPARSE_FROM_COLUMNS = 500


def make_pipeline(estimator: Any, inputs: Sequence[InputSpec]) -> Pipeline:
    """The pipeline, unfitted, for matrices with a column for each of `inputs`, in order."""
    numbers = [at for at, spec in enumerate(inputs) if spec.datatype is not Datatype.BYTES]
    texts = [at for at, spec in enumerate(inputs) if spec.datatype is Datatype.BYTES]
    categories = [list(inputs[at].categories or ()) for at in texts]
    takes_nan = bool(get_tags(estimator).input_tags.allow_nan)
    parts: list[tuple[str, Any, list[int]]] = []
    if is_tree(estimator):
        if numbers:
            impute = "passthrough" if takes_nan else SimpleImputer(strategy="median")
            parts.append(("numbers", impute, numbers))
        if texts:
            unknown = float("nan") if takes_nan else _UNKNOWN_CODE
            parts.append(("texts", _ordinal(categories, unknown), texts))
    else:
        if numbers:
            steps = [("impute", SimpleImputer(strategy="median")), ("scale", StandardScaler())]
            parts.append(("numbers", Pipeline(steps), numbers))
        if texts:
            parts.append(("texts", _one_hot(categories, estimator), texts))
    return Pipeline([("preprocessing", ColumnTransformer(parts)), ("estimator", estimator)])


def is_tree(estimator: Any) -> bool:
    """Whether the estimator splits on thresholds, so that scale and order of codes don't matter."""
    return str(type(estimator).__module__).startswith(_TREE_MODULES)


def _ordinal(categories: list[list[str]], unknown: float | int) -> OrdinalEncoder:
    return OrdinalEncoder(
        categories=categories,
        handle_unknown="use_encoded_value",
        unknown_value=unknown,
        encoded_missing_value=unknown,
    )


def _one_hot(categories: list[list[str]], estimator: Any) -> OneHotEncoder:
    width = sum(len(column) for column in categories)
    sparse = width >= _SPARSE_FROM_COLUMNS and bool(get_tags(estimator).input_tags.sparse)
    return OneHotEncoder(categories=categories, handle_unknown="ignore", sparse_output=sparse)
