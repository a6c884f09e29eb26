"""Changes of specs at a steady rate: until a watch sees them, and until their children change."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from benchmarks.control_loop.api import Api, Body
from benchmarks.control_loop.population import DEPLOYMENTS, WORKLOADS

CHANGES_PER_SECOND = 50.0
CHANGES = 3_000
FIRST_DEADLINE = 700
POLL_SECONDS = 0.1
PATIENCE_SECONDS = 600


@dataclass(frozen=True, slots=True)
class Changes:
    """Seconds from the moment at which a change was sent."""

    rate_per_second: float
    applied_p50_seconds: float
    applied_p99_seconds: float
    seen_p50_seconds: float
    seen_p99_seconds: float


async def steady_changes(api: Api, count: int) -> Changes:
    """Change specs at a steady rate; see when they come by in a watch, and their children's."""
    sent: list[Sent] = []
    seen, applied = Sightings(), Sightings()
    watching = [
        asyncio.create_task(seen.take(api.watch(DEPLOYMENTS), _name)),
        asyncio.create_task(applied.take(api.watch(WORKLOADS), _owner_name)),
    ]
    await asyncio.sleep(1)
    began = time.monotonic()
    sending: list[asyncio.Task[Body]] = []
    for number in range(CHANGES):
        await asyncio.sleep(max(0.0, began + number / CHANGES_PER_SECOND - time.monotonic()))
        one = Sent(f"serving-{number % (count // 2)}", FIRST_DEADLINE + number, time.monotonic())
        sent.append(one)
        change = {"spec": {"progressDeadlineSeconds": one.deadline}}
        sending.append(asyncio.create_task(api.patch(f"{DEPLOYMENTS}/{one.name}", change)))
    await asyncio.gather(*sending)
    patience = time.monotonic() + PATIENCE_SECONDS
    while not all(applied.seconds(one) is not None for one in sent):
        if time.monotonic() > patience:
            raise RuntimeError(f"changes weren't applied within {PATIENCE_SECONDS} s")
        await asyncio.sleep(POLL_SECONDS)
    for task in watching:
        task.cancel()
    rate = CHANGES / (sent[-1].at - began)
    return Changes(round(rate, 1), *_percentiles(applied, sent), *_percentiles(seen, sent))


@dataclass(frozen=True, slots=True)
class Sent:
    """A change that was sent."""

    name: str
    deadline: int
    at: float


class Sightings:
    """When which `progressDeadlineSeconds` was seen of whom; the numbers only grow."""

    def __init__(self) -> None:
        self._seen: dict[str, list[tuple[int, float]]] = {}

    async def take(self, bodies: AsyncIterator[Body], owner: Callable[[Body], str]) -> None:
        """Note what comes by."""
        async for body in bodies:
            deadline = body["spec"].get("progressDeadlineSeconds", 0)
            self._seen.setdefault(owner(body), []).append((deadline, time.monotonic()))

    def seconds(self, sent: Sent) -> float | None:
        """Until the change, or a later one that overtook it, was seen; None: not yet."""
        seen = self._seen.get(sent.name, ())
        return next((at - sent.at for deadline, at in seen if deadline >= sent.deadline), None)


def _name(body: Body) -> str:
    name: str = body["metadata"]["name"]
    return name


def _owner_name(body: Body) -> str:
    name: str = body["metadata"]["ownerReferences"][0]["name"]
    return name


def _percentiles(sightings: Sightings, sent: list[Sent]) -> tuple[float, float]:
    found = [seconds for one in sent if (seconds := sightings.seconds(one)) is not None]
    return statistics.median(found), statistics.quantiles(found, n=100)[98]
