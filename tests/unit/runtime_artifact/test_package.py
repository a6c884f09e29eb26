"""A package is written once, read by digest only, and holds no code."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import runstring
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import AdaBoostClassifier, HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, MinMaxScaler

from serinus_runtime.artifact.digest import digest_of_bytes
from serinus_runtime.artifact.errors import (
    ArtifactChanged,
    ArtifactError,
    ArtifactMissing,
    FormatRefused,
)
from serinus_runtime.artifact.manifest import FORMAT_VERSION
from serinus_runtime.artifact.native import native_bytes
from serinus_runtime.artifact.package import directory_of, load, read_arrays
from serinus_runtime.artifact.packaging import package
from tests.support.trained_models import (
    encoded,
    fitted,
    flights,
    one_hot,
    ordinal,
    original_answers,
    packaged,
    trained,
)

TWO = (False, True)
LOGISTIC = fitted(one_hot(), LogisticRegression(max_iter=500), classes=TWO)
BOOSTED = fitted(ordinal(), HistGradientBoostingClassifier(max_iter=20), classes=TWO)


def test_a_loaded_package_answers_like_the_original(tmp_path: Path) -> None:
    written = packaged(BOOSTED, tmp_path)
    rows = flights(50, seed=5)

    model = load(written.path, written.digest)

    assert written.kind == model.predictor.kind == "forest"
    assert model.classes == TWO
    assert model.version == written.digest[7:19] == written.path.name[:12]
    np.testing.assert_allclose(
        model.predictor.answers(encoded(rows)), original_answers(BOOSTED, rows), rtol=0, atol=1e-9
    )


def test_the_same_model_makes_the_same_bytes(tmp_path: Path) -> None:
    first = packaged(LOGISTIC, tmp_path / "one")
    second = packaged(LOGISTIC, tmp_path / "two")

    assert first.digest == second.digest
    assert {file.name: file.read_bytes() for file in first.path.iterdir()} == {
        file.name: file.read_bytes() for file in second.path.iterdir()
    }


def test_writing_a_package_again_changes_nothing(tmp_path: Path) -> None:
    first = packaged(LOGISTIC, tmp_path)
    written_at = (first.path / "manifest.json").stat().st_mtime_ns

    again = packaged(LOGISTIC, tmp_path)

    assert again.path == first.path
    assert (first.path / "manifest.json").stat().st_mtime_ns == written_at
    assert [entry.name for entry in first.path.parent.iterdir()] == [first.path.name]


@pytest.mark.parametrize("file", ["manifest.json", "arrays.npz", "golden.json", "evaluation.npz"])
def test_a_changed_file_is_refused_by_name(tmp_path: Path, file: str) -> None:
    written = packaged(LOGISTIC, tmp_path)
    content = bytearray((written.path / file).read_bytes())
    content[len(content) // 2] ^= 1
    (written.path / file).write_bytes(content)

    with pytest.raises(ArtifactChanged, match=f"`{file}` has changed since it was written") as told:
        load(written.path, written.digest)

    assert told.value.file == file


def test_a_lost_file_is_named(tmp_path: Path) -> None:
    written = packaged(LOGISTIC, tmp_path)
    (written.path / "arrays.npz").unlink()

    with pytest.raises(ArtifactMissing, match=r"`arrays.npz` is not there"):
        load(written.path, written.digest)


def test_another_version_of_the_format_is_refused(tmp_path: Path) -> None:
    written = packaged(LOGISTIC, tmp_path)
    document = json.loads((written.path / "manifest.json").read_bytes())
    document["format"]["version"] = "99"
    content = json.dumps(document).encode()
    (written.path / "manifest.json").write_bytes(content)

    with pytest.raises(FormatRefused, match=f"expected serinus {FORMAT_VERSION}"):
        load(written.path, digest_of_bytes(content))


def test_arrays_that_would_need_pickle_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "arrays.npz"
    np.savez(path, a=np.array([{"code": "runs"}], dtype=object))

    with pytest.raises(FormatRefused, match="can't be read without pickle"):
        read_arrays(path)


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("s3://models/x", "expected file:///store/"),
        ("file:///etc/passwd", "expected file:///store/"),
        ("file:///store/../../etc", "leads out of the store"),
    ],
)
def test_an_address_outside_the_store_is_refused(tmp_path: Path, uri: str, message: str) -> None:
    with pytest.raises(FormatRefused, match=message):
        directory_of(uri, tmp_path)


def test_a_link_out_of_the_store_is_refused(tmp_path: Path) -> None:
    store = tmp_path / "store"
    store.mkdir()
    (store / "models").symlink_to("/etc")

    with pytest.raises(FormatRefused, match="leads out of the store"):
        directory_of("file:///store/models/passwd", store)


@pytest.mark.parametrize("place", ["data/mine", "runs/first-train-1", "models/../data/mine"])
def test_only_what_is_below_models_is_taken_for_a_model(place: str, tmp_path: Path) -> None:
    with pytest.raises(FormatRefused, match="models"):
        directory_of(f"file:///store/{place}", tmp_path)


def test_a_model_without_compiled_form_is_packaged_native_and_says_why(tmp_path: Path) -> None:
    pipeline = fitted(one_hot(), AdaBoostClassifier(n_estimators=5), classes=TWO)
    rows = flights(50, seed=5)

    written = packaged(pipeline, tmp_path)
    model = load(written.path, written.digest)

    assert written.kind == model.predictor.kind == "native"
    assert written.native_reason == "the estimator AdaBoostClassifier has no compiled form"
    assert {file.name for file in written.path.iterdir()} == {
        "manifest.json", "golden.json", "evaluation.npz", "model.skops",
    }  # fmt: skip
    assert (model.predictor.answers(encoded(rows)) == original_answers(pipeline, rows)).all()


@pytest.mark.parametrize("step", [np.full_like, runstring, open])
def test_a_pipeline_that_names_a_function_is_refused_though_its_types_are_scikit_learns(
    step: Callable[..., object],
) -> None:
    pipeline = Pipeline([("step", FunctionTransformer(step)), ("model", LogisticRegression())])

    with pytest.raises(FormatRefused, match="types that aren't allowed"):
        native_bytes(pipeline)


def test_a_plan_that_differs_from_the_original_falls_back_to_native(tmp_path: Path) -> None:
    numbers = ColumnTransformer([("numbers", MinMaxScaler(), [0])])
    pipeline = fitted(numbers, LogisticRegression(), classes=TWO)
    pipeline[0].transformers_[0][1].min_ += 0.5  # which the compiler doesn't read
    told = trained(pipeline, evaluation_rows=flights(100, seed=7))

    packaged_native = package(told, tmp_path)

    assert packaged_native.kind == "native"
    assert packaged_native.equality.mismatches == 0
    assert (packaged_native.native_reason or "").startswith(
        "the compiled plan differs from the original on 100 of 100 evaluation rows, by up to 0."
    )


def test_answers_that_the_pipeline_never_gave_are_refused(tmp_path: Path) -> None:
    rows = flights(100, seed=7)
    answers = original_answers(LOGISTIC, rows) + np.array([-1e-6, 1e-6])

    with pytest.raises(ArtifactError, match="the saved pipeline differs from the fitted one"):
        package(trained(LOGISTIC, evaluation_rows=rows, evaluation_answers=answers), tmp_path)


def shout(values: np.ndarray) -> np.ndarray:
    return values


def test_a_pipeline_that_holds_code_is_refused(tmp_path: Path) -> None:
    pipeline = fitted(one_hot(), AdaBoostClassifier(n_estimators=2), classes=TWO)
    pipeline.steps.insert(1, ("code", FunctionTransformer(shout)))

    with pytest.raises(FormatRefused, match=r"types that aren't allowed in an artifact: .*shout"):
        packaged(pipeline, tmp_path)


def test_rows_that_break_the_models_own_policies_prove_nothing(tmp_path: Path) -> None:
    rows = [row | {"distance": -1.0} for row in flights(20)]

    with pytest.raises(FormatRefused, match="no evaluation row passes the model's own policies"):
        package(replace(trained(LOGISTIC), evaluation_rows=rows), tmp_path)
