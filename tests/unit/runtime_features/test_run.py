"""The entry point of all Jobs: results are published once and found again."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from serinus.api.enums import Outcome
from serinus.api.job_contract import (
    RUN_RESULT,
    TERMINATION_MESSAGE_MAX_BYTES,
    RunResult,
    TrainingRunResult,
)
from serinus.api.modelversion import Signature, TensorSpec
from serinus_runtime.run import RESULT_FILE, Settings, main, termination_message
from tests.support.feature_sets import LEAKING_SQL, DataPlane, feature_set

pytestmark = pytest.mark.slow


def do(plane: DataPlane, **changes: Any) -> tuple[int, Settings]:
    """Run the Job's entry point on a FeatureSet; exit code and where things are."""
    document = {
        "task": "featureset",
        "run": "flights-snapshot-1",
        "identity": "sha256:aaaaaaaabbbb",
        "namespace": "default",
        "featureSet": "flights",
        "spec": feature_set(),
    } | changes
    (plane.root / "input.json").write_text(json.dumps(document))
    settings = Settings.from_environment(
        {
            "SERINUS_RUN_INPUT": str(plane.root / "input.json"),
            "SERINUS_STORE": str(plane.store.root),
            "SERINUS_TERMINATION_LOG": str(plane.root / "termination-log"),
            "TMPDIR": str(plane.root),
        }
    )
    return main(settings, now=lambda: datetime(2024, 1, 1, tzinfo=UTC)), settings


def published(plane: DataPlane, run: str = "flights-snapshot-1") -> RunResult:
    return RUN_RESULT.validate_json((plane.store.run(run) / RESULT_FILE).read_bytes())


def test_a_result_is_published_and_copied_into_the_termination_message(plane: DataPlane) -> None:
    code, settings = do(plane)

    result = published(plane)

    assert code == 0
    assert (result.outcome, result.reason) == (Outcome.SUCCEEDED, "SnapshotCreated")
    assert result.started_at == "2024-01-01T00:00:00Z"
    assert RUN_RESULT.validate_json(settings.termination_log.read_bytes()) == result


def test_a_result_that_is_there_is_only_reported_again(plane: DataPlane) -> None:
    do(plane)
    first = published(plane)
    (plane.store.data / "flights.csv").unlink()
    (plane.root / "termination-log").unlink()

    code, settings = do(plane)

    assert code == 0
    assert RUN_RESULT.validate_json(settings.termination_log.read_bytes()) == first


def test_a_result_of_another_identity_is_moved_aside(plane: DataPlane) -> None:
    do(plane)
    do(plane, identity="sha256:cccc")
    do(plane, identity="sha256:aaaaaaaadddd")
    do(plane, identity="sha256:cccc")

    assert published(plane).identity == "sha256:cccc"
    assert published(plane, "flights-snapshot-1.aaaaaaaa").identity == "sha256:aaaaaaaabbbb"
    assert published(plane, "flights-snapshot-1.cccc").identity == "sha256:cccc"
    assert published(plane, "flights-snapshot-1.aaaaaaaa.1").identity == "sha256:aaaaaaaadddd"


@pytest.mark.parametrize("content", [b"", b'{"run": "flights-sn', b'{"format": "of another day"}'])
def test_a_result_that_nobody_can_read_is_moved_aside_and_the_work_done_again(
    plane: DataPlane, content: bytes
) -> None:
    do(plane)
    (plane.store.run("flights-snapshot-1") / RESULT_FILE).write_bytes(content)

    code, _ = do(plane)

    assert code == 0
    assert published(plane).reason == "SnapshotUnchanged"
    aside = plane.store.run("flights-snapshot-1.unreadable")
    assert (aside / RESULT_FILE).read_bytes() == content


def test_the_identity_of_a_forged_result_leads_nowhere(plane: DataPlane) -> None:
    do(plane)
    path = plane.store.run("flights-snapshot-1") / RESULT_FILE
    forged = json.loads(path.read_bytes()) | {"identity": "../../x/y"}
    path.write_text(json.dumps(forged))

    do(plane)

    assert {run.name for run in path.parent.parent.iterdir()} == {
        "flights-snapshot-1", "flights-snapshot-1.xy",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("spec", "outcome", "reason", "told"),
    [
        (
            feature_set(features=[{"name": "altitude", "type": "float64"}]),
            Outcome.FAILED,
            "ColumnMismatch",
            "feature `altitude`: no such column",
        ),
        (
            feature_set(transform={"sql": LEAKING_SQL}),
            Outcome.REJECTED,
            "FutureLeak",
            "feature `delay_so_far`: row",
        ),
        (
            feature_set(features=[{"name": "x", "type": "float65"}]),
            Outcome.FAILED,
            "InvalidSpec",
            "spec.features[0].type: Input should be 'float64'",
        ),
    ],
)
def test_what_a_person_has_to_change_is_a_result(
    plane: DataPlane, spec: dict[str, Any], outcome: Outcome, reason: str, told: str
) -> None:
    code, _ = do(plane, spec=spec)

    result = published(plane)

    assert code == 0
    assert (result.outcome, result.reason) == (outcome, reason)
    assert result.message.startswith(told)


def test_an_unknown_metric_is_told_with_those_that_exist(plane: DataPlane) -> None:
    job = {
        "modelName": "m",
        "featureSetRefs": [{"name": "flights"}],
        "label": "late",
        "task": "classification",
        "trainer": {"sklearn": {"estimator": "LogisticRegression"}},
        "evaluation": {"metrics": ["auc"]},
    }

    do(plane, task="training", trainingJob="t", snapshots=[], spec=job)

    result = published(plane)
    assert isinstance(result, TrainingRunResult)
    assert result.message.startswith("spec.evaluation.metrics[0]: Input should be 'roc_auc'")


def test_trouble_that_may_go_away_leaves_no_result(plane: DataPlane) -> None:
    plane.store.data.joinpath("flights.csv").unlink()
    # A folder that can't be made stands for a disk that fails.
    plane.put_flights()
    (plane.store.root / "featuresets").write_bytes(b"in the way")

    with pytest.raises(OSError):
        do(plane)

    assert not plane.store.run("flights-snapshot-1").exists()
    assert "featuresets" in (plane.root / "termination-log").read_text()


def test_an_unwritable_termination_log_fails_no_run(plane: DataPlane) -> None:
    (plane.root / "termination-log").mkdir()

    code, _ = do(plane)

    assert code == 0


def test_verification_and_training_are_dispatched(plane: DataPlane) -> None:
    spec = {
        "modelName": "m",
        "modelFormat": {"name": "serinus"},
        "storageUri": "file:///store/models/m/none",
        "digest": "sha256:" + "0" * 64,
    }

    do(plane, task="verification", run="m-verify", modelVersion="m", spec=spec)

    assert published(plane, "m-verify").outcome is Outcome.REJECTED


def large_result(message: str, inputs: int, warnings: int) -> TrainingRunResult:
    tensors = [TensorSpec(name=f"feature_{n}", datatype="FP64") for n in range(inputs)]
    return TrainingRunResult(
        run="r",
        identity="i",
        outcome=Outcome.SUCCEEDED,
        reason="Succeeded",
        message=message,
        signature=Signature(inputs=tensors, outputs=[]),
        warnings=["w" * 250] * warnings,
        metrics={"roc_auc": "0.7"},
    )


@pytest.mark.parametrize(
    ("result", "kept"),
    [
        (large_result("short", 3, 1), {"signature", "warnings", "metrics"}),
        (large_result("short", 300, 1), {"warnings", "metrics"}),
        (large_result("short", 300, 10), {"warnings", "metrics"}),
        (large_result("ü" * 1024, 300, 10), {"metrics"}),
        (large_result("ü" * 4096, 300, 10), set()),
    ],
)
def test_a_termination_message_fits_and_drops_the_signature_first(
    result: TrainingRunResult, kept: set[str]
) -> None:
    rendered = termination_message(result)

    read = json.loads(rendered)
    assert len(rendered) <= TERMINATION_MESSAGE_MAX_BYTES
    assert {name for name in ("signature", "warnings", "metrics") if read.get(name)} == kept
    assert result.message.startswith(read["message"])


def test_settings_default_to_the_contract(tmp_path: Path) -> None:
    settings = Settings.from_environment({})

    assert str(settings.input_path) == "/etc/serinus/run/input.json"
    assert str(settings.store.root) == "/store"
    assert str(settings.termination_log) == "/dev/termination-log"
