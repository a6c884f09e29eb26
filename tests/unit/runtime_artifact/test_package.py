"""A package is written once, read by digest only, and holds no code."""

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import runstring
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import AdaBoostClassifier, HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, MinMaxScaler

from serinus_runtime.artifact.archive import read_arrays
from serinus_runtime.artifact.errors import (
    AnswersDiffer,
    ArtifactChanged,
    ArtifactError,
    ArtifactMissing,
    FormatRefused,
)
from serinus_runtime.artifact.manifest import FORMAT_VERSION
from serinus_runtime.artifact.native_file import written_pipeline
from serinus_runtime.artifact.package import directory_of, load
from serinus_runtime.artifact.packaging import package
from serinus_runtime.digest import digest_of
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


@pytest.mark.parametrize("file", ["manifest.json", "arrays.npz", "golden.json", "evaluation.npz"])
def test_a_file_that_is_a_link_is_refused_though_its_bytes_are_right(
    tmp_path: Path, file: str
) -> None:
    written = packaged(LOGISTIC, tmp_path)
    (written.path / file).rename(tmp_path / "elsewhere")
    (written.path / file).symlink_to(tmp_path / "elsewhere")

    with pytest.raises(ArtifactMissing, match=f"`{file}` is not there"):
        load(written.path, written.digest)


def test_a_pipe_in_the_place_of_a_file_holds_nobody_up(tmp_path: Path) -> None:
    written = packaged(LOGISTIC, tmp_path)
    (written.path / "arrays.npz").unlink()
    os.mkfifo(written.path / "arrays.npz")

    with pytest.raises(ArtifactMissing, match=r"`arrays.npz` is not there"):
        load(written.path, written.digest)


def test_what_is_loaded_is_what_the_digest_was_taken_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written, other = packaged(LOGISTIC, tmp_path / "one"), packaged(BOOSTED, tmp_path / "two")
    arrays = (written.path / "arrays.npz").read_bytes()

    def swapped(content: bytes) -> str:
        if content == arrays:  # somebody writes in between
            (written.path / "arrays.npz").write_bytes((other.path / "arrays.npz").read_bytes())
        return digest_of(content)

    monkeypatch.setattr("serinus_runtime.artifact.package.digest_of", swapped)
    rows = flights(50, seed=5)

    model = load(written.path, written.digest)

    np.testing.assert_allclose(
        model.predictor.answers(encoded(rows)), original_answers(LOGISTIC, rows), rtol=0, atol=1e-9
    )


@pytest.mark.parametrize("model", [LOGISTIC, BOOSTED], ids=["linear", "forest"])
def test_who_answers_otherwise_than_in_training_isnt_served(tmp_path: Path, model: Any) -> None:
    written = packaged(model, tmp_path)
    golden = json.loads((written.path / "golden.json").read_bytes())
    golden["answers"][3] = [0.25, 0.75]
    content = json.dumps(golden).encode()
    (written.path / "golden.json").write_bytes(content)

    def with_its_digest(document: dict[str, Any]) -> None:
        entry = next(file for file in document["files"] if file["name"] == "golden.json")
        entry["digest"] = digest_of(content)

    with pytest.raises(AnswersDiffer, match=r"rows\[3\]: expected \[0\.25, 0\.75\], got") as told:
        load(written.path, rewritten(written.path, with_its_digest))

    assert "the processor of the node" in str(told.value)


def rewritten(directory: Path, change: Callable[[dict[str, Any]], None]) -> str:
    """Digest of a package's manifest after a change."""
    document = json.loads((directory / "manifest.json").read_bytes())
    change(document)
    content = json.dumps(document).encode()
    (directory / "manifest.json").write_bytes(content)
    return digest_of(content)


def reaching(name: str) -> Callable[[dict[str, Any]], None]:
    def change(document: dict[str, Any]) -> None:
        document["files"].append({"name": name, "digest": "sha256:0", "sizeBytes": 1})

    return change


def renamed(document: dict[str, Any]) -> None:
    document["files"][0]["name"] = "../../other/arrays.npz"


def one_class(document: dict[str, Any]) -> None:
    document["model"]["classes"] = [True]


def same_classes(document: dict[str, Any]) -> None:
    document["model"]["classes"] = [True, True]


def listed_class(document: dict[str, Any]) -> None:
    document["model"]["classes"] = [True, 1.5]


def no_inputs(document: dict[str, Any]) -> None:
    document["signature"]["inputs"] = []


def deep(document: dict[str, Any]) -> None:
    branch: dict[str, Any] = {"op": "cast"}
    for _ in range(150):
        branch = {"op": "concatenate", "branches": [[branch]]}
    document["predictor"]["plan"]["operations"] = [branch]


def strange_limit(document: dict[str, Any]) -> None:
    document["signature"]["inputs"][0]["minimum"] = {"a": 1}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (reaching("../../../etc/passwd"), "files: expected arrays.npz, evaluation.npz, golden"),
        (reaching("arrays.npz"), "files: expected"),
        (renamed, "files: expected"),
        (one_class, "the classes are wrong for classification"),
        (same_classes, "the classes are wrong"),
        (listed_class, "a class is true or false"),
        (no_inputs, "the columns of select"),
        (deep, "don't fit|RecursionError"),
        (strange_limit, "signature can't be read"),
        (lambda document: document.pop("files"), "KeyError"),
        (lambda document: document["files"].append(7), "manifest.json: can't be read"),
        (lambda document: document.update(model=[]), "manifest.json: can't be read"),
    ],
)
def test_a_manifest_that_leads_astray_is_refused(
    tmp_path: Path, change: Callable[[dict[str, Any]], None], told: str
) -> None:
    written = packaged(LOGISTIC, tmp_path)

    with pytest.raises(FormatRefused, match=told):
        load(written.path, rewritten(written.path, change))


def test_another_version_of_the_format_is_refused(tmp_path: Path) -> None:
    written = packaged(LOGISTIC, tmp_path)
    document = json.loads((written.path / "manifest.json").read_bytes())
    document["format"]["version"] = "99"
    content = json.dumps(document).encode()
    (written.path / "manifest.json").write_bytes(content)

    with pytest.raises(FormatRefused, match=f"expected serinus {FORMAT_VERSION}"):
        load(written.path, digest_of(content))


def test_arrays_that_would_need_pickle_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "arrays.npz"
    np.savez(path, a=np.array([{"code": "runs"}], dtype=object))

    with pytest.raises(FormatRefused, match="can't be read without pickle"):
        read_arrays(path.read_bytes(), name="arrays.npz")


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("s3://models/x", "expected file:///store/"),
        ("file:///etc/passwd", "expected file:///store/"),
        ("file:///store/../../etc", "leads out of the store"),
        ("file:///store/models/\0", "can't be read: ValueError"),
        ("file:///store/models/" + "x" * 5000, "a name is too long for a file"),
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


def test_a_circle_of_links_is_refused(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "a").symlink_to("b")
    (tmp_path / "models" / "b").symlink_to("a")

    with pytest.raises(FormatRefused, match="can't be read"):
        directory_of("file:///store/models/a", tmp_path)


def test_a_link_from_models_to_what_users_bring_is_refused(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "data").mkdir()
    (tmp_path / "models" / "mine").symlink_to(tmp_path / "data")

    with pytest.raises(FormatRefused, match="expected file:///store/models/"):
        directory_of("file:///store/models/mine", tmp_path)


@pytest.mark.parametrize("place", ["data/mine", "runs/first-train-1", "models/../data/mine"])
def test_only_what_is_below_models_is_taken_for_a_model(place: str, tmp_path: Path) -> None:
    with pytest.raises(FormatRefused, match="models"):
        directory_of(f"file:///store/{place}", tmp_path)


@pytest.mark.slow
def test_a_model_without_compiled_form_is_packaged_native_and_says_why(tmp_path: Path) -> None:
    pipeline = fitted(one_hot(), AdaBoostClassifier(n_estimators=5), classes=TWO)
    rows = flights(50, seed=5)

    written = packaged(pipeline, tmp_path)
    model = load(written.path, written.digest)

    assert written.kind == model.predictor.kind == "native"
    assert written.native_reason == (
        "the estimator AdaBoostClassifier has no compiled form; it has no ONNX form"
    )
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
        written_pipeline(pipeline)


def test_a_plan_that_differs_from_the_original_falls_back_to_native(tmp_path: Path) -> None:
    numbers = ColumnTransformer([("numbers", MinMaxScaler(), [0])])
    pipeline = fitted(numbers, LogisticRegression(), classes=TWO)
    pipeline[0].transformers_[0][1].min_ += 0.5  # which the compiler doesn't read
    told = trained(pipeline, evaluation_rows=flights(100, seed=7))

    packaged_native = package(told, tmp_path)

    assert packaged_native.kind == "native"
    assert packaged_native.equality.mismatches == 0
    assert (packaged_native.native_reason or "").startswith(
        "the compiled plan differs from the original on "
    )


@pytest.mark.slow
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
