"""What a pass does to the queue, and how failures of one object stay its own."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime

import pytest

from serinus.cluster.errors import LeaseLost, NamespaceTerminating, Transient
from serinus.cluster.worker import PassResult, run_workers
from serinus.reconcile.decision import Decision, JsonObject
from tests.support.clock import run_in_virtual_time
from tests.support.fake_kube import Fault
from tests.support.shell_world import KEY, Decide, World, one_service, owner


def play(scenario: Callable[[World], Awaitable[None]], decide: Decide = one_service) -> None:
    async def run() -> None:
        await scenario(World(decide))

    run_in_virtual_time(run())


def test_a_decision_is_looked_at_again_after_its_time() -> None:
    async def scenario(world: World) -> None:
        world.kube.put(owner())
        await world.settle(for_seconds=95)

        assert world.decided == 4

    play(scenario, lambda *_: Decision(requeue_after_seconds=30))


def test_a_bug_in_a_reconciler_is_tried_again_and_others_go_on() -> None:
    def decide(world: World, resource: JsonObject, taken: object, now: datetime) -> Decision:
        if resource["metadata"]["name"] == "broken":
            raise ZeroDivisionError("a bug")
        return Decision({"phase": "Healthy"})

    async def scenario(world: World) -> None:
        world.kube.put(owner("broken"))
        world.kube.put(owner())
        await world.settle(for_seconds=10)

        assert world.status()["phase"] == "Healthy"
        assert world.queue.failures(replace(KEY, name="broken")) >= 3
        assert PassResult.ERROR in world.passes.results

    play(scenario, decide)


def test_an_object_that_is_gone_needs_no_pass() -> None:
    async def scenario(world: World) -> None:
        world.kube.put(owner())
        world.kube.remove(KEY)
        await world.settle()

        assert world.decided == 0
        assert world.passes.results == [PassResult.DONE]

    play(scenario)


def test_a_namespace_that_goes_away_is_left_alone() -> None:
    async def scenario(world: World) -> None:
        world.kube.put(owner())
        going = NamespaceTerminating("POST", code=403, reason="Forbidden", message="going")
        world.kube.faults = [Fault("create", going) for _ in range(100)]
        await world.settle(for_seconds=50)

        assert PassResult.ERROR not in world.passes.results
        assert world.decided <= 2

    play(scenario)


def test_losing_the_lease_ends_all_workers() -> None:
    async def scenario(world: World) -> None:
        world.kube.put(owner())
        world.kube.faults = [Fault("replace", LeaseLost("expired"))]

        with pytest.raises(ExceptionGroup) as caught:
            await run_workers(world.worker, 3)
        assert caught.group_contains(LeaseLost)

    play(scenario)


def test_several_workers_work_on_several_objects_at_once() -> None:
    async def scenario(world: World) -> None:
        for number in range(16):
            world.kube.put(owner(f"d{number}"))
        world.kube.latency_seconds = 1
        working = asyncio.create_task(run_workers(world.worker, 16))
        await asyncio.sleep(1.5)
        written = {one.ref for one in world.kube.writes}
        working.cancel()

        assert len(written) == 16

    play(scenario, lambda *_: Decision({"phase": "Healthy"}))


def test_passes_that_write_nothing_leave_others_their_turn() -> None:
    """Else a full pass over thousands of objects would last longer than the Lease."""

    async def scenario(world: World) -> None:
        for number in range(200):
            world.kube.put(owner(f"d{number}"))
        working = asyncio.create_task(run_workers(world.worker, 4))
        passes_between = []
        while world.decided < 200:
            before = world.decided
            await asyncio.sleep(0)
            passes_between.append(world.decided - before)
        working.cancel()

        assert max(passes_between) <= 4

    play(scenario, lambda *_: Decision())


def test_a_server_that_is_away_for_long_is_waited_for() -> None:
    async def scenario(world: World) -> None:
        world.kube.put(owner())
        away = Transient("", code=503, reason="", message="away")
        world.kube.faults = [Fault("replace", away) for _ in range(6)]
        await world.settle(for_seconds=60)

        assert world.status()["phase"] == "Progressing"
        assert world.passes.results.count(PassResult.ERROR) == 6

    play(scenario)
