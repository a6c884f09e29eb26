"""Whole releases by a switch: nobody gets the candidate before, everybody at once, and back."""

from typing import Any

import pytest

from serinus.reconcile.decision import ObjectRef
from tests.support.deployment_world import (
    NAME,
    NAMESPACE,
    QUICK_ANALYSIS,
    REVISION_LABEL,
    Behaviour,
    World,
    serving_v1,
)

pytestmark = pytest.mark.slow

PREVIEW = ObjectRef("v1", "Service", NAMESPACE, f"{NAME}-preview")


def switching(error_percent: int = 0, analysis: Any = QUICK_ANALYSIS, **switch: Any) -> World:
    world = serving_v1(strategy={"blueGreen": switch}, analysis=analysis)
    world.behaviours["v2"] = Behaviour(error_percent=error_percent)
    world.serves_version("v2")
    return world


def shown_in_the_preview(world: World) -> str:
    return str(world.objects[PREVIEW]["spec"]["selector"][REVISION_LABEL])


def revision_of(world: World, version: str) -> str:
    return next(pod.revision for pod in world.pods if pod.version == version)


def service_writes(world: World, since: int = 0) -> list[str]:
    return [one for one in world.writes[since:] if one.endswith(f"Service {NAME}")]


def test_nobody_gets_the_candidate_before_a_person_says_and_everybody_in_one_write() -> None:
    world = switching(previewReplicas=1, autoPromotionEnabled=False)
    world.runs(60, until="paused")
    candidate, before = world.canary_revision, len(world.writes)
    world.runs(30)

    assert (world.ready_pods(candidate), world.answered.get(candidate or "")) == (1, None)
    assert shown_in_the_preview(world) == candidate
    assert world.canary is not None
    assert world.canary["actualWeight"] == 0

    world.says("promote")
    world.runs(30, until="settled")

    assert world.stable == "v2"
    assert {pod.revision for pod in world.selected_pods()} == {candidate}
    assert service_writes(world, before) == [f"apply Service {NAME}"]
    assert world.unanswered == 0


def test_by_itself_it_waits_for_all_pods_and_says_that_nothing_was_shown() -> None:
    world = switching(previewReplicas=2)
    world.runs(60, until="settled")

    promoted = [one for one in world.status["history"] if one["action"] == "promote"][-1]
    assert (world.stable, promoted["reason"]) == ("v2", "PromotedWithoutEvidence")
    assert world.ready_pods(world.stable_revision) == 4
    assert world.unanswered == 0


def test_the_old_pods_stay_for_their_time_and_then_go() -> None:
    world = switching(scaleDownDelaySeconds=60)
    world.runs(60, until="settled")
    old, since = revision_of(world, "v1"), world.second
    world.runs(50)
    stay = world.ready_pods(old)
    world.runs(20)

    assert (stay, world.ready_pods(old)) == (4, 0)
    assert "kept" not in world.status
    assert world.second - since == 70


def test_without_a_delay_they_go_at_once() -> None:
    world = switching(scaleDownDelaySeconds=0)
    world.runs(60, until="settled")
    world.runs(5)

    assert {pod.version for pod in world.pods} == {"v2"}


def test_back_while_the_old_pods_stay_is_one_write_and_restarts_none() -> None:
    world = switching(scaleDownDelaySeconds=600)
    world.runs(60, until="settled")
    old = {pod.name for pod in world.pods if pod.version == "v1"}
    before, since = len(world.writes), world.second
    world.serves_version("v1")
    world.runs(5, until="settled")

    assert world.stable == "v1"
    assert {pod.name for pod in world.selected_pods()} == old
    assert service_writes(world, before) == [f"apply Service {NAME}"]
    assert world.second - since <= 2
    assert world.unanswered == 0


def test_abort_while_the_old_pods_stay_is_one_write_and_rejects_the_new_revision() -> None:
    world = switching(scaleDownDelaySeconds=600)
    world.runs(60, until="settled")
    old = {pod.name for pod in world.pods if pod.version == "v1"}
    new, before = world.stable_revision, len(world.writes)
    world.says("abort", reason="ticket 7")
    world.runs(30)

    assert (world.stable, world.canary) == ("v1", None)
    assert {pod.name for pod in world.selected_pods()} == old
    assert service_writes(world, before) == [f"apply Service {NAME}"]
    assert [one["revision"] for one in world.status["rejectedRevisions"]] == [new]
    assert world.condition("Stalled") == ("True", "RevisionRejectedBefore")
    last = world.status["history"][-1]
    assert (last["action"], last["reason"], last["actor"]) == ("abort", "AbortedByUser", "ada")
    assert "ticket 7" in last["because"]
    assert world.ready_pods(new) == 0
    assert world.unanswered == 0


def test_what_was_aborted_after_its_switch_is_tried_again_by_retry() -> None:
    world = switching(scaleDownDelaySeconds=600)
    world.runs(60, until="settled")
    world.says("abort")
    world.runs(30)
    world.says("retry")
    world.runs(60, until="settled")

    assert world.stable == "v2"


@pytest.mark.parametrize("writes", range(4))
def test_killed_at_any_write_an_abort_after_a_switch_is_done_once(writes: int) -> None:
    world = switching(scaleDownDelaySeconds=600)
    world.runs(60, until="settled")
    world.says("abort")
    world.dies_after = writes
    world.runs(30)

    assert world.stable == "v1"
    assert world.actions().count("abort") == 1
    assert world.unanswered == 0


def test_abort_after_the_old_pods_are_gone_is_refused() -> None:
    world = switching(scaleDownDelaySeconds=5)
    world.runs(60, until="settled")
    world.runs(20)
    world.says("abort")
    world.runs(5)

    assert world.stable == "v2"
    assert world.status["lastHandledRequest"]["outcome"] == "refused"


def test_a_third_version_begins_against_the_new_one_and_the_old_pods_go() -> None:
    world = switching(scaleDownDelaySeconds=600, autoPromotionEnabled=True)
    world.runs(60, until="settled")
    old = revision_of(world, "v1")
    world.serves_version("v3")
    world.runs(60, until="settled")

    assert (world.stable, world.ready_pods(old)) == ("v3", 0)


def test_a_candidate_whose_pods_don_t_start_is_rolled_back_in_time() -> None:
    world = switching(previewReplicas=1)
    world.behaviours["v2"] = Behaviour(starts=False)
    world.applies(progressDeadlineSeconds=40)
    world.runs(120, until="rolled back")

    assert world.reasons()[-1] == "ProgressDeadlineExceeded"
    assert shown_in_the_preview(world) == world.stable_revision


def test_a_switch_that_waits_for_evidence_needs_requests_to_the_preview() -> None:
    world = switching(prePromotionAnalysis={"minSamples": 50})
    world.runs(300)

    assert world.stable == "v1"
    assert world.condition("Reconciling") == ("True", "InsufficientEvidence")


@pytest.mark.parametrize(("error_percent", "version"), [(0, "v2"), (60, "v1")])
def test_what_the_preview_answers_decides_where_the_spec_says_so(
    error_percent: int, version: str
) -> None:
    world = switching(error_percent, prePromotionAnalysis={"minSamples": 50})
    world.preview_requests_per_second = 40
    world.runs(300)

    assert world.stable == version
    candidate = [one["revision"] for one in world.status["history"]][-1]
    assert version == "v2" or world.answered.get(candidate) is None


def test_a_canary_after_a_switch_shows_stable_in_the_preview() -> None:
    world = switching(scaleDownDelaySeconds=0)
    world.runs(60, until="settled")
    world.applies(strategy={"canary": {"stepWeights": [50]}})
    world.serves_version("v3")
    world.runs(20, until="canary has traffic")

    assert shown_in_the_preview(world) == world.stable_revision


def test_a_preview_service_of_somebody_else_is_left_alone_and_told() -> None:
    world = serving_v1(strategy={"canary": {"steps": []}})
    theirs = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": PREVIEW.name, "uid": "x"},
        "spec": {"selector": {REVISION_LABEL: "theirs"}},
    }
    world.objects[PREVIEW] = dict(theirs)
    world.applies(strategy={"blueGreen": {}})
    world.runs(5)

    assert world.condition("Stalled") == ("True", "NameConflict")
    assert world.objects[PREVIEW] == theirs


@pytest.mark.parametrize("writes", range(12))
def test_killed_at_any_write_it_is_switched_all_the_same(writes: int) -> None:
    world = switching(previewReplicas=1, scaleDownDelaySeconds=20)
    world.dies_after = writes
    world.runs(90)

    assert (world.stable, world.phase) == ("v2", "Healthy")
    assert {pod.version for pod in world.pods} == {"v2"}
    assert world.unanswered == 0
