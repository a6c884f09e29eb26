"""TrainingJob: which run is wanted, what came of it, and its ModelVersion."""

import pytest

from serinus.api.enums import Outcome, Reason, Verb
from serinus.api.modelversion import ModelVersion
from tests.support.run_world import (
    DIGEST_A,
    DIGEST_B,
    RunWorld,
    a_training_job,
    model_result,
    with_snapshot,
)

FIRST = "delay-train-1"
SECOND = "delay-train-2"


def with_first_version(outcome: Outcome = Outcome.SUCCEEDED) -> RunWorld:
    world = with_snapshot(a_training_job(), DIGEST_A).passes()
    return world.run_ends(FIRST, outcome, **model_result()).passes()


def version(world: RunWorld, name: str) -> ModelVersion:
    return ModelVersion.model_validate(world.model_versions[name])


def reasons(world: RunWorld) -> list[str]:
    return [event.reason for event in world.events]


def test_it_waits_for_its_feature_set_and_goes_on_when_it_appears() -> None:
    world = a_training_job().passes()

    assert world.condition("Reconciling") == ("True", Reason.FEATURE_SET_NOT_FOUND)
    assert "FeatureSet `flights` doesn't exist" in world.status["message"]
    assert world.status["phase"] == "Pending"
    assert world.condition("Ready")[0] == "Unknown"

    with_snapshot(world, DIGEST_A).passes()

    assert world.jobs == [FIRST]


def test_it_waits_for_a_snapshot_and_repeats_what_the_feature_set_says() -> None:
    world = a_training_job()
    world.feature_sets["flights"] = {"status": {"message": "no column x"}}
    world.passes()

    assert world.condition("Reconciling") == ("True", Reason.WAITING_FOR_SNAPSHOT)
    assert world.status["message"].endswith("snapshot of FeatureSet `flights`: no column x")


def test_the_snapshot_is_pinned_in_status_before_the_job_is_made() -> None:
    decision = with_snapshot(a_training_job(), DIGEST_A).decide()

    assert decision.status is not None
    assert decision.status["lastRun"]["snapshots"][0]["digest"] == DIGEST_A
    assert decision.status["lastRun"]["number"] == 1


def test_a_named_snapshot_needs_no_feature_set() -> None:
    pinned = [{"name": "flights", "snapshot": DIGEST_B}]
    world = a_training_job(featureSetRefs=pinned).passes()

    [snapshot] = world.run_input(FIRST).snapshots
    assert snapshot.digest == DIGEST_B
    assert snapshot.uri == f"file:///store/featuresets/flights/snapshots/{'b' * 64}"


def test_a_result_becomes_a_model_version_that_tells_where_it_comes_from() -> None:
    world = with_first_version()

    made = version(world, "delay-1")
    assert made.spec.model_name == "delay"
    assert made.spec.digest == f"sha256:{'e' * 64}"
    assert made.spec.source is not None
    assert made.spec.source.run == FIRST
    assert made.spec.source.feature_snapshots[0].digest == DIGEST_A
    assert made.spec.source.image == "jobs:1"
    assert made.spec.source.estimator == "LogisticRegression"
    assert made.spec.evaluation is not None
    assert made.spec.evaluation.passed
    assert made.metadata.labels["serinus.dev/trainingjob"] == "delay"
    assert "ownerReferences" not in world.model_versions["delay-1"]["metadata"]


def test_a_result_is_in_status_before_its_version_is_made_and_the_job_expires_after() -> None:
    world = with_first_version()

    created = world.writes.index("create ModelVersion delay-1")
    assert world.writes[created - 1] == "status"
    assert world.writes.index(f"apply Job {FIRST}") > created
    assert world.status["lastRun"]["modelVersionRef"] == {"name": "delay-1"}
    assert world.status["phase"] == "Succeeded"
    assert world.condition("Ready")[0] == "True"
    assert world.condition("Succeeded")[0] == "True"
    assert reasons(world) == [Reason.RUN_STARTED, Reason.SUCCEEDED, Reason.MODEL_VERSION_CREATED]


def test_a_missed_gate_leads_to_a_version_that_says_so() -> None:
    gate = {"metric": "roc_auc", "value": "0.55", "min": "0.60", "passed": False}
    world = with_snapshot(a_training_job(), DIGEST_A).passes()
    world.run_ends(
        FIRST,
        Outcome.REJECTED,
        reason="GateFailed",
        message="gate roc_auc: 0.55 is below min 0.60",
        **model_result(gates=[gate]),
    ).passes()

    evaluation = version(world, "delay-1").spec.evaluation
    assert evaluation is not None
    assert not evaluation.passed
    assert evaluation.gates[0].value == "0.55"
    assert world.condition("Succeeded") == ("False", Reason.GATE_FAILED)
    assert world.condition("Stalled") == ("True", Reason.GATE_FAILED)
    assert world.status["phase"] == "Failed"


def test_a_failed_run_makes_no_version_and_is_not_repeated() -> None:
    world = with_snapshot(a_training_job(), DIGEST_A).passes()
    world.run_ends(FIRST, Outcome.FAILED, reason="OneClass", message="label late: one class")
    world.passes().later(days=1).passes()

    assert world.model_versions == {}
    assert world.condition("Stalled") == ("True", "OneClass")
    assert world.status["message"] == "label late: one class"
    assert world.created_jobs() == [FIRST]
    assert reasons(world)[-1] == Reason.RUN_FAILED


@pytest.mark.parametrize(
    ("change", "jobs"),
    [
        ({"resources": {"limits": {"memory": "8Gi"}}}, [FIRST, SECOND]),
        ({"ttlSecondsAfterFinished": 5}, [FIRST]),
        ({"description": "late or not"}, [FIRST]),
    ],
)
def test_a_failed_run_is_repeated_only_when_what_may_have_been_to_blame_is_changed(
    change: dict[str, object], jobs: list[str]
) -> None:
    world = with_snapshot(a_training_job(), DIGEST_A).passes()
    world.run_ends(FIRST, Outcome.FAILED, reason="OneClass", message="label late: one class")
    world.passes().edit(**change).passes()

    assert world.created_jobs() == jobs


def test_a_newer_snapshot_alone_trains_nothing() -> None:
    world = with_snapshot(with_first_version(), DIGEST_B).passes()

    assert world.created_jobs() == [FIRST]


def test_retry_trains_on_the_newest_snapshot() -> None:
    world = with_snapshot(with_first_version(), DIGEST_B).ask(Verb.RETRY).passes()

    assert world.created_jobs() == [FIRST, SECOND]
    assert world.run_input(SECOND).snapshots[0].digest == DIGEST_B


def test_retry_without_a_snapshot_is_refused_and_says_what_is_missing() -> None:
    world = a_training_job().passes().ask(Verb.RETRY).passes()

    assert world.status["lastHandledRequest"]["outcome"] == "refused"
    assert "FeatureSet `flights` doesn't exist" in world.status["lastHandledRequest"]["message"]


@pytest.mark.parametrize(
    ("what", "spec"),
    [
        ("trainer", {"trainer": {"sklearn": {"estimator": "RandomForestClassifier"}}}),
        ("features", {"features": ["distance"]}),
        ("split", {"split": {"type": "random"}}),
        ("gates", {"evaluation": {"gates": [{"metric": "roc_auc", "min": "0.6"}]}}),
        ("decision", {"decision": {"threshold": "0.3"}}),
        ("seed", {"seed": 7}),
        ("model name", {"modelName": "other"}),
    ],
)
def test_another_version_is_trained_for(what: str, spec: dict[str, object]) -> None:
    world = with_snapshot(with_first_version(), DIGEST_B).edit(**spec).passes()

    assert world.created_jobs() == [FIRST, SECOND], what
    assert world.run_input(SECOND).snapshots[0].digest == DIGEST_B


@pytest.mark.parametrize(
    ("what", "spec"),
    [
        ("resources", {"resources": {"limits": {"cpu": "2"}}}),
        ("time to live", {"ttlSecondsAfterFinished": 1}),
        ("placement", {"podTemplate": {"spec": {"nodeSelector": {"gpu": "no"}}}}),
        ("words", {"description": "late or not"}),
    ],
)
def test_nothing_is_trained_for(what: str, spec: dict[str, object]) -> None:
    assert with_first_version().edit(**spec).passes().created_jobs() == [FIRST], what


def test_another_default_image_trains_nothing() -> None:
    world = with_first_version()
    settings = type(world.settings)(jobs_image="jobs:2", server_image="server:2")
    world.settings = settings
    world.passes()

    assert world.created_jobs() == [FIRST]


def test_deleted_and_applied_again_it_adopts_its_version_and_trains_nothing() -> None:
    world = with_snapshot(with_first_version(), DIGEST_B)
    world.apply_again().passes()

    assert world.created_jobs() == [FIRST]
    assert world.status["lastRun"]["modelVersionRef"] == {"name": "delay-1"}
    assert world.status["lastRun"]["metrics"] == {"roc_auc": "0.71"}
    assert world.condition("Ready")[0] == "True"


def test_it_adopts_a_version_that_missed_its_gate_as_what_it_is() -> None:
    world = with_first_version(Outcome.REJECTED).apply_again().passes()

    assert world.created_jobs() == [FIRST]
    assert world.condition("Succeeded") == ("False", Reason.GATE_FAILED)


def test_back_at_an_older_spec_it_adopts_the_version_of_then() -> None:
    world = with_first_version().edit(seed=7).passes()
    world.run_ends(SECOND, Outcome.SUCCEEDED, **model_result("f")).passes()
    world.edit(seed=None).passes()

    assert world.created_jobs() == [FIRST, SECOND]
    assert world.status["lastRun"]["modelVersionRef"] == {"name": "delay-1"}

    world.edit(seed=8).passes()

    assert world.created_jobs()[-1] == "delay-train-3"


def test_numbers_go_on_above_the_versions_that_exist() -> None:
    world = with_first_version()
    hand_made = {**world.model_versions["delay-1"], "metadata": {"name": "delay-7"}}
    world.model_versions["delay-7"] = {**hand_made, "spec": {**hand_made["spec"], "source": None}}
    world.edit(seed=7).passes()

    assert world.created_jobs()[-1] == "delay-train-8"


def test_a_foreign_version_under_the_run_s_name_is_left_alone() -> None:
    world = with_snapshot(a_training_job(), DIGEST_A).passes()
    other = with_first_version().model_versions["delay-1"]
    foreign = {**other, "spec": {**other["spec"], "source": {"run": "by-hand"}}}
    world.model_versions["delay-1"] = foreign
    world.run_ends(FIRST, Outcome.SUCCEEDED, **model_result()).passes()

    assert world.model_versions["delay-1"] is foreign
    assert world.condition("Stalled") == ("True", Reason.NAME_CONFLICT)
    assert "ModelVersion `delay-1` exists and isn't ours" in world.status["message"]


def test_a_version_that_is_deleted_is_not_made_again() -> None:
    world = with_first_version()
    world.model_versions.clear()
    world.passes()

    assert world.model_versions == {}
    assert world.created_jobs() == [FIRST]


def test_a_run_of_the_old_spec_is_given_up() -> None:
    world = with_snapshot(a_training_job(), DIGEST_A).passes().edit(seed=7).passes()

    assert world.jobs == [SECOND]
    assert f"delete Job {FIRST}" in world.writes


def test_the_operator_killed_between_result_and_version_goes_on_with_the_version() -> None:
    world = with_snapshot(a_training_job(), DIGEST_A).passes()
    world.run_ends(FIRST, Outcome.SUCCEEDED, **model_result())
    decision = world.decide()
    world.resource["status"] = dict(decision.status or {})  # and nothing else was carried out
    world.delete("Job", FIRST)

    world.passes()
    assert world.created_jobs() == [FIRST, FIRST]
    world.run_ends(FIRST, Outcome.SUCCEEDED, **model_result()).passes()

    assert list(world.model_versions) == ["delay-1"]
    assert reasons(world).count(Reason.SUCCEEDED) <= 1


def test_a_result_without_a_digest_is_told_as_a_fault_of_the_run() -> None:
    world = with_snapshot(a_training_job(), DIGEST_A).passes()
    world.run_ends(FIRST, Outcome.SUCCEEDED, storageUri="file:///store/x").passes()

    assert world.condition("Stalled") == ("True", Reason.JOB_FAILED)
    assert "without a usable `digest`" in world.status["message"]


def test_long_figures_and_warnings_fit_into_the_status() -> None:
    world = with_snapshot(a_training_job(), DIGEST_A).passes()
    said = model_result(
        metrics={f"m{n:02}": "9" * 100 for n in range(50)}, warnings=["w" * 999] * 99
    )
    world.run_ends(FIRST, Outcome.SUCCEEDED, message="m" * 3000, **said).passes()

    run = world.status["lastRun"]
    assert len(run["metrics"]) == 32
    assert len(run["warnings"]) == 10
    assert len(run["message"]) == 1024


def test_a_suspended_training_job_begins_no_run() -> None:
    world = with_snapshot(a_training_job(suspend=True), DIGEST_A).passes()

    assert world.jobs == []
    assert world.condition("Ready") == ("False", Reason.SUSPENDED)
