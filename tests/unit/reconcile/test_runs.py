"""What became of a run, and that its result outlives pod and Job."""

from typing import Any

import pytest

from serinus.api.enums import Outcome
from serinus.reconcile.decision import ObjectRef
from serinus.reconcile.run_execution import SOON_SECONDS
from serinus.reconcile.runs import hash_of
from tests.support.run_world import (
    DIGEST_A,
    NAMESPACE,
    RunWorld,
    a_feature_set,
    snapshot_result,
)

RUN = "flights-snapshot-1"


def test_a_result_is_found_again_when_the_pod_was_deleted_before_it_was_read() -> None:
    world = a_feature_set().passes()
    world.run_ends(RUN, Outcome.SUCCEEDED, **snapshot_result(DIGEST_A)).delete_pods().passes()

    assert world.created_jobs() == [RUN, RUN]

    world.run_ends(RUN, Outcome.SUCCEEDED, **snapshot_result(DIGEST_A)).passes()

    assert world.status["latestSnapshot"]["digest"] == DIGEST_A
    assert world.status["lastRun"]["number"] == 1


def test_a_result_is_found_again_when_pod_and_job_were_deleted() -> None:
    world = a_feature_set().passes()
    world.run_ends(RUN, Outcome.SUCCEEDED, **snapshot_result(DIGEST_A)).delete("Job", RUN).passes()

    assert world.created_jobs() == [RUN, RUN]
    assert world.run_input(RUN).run == RUN


def test_a_result_whose_job_is_gone_is_asked_for_again() -> None:
    world = a_feature_set().passes()
    world.run_ends(RUN, Outcome.SUCCEEDED, **snapshot_result(DIGEST_A))
    del world.objects[ObjectRef("batch/v1", "Job", NAMESPACE, RUN)]  # and its pod stays a while
    world.passes()

    assert world.created_jobs() == [RUN, RUN]
    assert "latestSnapshot" not in world.status


def test_a_result_counts_though_its_job_is_being_deleted() -> None:
    world = a_feature_set().passes()
    world.run_ends(RUN, Outcome.SUCCEEDED, **snapshot_result(DIGEST_A))
    world.job(RUN)["metadata"]["deletionTimestamp"] = "2026-01-01T12:00:00Z"
    world.apply(world.decide())

    assert world.status["latestSnapshot"]["digest"] == DIGEST_A


@pytest.mark.parametrize(
    "owners",
    [
        [],
        [{"uid": "job-of-somebody-else", "controller": True}],
        [{"uid": "flights-uid", "controller": True}],
    ],
    ids=["nobody", "another Job", "the FeatureSet itself"],
)
def test_a_pod_that_bears_the_run_s_label_reports_nothing(owners: list[dict[str, Any]]) -> None:
    world = a_feature_set().passes()
    world.run_ends(RUN, Outcome.SUCCEEDED, **snapshot_result(DIGEST_A))
    world.job(RUN).pop("status")
    [forged] = [body for ref, body in world.objects.items() if ref.kind == "Pod"]
    forged["metadata"]["ownerReferences"] = owners
    world.passes()

    assert "latestSnapshot" not in world.status
    assert world.status["message"] == f"run `{RUN}` is underway"


def test_a_complete_job_whose_pod_is_not_seen_to_end_yet_is_waited_for() -> None:
    world = a_feature_set().passes().pod(RUN, phase="Running").job_ends(RUN, "Complete").passes()

    assert world.created_jobs() == [RUN]
    assert "waits for the result" in world.status["message"]


@pytest.mark.parametrize(
    "message",
    ["", "Traceback", "{}", '{"task": "featureset", "run": "another", "identity": "x"}'],
)
def test_a_job_without_a_readable_result_is_not_made_again_for_ever(message: str) -> None:
    world = a_feature_set().passes().pod_ends(RUN, message).job_ends(RUN, "Complete").passes()

    assert world.condition("Stalled") == ("True", "JobFailed")
    assert "is no result of this run" in world.status["message"]
    assert world.created_jobs() == [RUN]


@pytest.mark.parametrize(
    ("ending", "words"),
    [
        ({"reason": "OOMKilled"}, "ran out of memory (OOMKilled); raise `spec.resources"),
        ({"reason": "Error", "message": "disk full"}, "ended with Error (exit code 1): disk full"),
        ({"reason": "Error"}, "see `kubectl logs"),
    ],
)
def test_why_pods_died_is_told(ending: dict[str, str], words: str) -> None:
    world = a_feature_set().passes()
    world.pod_ends(RUN, ending.get("message", ""), 1, reason=ending["reason"])
    world.job_ends(RUN, "Failed", "BackoffLimitExceeded").passes()

    assert words in world.status["message"]
    assert world.condition("Stalled") == ("True", "JobFailed")


def test_a_pod_that_died_once_is_told_while_the_next_one_tries() -> None:
    world = a_feature_set().passes().pod_ends(RUN, "", 1, reason="OOMKilled").passes()

    assert world.condition("Reconciling")[0] == "True"
    assert world.status["message"].startswith(f"run `{RUN}` is tried again after: pod ")


def test_a_deadline_is_told_with_the_field_to_raise() -> None:
    world = a_feature_set().passes().job_ends(RUN, "Failed", "DeadlineExceeded").passes()

    assert "raise `spec.activeDeadlineSeconds`" in world.status["message"]


def test_an_evicted_pod_is_told() -> None:
    world = a_feature_set().passes()
    world.pod(RUN, phase="Failed", reason="Evicted", message="low on memory")
    world.job_ends(RUN, "Failed", "BackoffLimitExceeded").passes()

    assert "Evicted low on memory" in world.status["message"]


def test_jobs_of_an_object_deleted_before_are_waited_for() -> None:
    world = a_feature_set().passes()
    old = dict(world.objects)
    world.apply_again()
    world.objects.update(old)  # the garbage collector hasn't come by yet
    world.passes()

    assert "of the deleted object before is gone" in world.status["message"]
    assert world.decide().requeue_after_seconds == SOON_SECONDS
    assert world.condition("Stalled")[0] == "False"

    gone(world, "Job")
    assert "ConfigMap" in world.passes().status["message"]
    gone(world, "ConfigMap")

    assert world.passes().jobs == [RUN]


def test_a_job_that_is_being_deleted_is_waited_for() -> None:
    world = a_feature_set().passes()
    world.job(RUN)["metadata"]["deletionTimestamp"] = "2026-01-01T12:00:00Z"
    world.passes()

    assert "waits until the old Job" in world.status["message"]


@pytest.mark.parametrize(
    ("claim", "words"),
    [
        ({"status": {"phase": "Lost"}}, "has lost its volume"),
        ({"metadata": {"deletionTimestamp": "2026-01-01T12:00:00Z"}}, "is being deleted"),
    ],
)
def test_no_run_begins_on_a_store_that_is_gone(
    claim: dict[str, dict[str, str]], words: str
) -> None:
    world = a_feature_set()
    ref = ObjectRef("v1", "PersistentVolumeClaim", NAMESPACE, "serinus-store")
    metadata = {"name": "serinus-store", "namespace": NAMESPACE, **claim.get("metadata", {})}
    world.objects[ref] = {**claim, "metadata": metadata}
    world.passes()

    assert world.condition("Reconciling") == ("True", "StoreNotReady")
    assert words in world.status["message"]
    assert world.jobs == []


def test_a_hash_does_not_depend_on_the_order_of_keys() -> None:
    assert hash_of({"a": 1, "b": [2]}) == hash_of({"b": [2], "a": 1})
    assert hash_of({"a": 1}) != hash_of({"a": 2})


def gone(world: RunWorld, kind: str) -> None:
    for ref in [ref for ref in world.objects if ref.kind == kind]:
        world.delete(kind, ref.name)
