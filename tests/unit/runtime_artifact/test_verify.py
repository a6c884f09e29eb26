"""What the verification Job finds, one scenario for each way in which an artifact can be wrong."""

import json
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import AdaBoostClassifier, HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.naive_bayes import GaussianNB

from serinus.api.enums import Outcome
from serinus.api.job_contract import VerificationRunInput
from serinus_runtime.artifact.api_signature import api_signature
from serinus_runtime.artifact.archive import array_bytes, read_arrays
from serinus_runtime.artifact.native_file import read_pipeline, written_pipeline
from serinus_runtime.artifact.packaging import Packaged
from serinus_runtime.artifact.verify import verify
from serinus_runtime.digest import digest_of
from tests.support.onnx_files import crafted
from tests.support.skops_files import changed, nodes, npy, npy_header, zipped
from tests.support.trained_models import fitted, flights, one_hot, ordinal, packaged

pytestmark = pytest.mark.slow

BOOSTED = fitted(ordinal(), HistGradientBoostingClassifier(max_iter=20), classes=(False, True))


def run_input(package: Packaged, store: Path, **spec: Any) -> VerificationRunInput:
    """The Job's input for a package; `spec` changes the ModelVersion's spec."""
    given = {
        "modelName": "flight-delay",
        "modelFormat": {"name": "serinus", "version": "1"},
        "storageUri": f"file:///store/{package.path.relative_to(store)}",
        "digest": package.digest,
        "signature": api_signature(package.signature).model_dump(by_alias=True),
    }
    return VerificationRunInput.model_validate(
        {
            "run": "flight-delay-1-verify",
            "identity": "abc",
            "namespace": "default",
            "modelVersion": "flight-delay-1",
            "spec": given | spec,
        }
    )


def forged(package: Packaged, change: Callable[[Path], None]) -> Packaged:
    """The package after `change`, with a manifest that names the new digests."""
    change(package.path)
    manifest = package.path / "manifest.json"
    document = json.loads(manifest.read_bytes())
    for entry in document["files"]:
        entry["digest"] = digest_of((package.path / entry["name"]).read_bytes())
    content = json.dumps(document).encode()
    manifest.write_bytes(content)
    return replace(package, digest=digest_of(content))


def derived_rows_of(package: Packaged) -> int:
    arrays = read_arrays((package.path / "evaluation.npz").read_bytes(), name="evaluation.npz")
    return len(arrays["derived_rows"])


def test_a_sound_artifact_is_verified_with_figures(tmp_path: Path) -> None:
    package = packaged(BOOSTED, tmp_path, evaluation_rows=flights(1200, seed=8))

    result = verify(run_input(package, tmp_path), tmp_path)

    assert result.outcome is Outcome.SUCCEEDED
    assert (result.reason, result.run, result.identity) == (
        "Verified",
        "flight-delay-1-verify",
        "abc",
    )
    assert result.predictor is not None
    assert result.predictor.kind == "forest"
    assert result.predictor.verified_rows == 1200 + derived_rows_of(package)
    assert result.predictor.mismatches == 0
    assert f"equals the original on {result.predictor.verified_rows} rows" in result.message
    assert 0 < (result.predictor.p50_micros or 0) < 5000


def test_a_native_artifact_is_verified_too(tmp_path: Path) -> None:
    pipeline = fitted(one_hot(), AdaBoostClassifier(n_estimators=3), classes=(False, True))

    result = verify(run_input(packaged(pipeline, tmp_path), tmp_path), tmp_path)

    assert result.outcome is Outcome.SUCCEEDED
    assert result.predictor is not None
    assert result.predictor.kind == "native"


def test_the_comparison_is_bounded_in_time_but_not_below_a_thousand_rows(tmp_path: Path) -> None:
    package = packaged(BOOSTED, tmp_path, evaluation_rows=flights(5000, seed=8))
    ticks = iter(range(0, 10_000, 100))

    result = verify(run_input(package, tmp_path), tmp_path, monotonic=lambda: next(ticks))

    assert result.predictor is not None
    # All derived rows whatever it takes; then 100 alone and 2,000 at once.
    assert result.predictor.verified_rows == derived_rows_of(package) + 2100


def flip_byte(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-40] ^= 1
    path.write_bytes(content)


def test_changed_bytes_are_rejected_by_file(tmp_path: Path) -> None:
    package = packaged(BOOSTED, tmp_path)
    flip_byte(package.path / "arrays.npz")

    result = verify(run_input(package, tmp_path), tmp_path)

    assert (result.outcome, result.reason) == (Outcome.REJECTED, "ArtifactChanged")
    assert result.message.startswith("`arrays.npz` has changed since it was written: expected sha")


def test_a_lost_package_is_rejected(tmp_path: Path) -> None:
    package = packaged(BOOSTED, tmp_path)
    shutil.rmtree(package.path)

    result = verify(run_input(package, tmp_path), tmp_path)

    assert (result.outcome, result.reason) == (Outcome.REJECTED, "ArtifactChanged")
    assert "is not there" in result.message


def another_leaf(directory: Path) -> None:
    arrays = read_arrays((directory / "arrays.npz").read_bytes(), name="arrays.npz")
    name = next(name for name, array in arrays.items() if array.ndim == 2 and array.dtype == float)
    arrays[name] = arrays[name] + 0.01
    (directory / "arrays.npz").write_bytes(array_bytes(arrays))


def another_answer(directory: Path) -> None:
    document = json.loads((directory / "golden.json").read_bytes())
    document["answers"][2][1] += 1e-6
    (directory / "golden.json").write_text(json.dumps(document))


def of_evaluation(**changes: Any) -> Callable[[Path], None]:
    """Set arrays of the proof; None leaves one out."""

    def change(directory: Path) -> None:
        path = directory / "evaluation.npz"
        arrays: dict[str, Any] = dict(read_arrays(path.read_bytes(), name="evaluation.npz"))
        kept = {name: array for name, array in (arrays | changes).items() if array is not None}
        path.write_bytes(array_bytes(kept))

    return change


no_rows = of_evaluation(rows=np.empty((0, 6)), expected=np.empty((0, 2)))


def another_derived_answer(directory: Path) -> None:
    path = directory / "evaluation.npz"
    arrays = dict(read_arrays(path.read_bytes(), name="evaluation.npz"))
    arrays["derived_expected"] = arrays["derived_expected"].copy()
    arrays["derived_expected"][-1] += [1e-6, -1e-6]
    path.write_bytes(array_bytes(arrays))


def write(file: str, content: bytes) -> Callable[[Path], None]:
    """Put other bytes into a file of the package."""
    return lambda directory: (directory / file).write_bytes(content) and None


NPY = npy(np.zeros(3))
ABSURD = zipped({"rows.npy": npy_header("(1000000000000, 6)")})
OTHER_WAY = zipped({"rows.npy": NPY}, compression=zipfile.ZIP_LZMA)


def fewer_golden_answers(directory: Path) -> None:
    document = json.loads((directory / "golden.json").read_bytes())
    document["answers"] = document["answers"][:3]
    (directory / "golden.json").write_text(json.dumps(document))


def outside(directory: Path) -> None:
    arrays = read_arrays((directory / "arrays.npz").read_bytes(), name="arrays.npz")
    for name, array in arrays.items():
        if array.dtype == np.int32 and array.size > 100:
            arrays[name] = array + np.int32(10**6)
    (directory / "arrays.npz").write_bytes(array_bytes(arrays))


@pytest.mark.parametrize(
    ("change", "reason", "message"),
    [
        (another_leaf, "PredictorMismatch", "differs from the original model on"),
        (another_answer, "PredictorMismatch", "golden.json: rows[2]: expected ["),
        (no_rows, "PredictorMismatch", "holds 0 evaluation rows; nothing is proven"),
        (another_derived_answer, "PredictorMismatch", "differs from the original model on 1 of"),
        (outside, "FormatRefused", "the tables of the forest don't fit each other"),
    ],
)
def test_an_honest_digest_doesnt_vouch_for_the_answers(
    tmp_path: Path, change: Callable[[Path], None], reason: str, message: str
) -> None:
    package = forged(packaged(BOOSTED, tmp_path), change)

    result = verify(run_input(package, tmp_path), tmp_path)

    assert (result.outcome, result.reason) == (Outcome.REJECTED, reason)
    assert message in result.message


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (write("evaluation.npz", b""), "evaluation.npz: can't be read: BadZipFile"),
        (write("evaluation.npz", NPY), "evaluation.npz: can't be read: BadZipFile"),
        (write("evaluation.npz", ABSURD), "takes 48000000000000 bytes, not 0"),
        (write("evaluation.npz", OTHER_WAY), "packed in another way than ours"),
        (of_evaluation(expected=None), "evaluation.npz: expected the arrays"),
        (of_evaluation(expected=np.zeros((7, 2))), "answers of shape (7, 2)"),
        (of_evaluation(rows=np.zeros((400, 5))), "rows of shape (400, 5)"),
        (write("arrays.npz", b"PK\x03\x04"), "arrays.npz: can't be read: BadZipFile"),
        (write("arrays.npz", zipped({})), "plan can't be read: KeyError"),
        (write("golden.json", b"[1, 2]"), "golden.json: can't be read: TypeError"),
        (write("golden.json", b'{"rows": [], "answers": []}'), "golden.json: has 0 rows"),
        (write("golden.json", b'{"rows": [7], "answers": [[1, 2]]}'), "golden.json: can't be read"),
        (fewer_golden_answers, "golden.json: has 32 rows, not as many answers"),
    ],
)
def test_a_broken_artifact_is_rejected_with_a_reason(
    tmp_path: Path, change: Callable[[Path], None], message: str
) -> None:
    package = forged(packaged(BOOSTED, tmp_path), change)

    result = verify(run_input(package, tmp_path), tmp_path)

    assert (result.outcome, result.reason) == (Outcome.REJECTED, "FormatRefused")
    assert message in result.message


NATIVE = fitted(one_hot(), AdaBoostClassifier(n_estimators=2), classes=(False, True))


def of_pipeline(change: Callable[[Any], None]) -> Callable[[Path], None]:
    """Change the saved pipeline itself."""

    def changed_file(directory: Path) -> None:
        pipeline = read_pipeline((directory / "model.skops").read_bytes())
        change(pipeline)
        (directory / "model.skops").write_bytes(written_pipeline(pipeline))

    return changed_file


def unfitted(pipeline: Any) -> None:
    del pipeline[-1].estimators_


def named_away(directory: Path) -> None:
    def crafted(schema: Any, _: dict[str, bytes]) -> None:
        next(nodes(schema, of="AdaBoostClassifier"))["__module__"] = "nowhere.at.all"

    (directory / "model.skops").write_bytes(changed(NATIVE, crafted))


@pytest.mark.parametrize(
    ("change", "reason", "message"),
    [
        (
            write("model.skops", b"no zip"),
            "FormatRefused",
            "model.skops: can't be read: BadZipFile",
        ),
        (named_away, "FormatRefused", "aren't allowed in an artifact: nowhere.at.all.AdaBoost"),
        (of_pipeline(unfitted), "PredictorMismatch", "the predictor fails to answer: "),
    ],
)
def test_a_broken_native_artifact_is_rejected_with_a_reason(
    tmp_path: Path, change: Callable[[Path], None], reason: str, message: str
) -> None:
    package = forged(packaged(NATIVE, tmp_path), change)

    result = verify(run_input(package, tmp_path), tmp_path)

    assert (result.outcome, result.reason) == (Outcome.REJECTED, reason)
    assert message in result.message


BAYES = fitted(
    ColumnTransformer([("hour", SimpleImputer(), [2])]), GaussianNB(), classes=(False, True)
)


def of_onnx(change: Callable[[Any], None]) -> Callable[[Path], None]:
    """Change the model's ONNX form itself."""

    def changed_file(directory: Path) -> None:
        file = directory / "model.onnx"
        file.write_bytes(crafted(file.read_bytes(), change))

    return changed_file


def other_weights(model: Any) -> None:
    """The mean of a class moves a little."""
    weights = next(each for each in model.graph.initializer if len(each.double_data) == 2)
    weights.double_data[0] += 1e-3


def elsewhere(model: Any) -> None:
    tensor = model.graph.initializer[0]
    tensor.ClearField("double_data")
    tensor.data_location = 1
    tensor.external_data.add(key="location", value="../../secret")


def of_custom_code(model: Any) -> None:
    model.graph.node[0].domain = "com.example"


def of_other_columns(directory: Path) -> None:
    """The columns that go in are more than the model was converted for."""
    arrays = read_arrays((directory / "arrays.npz").read_bytes(), name="arrays.npz")
    wide = {"a0": np.array([2, 2], dtype=np.int32), "a1": np.array([1.0, 1.0])}
    assert sorted(arrays) == sorted(wide)
    (directory / "arrays.npz").write_bytes(array_bytes(wide))


def of_no_column(directory: Path) -> None:
    arrays = read_arrays((directory / "arrays.npz").read_bytes(), name="arrays.npz")
    changed_arrays = arrays | {"a0": np.array([6], dtype=np.int32)}
    (directory / "arrays.npz").write_bytes(array_bytes(changed_arrays))


def test_an_onnx_artifact_is_verified_on_the_same_rows(tmp_path: Path) -> None:
    package = packaged(BAYES, tmp_path)

    result = verify(run_input(package, tmp_path), tmp_path)

    assert result.outcome is Outcome.SUCCEEDED
    assert result.predictor is not None
    assert (result.predictor.kind, result.predictor.mismatches) == ("onnx", 0)
    assert result.predictor.verified_rows == package.equality.rows
    assert result.message.startswith("onnx predictor equals the original on ")


@pytest.mark.parametrize(
    ("change", "reason", "message"),
    [
        (of_onnx(other_weights), "PredictorMismatch", "the onnx predictor differs from the orig"),
        (of_onnx(elsewhere), "FormatRefused", "such as data in other files"),
        (of_onnx(of_custom_code), "FormatRefused", "aren't allowed in an artifact: com.example."),
        (write("model.onnx", b"\x08"), "FormatRefused", "model.onnx: can't be read: DecodeError"),
        (of_other_columns, "PredictorMismatch", "the predictor fails to answer: InvalidArgument"),
        (of_no_column, "FormatRefused", "the columns of select don't fit"),
        (write("arrays.npz", zipped({})), "FormatRefused", "operations can't be read: KeyError"),
    ],
)
def test_a_wrong_or_hostile_onnx_artifact_is_rejected_with_a_reason(
    tmp_path: Path, change: Callable[[Path], None], reason: str, message: str
) -> None:
    package = forged(packaged(BAYES, tmp_path), change)

    result = verify(run_input(package, tmp_path), tmp_path)

    assert (result.outcome, result.reason) == (Outcome.REJECTED, reason)
    assert message in result.message


def test_changed_bytes_of_the_onnx_file_are_rejected(tmp_path: Path) -> None:
    package = packaged(BAYES, tmp_path)
    flip_byte(package.path / "model.onnx")

    result = verify(run_input(package, tmp_path), tmp_path)

    assert (result.outcome, result.reason) == (Outcome.REJECTED, "ArtifactChanged")
    assert result.message.startswith("`model.onnx` has changed since it was written")


def test_an_artifact_of_two_predictors_is_rejected(tmp_path: Path) -> None:
    package = packaged(BAYES, tmp_path)
    manifest = package.path / "manifest.json"
    document = json.loads(manifest.read_bytes())
    document["predictor"]["plan"] = {"operations": [], "link": "identity"}
    content = json.dumps(document).encode()
    manifest.write_bytes(content)

    result = verify(run_input(replace(package, digest=digest_of(content)), tmp_path), tmp_path)

    assert (result.outcome, result.reason) == (Outcome.REJECTED, "FormatRefused")
    assert result.message == "manifest.json: predictor: has both a plan and an ONNX form"


def test_a_disk_that_fails_is_no_verdict(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = packaged(BOOSTED, tmp_path)

    def failing(_: Path) -> bytes:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("serinus_runtime.artifact.package.read_file", failing)

    with pytest.raises(OSError, match="Input/output error"):
        verify(run_input(package, tmp_path), tmp_path)


INPUT = {"name": "distance", "datatype": "FP64", "unit": "mi", "nullable": False}


@pytest.mark.parametrize(
    ("spec", "reason", "message"),
    [
        (
            {"modelFormat": {"name": "pickle"}},
            "FormatRefused",
            "spec.modelFormat: this server knows serinus 1, got pickle 1",
        ),
        (
            {"modelName": "other"},
            "SignatureMismatch",
            "spec.modelName: the ModelVersion says other, the artifact flight-delay",
        ),
        (
            {"storageUri": "file:///store/../etc/x"},
            "FormatRefused",
            "storageUri: file:///store/../etc/x leads out of the store",
        ),
        (
            {"signature": {"inputs": [INPUT], "outputs": []}},
            "SignatureMismatch",
            "spec.signature.inputs: the ModelVersion names 1, the artifact has 6",
        ),
    ],
)
def test_what_the_spec_says_otherwise_is_rejected(
    tmp_path: Path, spec: dict[str, Any], reason: str, message: str
) -> None:
    package = packaged(BOOSTED, tmp_path)

    result = verify(run_input(package, tmp_path, **spec), tmp_path)

    assert (result.outcome, result.reason, result.message) == (Outcome.REJECTED, reason, message)


def test_another_unit_in_the_spec_is_named(tmp_path: Path) -> None:
    package = packaged(BOOSTED, tmp_path)
    signature = api_signature(package.signature).model_dump(by_alias=True)
    signature["inputs"][0]["unit"] = "km"

    result = verify(run_input(package, tmp_path, signature=signature), tmp_path)

    assert result.message == (
        "spec.signature.inputs[0].unit: the ModelVersion says km, the artifact mi"
    )
