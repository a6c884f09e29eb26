"""What the watch missed is found, and nothing is forgotten that exists."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from serinus.cluster.audit import Audit, Found, NamespaceIsBack
from serinus.cluster.errors import NotFound, Transient
from serinus.cluster.store import WatchEvent
from tests.support.clock import run_in_virtual_time
from tests.support.fake_kube import Fault
from tests.support.shell_world import KEY, SERVICE, World, owner, service


def play(scenario: Callable[[World], Awaitable[None]]) -> None:
    async def run() -> None:
        await scenario(World())

    run_in_virtual_time(run())


async def settled(world: World) -> World:
    world.kube.put(owner())
    await world.settle()
    return world


def test_all_is_well() -> None:
    async def scenario(world: World) -> None:
        await settled(world)

        assert await world.audit.run() == Found()

    play(scenario)


def test_a_deletion_that_was_missed_is_found_and_the_child_made_again() -> None:
    async def scenario(world: World) -> None:
        await settled(world)
        world.kube.watching = False
        world.kube.remove(SERVICE)
        world.kube.watching = True
        found = await world.audit.run()
        await world.settle()

        assert found == Found(ghosts=1)
        assert SERVICE in world.kube.objects

    play(scenario)


def test_an_object_that_was_never_told_is_found() -> None:
    async def scenario(world: World) -> None:
        world.kube.watching = False
        world.kube.put(owner())
        world.kube.watching = True
        found = await world.audit.run()
        await world.settle()

        assert found == Found(unseen=1)
        assert world.status()

    play(scenario)


def test_an_object_that_was_replaced_unseen_is_known_by_its_new_uid() -> None:
    async def scenario(world: World) -> None:
        await settled(world)
        world.kube.watching = False
        world.kube.remove(SERVICE)
        foreign = world.kube.put(service(app="new"))
        world.kube.watching = True
        await world.audit.run()

        stored = world.store.get(SERVICE)
        assert stored is not None
        assert stored["metadata"]["uid"] == foreign["metadata"]["uid"]

    play(scenario)


def test_an_object_that_only_left_the_selection_isnt_forgotten() -> None:
    async def scenario(world: World) -> None:
        await settled(world)
        world.kube.watching = False
        body = world.kube.objects[SERVICE]
        world.kube.put({**body, "metadata": {**body["metadata"], "labels": {}}})
        world.kube.watching = True

        assert await world.audit.run() == Found()
        assert world.store.get(SERVICE) is not None

    play(scenario)


def test_a_failing_audit_is_tried_again() -> None:
    async def scenario(world: World) -> None:
        await settled(world)
        world.kube.faults = [Fault("list", Transient("", code=500, reason="", message="no"))]
        world.kube.watching = False
        world.kube.remove(SERVICE)
        task = asyncio.create_task(world.audit.run_every(600))
        await asyncio.sleep(1300)
        task.cancel()

        assert world.store.get(SERVICE) is None

    play(scenario)


def test_a_start_waits_until_the_store_has_all_that_is_listed() -> None:
    async def scenario(world: World) -> None:
        world.kube.watching = False
        world.kube.put(owner())
        waiting = asyncio.create_task(world.audit.wait_until_synced())
        await asyncio.sleep(1)
        early = waiting.done()
        world.kube.watching = True
        world.kube.relist()
        await waiting

        assert not early
        assert asyncio.get_running_loop().time() < 2

    play(scenario)


def test_what_the_watch_never_brings_is_asked_for_by_name() -> None:
    async def scenario(world: World) -> None:
        world.kube.watching = False
        for number in range(100):
            world.kube.put(owner(f"d{number}"))
        await world.audit.wait_until_synced()

        assert len(world.store) == 100
        assert asyncio.get_running_loop().time() < 5

    play(scenario)


def test_what_went_between_the_list_and_the_watch_delays_no_start() -> None:
    async def scenario(world: World) -> None:
        world.kube.watching = False
        world.kube.put(owner("goes"))
        world.kube.put(owner("stays"))
        waiting = asyncio.create_task(world.audit.wait_until_synced())
        await asyncio.sleep(1)
        world.kube.remove(replace(KEY, name="goes"))
        world.kube.watching = True
        world.kube.relist()
        await waiting

        assert len(world.store) == 1
        assert asyncio.get_running_loop().time() < 5

    play(scenario)


def test_a_watch_that_brings_much_is_waited_for_however_long_it_takes() -> None:
    async def scenario(world: World) -> None:
        world.kube.watching = False
        for number in range(200):
            world.kube.put(owner(f"d{number}"))
        waiting = asyncio.create_task(world.audit.wait_until_synced())
        for body in list(world.kube.objects.values()):
            await asyncio.sleep(1)
            world.feed.observe(WatchEvent.LISTED, body)
        await waiting

        assert [one for one in world.kube.requests if one.operation == "get"] == []

    play(scenario)


def test_a_start_waits_for_the_kinds() -> None:
    async def scenario(world: World) -> None:
        missing = NotFound("", code=404, reason="NotFound", message="no such kind")
        world.kube.faults = [Fault("list", missing) for _ in range(3)]
        await world.audit.wait_for_kinds()

        assert 2.9 < asyncio.get_running_loop().time() < 4

    play(scenario)


def with_one_out_of_reach(world: World) -> Audit:
    world.kube.out_of_reach.add("gone")
    return replace(world.audit, namespaces=(KEY.namespace, "gone"))


def test_a_namespace_that_is_gone_with_our_rights_holds_up_no_other() -> None:
    async def scenario(world: World) -> None:
        audit = with_one_out_of_reach(world)
        gone = {"name": "of-gone", "namespace": "gone", "uid": "u", "resourceVersion": "1"}
        world.feed.observe(WatchEvent.LISTED, {**owner(), "metadata": gone})
        world.kube.watching = False
        world.kube.put(owner())
        await audit.wait_until_synced()

        assert await audit.wait_for_kinds() == {"gone"}
        assert await audit.run() == Found(out_of_reach=frozenset({"gone"}))
        assert world.store.get(KEY) is not None
        assert world.store.get(replace(KEY, namespace="gone", name="of-gone")) is not None

    play(scenario)


def test_a_start_waits_where_every_namespace_is_out_of_reach() -> None:
    async def scenario(world: World) -> None:
        audit = replace(with_one_out_of_reach(world), namespaces=("gone",))
        waiting = asyncio.create_task(audit.wait_for_kinds())
        await asyncio.sleep(10)
        early = waiting.done()
        world.kube.out_of_reach.clear()

        assert not early
        assert await waiting == frozenset()

    play(scenario)


def test_a_namespace_that_is_back_ends_the_process_so_that_it_is_watched() -> None:
    async def scenario(world: World) -> None:
        audit = with_one_out_of_reach(world)
        unwatched = await audit.wait_for_kinds()
        running = asyncio.create_task(audit.run_every(600, unwatched=unwatched))
        await asyncio.sleep(1300)
        early = running.done()
        world.kube.out_of_reach.clear()

        assert not early
        with pytest.raises(NamespaceIsBack, match="gone"):
            await running
        assert asyncio.get_running_loop().time() < 2000

    play(scenario)
