"""FeatureSet: which run is wanted, what came of it, which snapshot may be used."""

from datetime import timedelta

import pytest

from serinus.api.enums import Outcome, Reason, Verb
from serinus.api.featureset import FeatureSetSpec
from serinus.reconcile.decision import ObjectRef
from serinus.reconcile.featureset_run import run_identity
from tests.support.run_world import (
    DIGEST_A,
    DIGEST_B,
    DIGEST_C,
    FEATURE_SET_SPEC,
    NAMESPACE,
    RunWorld,
    a_feature_set,
    snapshot_result,
)

FIRST = "flights-snapshot-1"
SECOND = "flights-snapshot-2"
PRIVATE = {
    "features": [{"name": "tailnum", "type": "string", "sensitivity": "pseudonymize"}],
    "pseudonymizationKeySecretRef": {"name": "privacy", "key": "hash"},
}


def with_first_snapshot() -> RunWorld:
    world = a_feature_set().passes()
    return world.run_ends(FIRST, Outcome.SUCCEEDED, **snapshot_result(DIGEST_A)).passes()


def reasons(world: RunWorld) -> list[str]:
    return [event.reason for event in world.events]


def test_the_first_pass_names_the_run_in_status_and_then_makes_claim_input_and_job() -> None:
    decision = a_feature_set().decide()

    assert decision.status is not None
    assert decision.status["lastRun"]["name"] == FIRST
    assert decision.status["phase"] == "Running"
    assert decision.status_precedes_action
    assert [desired.ref.kind for desired in decision.desired] == [
        "PersistentVolumeClaim",
        "ConfigMap",
        "Job",
    ]


def test_ready_is_unknown_until_the_first_result() -> None:
    world = a_feature_set().passes()

    assert world.condition("Ready") == ("Unknown", Reason.PROGRESSING)
    assert world.condition("Reconciling")[0] == "True"
    assert world.condition("DataValid")[0] == "Unknown"


def test_a_claim_that_is_there_already_is_used_as_it_is() -> None:
    world = a_feature_set()
    world.taken.add(ObjectRef("v1", "PersistentVolumeClaim", NAMESPACE, "serinus-store"))
    world.passes()

    assert "create PersistentVolumeClaim serinus-store" not in world.writes
    assert world.jobs == [FIRST]


def test_a_result_becomes_the_latest_snapshot_and_only_then_the_job_may_expire() -> None:
    world = a_feature_set().passes()
    assert "ttlSecondsAfterFinished" not in world.job(FIRST)["spec"]

    world.run_ends(FIRST, Outcome.SUCCEEDED, **snapshot_result(DIGEST_A, rows=12)).passes()

    assert world.status["latestSnapshot"]["digest"] == DIGEST_A
    assert world.status["phase"] == "Ready"
    assert world.condition("Ready") == ("True", Reason.SUCCEEDED)
    assert world.condition("DataValid")[0] == "True"
    assert world.condition("Reconciling")[0] == "False"
    assert world.job(FIRST)["spec"]["ttlSecondsAfterFinished"] == 3600
    assert world.writes.index("apply Job flights-snapshot-1") > world.writes.index("status")
    assert reasons(world) == [Reason.RUN_STARTED, Reason.SNAPSHOT_CREATED]


def test_a_wish_for_an_online_table_begins_a_run_and_is_told_of() -> None:
    world = with_first_snapshot().edit(online={"maxStaleness": "1h"}).passes()
    assert world.condition("OnlineSynced")[0] == "Unknown"

    result = snapshot_result(DIGEST_B)
    result["snapshot"]["onlineEntities"] = 5
    world.run_ends("flights-snapshot-2", Outcome.SUCCEEDED, **result).passes()

    assert world.condition("OnlineSynced") == ("True", Reason.SUCCEEDED)
    assert world.status["latestSnapshot"]["onlineEntities"] == 5


def test_the_time_to_live_is_what_the_spec_says() -> None:
    world = a_feature_set(ttlSecondsAfterFinished=0).passes()
    world.run_ends(FIRST, Outcome.SUCCEEDED, **snapshot_result(DIGEST_A)).passes()

    assert world.job(FIRST)["spec"]["ttlSecondsAfterFinished"] == 0


def test_the_input_goes_when_its_job_is_gone() -> None:
    world = with_first_snapshot().delete("Job", FIRST).passes()

    assert world.writes[-1] == f"delete ConfigMap {FIRST}"
    assert world.created_jobs() == [FIRST]


@pytest.mark.parametrize(
    ("what", "spec"),
    [
        ("retention", {"retention": {"snapshots": 3}}),
        ("resources", {"resources": {"limits": {"memory": "8Gi"}}}),
        ("time to live", {"ttlSecondsAfterFinished": 5}),
        ("placement", {"podTemplate": {"spec": {"nodeSelector": {"disk": "ssd"}}}}),
        ("retries", {"backoffLimit": 0, "activeDeadlineSeconds": 5}),
        ("words", {"description": "Flights out of New York"}),
        ("a default, spelled out", {"entities": []}),
    ],
)
def test_no_run_begins_for(what: str, spec: dict[str, object]) -> None:
    world = with_first_snapshot().edit(**spec).passes()

    assert world.created_jobs() == [FIRST], what
    assert world.status["observedGeneration"] == 2


@pytest.mark.parametrize(
    ("what", "spec"),
    [
        ("a source", {"sources": [{"name": "other", "files": {"uris": ["file:///b"]}}]}),
        ("the transform", {"transform": {"sql": "SELECT 1"}}),
        ("a promise", {"features": [{"name": "distance", "type": "float64", "expect": {}}]}),
        ("validation", {"validation": {"minRows": 5}}),
        ("the leak check", {"leakCheck": {"enabled": False}}),
    ],
)
def test_another_run_begins_for(what: str, spec: dict[str, object]) -> None:
    if "sources" in spec:
        spec["sources"] = [
            {"name": "other", "files": {"uris": ["file:///data/b.csv"], "format": "csv"}}
        ]
    world = with_first_snapshot().edit(**spec).passes()

    assert world.created_jobs() == [FIRST, SECOND], what
    assert world.condition("Ready")[0] == "True"


def test_a_run_of_the_old_spec_is_given_up() -> None:
    world = a_feature_set().passes().edit(validation={"minRows": 5}).passes()

    assert world.jobs == [SECOND]
    assert f"delete Job {FIRST}" in world.writes
    assert f"delete ConfigMap {FIRST}" in world.writes


def test_data_that_breaks_a_promise_keeps_the_old_snapshot() -> None:
    world = with_first_snapshot().ask(Verb.RETRY).passes()
    world.run_ends(
        SECOND,
        Outcome.REJECTED,
        reason="ExpectationFailed",
        message="feature distance: 12 of 1000 rows are below min 0",
        **snapshot_result(DIGEST_B),
    ).passes()

    assert world.status["latestSnapshot"]["digest"] == DIGEST_A
    assert world.status["lastRun"]["snapshot"] == DIGEST_B
    assert world.condition("DataValid") == ("False", "ExpectationFailed")
    assert world.condition("Ready") == ("True", "ExpectationFailed")
    assert "keeps using snapshot sha256:aaaaaaaaaaaa" in world.status["message"]
    assert "12 of 1000 rows are below min 0" in world.status["message"]
    assert reasons(world)[-1] == Reason.SNAPSHOT_REJECTED


def test_rejected_data_without_an_older_snapshot_waits_for_a_person() -> None:
    world = a_feature_set().passes()
    world.run_ends(FIRST, Outcome.REJECTED, reason="FutureLeak", message="column x").passes()

    assert world.condition("Ready") == ("False", "FutureLeak")
    assert world.condition("Stalled") == ("True", "FutureLeak")
    assert world.created_jobs() == [FIRST]


def test_a_failed_run_is_not_repeated_by_itself() -> None:
    world = a_feature_set().passes()
    world.run_ends(FIRST, Outcome.FAILED, reason="MissingColumn", message="no column x").passes()

    world.later(days=7).passes()

    assert world.condition("Stalled") == ("True", "MissingColumn")
    assert world.status["message"] == "no column x"
    assert world.status["phase"] == "Failed"
    assert world.created_jobs() == [FIRST]


def that_failed() -> RunWorld:
    world = a_feature_set().passes()
    world.pod_ends(FIRST, "", 137, reason="OOMKilled")
    return world.job_ends(FIRST, "Failed", "BackoffLimitExceeded").passes()


@pytest.mark.parametrize(
    "cure",
    [
        {"resources": {"limits": {"memory": "8Gi"}}},
        {"activeDeadlineSeconds": 7200},
        {"backoffLimit": 5},
        {"podTemplate": {"spec": {"nodeSelector": {"memory": "large"}}}},
        {"validation": {"minRows": 5}},
    ],
    ids=lambda cure: next(iter(cure)),
)
def test_a_failed_run_is_repeated_when_what_may_have_been_to_blame_is_changed(
    cure: dict[str, object],
) -> None:
    world = that_failed()
    assert world.condition("Stalled") == ("True", Reason.JOB_FAILED)
    assert "OOMKilled" in world.status["message"]

    world.edit(**cure).passes()

    assert world.created_jobs() == [FIRST, SECOND]
    assert world.condition("Stalled")[0] == "False"


@pytest.mark.parametrize(
    "change",
    [
        {"ttlSecondsAfterFinished": 5},
        {"retention": {"snapshots": 3}},
        {"description": "Flights out of New York"},
        {"suspend": False},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_failed_run_is_not_repeated_for_what_can_t_have_been_to_blame(
    change: dict[str, object],
) -> None:
    world = that_failed().edit(suspend=True).passes().edit(**{"suspend": None, **change}).passes()

    assert world.created_jobs() == [FIRST]
    assert world.condition("Stalled") == ("True", Reason.JOB_FAILED)


def test_retry_takes_up_new_data_in_the_same_files() -> None:
    world = with_first_snapshot().ask(Verb.RETRY).passes()
    world.run_ends(SECOND, Outcome.SUCCEEDED, **snapshot_result(DIGEST_B)).passes()

    assert world.status["latestSnapshot"]["digest"] == DIGEST_B
    assert world.status["lastHandledRequest"]["outcome"] == "done"
    assert world.status["lastHandledRequest"]["actor"] == "maria"
    assert world.status["lastHandledRequest"]["actorVerified"] is False


def test_the_actor_is_verified_where_an_admission_policy_vouches_for_it() -> None:
    world = with_first_snapshot()
    world.vouched_since = world.now - timedelta(days=1)
    world.ask(Verb.RETRY).passes()

    assert world.status["lastHandledRequest"]["actorVerified"] is True


def test_the_same_data_leads_to_the_same_snapshot() -> None:
    world = with_first_snapshot().ask(Verb.RETRY).passes()
    world.run_ends(SECOND, Outcome.SUCCEEDED, **snapshot_result(DIGEST_A)).passes()

    assert reasons(world)[-1] == Reason.SNAPSHOT_UNCHANGED


def test_retry_while_a_run_works_is_refused() -> None:
    world = a_feature_set().passes().ask(Verb.RETRY).passes()

    assert world.status["lastHandledRequest"]["outcome"] == "refused"
    assert world.status["lastHandledRequest"]["message"] == f"run `{FIRST}` is underway"
    assert world.jobs == [FIRST]


def test_a_request_is_carried_out_once_and_not_for_another_object() -> None:
    world = with_first_snapshot().ask(Verb.RETRY).passes()
    world.run_ends(SECOND, Outcome.SUCCEEDED, **snapshot_result(DIGEST_B)).passes()
    world.ask(Verb.RETRY, nonce="n2", uid="somebody-else").passes()

    assert world.created_jobs() == [FIRST, SECOND]
    assert world.status["lastHandledRequest"]["outcome"] == "refused"


def test_a_suspended_feature_set_begins_no_run_and_says_so() -> None:
    world = a_feature_set(suspend=True).passes().ask(Verb.RETRY).passes()

    assert world.jobs == []
    assert world.condition("Ready") == ("False", Reason.SUSPENDED)
    assert world.status["lastHandledRequest"]["outcome"] == "refused"


def test_a_feature_set_that_is_resumed_begins_the_run_that_is_due() -> None:
    world = with_first_snapshot().edit(suspend=True, validation={"minRows": 5}).passes()
    assert world.created_jobs() == [FIRST]

    world.edit(suspend=None).passes()

    assert world.created_jobs() == [FIRST, SECOND]


def test_snapshots_that_models_and_training_jobs_need_are_kept() -> None:
    world = a_feature_set()
    pinned = {"featureSet": "flights", "digest": DIGEST_B, "uri": "file:///store/x"}
    world.model_versions["delay-1"] = {"spec": {"source": {"featureSnapshots": [pinned]}}}
    world.training_jobs = [
        {"spec": {"featureSetRefs": [{"name": "flights", "snapshot": DIGEST_C}]}},
        {"spec": {"featureSetRefs": [{"name": "flights"}]}},
    ]
    world.passes()

    assert world.run_input(FIRST).keep_digests == [DIGEST_B, DIGEST_C]


def test_the_latest_snapshot_is_kept_while_the_next_one_is_made() -> None:
    world = with_first_snapshot().ask(Verb.RETRY).passes()

    assert world.run_input(SECOND).keep_digests == [DIGEST_A]


def test_the_secret_for_private_columns_reaches_the_pod_by_reference() -> None:
    world = a_feature_set(**PRIVATE).passes()

    [init] = world.job(FIRST)["spec"]["template"]["spec"]["initContainers"]
    reference = init["env"][1]["valueFrom"]["secretKeyRef"]
    assert reference == {"name": "privacy", "key": "hash"}


@pytest.mark.parametrize(
    ("status", "reason", "words"),
    [
        (
            {
                "initContainerStatuses": [
                    {
                        "state": {
                            "waiting": {
                                "reason": "CreateContainerConfigError",
                                "message": 'secret "privacy" not found',
                            }
                        }
                    }
                ]
            },
            Reason.SECRET_MISSING,
            "Secret `privacy` doesn't exist",
        ),
        (
            {
                "containerStatuses": [
                    {"image": "jobs:1", "state": {"waiting": {"reason": "ImagePullBackOff"}}}
                ]
            },
            Reason.IMAGE_PULL_FAILED,
            "image `jobs:1` can't be pulled",
        ),
        (
            {
                "conditions": [
                    {
                        "type": "PodScheduled",
                        "status": "False",
                        "reason": "Unschedulable",
                        "message": "0/1 nodes are available",
                    }
                ]
            },
            Reason.POD_UNSCHEDULABLE,
            "0/1 nodes are available",
        ),
    ],
)
def test_what_a_pod_waits_for_is_told_once(
    status: dict[str, object], reason: Reason, words: str
) -> None:
    world = a_feature_set(**PRIVATE).passes().pod(FIRST, phase="Pending", **status).passes()
    world.later(minutes=5).passes()

    assert world.condition("Reconciling") == ("True", reason)
    assert words in world.status["message"]
    assert reasons(world).count(reason) == 1


def test_a_foreign_job_under_our_name_is_left_alone_until_it_is_gone() -> None:
    world = a_feature_set()
    foreign = ObjectRef("batch/v1", "Job", NAMESPACE, FIRST)
    world.taken.add(foreign)
    world.passes()

    assert world.condition("Stalled") == ("True", Reason.NAME_CONFLICT)
    assert f"Job `{FIRST}` exists and isn't ours" in world.status["message"]
    assert reasons(world).count(Reason.NAME_CONFLICT) == 1

    world.taken.clear()
    world.passes()

    assert world.jobs == [FIRST]
    assert world.condition("Stalled")[0] == "False"


def test_a_feature_set_that_is_applied_again_reads_its_sources_anew() -> None:
    world = a_feature_set().passes()
    before = world.run_input(FIRST).identity
    world.apply_again().passes()

    assert world.run_input(FIRST).identity != before


def test_the_identity_of_a_run_is_the_same_in_the_next_release() -> None:
    spec = FeatureSetSpec.model_validate(FEATURE_SET_SPEC)

    assert run_identity(spec) == (
        "934ceb70f95b21fdc3369a4b973cef3b888e4ef0682f9a2c1a1db5029f01fd8d"
    )
