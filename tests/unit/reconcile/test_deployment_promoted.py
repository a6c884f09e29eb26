"""What was promoted is judged on, and harm that shows late leads back by itself."""

from typing import Any

import pytest

from serinus.reconcile.decision import ObjectRef
from tests.support.deployment_world import (
    NAME,
    NAMESPACE,
    QUICK_ANALYSIS,
    Behaviour,
    World,
    model_version,
    serving_v1,
)

pytestmark = pytest.mark.slow

STEPS = {"steps": [{"setWeight": 50}, {"analyze": {}}]}
AT_MOST = {**QUICK_ANALYSIS, "metrics": [{**QUICK_ANALYSIS["metrics"][0], "max": "0.05"}]}
BY_GATEWAY = {"gatewayAPI": {"parentRefs": [{"name": "public"}]}}


def promoted(after: Any = None, strategy: Any = None, **spec: Any) -> World:
    """`v2` is stable since a moment ago, and judged for ten minutes more."""
    given = {"duration": "10m", **(after or {})}
    how = {**(strategy or {"canary": STEPS}), "postPromotionAnalysis": given}
    world = serving_v1(**{"strategy": how, "analysis": QUICK_ANALYSIS} | spec)
    world.clients_use_gateway = "traffic" in spec
    world.serves_version("v2")
    for _ in range(900):
        world.ticks()
        if world.stable == "v2":
            world.runs(10)
            return world
    raise AssertionError(world.told())


def turns_bad(world: World, percent: int = 30) -> None:
    world.behaviours["v2"] = Behaviour(error_percent=percent)


def test_harm_after_a_promotion_leads_back_by_itself() -> None:
    world = promoted()
    bad, former = world.stable_revision, world.status["kept"]["revision"]
    assert (world.phase, world.ready_pods(former)) == ("Healthy", 1)
    turns_bad(world)
    world.runs(120)

    assert (world.stable, world.stable_revision) == ("v1", former)
    assert {pod.version for pod in world.selected_pods()} == {"v1"}
    assert len(world.selected_pods()) == 4
    (rejected,) = world.status["rejectedRevisions"]
    assert (rejected["revision"], rejected["reason"]) == (bad, "EvidenceOfHarm")
    assert "after the promotion of revision" in rejected["message"]
    assert world.actions()[-1] == "rollback"
    assert world.condition("Stalled") == ("True", "EvidenceOfHarm")
    assert any(reason == "EvidenceOfHarm" for _, reason, _ in world.events)
    assert "kept" not in world.status
    assert world.ready_pods(bad) == 0
    assert world.unanswered == 0


def test_the_decision_is_recorded_with_its_evidence() -> None:
    world = promoted()
    turns_bad(world)
    world.runs(120)

    (told,) = [one for _, one in world.recorded() if one["action"] == "rollback"]
    assert told["reason"] == "EvidenceOfHarm"
    assert told["evidence"][0]["verdict"] == "Failed"


def test_the_way_back_waits_for_all_pods() -> None:
    world = promoted()
    former = world.status["kept"]["revision"]
    world.behaviours["v1"] = Behaviour(start_seconds=40)
    turns_bad(world)
    for _ in range(200):
        world.ticks()
        if world.stable == "v1":
            break
        assert {pod.version for pod in world.selected_pods()} == {"v2"}
    else:
        raise AssertionError(world.told())

    assert world.ready_pods(former) == 4
    assert world.unanswered == 0


def test_while_pods_are_awaited_it_is_degraded_and_says_for_what() -> None:
    world = promoted()
    world.behaviours["v1"] = Behaviour(start_seconds=40)
    turns_bad(world)
    world.runs(120, until="degraded")
    world.runs(5)

    assert world.stable == "v2"
    assert "pods of revision" in world.status["message"]
    assert "are ready to take over" in world.status["message"]


def test_where_a_quota_leaves_no_room_a_person_goes_back_to_the_pods_that_there_are() -> None:
    world = promoted()
    world.pods_quota = len(world.pods)
    turns_bad(world)
    world.runs(120, until="degraded")
    world.runs(120)
    waiting = (world.stable, world.status["message"])
    world.says("abort", revision=world.stable_revision)
    world.runs(30)

    assert waiting[0] == "v2"
    assert "1 of 4 pods" in waiting[1]
    assert "`kubectl serinus abort` goes back to those at once" in waiting[1]
    assert world.stable == "v1"
    assert world.ready_pods(world.stable_revision) == 4
    assert world.unanswered == 0


def test_a_good_one_is_judged_for_its_time_and_then_the_old_pods_go() -> None:
    world = promoted()
    former = world.status["kept"]["revision"]
    assert "it is judged until" in world.status["message"]
    world.runs(620)

    assert (world.stable, world.phase) == ("v2", "Healthy")
    assert "kept" not in world.status
    assert world.ready_pods(former) == 0
    assert "rollback" not in world.actions()


def test_harm_after_its_time_is_not_looked_at() -> None:
    world = promoted({"duration": "20s"})
    world.runs(30)
    turns_bad(world)
    world.runs(120)

    assert world.stable == "v2"


def test_what_it_is_held_against_is_frozen_at_the_promotion() -> None:
    world = promoted()
    (metric,) = world.status["kept"]["analysis"]["rules"]["analysis"]["metrics"]
    world.applies(analysis={**QUICK_ANALYSIS, "falseRollbackRate": "0.5"})
    world.runs(30)

    assert "compareTo" not in metric
    assert 0.001 < float(metric["max"]) < 0.1
    assert world.status["kept"]["analysis"]["rules"]["analysis"]["metrics"] == [metric]
    assert world.status["kept"]["analysis"]["rules"]["analysis"]["falseRollbackRate"] == "0.01"


def test_a_maximum_that_is_stricter_stays() -> None:
    metrics = [{**QUICK_ANALYSIS["metrics"][0], "max": "0.002"}]
    world = promoted(analysis={**QUICK_ANALYSIS, "metrics": metrics})
    (metric,) = world.status["kept"]["analysis"]["rules"]["analysis"]["metrics"]

    assert float(metric["max"]) == 0.002


def test_a_scalar_leads_back_too() -> None:
    queue = {"name": "queue", "prometheus": {"query": "queue"}, "max": "9", "interval": "10s"}
    metrics = [*QUICK_ANALYSIS["metrics"], queue]
    world = serving_v1(
        strategy={"canary": STEPS, "postPromotionAnalysis": {"duration": "10m"}},
        analysis={**QUICK_ANALYSIS, "metrics": metrics},
    )
    world.scalars = {"queue": 5.0}
    world.serves_version("v2")
    world.runs(900, until="settled")
    assert world.stable == "v2"
    world.scalars = {"queue": 50.0}
    world.runs(60)

    assert world.stable == "v1"
    assert world.status["rejectedRevisions"][0]["reason"] == "ScalarLimitExceeded"


@pytest.mark.parametrize("fault", ["nan", "empty", "unreachable"])
def test_not_being_able_to_measure_is_no_evidence(fault: str) -> None:
    world = promoted()
    world.provider_fails(fault)
    world.runs(300)

    assert (world.stable, world.phase) == ("v2", "Healthy")


@pytest.mark.parametrize("mode", ["observe", "pause"])
def test_where_evidence_does_not_decide_a_person_is_told_once_and_does(mode: str) -> None:
    world = promoted(analysis={**AT_MOST, "mode": mode})
    turns_bad(world)
    world.runs(120)
    told = [one for one in world.status["history"] if one["action"] == "observe"]
    assert (world.stable, len(told)) == ("v2", 1)
    assert "`kubectl serinus abort` goes back to revision" in told[0]["because"]

    world.says("abort", revision=world.stable_revision)
    world.runs(30)

    assert world.stable == "v1"
    assert len(world.selected_pods()) == 4
    assert world.unanswered == 0


def test_abort_waits_for_the_pods_that_are_missing() -> None:
    world = promoted()
    world.says("abort", reason="ticket 7")
    for _ in range(60):
        world.ticks()
        assert len(world.selected_pods()) == 4

    assert world.stable == "v1"
    assert world.reasons()[-1] == "AbortedByUser"
    assert world.unanswered == 0


def test_the_next_version_ends_the_look_at_the_one_before() -> None:
    world = promoted()
    world.serves_version("v3")
    world.runs(900, until="settled")

    assert world.stable == "v3"
    assert world.unanswered == 0


def test_another_version_waits_while_the_way_back_is_taken() -> None:
    world = promoted()
    world.behaviours["v1"] = Behaviour(start_seconds=30)
    turns_bad(world)
    world.runs(120, until="degraded")
    world.versions["v3"] = model_version("v3")
    world.serves_version("v3")
    world.runs(5)
    assert world.canary is None
    world.runs(900, until="settled")

    assert world.stable == "v3"
    assert world.status["rejectedRevisions"][0]["modelVersion"] == "v2"
    assert world.status["formerStable"][-1]["modelVersion"] == "v1"


def test_after_a_switch_all_pods_stay_and_the_way_back_is_one_write() -> None:
    world = promoted(strategy={"blueGreen": {"scaleDownDelaySeconds": 0}}, analysis=AT_MOST)
    old = {pod.name for pod in world.pods if pod.version == "v1"}
    assert len(old) == 4
    turns_bad(world)
    world.runs(60)

    assert world.stable == "v1"
    assert {pod.name for pod in world.selected_pods()} == old


def test_with_a_gateway_the_route_leads_back() -> None:
    world = promoted(traffic=BY_GATEWAY)
    turns_bad(world)
    world.runs(150)

    assert world.stable == "v1"
    assert list(world.route_weights()) == [f"{NAME}-{world.stable_revision}"]
    assert world.ready_pods(world.stable_revision) == 4


def test_it_goes_on_wherever_the_operator_is_killed() -> None:
    """Each write of the way back, one after another, is the last of a process."""
    for writes in range(12):
        world = promoted()
        former = world.status["kept"]["revision"]
        turns_bad(world)
        world.runs(2)
        world.dies_after = writes
        world.runs(150)

        assert (world.stable, world.stable_revision) == ("v1", former)
        assert [one["modelVersion"] for one in world.status["rejectedRevisions"]] == ["v2"]
        assert world.actions().count("rollback") == 1
        assert world.unanswered == 0


def test_scaled_to_zero_nothing_is_kept() -> None:
    world = promoted()
    world.applies(replicas=0)
    world.runs(20)

    assert "kept" not in world.status
    assert not world.pods


def test_scaled_to_zero_on_the_way_back_what_was_rejected_does_not_come_again() -> None:
    world = promoted()
    turns_bad(world)
    world.behaviours["v1"] = Behaviour(start_seconds=300)
    world.runs(120, until="degraded")

    world.applies(replicas=0)
    world.runs(10)
    world.behaviours["v1"] = Behaviour()
    world.applies(replicas=4)
    world.runs(30)

    assert world.stable == "v1"
    assert [pod.version for pod in world.pods] == ["v1"] * 4
    assert "kept" not in world.status


def test_the_kept_workload_has_the_pods_that_are_asked_for() -> None:
    world = promoted({"keptReplicas": 3})
    workload = ObjectRef(
        "apps/v1", "Deployment", NAMESPACE, f"{NAME}-{world.status['kept']['revision']}"
    )

    assert world.objects[workload]["spec"]["replicas"] == 3
