"""Killed between any two writes and started again, the operator goes on as if nothing had been."""

from collections.abc import Callable
from copy import deepcopy

import pytest

from tests.support.deployment_world import Behaviour, World, serving_v1

pytestmark = pytest.mark.slow

WRITES_AT_MOST = 12
FEWEST_WRITES = 4
SECONDS = 90


def promoted() -> World:
    world = serving_v1()
    world.serves_version("v2")
    return world


def rolled_back() -> World:
    world = serving_v1()
    world.behaviours["v2"] = Behaviour(error_percent=40)
    world.serves_version("v2")
    return world


def superseded() -> World:
    world = serving_v1(strategy={"canary": {"steps": [{"setWeight": 20}, {"pause": {}}]}})
    world.serves_version("v2")
    world.runs(60, until="paused")
    world.serves_version("v3")
    return world


def scaled_to_zero() -> World:
    world = superseded()
    world.applies(replicas=0)
    return world


def retried() -> World:
    world = superseded()
    world.runs(60, until="paused")
    world.says("abort")
    world.runs(30)
    world.says("retry")
    return world


def story(world: World) -> dict[str, object]:
    """What a rollout leaves behind, without the moments at which things happened."""
    return {
        "stable": world.stable_revision,
        "canary": world.canary_revision,
        "step": (world.canary or {}).get("step"),
        "phase": world.phase,
        "history": [(one["action"], one["revision"]) for one in world.status["history"]],
        "rejected": [one["revision"] for one in world.status.get("rejectedRevisions", ())],
        "replicas": {
            revision: body["spec"]["replicas"] for revision, body in world.workloads().items()
        },
        "selector": (world.service or {}).get("spec", {}).get("selector"),
        "records": sorted(ref.name for ref in world.objects if ref.kind == "ControllerRevision"),
        "decisions recorded": [
            (name, decision["action"], decision["revision"], decision["serving"])
            for name, decision in world.recorded()
        ],
        "records pending": world.status["record"]["pending"],
        "pods made": world.pods_made,
        "unanswered": world.unanswered if world.spec["replicas"] else 0,
    }


@pytest.mark.parametrize("given", [promoted, rolled_back, superseded, scaled_to_zero, retried])
def test_the_end_is_the_same_at_whichever_write_the_operator_dies(
    given: Callable[[], World],
) -> None:
    beginning = given()
    undisturbed = deepcopy(beginning)
    undisturbed.runs(SECONDS)
    expected = story(undisturbed)
    deaths = 0

    for doomed_write in range(WRITES_AT_MOST):
        world = deepcopy(beginning)
        world.dies_after = doomed_write
        world.runs(SECONDS)
        deaths += world.deaths

        assert story(world) == expected, f"killed before write {doomed_write}"

    assert deaths >= FEWEST_WRITES
