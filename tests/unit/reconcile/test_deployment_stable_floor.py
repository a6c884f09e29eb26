"""The floor of stable's pods, from status to status."""

from datetime import timedelta

import pytest

from serinus.api.deployment_status import StableFloor
from serinus.reconcile.deployment_picture import Picture, pictured
from serinus.reconcile.deployment_stable_floor import with_stable_floor
from tests.support.autoscaler import by_cpu
from tests.support.deployment_world import World, serving_v1

NOON = "2026-01-01T12:00:00.000000Z"


def autoscaled() -> World:
    world = serving_v1()
    del world.spec["replicas"]
    world.applies(autoscaling=by_cpu(2, 12))
    return world


def seen(world: World) -> Picture:
    return pictured(world.snapshot({}), world.now)


def test_a_canary_brings_a_floor_of_what_stable_has() -> None:
    world = autoscaled()
    world.serves_version("v2")
    world.runs(1)
    status = seen(world).status.model_copy(update={"stable_floor": None})

    floor = with_stable_floor(seen(world), status, world.now).stable_floor

    assert floor is not None
    assert (floor.pods, floor.until) == (4, None)


def test_without_a_canary_it_ends_some_time_later() -> None:
    world = autoscaled()
    picture = seen(world)
    held = StableFloor(pods=4, since=NOON)
    status = picture.status.model_copy(update={"stable_floor": held})

    ending = with_stable_floor(picture, status, world.now)
    ended = with_stable_floor(picture, ending, world.now + timedelta(minutes=5, seconds=1))

    assert ending.stable_floor is not None
    assert ending.stable_floor.until is not None
    assert ended.stable_floor is None


def test_without_an_autoscaler_there_is_none() -> None:
    world = serving_v1()
    picture = seen(world)
    status = picture.status.model_copy(update={"stable_floor": StableFloor(pods=4, since=NOON)})

    assert with_stable_floor(picture, status, world.now).stable_floor is None


@pytest.mark.parametrize("damage", [{"since": "noon"}, {"until": "later"}])
def test_one_that_can_t_be_read_is_as_none(damage: dict[str, str]) -> None:
    world = autoscaled()
    world.status["stableFloor"] = {"pods": 4, "since": NOON} | damage

    assert seen(world).status.stable_floor is None
