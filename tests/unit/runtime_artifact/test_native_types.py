"""The list of types holds what training makes, and names classes only, each by its own name."""

import importlib
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from sklearn.pipeline import Pipeline

from serinus.api.trainingjob import Task
from serinus_runtime.artifact.encoding import RowEncoder
from serinus_runtime.artifact.native import native_matrix
from serinus_runtime.artifact.native_file import read_pipeline, written_pipeline
from serinus_runtime.artifact.native_types import ALLOWED
from serinus_runtime.artifact.signature import Datatype, InputSpec, Signature
from serinus_runtime.training.estimators import estimator_names, make_estimator
from serinus_runtime.training.pipeline import make_pipeline
from serinus_runtime.user_error import TrainerError

CLASSIFICATION, REGRESSION = Task.CLASSIFICATION, Task.REGRESSION
NUMBER = InputSpec("a", Datatype.FP64)
OTHER = InputSpec("b", Datatype.FP64)
TEXT = InputSpec("c", Datatype.BYTES, categories=("u", "v", "w"))
WIDE = InputSpec("c", Datatype.BYTES, categories=tuple(f"c{number}" for number in range(600)))
INPUTS = (NUMBER, OTHER, TEXT)


@pytest.mark.parametrize("loader", ALLOWED)
def test_each_type_is_a_class_under_its_own_name(loader: str) -> None:
    for name in ALLOWED[loader]:
        module, _, attribute = name.rpartition(".")
        found = getattr(importlib.import_module(module), attribute)

        assert isinstance(found, type), name
        assert found.__name__ == attribute, name
        assert loader not in ("ObjectNode", "LossNode", "TreeNode") or found.__module__ == module


def test_no_loader_of_functions_is_on_the_list() -> None:
    assert set(ALLOWED) == {
        "DTypeNode", "DictNode", "JsonNode", "ListNode", "LossNode", "NdArrayNode", "ObjectNode",
        "RandomGeneratorNode", "RandomStateNode", "SliceNode", "SparseMatrixNode", "TreeNode",
        "TupleNode", "TypeNode",
    }  # fmt: skip


def rows(inputs: tuple[InputSpec, ...], n_rows: int = 60) -> tuple[Any, np.ndarray]:
    """A matrix as training encodes it, and the numbers that its labels come from."""
    chance = np.random.default_rng(0)
    values = np.abs(chance.normal(size=(n_rows, 2)))
    texts = [spec.categories or () for spec in inputs if spec.datatype is Datatype.BYTES]
    raw = [
        {"a": float(one), "b": float(two)}
        | ({"c": str(chance.choice(texts[0][:40]))} if texts else {})
        for one, two in values
    ]
    encoded = RowEncoder(Signature(inputs, ())).rows(raw)
    return native_matrix(inputs, encoded), values.sum(axis=1) + 0.1


def labels(numbers: np.ndarray, classes: int | None) -> np.ndarray:
    if classes is None:
        return numbers
    edges = np.quantile(numbers, np.linspace(0, 1, classes + 1)[1:-1])
    found = np.digitize(numbers, edges)
    return found == 1 if classes == 2 else np.array(["x", "y", "z"])[found]


def fitted(
    task: Task, name: str, parameters: dict[str, str], inputs: tuple[InputSpec, ...], classes: int
) -> Pipeline | None:
    """A fitted pipeline; None where the estimator gives no probabilities or needs other rows."""
    matrix, numbers = rows(inputs)
    target = labels(numbers, classes if task is CLASSIFICATION else None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            estimator = make_estimator(task, name, parameters, seed=0)
            return make_pipeline(estimator, inputs).fit(matrix, target)
        except (TrainerError, ValueError, AttributeError, TypeError):
            return None


def answers(pipeline: Pipeline, matrix: Any) -> np.ndarray:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        asked = "predict_proba" if hasattr(pipeline[-1], "predict_proba") else "predict"
        return np.asarray(getattr(pipeline, asked)(matrix))


def check(pipeline: Pipeline, inputs: tuple[InputSpec, ...]) -> None:
    content = written_pipeline(pipeline)
    matrix, _ = rows(inputs)

    np.testing.assert_array_equal(
        answers(read_pipeline(content), matrix), answers(pipeline, matrix)
    )


SLOW_BY_ITSELF = ("LogisticRegressionCV",)
FEW = {"n_estimators": "3"}
QUICK = {
    "AdaBoostClassifier": FEW,
    "ExtraTreesClassifier": FEW,
    "ExtraTreesRegressor": FEW,
    "GradientBoostingClassifier": FEW,
    "GradientBoostingRegressor": FEW,
    "HistGradientBoostingClassifier": {"max_iter": "3"},
    "HistGradientBoostingRegressor": {"max_iter": "3"},
    "MLPClassifier": {"max_iter": "5"},
    "MLPRegressor": {"max_iter": "5"},
    "RandomForestClassifier": FEW,
    "RandomForestRegressor": FEW,
}
UNFIT = {
    # By default: no probabilities, an inner estimator, positive rows, one feature, few components.
    "CCA", "CategoricalNB", "ComplementNB", "IsotonicRegression", "LinearSVC", "MultinomialNB",
    "NuSVC", "PLSCanonical", "PassiveAggressiveClassifier", "Perceptron",
    "QuadraticDiscriminantAnalysis", "RidgeClassifier", "RidgeClassifierCV", "SGDClassifier", "SVC",
    "SelfTrainingClassifier",
}  # fmt: skip


def by_name() -> Iterator[tuple[Task, str, int]]:
    for task in Task:
        for name in estimator_names(task):
            if name not in SLOW_BY_ITSELF:
                yield from (
                    (task, name, classes)
                    for classes in ((2, 3) if task is CLASSIFICATION else (0,))
                )


@pytest.mark.slow
@pytest.mark.parametrize(("task", "name", "classes"), list(by_name()))
def test_every_estimator_by_name_is_saved_and_answers_as_before(
    task: Task, name: str, classes: int
) -> None:
    pipeline = fitted(task, name, QUICK.get(name, {}), INPUTS, classes)

    assert (pipeline is None) == (name in UNFIT)
    if pipeline is not None:
        check(pipeline, INPUTS)


VARIANTS: list[tuple[Task, str, dict[str, str], tuple[InputSpec, ...]]] = [
    *((CLASSIFICATION, name, {}, (TEXT,))
      for name in ("MultinomialNB", "ComplementNB", "BernoulliNB", "CategoricalNB")),
    (CLASSIFICATION, "QuadraticDiscriminantAnalysis", {}, (NUMBER, OTHER)),
    (CLASSIFICATION, "SVC", {"probability": "true"}, INPUTS),
    (CLASSIFICATION, "NuSVC", {"probability": "true", "nu": "0.3"}, INPUTS),
    (CLASSIFICATION, "SVC", {"probability": "true"}, (NUMBER, WIDE)),
    (CLASSIFICATION, "SGDClassifier", {"loss": "log_loss"}, INPUTS),
    (CLASSIFICATION, "SGDClassifier", {"loss": "modified_huber"}, INPUTS),
    *((CLASSIFICATION, "CalibratedClassifierCV", {"method": method}, INPUTS)
      for method in ("isotonic", "sigmoid", "temperature")),
    (CLASSIFICATION, "GaussianProcessClassifier", {"multi_class": "one_vs_one"}, INPUTS),
    (CLASSIFICATION, "GradientBoostingClassifier", {"loss": "exponential"} | FEW, INPUTS),
    (CLASSIFICATION, "MLPClassifier", {"solver": "sgd", "early_stopping": "true"}, INPUTS),
    (CLASSIFICATION, "LabelSpreading", {"kernel": "knn"}, INPUTS),
    (CLASSIFICATION, "KNeighborsClassifier", {}, (NUMBER, WIDE)),
    (CLASSIFICATION, "KNeighborsClassifier",
     {"algorithm": "ball_tree", "metric": "haversine"}, (NUMBER, OTHER)),
    (CLASSIFICATION, "KNeighborsClassifier",
     {"algorithm": "ball_tree", "metric": "seuclidean", "metric_params": '{"V": [1.0, 2.0]}'},
     (NUMBER, OTHER)),
    *((CLASSIFICATION, "KNeighborsClassifier", {"algorithm": "ball_tree", "metric": metric}, INPUTS)
      for metric in ("braycurtis", "canberra", "chebyshev", "dice", "hamming", "jaccard",
                     "manhattan", "rogerstanimoto", "russellrao", "sokalmichener", "sokalsneath")),
    (CLASSIFICATION, "KNeighborsClassifier", {"algorithm": "kd_tree", "p": "3"}, INPUTS),
    (CLASSIFICATION, "RadiusNeighborsClassifier",
     {"algorithm": "brute", "radius": "9"}, INPUTS),
    *((REGRESSION, name, {"n_components": "1"}, INPUTS)
      for name in ("CCA", "PLSCanonical", "PLSRegression")),
    (REGRESSION, "IsotonicRegression", {}, (NUMBER,)),
    *((REGRESSION, "GradientBoostingRegressor", {"loss": loss} | FEW, INPUTS)
      for loss in ("absolute_error", "huber", "quantile")),
    *((REGRESSION, "HistGradientBoostingRegressor", {"loss": loss, "max_iter": "3"}, INPUTS)
      for loss in ("absolute_error", "gamma", "poisson")),
    (REGRESSION, "TweedieRegressor", {"link": "log"}, INPUTS),
    (REGRESSION, "MLPRegressor", {"solver": "sgd"}, INPUTS),
    (REGRESSION, "KNeighborsRegressor", {}, (NUMBER, WIDE)),
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(
    ("task", "name", "parameters", "inputs"),
    [
        pytest.param(*row, id=f"{row[1]} {' '.join(row[2].values())} {len(row[3])}")
        for row in VARIANTS
    ],
)
def test_an_estimator_with_parameters_is_saved_and_answers_as_before(
    task: Task, name: str, parameters: dict[str, str], inputs: tuple[InputSpec, ...]
) -> None:
    pipeline = fitted(task, name, parameters, inputs, 2)

    assert pipeline is not None
    check(pipeline, inputs)
