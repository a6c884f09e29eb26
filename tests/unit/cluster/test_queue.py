"""Each rule of the queue's docstring, on a virtual clock."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from serinus.cluster.queue import (
    BACKOFF_FIRST_SECONDS,
    BACKOFF_MAX_IF_CHANGED_SECONDS,
    BACKOFF_MAX_SECONDS,
    Priority,
    WorkQueue,
    backoff_seconds,
)
from tests.support.clock import run_in_virtual_time

LOW = Priority.LOW
Queue = WorkQueue[str]


def in_queue(scenario: Callable[[Queue], Awaitable[None]]) -> None:
    """Run the scenario with a queue of its own whose jitter is always the same."""

    async def run() -> None:
        await scenario(WorkQueue(chance=lambda: 1.0))

    run_in_virtual_time(run())


async def nothing_to_do(queue: Queue) -> bool:
    """Whether no key comes now."""
    try:
        async with asyncio.timeout(0):
            await queue.get()
    except TimeoutError:
        return True
    return False


def seconds() -> float:
    return asyncio.get_running_loop().time()


def test_a_key_is_there_once() -> None:
    async def scenario(queue: Queue) -> None:
        queue.add("a")
        queue.add("a")

        assert await queue.get() == "a"
        queue.done("a")
        assert await nothing_to_do(queue)

    in_queue(scenario)


def test_first_come_first_served() -> None:
    async def scenario(queue: Queue) -> None:
        for key in "bca":
            queue.add(key)

        assert [await queue.get() for _ in range(3)] == ["b", "c", "a"]

    in_queue(scenario)


def test_changes_go_before_the_first_list() -> None:
    async def scenario(queue: Queue) -> None:
        queue.add("listed", LOW)
        queue.add("listed too", LOW)
        queue.add("changed")

        assert await queue.get() == "changed"
        assert await queue.get() == "listed"

    in_queue(scenario)


def test_a_change_lifts_a_listed_key() -> None:
    async def scenario(queue: Queue) -> None:
        queue.add("first", LOW)
        queue.add("second", LOW)
        queue.add("second")

        assert await queue.get() == "second"
        assert await queue.get() == "first"
        queue.done("first")
        queue.done("second")
        assert await nothing_to_do(queue)

    in_queue(scenario)


def test_a_key_in_work_is_given_to_nobody_else_and_comes_again() -> None:
    async def scenario(queue: Queue) -> None:
        queue.add("a")
        await queue.get()
        queue.add("a")

        assert await nothing_to_do(queue)
        queue.done("a")
        assert await queue.get() == "a"
        queue.done("a")
        assert await nothing_to_do(queue)

    in_queue(scenario)


def test_a_key_waits_for_its_time() -> None:
    async def scenario(queue: Queue) -> None:
        queue.add("a")
        await queue.get()
        queue.done("a", again_after_seconds=30)

        assert await nothing_to_do(queue)
        assert await queue.get() == "a"
        assert seconds() == pytest.approx(30)

    in_queue(scenario)


def test_a_change_cuts_the_wait_short_and_there_is_no_second_time() -> None:
    async def scenario(queue: Queue) -> None:
        queue.add("a")
        await queue.get()
        queue.done("a", again_after_seconds=30)
        await asyncio.sleep(1)
        queue.add("a")

        assert await queue.get() == "a"
        assert seconds() == pytest.approx(1)
        queue.done("a")
        await asyncio.sleep(60)
        assert await nothing_to_do(queue)

    in_queue(scenario)


def test_a_change_during_the_pass_outranks_the_wait() -> None:
    async def scenario(queue: Queue) -> None:
        queue.add("a")
        await queue.get()
        queue.add("a")
        queue.done("a", again_after_seconds=30)

        assert await queue.get() == "a"
        assert seconds() == pytest.approx(0)

    in_queue(scenario)


def test_a_failing_key_waits_longer_each_time_and_a_success_resets_it() -> None:
    async def scenario(queue: Queue) -> None:
        waits = []
        queue.add("a")
        for _ in range(3):
            await queue.get()
            waits.append(queue.failed("a"))
        await queue.get()
        queue.done("a")

        assert waits == [BACKOFF_FIRST_SECONDS * factor for factor in (1, 2, 4)]
        assert seconds() == pytest.approx(sum(waits))
        assert queue.failures("a") == 0

    in_queue(scenario)


async def fails_often(queue: Queue, key: str) -> None:
    """The key has failed so often that it waits for minutes; its next pass runs."""
    queue.add(key)
    for _ in range(12):
        await queue.get()
        queue.failed(key)
    await queue.get()


def test_a_change_during_a_failing_pass_is_not_lost_and_makes_no_hot_loop() -> None:
    async def scenario(queue: Queue) -> None:
        await fails_often(queue, "a")
        queue.add("a")
        wait = queue.failed("a")
        began = seconds()

        assert await queue.get() == "a"
        assert wait == BACKOFF_MAX_IF_CHANGED_SECONDS
        assert seconds() == pytest.approx(began + wait)

    in_queue(scenario)


def test_a_change_after_a_failed_pass_is_looked_at_at_once() -> None:
    async def scenario(queue: Queue) -> None:
        await fails_often(queue, "a")
        queue.failed("a")
        await asyncio.sleep(1)
        changed_at = seconds()
        queue.add("a")

        assert await queue.get() == "a"
        assert seconds() == changed_at

    in_queue(scenario)


def test_a_full_pass_leaves_a_failed_key_its_backoff() -> None:
    async def scenario(queue: Queue) -> None:
        await fails_often(queue, "a")
        queue.add("a", LOW)  # during its pass
        wait = queue.failed("a")
        queue.add("a", LOW)  # and after it
        began = seconds()

        assert await nothing_to_do(queue)
        assert await queue.get() == "a"
        assert wait == BACKOFF_MAX_SECONDS
        assert seconds() == pytest.approx(began + wait)

    in_queue(scenario)


def test_a_full_pass_makes_nobody_later_than_he_would_have_been() -> None:
    """A canary is due in a second; a full pass puts it behind a thousand others."""

    async def scenario(queue: Queue) -> None:
        queue.add("canary")
        await queue.get()
        queue.done("canary", again_after_seconds=1)
        for number in range(1000):
            queue.add(f"other {number}", LOW)
        queue.add("canary", LOW)
        await asyncio.sleep(1)

        assert await queue.get() == "canary"
        assert queue.depth(LOW) == 1000

    in_queue(scenario)


def test_a_full_pass_looks_at_a_key_that_waits_for_long_and_then_it_waits_anew() -> None:
    async def scenario(queue: Queue) -> None:
        queue.add("a")
        await queue.get()
        queue.done("a", again_after_seconds=3600)
        queue.add("a", LOW)
        assert await queue.get() == "a"
        assert seconds() == pytest.approx(0)
        queue.done("a", again_after_seconds=7200)

        assert await queue.get() == "a"
        assert seconds() == pytest.approx(7200)

    in_queue(scenario)


def test_a_full_pass_during_a_pass_takes_no_wait_away() -> None:
    async def scenario(queue: Queue) -> None:
        queue.add("a")
        await queue.get()
        queue.add("a", LOW)
        queue.done("a", again_after_seconds=1)
        for number in range(10):
            queue.add(f"other {number}", LOW)
        queue.add("first")
        assert await queue.get() == "first"
        await asyncio.sleep(1)

        assert queue.depth(Priority.NORMAL) == 1
        assert await queue.get() == "a"

    in_queue(scenario)


def test_it_stalls_while_keys_wait_and_none_is_taken() -> None:
    async def scenario(queue: Queue) -> None:
        assert queue.stalled_seconds() == 0
        queue.add("a", LOW)
        queue.add("b", LOW)
        await asyncio.sleep(7)
        before = queue.stalled_seconds()
        await queue.get()
        await asyncio.sleep(2)

        assert before == pytest.approx(7)
        assert queue.stalled_seconds() == pytest.approx(2)
        assert queue.oldest_age_seconds(LOW) == pytest.approx(9)

    in_queue(scenario)


@pytest.mark.parametrize(
    ("failures", "chance", "expected"),
    [
        pytest.param(1, 0.0, BACKOFF_FIRST_SECONDS / 2, id="the first is at least half"),
        pytest.param(1, 1.0, BACKOFF_FIRST_SECONDS, id="and at most all"),
        pytest.param(4, 1.0, BACKOFF_FIRST_SECONDS * 8, id="it doubles"),
        pytest.param(50, 1.0, BACKOFF_MAX_SECONDS, id="up to five minutes"),
        pytest.param(100_000, 0.0, BACKOFF_MAX_SECONDS / 2, id="however often"),
    ],
)
def test_backoff(failures: int, chance: float, expected: float) -> None:
    assert backoff_seconds(failures, chance) == pytest.approx(expected)


def test_every_waiting_worker_gets_a_key() -> None:
    async def scenario(queue: Queue) -> None:
        workers = [asyncio.create_task(queue.get()) for _ in range(3)]
        await asyncio.sleep(0)
        for key in "abc":
            queue.add(key)

        assert sorted(await asyncio.gather(*workers)) == ["a", "b", "c"]

    in_queue(scenario)


def test_a_cancelled_worker_takes_no_key_along() -> None:
    async def scenario(queue: Queue) -> None:
        cancelled, other = (asyncio.create_task(queue.get()) for _ in range(2))
        await asyncio.sleep(0)
        queue.add("a")
        cancelled.cancel()

        assert await other == "a"

    in_queue(scenario)


def test_depth_and_age_tell_what_waits() -> None:
    async def scenario(queue: Queue) -> None:
        queue.add("old")
        await asyncio.sleep(5)
        queue.add("new")
        queue.add("listed", LOW)

        assert (queue.depth(Priority.NORMAL), queue.depth(LOW)) == (2, 1)
        assert queue.oldest_age_seconds() == pytest.approx(5)
        assert queue.oldest_age_seconds(LOW) == 0

    in_queue(scenario)
