"""The life of a Deployment, told in scenarios on a cluster in miniature."""

from tests.support.deployment_world import Behaviour, a_world, serving_v1


def test_the_first_revision_becomes_stable_when_all_its_pods_are_ready() -> None:
    world = a_world(replicas=3)

    world.runs(30, until="settled")

    assert world.stable == "v1"
    assert world.condition("Ready") == ("True", "Succeeded")
    assert world.condition("Promoted") == ("True", "Promoted")
    assert world.ready_pods(world.stable_revision) == 3
    assert world.actions() == ["start", "promote"]


def test_a_converged_world_is_left_alone() -> None:
    world = serving_v1()
    before = len(world.writes)

    world.dirty = True
    world.runs(100)

    assert world.writes[before:] == []


def test_a_good_version_is_promoted_without_restarting_a_pod() -> None:
    world = serving_v1()
    world.serves_version("v2")
    world.runs(60, until="canary has traffic")
    revision = world.canary_revision
    canary_pods = {pod.name for pod in world.pods if pod.revision == revision}

    world.runs(900, until="settled")
    world.runs(10)

    assert world.stable == "v2"
    assert world.stable_revision == revision
    assert canary_pods <= {pod.name for pod in world.pods}
    assert world.ready_pods(revision) == 4
    assert {pod.revision for pod in world.pods} == {revision}
    assert world.unanswered == 0


def test_a_version_that_answers_with_errors_is_rolled_back() -> None:
    world = serving_v1()
    world.behaviours["v2"] = Behaviour(error_percent=30)

    world.serves_version("v2")
    world.runs(120, until="rolled back")
    bad = world.status["rejectedRevisions"][0]["revision"]
    met = world.answered[bad]
    world.runs(30)

    assert world.stable == "v1"
    assert world.answered[bad] == met
    assert world.phase == "Degraded"
    assert world.condition("Stalled") == ("True", "EvidenceOfHarm")
    assert {pod.revision for pod in world.pods} == {world.stable_revision}


def test_a_promotion_after_a_timed_pause_waits_for_capacity_without_looking_all_the_time() -> None:
    steps = [{"setWeight": 20}, {"pause": {"duration": "5s"}}]
    world = serving_v1(strategy={"canary": {"steps": steps}})
    world.behaviours["v2"] = Behaviour(start_seconds=6)
    world.serves_version("v2")
    while not (world.canary and world.canary["promoting"]):
        world.ticks()
    decision = world.decision()

    assert "waits for capacity" in decision.status["message"]
    assert decision.requeue_after_seconds is not None
    assert decision.requeue_after_seconds > 0
