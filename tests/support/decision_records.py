"""Records as the operator leaves them, for commands that read them: those of a played rollout."""

import re
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


def without_hashes(text: str) -> str:
    """The text with names in place of what changes with each field of a revision or a rule."""
    for _, decision in rolled_back_and_promoted().recorded():
        name = f"revision-{decision['modelVersion'][1:]}"  # as long as the hash of one
        text = text.replace(decision["revision"], name)
    text = re.sub(r"by rules [0-9a-f]+", "by rules (hash)", text)
    return re.sub(r"```json\n.*?\n```", "```json\n(rules)\n```", text, flags=re.DOTALL)
