"""Records as the operator leaves them, for commands that read them: those of a played rollout."""

from functools import cache
from typing import Any

from tests.support.deployment_world import START, Behaviour, World, serving_v1
from tests.support.recorded_counters import moment


@cache
def rolled_back_and_promoted() -> World:
    """`v2` was rolled back on evidence, then a person promoted `v3`."""
    world = serving_v1()
    world.behaviours["v2"] = Behaviour(error_percent=40)
    world.serves_version("v2")
    world.runs(60, until="rolled back")
    world.applies(strategy={"canary": {"steps": [{"setWeight": 20}, {"pause": {}}]}})
    world.serves_version("v3")
    world.runs(60, until="paused")
    world.says("promote")
    world.runs(60, until="settled")
    return world


def records_of(world: World) -> list[dict[str, Any]]:
    """The ConfigMaps."""
    return [{"kind": "ConfigMap", **body} for body in world.records.values()]


def deployment_of(world: World) -> dict[str, Any]:
    """The Deployment as the world left it."""
    return {
        "apiVersion": "serinus.dev/v1alpha1",
        "kind": "Deployment",
        "metadata": {"name": "delay", "namespace": "flights", "uid": world.uid, "generation": 1},
        "spec": world.spec,
        "status": world.status,
    }


def at_second(second: int) -> str:
    """A moment of the world, as `--at` takes it."""
    return moment(START + second).strftime("%Y-%m-%dT%H:%M:%SZ")
