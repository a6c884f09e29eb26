"""What is the same in every pass over a kind that works through runs, shown for all of them."""

from collections.abc import Callable

import pytest

from serinus.api.enums import Outcome, Reason, Verb
from serinus.api.featureset import FeatureSetRunStatus
from serinus.reconcile.decision import EventType
from serinus.reconcile.run_pass import closed
from tests.support.run_world import (
    DIGEST_A,
    NOW,
    RunWorld,
    a_feature_set,
    a_model_version,
    a_training_job,
    with_snapshot,
)

KINDS: dict[str, Callable[[], RunWorld]] = {
    "FeatureSet": a_feature_set,
    "TrainingJob": lambda: with_snapshot(a_training_job(), DIGEST_A),
    "ModelVersion": a_model_version,
}
UNREADABLE = {"FeatureSet": "features", "TrainingJob": "task", "ModelVersion": "digest"}


@pytest.fixture(params=KINDS)
def world(request: pytest.FixtureRequest) -> RunWorld:
    """An object of each kind, just applied."""
    return KINDS[request.param]()


def test_a_status_says_of_which_generation_it_speaks_and_keeps_its_times(world: RunWorld) -> None:
    world.passes()
    before = {one["type"]: one["lastTransitionTime"] for one in world.status["conditions"]}
    world.later(hours=1).edit(suspend=None).passes()

    assert world.status["observedGeneration"] == 2
    assert {one["type"]: one["lastTransitionTime"] for one in world.status["conditions"]} == before


def test_what_can_t_be_read_is_told_by_field_and_all_else_stays(world: RunWorld) -> None:
    kind = world.resource["kind"]
    [job] = world.passes().jobs
    known = {key for key in world.status if key not in ("message", "conditions")}
    world.edit(**{UNREADABLE[kind]: 7}).passes()

    assert world.condition("Stalled") == ("True", Reason.INVALID_SPEC)
    assert world.status["message"].startswith(f"spec.{UNREADABLE[kind]}: ")
    assert known <= set(world.status)
    assert world.jobs == [job]


def test_a_request_is_told_before_what_comes_of_it(world: RunWorld) -> None:
    [job] = world.passes().jobs
    world.pod_ends(job, "", 1).job_ends(job, "Failed", "BackoffLimitExceeded").passes()
    told = len(world.events)
    world.later(seconds=1).ask(Verb.RETRY).passes()

    assert world.events[told].reason == Reason.REQUEST_HANDLED
    assert world.status["lastHandledRequest"]["outcome"] == "done"


def test_what_holds_it_up_is_told_once_and_after_all_else(world: RunWorld) -> None:
    [job] = world.passes().jobs
    waiting = [{"image": "jobs:1", "state": {"waiting": {"reason": "ImagePullBackOff"}}}]
    world.pod(job, phase="Pending", containerStatuses=waiting).passes()
    world.later(minutes=5).passes()

    assert world.events[-1].type is EventType.WARNING
    assert [one.reason for one in world.events].count(Reason.IMAGE_PULL_FAILED) == 1


def test_a_run_is_closed_once_with_words_that_fit_a_status() -> None:
    run = FeatureSetRunStatus(name="r", number=1, identity="i", finished_at="2025-01-01T00:00:00Z")

    ended = closed(run, Outcome.FAILED, "R" * 100, "several\nlines " * 200, NOW)

    assert ended.finished_at == "2025-01-01T00:00:00Z"
    assert ended.outcome == "failed"
    assert len(ended.reason or "") == 64
    assert len(ended.message or "") == 1024
    assert "\n" not in (ended.message or "")
