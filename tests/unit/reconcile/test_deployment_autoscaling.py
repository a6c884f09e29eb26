"""Rollouts under an autoscaler: stable keeps what it needs, and the canary asks for no more."""

from typing import Any

import pytest

from serinus.reconcile.decision import ObjectRef
from tests.support.autoscaler import by_cpu
from tests.support.deployment_world import (
    NAME,
    NAMESPACE,
    Behaviour,
    World,
    a_world,
)

pytestmark = pytest.mark.slow

REF = ObjectRef("autoscaling/v2", "HorizontalPodAutoscaler", NAMESPACE, NAME)
LOOKED_AT = {"canary": {"steps": [{"setWeight": 50}, {"pause": {}}]}}


def autoscaled_v1(low: int = 2, high: int = 12, **spec: Any) -> World:
    """v1 serves 120 requests a second with the 4 pods that they need."""
    world = a_world(autoscaling=by_cpu(low, high), **spec)
    del world.spec["replicas"]
    world.runs(60, until="settled")
    world.runs(30)
    return world


def autoscaler(world: World) -> dict[str, Any]:
    found: dict[str, Any] = world.objects[REF]
    return found


def pods(world: World, revision: str | None) -> int:
    return int(world.workloads()[revision or ""]["spec"]["replicas"])


def test_stable_follows_the_load_and_nothing_is_written_against_it() -> None:
    world = autoscaled_v1()
    before = len(world.writes)
    assert pods(world, world.stable_revision) == 4

    world.requests_per_second = 240
    world.runs(30)
    assert pods(world, world.stable_revision) == 8

    world.requests_per_second = 60
    world.runs(30)
    assert pods(world, world.stable_revision) == 2
    assert set(world.writes[before:]) <= {"status"}


def test_a_canary_takes_no_pods_from_stable_though_it_takes_half_of_its_load() -> None:
    world = autoscaled_v1(strategy=LOOKED_AT)
    stable = world.stable_revision
    world.serves_version("v2")
    world.runs(60, until="canary has traffic")
    world.runs(400)

    assert pods(world, stable) == 4
    assert pods(world, world.canary_revision) == 4
    assert autoscaler(world)["spec"]["minReplicas"] == 4


def test_when_the_load_doubles_beside_a_canary_stable_could_take_all_of_it_at_once() -> None:
    world = autoscaled_v1(strategy=LOOKED_AT)
    stable = world.stable_revision
    world.serves_version("v2")
    world.runs(60, until="canary has traffic")
    world.requests_per_second = 240
    world.runs(300)
    assert pods(world, stable) == 8

    world.says("abort")
    world.runs(3)
    assert len(world.selected_pods()) * world.requests_per_pod >= world.requests_per_second


def test_some_time_after_a_rollback_the_autoscaler_decides_alone_again() -> None:
    world = autoscaled_v1()
    stable = world.stable_revision
    world.behaviours["bad"] = Behaviour(error_percent=30)
    world.serves_version("bad")
    world.runs(300, until="rolled back")
    world.requests_per_second = 60
    world.runs(200)
    assert pods(world, stable) == 4
    assert world.status["stableFloor"]["pods"] == 4

    world.runs(150)
    assert "stableFloor" not in world.status
    assert autoscaler(world)["spec"]["minReplicas"] == 2
    assert pods(world, stable) == 2


def test_promotion_moves_the_autoscaler_and_restarts_nothing() -> None:
    world = autoscaled_v1()
    world.serves_version("v2")
    world.runs(60, until="canary has traffic")
    canary = world.canary_revision
    first = {pod.name for pod in world.pods if pod.revision == canary}
    world.runs(600, until="settled")
    world.runs(30)

    target = autoscaler(world)["spec"]["scaleTargetRef"]["name"]
    assert target == f"{NAME}-{canary}" == f"{NAME}-{world.stable_revision}"
    assert pods(world, canary) == 4
    assert first <= {pod.name for pod in world.pods}
    assert world.unanswered == 0


def test_replicas_instead_of_autoscaling_takes_the_autoscaler_away_and_back() -> None:
    world = autoscaled_v1()
    world.applies(autoscaling=None, replicas=3)
    world.runs(10)
    assert REF not in world.objects
    assert pods(world, world.stable_revision) == 3

    del world.spec["replicas"]
    world.applies(autoscaling=by_cpu(2, 12))
    world.runs(30)
    assert autoscaler(world)["spec"]["maxReplicas"] == 12
    assert pods(world, world.stable_revision) == 4


def test_an_autoscaling_that_can_t_be_read_changes_nothing_that_runs() -> None:
    world = autoscaled_v1()
    before = autoscaler(world)["metadata"]["uid"]
    world.applies(autoscaling={"maxReplicas": "many"})
    world.runs(10)

    assert world.condition("Stalled") == ("True", "InvalidSpec")
    assert autoscaler(world)["metadata"]["uid"] == before
    assert pods(world, world.stable_revision) == 4


def test_somebody_else_s_autoscaler_of_that_name_is_left_alone() -> None:
    world = a_world(autoscaling=by_cpu(2, 12))
    del world.spec["replicas"]
    foreign = {"metadata": {"name": NAME, "namespace": NAMESPACE, "uid": "x"}, "spec": {"a": 1}}
    foreign["spec"] = {"scaleTargetRef": {"name": "other"}, "minReplicas": 1, "maxReplicas": 2}
    world.objects[REF] = dict(foreign)
    world.runs(20)

    assert world.condition("Stalled") == ("True", "NameConflict")
    assert autoscaler(world)["metadata"]["uid"] == "x"


def test_one_that_is_blind_is_told() -> None:
    world = autoscaled_v1()
    world.autoscaler_interval = 1000
    said = {"type": "ScalingActive", "status": "False", "message": "no metrics for cpu"}
    autoscaler(world)["status"] = {"conditions": [said]}
    world.dirty = True
    world.runs(2)

    assert world.condition("ScalingActive") == ("False", "AutoscalerBlind")
    assert world.phase == "Healthy"
