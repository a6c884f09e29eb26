"""A package is written once and whole, under its digest, and mended if it was harmed."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import BernoulliNB
from sklearn.pipeline import Pipeline

from serinus_runtime.artifact.package import load
from tests.support.trained_models import fitted, one_hot, packaged

pytestmark = pytest.mark.slow

TWO = (False, True)
LOGISTIC = fitted(one_hot(), LogisticRegression(max_iter=500), classes=TWO)
BAYES = fitted(one_hot(), BernoulliNB(), classes=TWO)


@pytest.mark.parametrize("model", [LOGISTIC, BAYES], ids=["compiled", "native"])
def test_the_same_model_makes_the_same_bytes(tmp_path: Path, model: Pipeline) -> None:
    first = packaged(model, tmp_path / "one")
    second = packaged(model, tmp_path / "two")

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


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


@pytest.mark.parametrize("file", ["manifest.json", "arrays.npz", "golden.json", "evaluation.npz"])
@pytest.mark.parametrize("harm", [Path.unlink, cut_short])
def test_writing_a_package_again_mends_what_was_lost_or_changed(
    tmp_path: Path, file: str, harm: Callable[[Path], object]
) -> None:
    written = packaged(LOGISTIC, tmp_path)
    harm(written.path / file)

    again = packaged(LOGISTIC, tmp_path)

    assert again.digest == written.digest
    assert load(again.path, again.digest).predictor.kind == "linear"
    assert [entry.name for entry in again.path.parent.iterdir()] == [written.path.name]


def test_two_pods_that_write_one_package_end_with_one(tmp_path: Path) -> None:
    with ThreadPoolExecutor(3) as pods:
        written = list(pods.map(packaged, [LOGISTIC] * 3, [tmp_path] * 3))

    assert len({one.digest for one in written}) == 1
    (folder,) = (tmp_path / "models" / "flight-delay").iterdir()
    assert load(folder, f"sha256:{folder.name}").predictor.kind == "linear"
