"""A log of predictions: made with a revision, and changed without one."""

import json
from typing import Any

import pytest

from serinus.reconcile.decision import ObjectRef
from serinus.reconcile.deployment_prediction_log import log_policy_ref
from tests.support.deployment_world import NAME, NAMESPACE, World, a_world, serving_v1

POLICY = ObjectRef("v1", "ConfigMap", NAMESPACE, f"{NAME}-prediction-log")


def logging_world(**log: Any) -> World:
    return serving_v1(server={"predictionLog": log})


def percent(world: World) -> int:
    said = json.loads(world.objects[POLICY]["data"]["policy.json"])
    return int(said["samplePercent"])


def test_the_policy_is_there_where_there_is_a_log() -> None:
    assert log_policy_ref(NAME, NAMESPACE) == POLICY
    assert POLICY not in serving_v1().objects
    assert percent(logging_world(samplePercent=25)) == 25


def test_another_sample_is_no_rollout_and_restarts_no_pod() -> None:
    world = logging_world(samplePercent=25)
    pods, revision = [pod.name for pod in world.pods], world.stable_revision

    world.applies(server={"predictionLog": {"samplePercent": 50, "retention": {"maxAge": "7d"}}})
    world.runs(20)

    assert percent(world) == 50
    assert [pod.name for pod in world.pods] == pods
    assert (world.stable_revision, world.canary) == (revision, None)


def test_to_begin_to_log_is_a_release_as_any_other() -> None:
    world = serving_v1()

    world.applies(server={"predictionLog": {}})
    world.runs(3)

    assert world.canary is not None
    assert percent(world) == 10


def test_who_wants_no_log_any_more_gets_none_at_once() -> None:
    world = logging_world(samplePercent=25)

    world.applies(server={})
    world.runs(3)

    assert world.canary is not None
    assert POLICY not in world.objects


def test_a_spec_that_can_t_be_done_leaves_the_log_as_it_is() -> None:
    world = logging_world(samplePercent=25)

    world.applies(server={"feedback": {"cohortLength": "2h"}})
    world.runs(5)

    assert world.condition("Stalled") == ("True", "InvalidSpec")
    assert percent(world) == 25


@pytest.mark.parametrize("log", [{}, {"samplePercent": 100}])
def test_a_foreign_object_of_the_name_is_left_alone_and_said(log: dict[str, Any]) -> None:
    world = a_world(server={"predictionLog": log})
    theirs = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": POLICY.name, "namespace": NAMESPACE, "uid": "theirs"},
        "data": {"policy.json": "theirs"},
    }
    world.objects[POLICY] = theirs

    world.runs(20)

    assert world.objects[POLICY] == theirs
    assert world.condition("Stalled") == ("True", "NameConflict")
