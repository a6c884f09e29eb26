"""Small fitted models of every kind, as training hands them to packaging."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

from serinus_runtime.artifact.encoding import RowEncoder
from serinus_runtime.artifact.manifest import Task
from serinus_runtime.artifact.model import plain
from serinus_runtime.artifact.native import native_matrix
from serinus_runtime.artifact.packaging import Packaged, TrainedModel, package
from serinus_runtime.artifact.signature import Datatype, InputSpec, PolicyAction, Signature

CARRIERS = ("AA", "DL", "UA", "WN")
ROUTES = tuple(f"R{number:02d}" for number in range(30))
INPUTS = (
    InputSpec(
        "distance",
        Datatype.FP64,
        unit="mi",
        minimum=0,
        maximum=6000,
        nullable=False,
        on_violation=PolicyAction.REJECT,
    ),
    InputSpec("delay", Datatype.FP64, unit="min", minimum=-60, maximum=600),
    InputSpec("hour", Datatype.INT64),
    InputSpec("holiday", Datatype.BOOL),
    InputSpec("carrier", Datatype.BYTES, categories=CARRIERS),
    InputSpec("route", Datatype.BYTES, categories=ROUTES),
)
NAMES = tuple(spec.name for spec in INPUTS)


def flights(n_rows: int = 1500, *, seed: int = 0, missing: float = 0.05) -> list[dict[str, Any]]:
    """Rows of invented flights; `missing` is the share of nulls in all but `distance`."""
    chance = np.random.default_rng(seed)
    columns: dict[str, list[Any]] = {
        "distance": chance.uniform(100, 3000, n_rows).round(1).tolist(),
        "delay": chance.normal(10, 30, n_rows).clip(-60, 600).tolist(),
        "hour": chance.integers(5, 24, n_rows).tolist(),
        "holiday": (chance.random(n_rows) < 0.1).tolist(),
        "carrier": [CARRIERS[code] for code in chance.integers(0, len(CARRIERS), n_rows)],
        "route": [ROUTES[code] for code in chance.integers(0, len(ROUTES), n_rows)],
    }
    rows = [
        dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)
    ]
    for row in rows:
        for name in NAMES[1:]:
            if chance.random() < missing:
                row[name] = None
    return rows


def edge_rows() -> list[dict[str, Any]]:
    """What live traffic brings and training didn't: unseen categories, nulls, extremes, zeros."""
    usual = {
        "distance": 500.0,
        "delay": 0.0,
        "hour": 12,
        "holiday": False,
        "carrier": "AA",
        "route": "R00",
    }
    changes: list[dict[str, Any]] = [
        {"carrier": "unseen"},
        {"carrier": "", "route": "R99"},
        dict.fromkeys(NAMES[1:]),
        {"distance": 0.0, "delay": -0.0},
        {"delay": 600.0},
        {"delay": 1e-300},
        {"hour": -(2**40)},
        {"hour": 2**40, "holiday": True},
        {"delay": 5e-324, "hour": 0},
    ]
    return [usual | change for change in changes]


def labels_of(rows: Sequence[Mapping[str, Any]], *, classes: Sequence[Any] | None) -> np.ndarray:
    """Labels that depend on the rows: of `classes`, or values where there are none."""
    chance = np.random.default_rng(99)
    scores = np.array(
        [
            (row["delay"] or 0.0) / 30
            + (row["hour"] or 12) / 12
            + (1.5 if row["carrier"] == "UA" else 0.0)
            + int((row["route"] or "R00")[1:]) % 3
            for row in rows
        ]
    ) + chance.normal(0, 0.3, len(rows))
    if classes is None:
        return scores
    edges = np.quantile(scores, np.linspace(0, 1, len(classes) + 1)[1:-1])
    return np.array(classes)[np.searchsorted(edges, scores)]


def one_hot() -> ColumnTransformer:
    """Imputed and scaled numbers, categories as columns of their own."""
    numbers = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    texts = make_pipeline(
        SimpleImputer(strategy="most_frequent", missing_values=None),
        OneHotEncoder(handle_unknown="ignore"),
    )
    return ColumnTransformer([("numbers", numbers, [0, 1, 2, 3]), ("texts", texts, [4, 5])])


def ordinal() -> ColumnTransformer:
    """Categories as numbers in front, everything else as it is."""
    texts = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    return ColumnTransformer([("texts", texts, [4, 5]), ("numbers", "passthrough", [0, 1, 2, 3])])


def encoded(rows: Sequence[Mapping[str, Any]]) -> np.ndarray:
    return RowEncoder(Signature(INPUTS, ())).rows(rows)


def original_answers(pipeline: Any, rows: Sequence[Mapping[str, Any]]) -> np.ndarray:
    """What the fitted pipeline itself says of rows."""
    matrix = native_matrix(INPUTS, encoded(rows))
    if hasattr(pipeline, "predict_proba"):
        return pipeline.predict_proba(matrix)
    return pipeline.predict(matrix).reshape(-1, 1)


def fitted(
    preprocessing: Any,
    estimator: Any,
    *,
    classes: Sequence[Any] | None,
    missing: float = 0.05,
    n_rows: int = 1500,
) -> Pipeline:
    rows = flights(n_rows, missing=missing)
    pipeline = make_pipeline(preprocessing, estimator)
    return pipeline.fit(native_matrix(INPUTS, encoded(rows)), labels_of(rows, classes=classes))


def trained(pipeline: Any, **changes: Any) -> TrainedModel:
    """A fitted pipeline with all that packaging wants to know; `changes` by field."""
    rows = changes.pop("evaluation_rows", None) or flights(400, seed=7)
    is_classifier = isinstance(pipeline[-1], ClassifierMixin)
    classes = tuple(plain(label) for label in pipeline.classes_) if is_classifier else ()
    given: dict[str, Any] = {
        "model_name": "flight-delay",
        "task": Task.CLASSIFICATION if is_classifier else Task.REGRESSION,
        "label": "late",
        "classes": classes,
        "decision_threshold": 0.5 if len(classes) == 2 else None,
        "estimator": type(pipeline[-1]).__name__,
        "inputs": INPUTS,
        "pipeline": pipeline,
        "evaluation_rows": rows,
        "evaluation_answers": original_answers(pipeline, rows),
        "environment": {"python": "3.11"},
    }
    return TrainedModel(**(given | changes))


def packaged(pipeline: Any, store: Path, **changes: Any) -> Packaged:
    """A package of the pipeline below `store`, as a training run leaves it."""
    return package(trained(pipeline, **changes), store / "models" / "flight-delay")
