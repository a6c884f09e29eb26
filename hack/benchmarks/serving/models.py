"""The two models that all servers get: a logistic regression on irises, and a forest of 100 trees.

Others get the fitted estimator as a joblib file, ours the package that a training would write.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib
import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_iris, make_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression

from serinus_runtime.artifact.manifest import Task
from serinus_runtime.artifact.packaging import Packaged, TrainedModel, package
from serinus_runtime.artifact.signature import Datatype, InputSpec

Matrix = NDArray[np.float64]
_EVALUATION_ROWS = 2_000
_FOREST_ROWS = 20_000
_FOREST_FEATURES = 20


@dataclass(frozen=True, slots=True, eq=False)
class BenchModel:
    """A fitted model and rows like those that it was fitted on."""

    name: str
    estimator: Any
    rows: Matrix
    joblib_file: Path
    packaged: Packaged

    def expected(self, rows: Matrix) -> list[int]:
        """What scikit-learn predicts."""
        predicted: list[int] = self.estimator.predict(rows).tolist()
        return predicted


def made_models(folder: Path) -> Mapping[str, BenchModel]:
    """Both models, fitted, written for others and packaged for us below `folder`."""
    irises = load_iris()
    logistic = LogisticRegression(max_iter=1_000).fit(irises.data, irises.target)
    features, classes = make_classification(
        n_samples=_FOREST_ROWS,
        n_features=_FOREST_FEATURES,
        n_informative=10,
        n_classes=3,
        random_state=1,
    )
    forest = RandomForestClassifier(n_estimators=100, random_state=1, n_jobs=1)
    forest.fit(features, classes)
    return {
        "iris": _made("iris", logistic, irises.data, folder),
        "forest": _made("forest", forest, features, folder),
    }


def _made(name: str, estimator: Any, rows: Matrix, folder: Path) -> BenchModel:
    file = folder / f"{name}.joblib"
    joblib.dump(estimator, file)
    names = [f"x{index}" for index in range(rows.shape[1])]
    chosen = rows[:_EVALUATION_ROWS]
    trained = TrainedModel(
        model_name=name,
        task=Task.CLASSIFICATION,
        label="y",
        classes=tuple(estimator.classes_.tolist()),
        decision_threshold=None,
        estimator=type(estimator).__name__,
        inputs=tuple(InputSpec(one, Datatype.FP64, nullable=False) for one in names),
        pipeline=estimator,
        evaluation_rows=[dict(zip(names, row, strict=True)) for row in chosen.tolist()],
        evaluation_answers=estimator.predict_proba(chosen),
        environment={},
    )
    return BenchModel(name, estimator, rows, file, package(trained, folder / "models"))
