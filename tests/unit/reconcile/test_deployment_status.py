"""A status that was lost or damaged: stable is found again, and nothing that runs is harmed."""

from typing import Any

import pytest

from serinus.reconcile.decision import ObjectRef
from tests.support.deployment_world import NAME, NAMESPACE, Behaviour, World, serving_v1

PAUSED = {"canary": {"steps": [{"setWeight": 40}, {"pause": {}}, {"setWeight": 50}, {"pause": {}}]}}


def in_a_canary() -> World:
    world = serving_v1(strategy=PAUSED)
    world.serves_version("v2")
    world.runs(60, until="paused")
    return world


def without_status(world: World) -> World:
    """The object restored from a backup that has no status: the server shows the default."""
    world.status = {"observedGeneration": -1}
    world.dirty = True
    return world


def test_a_lost_status_finds_stable_again_and_starts_nothing() -> None:
    world = serving_v1()
    pods = {pod.name for pod in world.pods}

    without_status(world).runs(20, until="settled")

    assert world.stable == "v1"
    assert {pod.name for pod in world.pods} == pods
    assert world.status.get("history", []) == []


def test_lost_in_a_canary_the_status_finds_the_promoted_one_and_releases_the_other_again() -> None:
    world = in_a_canary()
    stable = world.stable_revision

    without_status(world).runs(60, until="paused")

    assert world.stable_revision == stable
    assert world.canary["modelVersion"] == "v2"
    assert world.unanswered == 0


def test_lost_while_everything_is_scaled_to_zero_stable_is_known() -> None:
    world = serving_v1()
    world.applies(replicas=0)
    world.runs(10)

    without_status(world).runs(10)

    assert world.stable == "v1"


def test_lost_together_with_the_service_the_revision_with_ready_pods_is_stable() -> None:
    world = serving_v1()
    world.objects = {ref: body for ref, body in world.objects.items() if ref.kind != "Service"}

    without_status(world).runs(20, until="settled")

    assert world.stable == "v1"
    assert world.service is not None


def test_an_unreadable_status_counts_as_lost() -> None:
    world = serving_v1()
    world.status = {"stable": "flights", "canary": 7}
    world.dirty = True

    world.runs(20, until="settled")

    assert world.stable == "v1"


@pytest.mark.parametrize(
    "damage",
    [
        {"stepStartedAt": "yesterday"},
        {"step": 7},
        {"step": -1},
        {"weight": 101},
        {"startedAt": None},
    ],
)
def test_a_canary_that_can_t_be_so_starts_over_and_all_else_is_kept(damage: dict[str, Any]) -> None:
    world = in_a_canary()
    stable, history = world.status["stable"], world.status["history"]
    world.status["canary"] |= damage
    world.dirty = True

    world.runs(60, until="paused")

    assert world.status["stable"] == stable
    assert world.status["history"][: len(history)] == history
    assert world.actions()[len(history) :][:1] == ["start"]


def test_a_stable_that_can_t_be_read_is_found_again_beside_its_canary() -> None:
    world = in_a_canary()
    stable, step = world.stable_revision, world.canary["step"]
    world.status["stable"] = {"revision": 7}
    world.dirty = True

    world.runs(5)

    assert world.stable_revision == stable
    assert world.canary["step"] == step
    assert world.unanswered == 0


@pytest.mark.parametrize("service", ["is there", "is gone"])
def test_a_stable_that_can_t_be_read_is_no_first_deployment(service: str) -> None:
    world = serving_v1()
    if service == "is gone":
        del world.objects[ObjectRef("v1", "Service", NAMESPACE, NAME)]
    world.status["stable"] = "v1"
    world.serves_version("v2")

    world.runs(3)

    assert world.stable == "v1"
    assert world.canary["stepsTotal"] == 4


def test_rejections_and_handled_requests_outlive_what_else_was_damaged() -> None:
    world = in_a_canary()
    world.says("abort", nonce="n-1")
    world.runs(5)
    rejected = world.status["rejectedRevisions"]
    world.status["stable"] = 7
    world.status["history"][0]["at"] = "yesterday"
    world.status["conditions"] = "none"
    told = len(world.status["history"])
    world.dirty = True

    world.runs(30)

    assert world.status["rejectedRevisions"] == rejected
    assert world.status["lastHandledRequest"]["nonce"] == "n-1"
    assert len(world.status["history"]) == told - 1
    assert (world.stable, world.canary) == ("v1", None)
    assert world.condition("Stalled") == ("True", "RevisionRejectedBefore")


def test_what_a_person_asked_for_before_the_status_was_lost_isn_t_done_again() -> None:
    world = in_a_canary()
    world.says("promote", nonce="n-1")
    world.runs(1)

    without_status(world).runs(60, until="paused")

    handled = world.status["lastHandledRequest"]
    assert world.canary["step"] == 1
    assert (handled["nonce"], handled["outcome"]) == ("n-1", "refused")
    assert "the status was lost" in handled["message"]


def test_lost_before_the_first_after_zero_is_stable_no_earlier_one_is_made_up() -> None:
    world = serving_v1()
    world.objects.pop(ObjectRef("v1", "Service", NAMESPACE, NAME))  # made anew while `v1` is stable
    world.dirty = True
    world.runs(2)
    world.applies(replicas=0)
    world.runs(10)
    world.behaviours["v2"] = Behaviour(start_seconds=20)
    world.serves_version("v2")
    world.applies(replicas=2)
    world.runs(5)

    without_status(world).runs(60, until="settled")

    assert world.stable == "v2"
    assert {pod.version for pod in world.pods} == {"v2"}
    assert "RolloutStarted" not in world.reasons()


def test_after_zero_the_first_isn_t_compared_with_what_the_service_still_remembers() -> None:
    world = serving_v1()
    world.applies(replicas=0)
    world.runs(10)
    world.serves_version("v2")
    world.applies(replicas=2)
    world.dies_after = 1
    world.operator_works_until_it_dies()
    remembered = world.service["metadata"]["annotations"]["serinus.dev/stable-revision"]

    world.runs(30, until="settled")

    assert remembered in world.workloads()
    assert world.stable == "v2"
    assert world.reasons()[-2:] == ["FirstRevision", "FirstRevision"]
