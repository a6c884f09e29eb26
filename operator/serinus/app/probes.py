"""What the kubelet and Prometheus ask the process: is it alive, is it ready, its metrics."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from aiohttp import web

from serinus.cluster.queue import WorkQueue
from serinus.metrics.exposition import OperatorMetrics
from serinus.reconcile.decision import ObjectRef

STALLED_MAX_SECONDS = 300.0
LOOP_LAG_MAX_SECONDS = 5.0
LAG_CHECK_SECONDS = 1.0


@dataclass
class Health:
    """What is known of the process's own state.

    Attributes
    ----------
    synced
        The store has all that the server lists: decisions are made on the whole picture.
    loop_lag_seconds
        By how much the last wake-up of the event loop was late.
    """

    queue: WorkQueue[ObjectRef]
    lease_seconds_held: Callable[[], float]
    synced: bool = False
    loop_lag_seconds: float = 0.0

    def why_not_alive(self) -> str | None:
        """What only a restart ends; None: alive."""
        if self.loop_lag_seconds > LOOP_LAG_MAX_SECONDS:
            return f"the event loop is {self.loop_lag_seconds:.1f} s late"
        # Only a standstill counts. A long queue is worked off no sooner by a process that starts
        # over, and one that stood by has waited for the Lease with everything in its queue.
        stalled = min(self.queue.stalled_seconds(), self.lease_seconds_held())
        if stalled > STALLED_MAX_SECONDS:
            return f"objects wait, and for {stalled:.0f} s no pass has begun"
        return None

    def why_not_ready(self) -> str | None:
        """What keeps the process from leading well; None: ready."""
        if not self.synced:
            return "the store doesn't have all objects of the cluster yet"
        return self.why_not_alive()

    async def watch_the_loop(self) -> None:
        """Measure the event loop's lag for ever."""
        loop = asyncio.get_running_loop()
        while True:
            expected = loop.time() + LAG_CHECK_SECONDS
            await asyncio.sleep(LAG_CHECK_SECONDS)
            self.loop_lag_seconds = max(0.0, loop.time() - expected)


async def serve_probes(health: Health, metrics: OperatorMetrics, port: int) -> web.AppRunner:
    """Answer `/livez`, `/readyz` and `/metrics` until the runner is cleaned up."""

    async def livez(_: web.Request) -> web.Response:
        return _answer(health.why_not_alive())

    async def readyz(_: web.Request) -> web.Response:
        return _answer(health.why_not_ready())

    async def exposition(_: web.Request) -> web.Response:
        return web.Response(
            body=metrics.text(),
            headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"},
        )

    app = web.Application()
    app.add_routes(
        [web.get("/livez", livez), web.get("/readyz", readyz), web.get("/metrics", exposition)]
    )
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    # All addresses: the kubelet and Prometheus come from outside the pod.
    await web.TCPSite(runner, None, port).start()
    return runner


def _answer(problem: str | None) -> web.Response:
    return web.Response(text=problem or "ok", status=503 if problem else 200)
