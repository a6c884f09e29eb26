"""Which run of a TrainingJob is wanted: numbers, pins, identities."""

import pytest

from serinus.api.enums import Reason
from serinus.api.modelversion import ModelVersion
from serinus.api.trainingjob import PinnedSnapshot, TrainingJobSpec, TrainingRunStatus
from serinus.reconcile.readiness import Note
from serinus.reconcile.training_runs import (
    Pinned,
    adopted_run,
    is_current,
    next_number,
    pinned_snapshots,
    run_identity,
    version_number,
)
from tests.support.run_world import DIGEST_A, DIGEST_B, MODEL_VERSION_SPEC, TRAINING_JOB_SPEC

SPEC = TrainingJobSpec.model_validate(TRAINING_JOB_SPEC)
A = PinnedSnapshot(feature_set="flights", digest=DIGEST_A, uri="file:///store/a")
B = PinnedSnapshot(feature_set="flights", digest=DIGEST_B, uri="file:///store/b")


def spec(**changes: object) -> TrainingJobSpec:
    return TrainingJobSpec.model_validate({**TRAINING_JOB_SPEC, **changes})


def version(name: str, source: dict[str, object] | None = None) -> ModelVersion:
    more = {"source": source} if source else {}
    return ModelVersion.model_validate(
        {"metadata": {"name": name}, "spec": {**MODEL_VERSION_SPEC, **more}}
    )


def trained(name: str, snapshot: PinnedSnapshot, training_job: str = "delay") -> ModelVersion:
    return version(
        name,
        {
            "trainingJobRef": {"name": training_job},
            "run": "r",
            "identity": run_identity(SPEC, [snapshot]),
            "featureSnapshots": [snapshot.model_dump(by_alias=True)],
        },
    )


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("delay-1", 1),
        ("delay-120", 120),
        ("delay-01", None),
        ("delay-", None),
        ("delay-1-2", None),
        ("delayed-1", None),
        ("other", None),
    ],
)
def test_only_our_naming_counts_as_a_number(name: str, number: int | None) -> None:
    assert version_number("delay", name) == number


def test_the_next_number_is_above_the_last_run_and_all_versions() -> None:
    last = TrainingRunStatus(name="r", number=4, identity="x")

    assert next_number("delay", None, []) == 1
    assert next_number("delay", last, []) == 5
    assert next_number("delay", last, [version("delay-9"), version("other-30")]) == 10


def test_the_identity_of_a_run_is_the_same_in_the_next_release() -> None:
    assert run_identity(SPEC, [A]) == (
        "0974281679bd0fa068ac938851960e5666cb4daa534cc9bbff318f9507caa182"
    )


@pytest.mark.parametrize(
    ("what", "wanted", "current"),
    [
        ("the same", SPEC, True),
        ("its default, spelled out", spec(seed=None), True),
        ("another seed", spec(seed=7), False),
        ("the snapshot, named", spec(featureSetRefs=[{"name": "flights", "snapshot": DIGEST_A}]),
         True),
        ("another snapshot, named",
         spec(featureSetRefs=[{"name": "flights", "snapshot": DIGEST_B}]), False),
        ("another FeatureSet", spec(featureSetRefs=[{"name": "trains"}]), False),
    ],
)  # fmt: skip
def test_what_is_there_is_compared_with_the_snapshots_pinned_for_it(
    what: str, wanted: TrainingJobSpec, current: bool
) -> None:
    assert is_current(wanted, run_identity(SPEC, [A]), [A]) is current, what


def test_the_newest_fitting_version_is_adopted() -> None:
    versions = [trained("delay-9", A), trained("delay-10", B), trained("delay-11", A, "another")]
    adopted = adopted_run("delay", SPEC, versions)

    assert adopted is not None
    assert adopted.model_version_ref is not None
    assert adopted.model_version_ref.name == "delay-10"
    assert adopted.number == 10


@pytest.mark.parametrize("source", [None, {"run": "r"}, {"trainingJobRef": {"name": "delay"}}])
def test_a_version_of_unknown_origin_is_not_adopted(source: dict[str, object] | None) -> None:
    assert adopted_run("delay", SPEC, [version("delay-1", source)]) is None


def test_pins_are_the_latest_snapshots() -> None:
    latest = {"digest": DIGEST_B, "uri": "file:///store/b", "rows": 5}
    found = pinned_snapshots(SPEC, {"flights": {"status": {"latestSnapshot": latest}}})

    assert found == Pinned((B,))


@pytest.mark.parametrize(
    ("feature_sets", "reason"),
    [
        ({}, Reason.FEATURE_SET_NOT_FOUND),
        ({"flights": {}}, Reason.WAITING_FOR_SNAPSHOT),
        ({"flights": {"status": {"latestSnapshot": "odd"}}}, Reason.WAITING_FOR_SNAPSHOT),
    ],
)
def test_what_is_missing_is_named(
    feature_sets: dict[str, dict[str, object]], reason: Reason
) -> None:
    found = pinned_snapshots(SPEC, feature_sets)

    assert isinstance(found, Note)
    assert found.reason == reason
    assert "FeatureSet `flights`" in found.message
