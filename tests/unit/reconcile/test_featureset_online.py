"""A server that couldn't be written to is tried again by another run, after a pause that grows."""

from datetime import timedelta

import pytest

from serinus.api.enums import Outcome, Reason
from serinus.api.featureset import FeatureSetRunStatus
from serinus.reconcile.featureset_online import (
    FIRST_PAUSE,
    LONGEST_PAUSE,
    next_write_at,
    with_online_writes,
)
from tests.support.run_world import DIGEST_A, RunWorld, a_feature_set, snapshot_result

FIRST, SECOND, THIRD = (f"flights-snapshot-{number}" for number in (1, 2, 3))
REDIS = {
    "url": "rediss://cache.shop:6379/1",
    "username": "writer",
    "passwordSecretRef": {"name": "cache", "key": "password"},
    "caSecretRef": {"name": "cache", "key": "ca.crt"},
}
PROBLEM = "rediss://cache.shop:6379/1: Connection refused"


def world() -> RunWorld:
    return a_feature_set(online={"maxStaleness": "1h", "redis": REDIS}).passes()


def ends(world: RunWorld, name: str, problem: str | None = None) -> RunWorld:
    result = snapshot_result(DIGEST_A)
    if problem is None:
        result["snapshot"]["onlineEntities"] = 5
    else:
        result["onlineProblem"] = problem
    return world.run_ends(name, Outcome.SUCCEEDED, **result).passes()


def test_the_snapshot_is_used_and_the_condition_says_what_failed() -> None:
    failed = ends(world(), FIRST, PROBLEM)

    assert failed.condition("Ready") == ("True", Reason.SUCCEEDED)
    assert failed.condition("OnlineSynced") == ("False", Reason.ONLINE_WRITE_FAILED)
    assert failed.status["latestSnapshot"]["digest"] == DIGEST_A
    assert failed.status["lastRun"]["onlineProblem"] == PROBLEM
    assert Reason.ONLINE_WRITE_FAILED in [event.reason for event in failed.events]


def test_another_run_tries_again_after_the_pause_and_not_before() -> None:
    failed = ends(world(), FIRST, PROBLEM)
    after = failed.decide().requeue_after_seconds
    assert after is not None
    assert 0 < after <= FIRST_PAUSE.total_seconds()

    failed.now += timedelta(seconds=after - 1)
    assert failed.passes().created_jobs() == [FIRST]
    failed.now += timedelta(seconds=1)
    assert failed.passes().created_jobs() == [FIRST, SECOND]
    assert failed.condition("OnlineSynced") == ("False", Reason.ONLINE_WRITE_FAILED)

    done = ends(failed, SECOND)
    assert done.condition("OnlineSynced") == ("True", Reason.SUCCEEDED)
    assert done.decide().requeue_after_seconds is None
    assert "onlineFailures" not in done.status["lastRun"]


def test_what_was_written_before_can_still_be_looked_up() -> None:
    good = ends(world(), FIRST).edit(retention={"snapshots": 3}).edit(description="x")
    good = good.edit(online={"maxStaleness": "2h", "redis": REDIS}).passes()

    failed = ends(good, SECOND, PROBLEM)

    assert failed.status["latestSnapshot"]["onlineEntities"] == 5
    assert failed.condition("OnlineSynced") == ("False", Reason.ONLINE_WRITE_FAILED)


def test_the_pause_doubles_with_each_failure() -> None:
    failed = ends(world(), FIRST, PROBLEM)
    failed.now += FIRST_PAUSE
    failed = ends(failed.passes(), SECOND, PROBLEM)

    failed.now += FIRST_PAUSE
    assert failed.passes().created_jobs() == [FIRST, SECOND]
    failed.now += FIRST_PAUSE
    assert failed.passes().created_jobs() == [FIRST, SECOND, THIRD]


def test_a_suspended_featureset_tries_nothing() -> None:
    failed = ends(world(), FIRST, PROBLEM).edit(suspend=True).passes()
    failed.now += LONGEST_PAUSE

    assert failed.passes().created_jobs() == [FIRST]
    assert failed.decide().requeue_after_seconds is None


@pytest.mark.parametrize(
    ("failures", "pause"),
    [(0, FIRST_PAUSE), (1, FIRST_PAUSE), (3, 4 * FIRST_PAUSE), (10_000, LONGEST_PAUSE)],
)
def test_no_pause_is_longer_than_the_longest(failures: int, pause: timedelta) -> None:
    run = FeatureSetRunStatus(name="r", number=1, identity="i", finished_at="2026-01-01T00:00:00Z")
    failed = with_online_writes(run, "x").model_copy(update={"online_failures": failures})
    ended = next_write_at(with_online_writes(run, "x"))
    assert ended is not None

    at = next_write_at(failed)

    assert at is not None
    assert at - (ended - FIRST_PAUSE) == pause
    assert next_write_at(failed.model_copy(update={"finished_at": "yesterday"})) is None


def test_the_job_gets_the_secrets_by_reference_and_the_run_s_input_has_none() -> None:
    job = world().job(FIRST)
    pod = job["spec"]["template"]["spec"]

    given = {
        writer["name"]: one["valueFrom"]["secretKeyRef"]
        for writer in pod["initContainers"]
        for one in writer["env"]
        if "valueFrom" in one
    }
    assert given == {
        "online-password": {"name": "cache", "key": "password"},
        "online-ca": {"name": "cache", "key": "ca.crt"},
    }
    (container,) = pod["containers"]
    assert not any("valueFrom" in one for one in container["env"])
    mounts = {one["mountPath"] for one in container["volumeMounts"]}
    assert {"/etc/serinus/online", "/etc/serinus/online-ca"} <= mounts
