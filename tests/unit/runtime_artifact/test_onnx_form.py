"""Which models that don't compile run as ONNX, how that is proven, and what the others say."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.cross_decomposition import PLSRegression
from sklearn.discriminant_analysis import QuadraticDiscriminantAnalysis
from sklearn.ensemble import AdaBoostClassifier
from sklearn.gaussian_process import GaussianProcessClassifier, GaussianProcessRegressor
from sklearn.linear_model import RANSACRegressor, SGDClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import PowerTransformer
from sklearn.svm import SVC

from serinus_runtime.artifact import onnx_form as of_module
from serinus_runtime.artifact.manifest import Task
from serinus_runtime.artifact.not_compilable import NotCompilable
from serinus_runtime.artifact.onnx_form import ONNX_FAMILIES, onnx_form
from serinus_runtime.artifact.onnx_predictor import OnnxPredictor
from serinus_runtime.artifact.package import load
from serinus_runtime.training.pipeline import make_pipeline
from tests.support.trained_models import (
    INPUTS,
    edge_rows,
    encoded,
    fitted,
    flights,
    original_answers,
    packaged,
)

pytestmark = pytest.mark.slow

TWO, THREE = (False, True), ("early", "late", "on time")
ROWS = [*flights(200, seed=5), *edge_rows()]

EQUAL = {
    "bayes, two classes": (GaussianNB(), TWO),
    "bayes, three classes": (GaussianNB(), THREE),
    "calibrated": (CalibratedClassifierCV(), THREE),
    "square discriminants": (QuadraticDiscriminantAnalysis(reg_param=0.1), THREE),
    "descent": (SGDClassifier(loss="log_loss", random_state=0), TWO),
    "network, two classes": (MLPClassifier((9,), max_iter=9, random_state=0), TWO),
    "network, three classes": (MLPClassifier((9, 4), max_iter=9, random_state=0), THREE),
    "network of values": (MLPRegressor(hidden_layer_sizes=(9,), max_iter=9, random_state=0), None),
    "neighbours, two classes": (KNeighborsClassifier(), TWO),
    "neighbours, three classes": (KNeighborsClassifier(), THREE),
    "neighbours of values": (KNeighborsRegressor(), None),
    "process": (GaussianProcessRegressor(), None),
    "partial squares": (PLSRegression(), None),
    "consensus": (RANSACRegressor(random_state=0), None),
}


def learnt(estimator: Any, classes: Any, *, rows: int = 300) -> Pipeline:
    """The estimator behind training's own preparation."""
    steps = make_pipeline(estimator, INPUTS)
    return fitted(steps[:-1], steps[-1], classes=classes, n_rows=rows)


@pytest.mark.parametrize(("estimator", "classes"), EQUAL.values(), ids=EQUAL.keys())
def test_a_model_that_doesnt_compile_runs_as_onnx_and_answers_alike(
    estimator: Any, classes: Any, tmp_path: Path
) -> None:
    pipeline = learnt(estimator, classes)

    written = packaged(pipeline, tmp_path, evaluation_rows=flights(150, seed=7))
    model = load(written.path, written.digest)

    assert written.kind == model.predictor.kind == "onnx"
    assert written.equality.mismatches == 0
    assert written.equality.rows > 1000
    expected = original_answers(pipeline, ROWS)
    answers = model.predictor.answers(encoded(ROWS))
    assert answers.shape == expected.shape
    np.testing.assert_allclose(answers, expected, rtol=1e-9, atol=1e-9)
    alone = [model.predictor.answers(encoded([row])) for row in ROWS[:20]]
    np.testing.assert_allclose(np.concatenate(alone), expected[:20], rtol=1e-9, atol=1e-9)


def test_the_package_holds_the_onnx_file_instead_of_the_pipeline_and_says_why(
    tmp_path: Path,
) -> None:
    written = packaged(learnt(GaussianNB(), TWO), tmp_path)

    document = json.loads((written.path / "manifest.json").read_bytes())
    files = {entry["name"] for entry in document["files"]}

    assert files == {"arrays.npz", "evaluation.npz", "golden.json", "model.onnx"}
    assert files | {"manifest.json"} == {file.name for file in written.path.iterdir()}
    assert document["predictor"]["plan"] is None
    assert document["predictor"]["nativeReason"] == written.native_reason
    assert written.native_reason == "the estimator GaussianNB has no compiled form"


DIFFERS = "the ONNX form differs from the original on "
NATIVE = {
    "32 bits make other probabilities": (SVC(probability=True, random_state=0), TWO, DIFFERS),
    "the converter forgets the weights of neighbours": (
        KNeighborsClassifier(weights="distance"),
        TWO,
        DIFFERS,
    ),
    "it needs an operator that isn't ONNX's": (
        GaussianProcessClassifier(),
        TWO,
        "model.onnx: holds operators that aren't allowed in an artifact: Einsum, Erf, com.micro",
    ),
    "the converter doesn't know so many classes": (
        GaussianProcessClassifier(),
        THREE,
        "it can't be converted to ONNX: NotImplementedError: Only binary",
    ),
    "nobody converts it": (AdaBoostClassifier(n_estimators=3), TWO, "it has no ONNX form"),
}


@pytest.mark.parametrize(("estimator", "classes", "reason"), NATIVE.values(), ids=NATIVE.keys())
def test_a_model_that_isnt_proven_as_onnx_stays_with_scikit_learn_and_says_why(
    estimator: Any, classes: Any, reason: str, tmp_path: Path
) -> None:
    pipeline = learnt(estimator, classes, rows=120)

    written = packaged(pipeline, tmp_path, evaluation_rows=flights(60, seed=7))

    assert written.kind == load(written.path, written.digest).predictor.kind == "native"
    name = type(estimator).__name__
    told = f"the estimator {name} has no compiled form; {reason}"
    assert (written.native_reason or "").startswith(told)
    assert "model.onnx" not in {file.name for file in written.path.iterdir()}


def reason_of(pipeline: Any, task: Task = Task.CLASSIFICATION) -> str:
    found = onnx_form(pipeline, INPUTS, task)
    assert isinstance(found, NotCompilable)
    return found.reason


def test_an_onnx_form_that_cant_be_run_is_a_reason_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: object) -> np.ndarray:
        raise RuntimeError("no kernel for Pow. Build one")

    monkeypatch.setattr(OnnxPredictor, "answers", failing)

    written = packaged(learnt(GaussianNB(), TWO), tmp_path, evaluation_rows=flights(60, seed=7))

    assert written.kind == "native"
    assert written.native_reason == (
        "the estimator GaussianNB has no compiled form; the ONNX form can't be run: RuntimeError: "
        "no kernel for Pow"
    )


def test_a_model_that_would_compare_a_request_with_too_many_rows_isnt_converted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(of_module, "LEARNT_ROWS_MAX", 119)

    of_values, of_classes = KNeighborsRegressor(), KNeighborsClassifier()

    told = "as ONNX it would compare each request with 120 rows, more than 119"
    assert reason_of(learnt(of_values, None, rows=120), Task.REGRESSION) == told
    assert reason_of(learnt(of_classes, TWO, rows=120)) == told
    assert reason_of(learnt(GaussianProcessRegressor(), None, rows=120), Task.REGRESSION) == told


def test_columns_without_a_compiled_form_are_told_once(tmp_path: Path) -> None:
    numbers = ColumnTransformer([("numbers", PowerTransformer(), [0])])
    pipeline = fitted(numbers, GaussianNB(), classes=TWO)

    reason = reason_of(pipeline)

    assert reason == "the transformer PowerTransformer has no compiled form"


def test_every_family_that_is_tried_is_one_of_scikit_learns() -> None:
    from sklearn.utils import all_estimators

    assert {name for name, _ in all_estimators()} >= ONNX_FAMILIES


WRITE = """
from hashlib import sha256
from serinus_runtime.artifact.manifest import Task
from serinus_runtime.artifact.onnx_form import onnx_form
from tests.support.trained_models import INPUTS
from tests.unit.runtime_artifact.test_onnx_form import EQUAL, learnt

for name in ("bayes, three classes", "neighbours, two classes"):
    form = onnx_form(learnt(*EQUAL[name]), INPUTS, Task.CLASSIFICATION)
    print(sha256(form.content).hexdigest())
"""


def written_anew(seed: str) -> list[str]:
    ended = subprocess.run(
        [sys.executable, "-c", WRITE],
        cwd=Path(__file__).parents[3],
        env={"PYTHONHASHSEED": seed, "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.split()


def test_one_model_is_one_file_in_every_process() -> None:
    first, second = written_anew("1"), written_anew("2")

    assert first == second
    assert len(set(first)) == 2
