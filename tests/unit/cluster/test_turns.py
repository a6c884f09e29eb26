import asyncio
from collections import Counter

import pytest

from serinus.cluster.turns import Turns
from tests.support.clock import VirtualClock, run_in_virtual_time


def test_a_burst_passes_at_once_and_the_rest_in_order() -> None:
    async def scenario() -> None:
        turns = Turns(VirtualClock(), rate_per_second=10, burst=5)
        await asyncio.sleep(100)

        waits = [turns.wait_seconds(number) for number in range(8)]

        assert waits[:5] == [0, 0, 0, 0, 0]
        assert waits[5:] == [pytest.approx(0.1), pytest.approx(0.2), pytest.approx(0.3)]

    run_in_virtual_time(scenario())


def test_who_comes_back_in_time_has_its_turn() -> None:
    async def scenario() -> None:
        turns = Turns(VirtualClock(), rate_per_second=1, burst=1)
        assert turns.wait_seconds("a") == 0
        wait = turns.wait_seconds("b")
        assert turns.wait_seconds("b") == pytest.approx(wait)
        await asyncio.sleep(wait)

        assert turns.wait_seconds("b") == 0
        assert turns.wait_seconds("b") == pytest.approx(1)

    run_in_virtual_time(scenario())


@pytest.mark.slow
def test_under_steady_pressure_nobody_starves_and_the_rate_holds() -> None:
    async def scenario() -> None:
        turns, written = Turns(VirtualClock(), rate_per_second=20, burst=20), Counter[int]()

        async def writer(number: int) -> None:
            while True:
                wait = turns.wait_seconds(number)
                if wait == 0:
                    written[number] += 1
                await asyncio.sleep(wait or 15)

        tasks = [asyncio.create_task(writer(number)) for number in range(1000)]
        await asyncio.sleep(600)
        for task in tasks:
            task.cancel()

        assert written.total() <= 20 * 600 + 20
        assert written.total() >= 20 * 600 * 0.95
        assert min(written.values()) >= max(written.values()) - 3

    run_in_virtual_time(scenario())


def test_a_turn_that_was_missed_is_given_anew() -> None:
    async def scenario() -> None:
        turns = Turns(VirtualClock(), rate_per_second=1, burst=1)
        turns.wait_seconds("a")
        turns.wait_seconds("b")
        await asyncio.sleep(3600)

        assert turns.wait_seconds("b") == 0
        assert turns.wait_seconds("c") == pytest.approx(1)

    run_in_virtual_time(scenario())
