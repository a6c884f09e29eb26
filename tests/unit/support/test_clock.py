import asyncio
import time

import pytest

from tests.support.clock import EPOCH, VirtualClock, run_in_virtual_time


def test_a_day_passes_at_once_and_in_order() -> None:
    seen: list[str] = []

    async def say(word: str, hours: float) -> None:
        await asyncio.sleep(hours * 3600)
        seen.append(word)

    async def day() -> float:
        async with asyncio.TaskGroup() as group:
            group.create_task(say("late", 24))
            group.create_task(say("early", 1))
        return VirtualClock().monotonic()

    began = time.monotonic()
    passed = run_in_virtual_time(day())

    assert seen == ["early", "late"]
    assert passed == pytest.approx(24 * 3600)
    assert time.monotonic() - began < 5


def test_the_wall_clock_goes_with_the_loop() -> None:
    async def minute() -> float:
        clock = VirtualClock()
        await asyncio.sleep(60)
        return (clock.now() - EPOCH).total_seconds()

    assert run_in_virtual_time(minute()) == pytest.approx(60)


def test_a_deadlock_is_told() -> None:
    async def forever() -> None:
        await asyncio.get_running_loop().create_future()

    with pytest.raises(AssertionError, match="deadlock"):
        run_in_virtual_time(forever())
