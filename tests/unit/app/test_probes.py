import asyncio
from dataclasses import replace

import aiohttp

from serinus.app.probes import LOOP_LAG_MAX_SECONDS, STALLED_MAX_SECONDS, Health, serve_probes
from serinus.cluster.queue import WorkQueue
from serinus.metrics.exposition import OperatorMetrics
from serinus.reconcile.decision import ObjectRef
from tests.support.clock import VirtualTimeLoop, run_in_virtual_time

KEY = ObjectRef("v1", "X", "n", "x")


def health(*, leads: bool = True) -> Health:
    return Health(WorkQueue(), lambda: 3600.0 if leads else 0.0)


def test_a_process_is_ready_once_it_has_the_whole_picture() -> None:
    async def scenario() -> None:
        found = health()

        assert "all objects" in (found.why_not_ready() or "")
        found.synced = True
        assert found.why_not_ready() is None

    run_in_virtual_time(scenario())


def test_a_leader_whose_queue_stands_still_is_not_alive() -> None:
    async def scenario() -> None:
        leader, standby = health(), health(leads=False)
        for one in (leader, standby):
            one.queue.add(KEY)
        await asyncio.sleep(STALLED_MAX_SECONDS + 1)

        assert "no pass has begun" in (leader.why_not_alive() or "")
        assert standby.why_not_alive() is None

    run_in_virtual_time(scenario())


def test_a_queue_that_is_long_but_worked_on_is_no_reason_to_start_over() -> None:
    async def scenario() -> None:
        found = health()
        for number in range(100):
            found.queue.add(replace(KEY, name=f"x{number}"))
        for _ in range(50):
            await asyncio.sleep(STALLED_MAX_SECONDS / 10)
            found.queue.done(await found.queue.get())

        assert found.queue.oldest_age_seconds() > STALLED_MAX_SECONDS
        assert found.why_not_alive() is None

    run_in_virtual_time(scenario())


def test_who_takes_over_is_alive_whatever_waited_while_he_stood_by() -> None:
    async def scenario() -> None:
        led_for = 0.0
        found = Health(WorkQueue(), lambda: led_for, synced=True)
        found.queue.add(KEY)
        await asyncio.sleep(24 * 3600)
        led_for = 0.5

        assert found.why_not_alive() is None
        assert found.why_not_ready() is None

        led_for = STALLED_MAX_SECONDS + 1
        assert found.why_not_alive() is not None

    run_in_virtual_time(scenario())


def test_a_loop_that_is_late_is_not_alive() -> None:
    async def scenario() -> None:
        found = health()
        found.loop_lag_seconds = LOOP_LAG_MAX_SECONDS + 1

        assert "late" in (found.why_not_alive() or "")

    run_in_virtual_time(scenario())


def test_the_loops_lag_is_measured() -> None:
    async def scenario() -> None:
        found, loop = health(), asyncio.get_running_loop()
        assert isinstance(loop, VirtualTimeLoop)
        watching = asyncio.create_task(found.watch_the_loop())
        await asyncio.sleep(0.5)
        loop.jump(8)  # somebody computed for eight seconds
        await asyncio.sleep(0.1)
        watching.cancel()

        assert 7 < found.loop_lag_seconds < 8

    run_in_virtual_time(scenario())


async def test_probes_answer_over_http() -> None:
    found = health()
    runner = await serve_probes(found, OperatorMetrics(), 0)
    port = next(address[1] for address in runner.addresses if ":" not in address[0])
    base = f"http://127.0.0.1:{port}"
    try:
        async with aiohttp.ClientSession() as session:
            answers = {}
            for path in ("livez", "readyz", "metrics"):
                async with session.get(f"{base}/{path}") as response:
                    answers[path] = response.status, await response.text()
    finally:
        await runner.cleanup()

    assert answers["livez"] == (200, "ok")
    assert answers["readyz"][0] == 503
    assert "serinus_build_info" in answers["metrics"][1]
