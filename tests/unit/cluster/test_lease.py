"""At most one process may write, whatever network and clocks do."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from serinus.cluster.errors import LeaseLost, Transient
from serinus.cluster.lease import (
    LEASE_DURATION_SECONDS,
    RENEW_DEADLINE_SECONDS,
    Lease,
)
from serinus.reconcile.decision import ObjectRef
from tests.support.clock import VirtualClock, run_in_virtual_time
from tests.support.fake_kube import FakeKube, Fault

REF = ObjectRef("coordination.k8s.io/v1", "Lease", "serinus-system", "serinus")


def lease(kube: FakeKube, identity: str, clock: VirtualClock | None = None) -> Lease:
    return Lease(
        kube,
        clock or VirtualClock(),
        namespace=REF.namespace,
        name=REF.name,
        identity=identity,
    )


def play(scenario: Callable[[FakeKube], Awaitable[None]]) -> None:
    async def run() -> None:
        await scenario(FakeKube())

    run_in_virtual_time(run())


def seconds() -> float:
    return asyncio.get_running_loop().time()


def holder(kube: FakeKube) -> str:
    return str(kube.objects[REF]["spec"]["holderIdentity"])


def away() -> Transient:
    return Transient("PUT", code=0, reason="NoConnection", message="refused")


def test_the_first_process_gets_it_at_once() -> None:
    async def scenario(kube: FakeKube) -> None:
        one = lease(kube, "one")
        await one.acquire()

        assert holder(kube) == "one"
        assert one.seconds_left() == pytest.approx(RENEW_DEADLINE_SECONDS)
        assert seconds() == 0

    play(scenario)


def test_it_tells_how_long_it_has_been_held_without_a_break() -> None:
    async def scenario(kube: FakeKube) -> None:
        one = lease(kube, "one")
        assert one.seconds_held() == 0
        await one.acquire()
        keeping = asyncio.create_task(one.keep())
        await asyncio.sleep(60)
        held = one.seconds_held()
        keeping.cancel()
        await asyncio.sleep(RENEW_DEADLINE_SECONDS)

        assert held == pytest.approx(60)
        assert one.seconds_held() == 0

    play(scenario)


def test_it_is_kept_by_renewing() -> None:
    async def scenario(kube: FakeKube) -> None:
        one = lease(kube, "one")
        await one.acquire()
        keeping = asyncio.create_task(one.keep())
        await asyncio.sleep(3600)

        assert not keeping.done()
        assert one.seconds_left() > RENEW_DEADLINE_SECONDS - 1.1
        keeping.cancel()

    play(scenario)


def test_a_second_process_waits_as_long_as_the_first_renews() -> None:
    async def scenario(kube: FakeKube) -> None:
        one, two = lease(kube, "one"), lease(kube, "two")
        await one.acquire()
        keeping = asyncio.create_task(one.keep())
        waiting = asyncio.create_task(two.acquire())
        await asyncio.sleep(600)

        assert not waiting.done()
        assert two.seconds_left() < 0
        keeping.cancel()
        waiting.cancel()

    play(scenario)


def test_after_a_silent_end_the_second_takes_over_within_five_seconds() -> None:
    async def scenario(kube: FakeKube) -> None:
        one, two = lease(kube, "one"), lease(kube, "two")
        await one.acquire()
        keeping = asyncio.create_task(one.keep())
        waiting = asyncio.create_task(two.acquire())
        await asyncio.sleep(10.5)
        keeping.cancel()
        await waiting

        assert LEASE_DURATION_SECONDS <= seconds() - 10 <= 5.5
        assert holder(kube) == "two"
        assert one.seconds_left() <= 0

    play(scenario)


def test_an_orderly_end_hands_over_at_the_next_look() -> None:
    async def scenario(kube: FakeKube) -> None:
        one, two = lease(kube, "one"), lease(kube, "two")
        await one.acquire()
        waiting = asyncio.create_task(two.acquire())
        await asyncio.sleep(0.5)
        await one.release()
        await waiting

        assert seconds() <= 1.1
        assert one.seconds_left() < 0

    play(scenario)


def test_a_restarted_container_of_the_same_pod_goes_on_at_once() -> None:
    async def scenario(kube: FakeKube) -> None:
        await lease(kube, "pod-uid").acquire()
        await asyncio.sleep(0.2)
        restarted = lease(kube, "pod-uid")
        await restarted.acquire()

        assert seconds() == pytest.approx(0.2)
        assert restarted.seconds_left() > 0

    play(scenario)


def test_a_few_failed_renewals_are_survived() -> None:
    async def scenario(kube: FakeKube) -> None:
        one = lease(kube, "one")
        await one.acquire()
        keeping = asyncio.create_task(one.keep())
        kube.faults = [Fault("replace", away()), Fault("replace", away())]
        await asyncio.sleep(10)

        assert not keeping.done()
        assert one.seconds_left() > 0
        keeping.cancel()

    play(scenario)


def test_a_renewal_whose_answer_was_lost_is_survived() -> None:
    async def scenario(kube: FakeKube) -> None:
        one = lease(kube, "one")
        await one.acquire()
        keeping = asyncio.create_task(one.keep())
        kube.faults = [Fault("replace", away(), after_commit=True)]
        await asyncio.sleep(10)

        assert not keeping.done()
        keeping.cancel()

    play(scenario)


def test_without_renewal_it_is_given_up_before_another_may_take_it() -> None:
    async def scenario(kube: FakeKube) -> None:
        one = lease(kube, "one")
        await one.acquire()
        kube.faults = [Fault("replace", away()) for _ in range(10)]

        with pytest.raises(LeaseLost):
            await one.keep()
        assert seconds() == pytest.approx(RENEW_DEADLINE_SECONDS)
        assert RENEW_DEADLINE_SECONDS < LEASE_DURATION_SECONDS

    play(scenario)


def test_a_renewal_that_hangs_is_given_up_in_time() -> None:
    async def scenario(kube: FakeKube) -> None:
        one = lease(kube, "one")
        await one.acquire()
        kube.latency_seconds = 300

        with pytest.raises(LeaseLost):
            await one.keep()
        assert seconds() <= LEASE_DURATION_SECONDS

    play(scenario)


def test_the_time_counts_from_when_the_renewal_was_sent() -> None:
    async def scenario(kube: FakeKube) -> None:
        kube.latency_seconds = 0.2
        one = lease(kube, "one")
        await one.acquire()

        assert one.seconds_left() == pytest.approx(RENEW_DEADLINE_SECONDS - 0.2)

    play(scenario)


def test_one_that_was_taken_over_stops_at_its_next_renewal() -> None:
    async def scenario(kube: FakeKube) -> None:
        one = lease(kube, "one")
        await one.acquire()
        taken = {**kube.objects[REF], "spec": {"holderIdentity": "two"}}
        kube.put(taken)

        with pytest.raises(LeaseLost):
            await one.keep()
        assert seconds() <= 1.1
        assert holder(kube) == "two"

    play(scenario)


def test_a_wall_clock_that_jumps_changes_nothing() -> None:
    async def scenario(kube: FakeKube) -> None:
        clock = VirtualClock()
        one, two = lease(kube, "one", clock), lease(kube, "two", clock)
        await one.acquire()
        keeping = asyncio.create_task(one.keep())
        waiting = asyncio.create_task(two.acquire())
        for jump in (timedelta(hours=1), timedelta(hours=-2)):
            await asyncio.sleep(5)
            clock.wall_offset += jump
        await asyncio.sleep(5)

        assert not keeping.done()
        assert not waiting.done()
        keeping.cancel()
        waiting.cancel()

    play(scenario)


def test_of_two_that_start_together_one_gets_it() -> None:
    async def scenario(kube: FakeKube) -> None:
        kube.latency_seconds = 0.01
        both = [lease(kube, "one"), lease(kube, "two")]
        tasks = [asyncio.create_task(one.acquire()) for one in both]
        await asyncio.sleep(2)

        assert sum(one.seconds_left() > 0 for one in both) == 1
        for task in tasks:
            task.cancel()

    play(scenario)
