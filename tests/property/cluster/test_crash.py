"""Killed before or after any write, restarted with nothing but the cluster: the end is the same."""

from datetime import datetime
from typing import Any

import pytest

from serinus.api.enums import Kind
from serinus.manifests.naming import owner_labels
from serinus.reconcile.decision import (
    ApplyPolicy,
    Decision,
    DesiredObject,
    JsonObject,
    ObjectRef,
    PrunedObject,
)
from tests.support.clock import run_in_virtual_time
from tests.support.fake_kube import FakeKube
from tests.support.mortal_kube import MortalKube, ProcessKilledError
from tests.support.shell_world import KEY, NAMESPACE, World, owner

Body = dict[str, Any]
STEPS = 3


def config_map(step: int) -> Body:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": f"delay-{step}",
            "namespace": NAMESPACE,
            "labels": owner_labels(Kind.DEPLOYMENT, KEY.name),
        },
        "data": {"step": str(step)},
    }


def step_by_step(
    world: World, resource: JsonObject, _taken: frozenset[ObjectRef], _now: datetime
) -> Decision:
    """A small rollout: the step is in status first, then its object is made and the last one goes.

    The next step begins once the object of this one is seen and the old one is gone.
    """
    step = (resource.get("status") or {}).get("step", 0)
    refs = [ObjectRef("v1", "ConfigMap", NAMESPACE, f"delay-{one}") for one in range(STEPS + 1)]
    seen = [ref for ref in refs if world.store.get(ref) is not None]
    if (seen == [refs[step]] and step < STEPS) or (not seen and step == 0):
        step += 1
    prune = tuple(
        PrunedObject(ref, body["metadata"]["uid"])
        for ref in refs[:step]
        if (body := world.store.get(ref)) is not None
    )
    wanted = DesiredObject(config_map(step), ApplyPolicy.CREATE_ONLY)
    return Decision({"step": step}, (wanted,), prune)


async def life(kube: MortalKube) -> World:
    """From the first manifest to the end, with a restart after each death."""
    world = World(step_by_step, kube)
    kube.put(owner())
    while True:
        try:
            await world.settle(for_seconds=60)
        except ProcessKilledError:
            world = world.restarted()
        else:
            return world


def writes(kube: FakeKube) -> list[tuple[str, str]]:
    return sorted(
        (one.operation, one.ref.name) for one in kube.writes if one.operation != "replace"
    )


def end(kube: FakeKube) -> list[tuple[str, Any, Any]]:
    return [
        (ref.name, body.get("data"), body.get("status"))
        for ref, body in sorted(kube.objects.items())
    ]


UNDISTURBED = MortalKube()
run_in_virtual_time(life(UNDISTURBED))


def test_the_undisturbed_run_reaches_its_end() -> None:
    assert [name for name, _, _ in end(UNDISTURBED)] == ["delay", f"delay-{STEPS}"]
    assert UNDISTURBED.begun >= 3 * STEPS - 1


@pytest.mark.parametrize("after_commit", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("write", range(UNDISTURBED.begun))
def test_a_death_at_any_write_changes_nothing(write: int, after_commit: bool) -> None:
    async def scenario() -> list[Any]:
        kube = MortalKube(kill_at=write, after_commit=after_commit)
        world = await life(kube)
        assert kube.kill_at is None, "the process never died"
        assert await world.full_pass() == []
        return [end(kube), writes(kube)]

    assert run_in_virtual_time(scenario()) == [end(UNDISTURBED), writes(UNDISTURBED)]
