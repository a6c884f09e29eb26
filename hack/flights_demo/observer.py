"""Keeps a `World` up to date, and lets the story wait for what it has to see."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import httpx

from flights_demo.cluster import Cluster, JsonObject
from flights_demo.commands import DemoError
from flights_demo.objects import CALLER_PODS, caller_name
from flights_demo.replay import CONTROL_PORT
from flights_demo.scenes import Scene
from flights_demo.traffic_report import added
from flights_demo.world import World, world

POLL_SECONDS = 0.5
_NEXT_LOOK_SECONDS = 30
_RESOURCES = ("featuresets", "trainingjobs", "modelversions", "modeldeployments")


class NotInTime(DemoError):
    """What was waited for wasn't seen in time."""


class Observer:
    """Looks at the namespace twice a second; `show` gets each new world."""

    def __init__(self, cluster: Cluster, show: Callable[[World], None]) -> None:
        self._cluster = cluster
        self._show = show
        self._seen = asyncio.Condition()
        self.world = World()
        self._scene = ""

    async def run(self) -> None:
        """Look until cancelled; what can't be read now is read next time."""
        while True:
            try:
                self.world = await self._look()
            except httpx.HTTPError:
                pass  # the next look is half a second away; whoever waits has a deadline
            else:
                self._show(self.world)
                async with self._seen:
                    self._seen.notify_all()
            await asyncio.sleep(POLL_SECONDS)

    async def wait_for(
        self, what: str, holds: Callable[[World], bool], timeout_seconds: float
    ) -> World:
        """The first world that `holds`; raises `NotInTime` naming `what`."""
        try:
            async with asyncio.timeout(timeout_seconds), self._seen:
                while not holds(self.world):
                    await self._seen.wait()
        except TimeoutError:
            raise NotInTime(
                f"{what}: not within {timeout_seconds:.0f} s.\n{_told(self.world)}"
            ) from None
        return self.world

    async def pause(self, seconds: float) -> None:
        """Wait, and then for the next look."""
        await asyncio.sleep(seconds)
        async with asyncio.timeout(_NEXT_LOOK_SECONDS), self._seen:
            await self._seen.wait()

    async def begin_scene(self, scene: Scene) -> None:
        """Tell the callers from where on and how fast to replay."""
        self._scene = ""
        message = {
            "scene": scene.key,
            "from": scene.start.timestamp(),
            "requestsPerSecond": scene.requests_per_second / CALLER_PODS,
        }
        for number in range(CALLER_PODS):
            await self._cluster.ask_pod(caller_name(number), CONTROL_PORT, "/scene", message)
        self._scene = scene.key

    async def _look(self) -> World:
        lists = await asyncio.gather(
            *(self._cluster.listed(resource) for resource in _RESOURCES),
            self._cluster.listed("pods", "serinus.dev/revision"),
        )
        reports = await self._reports() if self._scene else []
        return world(dict(zip((*_RESOURCES, "pods"), lists, strict=True)), added(reports))

    async def _reports(self) -> list[JsonObject]:
        scene = self._scene
        reports = await asyncio.gather(
            *(
                self._cluster.ask_pod(caller_name(number), CONTROL_PORT, "/report")
                for number in range(CALLER_PODS)
            )
        )
        if scene == self._scene and any(report["scene"] != scene for report in reports):
            raise DemoError("a pod of callers was restarted and lost its counts")
        return reports


def _told(seen: World) -> str:
    """What the objects say of themselves, for who has to find out why."""
    lines = [
        f"  {node.name}: {node.phase} {node.message}"
        for nodes in (seen.feature_sets, seen.training_jobs, seen.model_versions)
        for node in nodes.values()
    ]
    if seen.deployment:
        status = seen.deployment.status
        lines.append(f"  {seen.deployment.metadata.name}: {status.phase} {status.message}")
    return "\n".join([*lines, f"  at {time.strftime('%H:%M:%S')}"])
