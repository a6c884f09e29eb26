"""What happens in the benchmark, in order; each part says what it found."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from benchmarks.control_loop.api import Api, Body, all_of
from benchmarks.control_loop.changes import CHANGES_PER_SECOND, Changes, steady_changes
from benchmarks.control_loop.population import DEPLOYMENTS, converge, populate
from benchmarks.control_loop.processes import (
    PASSES,
    REQUESTS,
    Measured,
    Operator,
    Scrape,
    running,
    running_operator,
)
from serinus.cluster.resources import OBSERVED

POLL_SECONDS = 0.1
PATIENCE_SECONDS = 600
NOTES = 4_000
RESYNC_SECONDS = 5


@dataclass(frozen=True, slots=True)
class Start:
    """A process from its start until each object was looked at once."""

    seconds: float
    cpu_seconds: float
    memory_mb: float
    peak_memory_mb: float


@dataclass(frozen=True, slots=True)
class Measurements:
    """All that was measured."""

    bare: Start
    start: Start
    resync_writes: float
    events_per_cpu_second: float
    changes: Changes


async def measure(folder: Path, kubeconfig: Path, url: str, token: str, count: int) -> Measurements:
    """The whole story."""
    async with Api(url, token) as api, aiohttp.ClientSession() as session:
        with _phase(f"{count:,} objects"):
            await populate(api, count)
        with (
            _phase("converging"),
            running_operator(folder, kubeconfig, session) as operator,
        ):
            await converge(api, count, operator.measured)
            await _until(operator, lambda now: now.waiting() == 0)
        with _phase("the control"):
            bare = await _bare_start(folder, kubeconfig, api)
        with running_operator(folder, kubeconfig, session) as operator:
            with _phase("a cold start"):
                start = await _cold_start(operator, count)
            with _phase("events that change nothing"):
                rate = await _events_per_cpu_second(operator, api, count)
            with _phase(f"{CHANGES_PER_SECOND:g} changes a second"):
                changes = await steady_changes(api, count)
            with _phase("converging again"):
                await converge(api, count, operator.measured)
                await _until(operator, lambda now: now.waiting() == 0)
        interval = {"SERINUS_AUDIT_INTERVAL_SECONDS": str(RESYNC_SECONDS)}
        with (
            _phase("a resync"),
            running_operator(folder, kubeconfig, session, **interval) as operator,
        ):
            await _cold_start(operator, count)
            writes = await _resync(operator, count)
    return Measurements(bare, start, writes, rate, changes)


async def _bare_start(folder: Path, kubeconfig: Path, api: Api) -> Start:
    objects = 0
    for resource in OBSERVED:
        selector = resource.label_selector or ""
        objects += len(await api.items(resource.path(), selector=selector))
    command = [sys.executable, "-m", "benchmarks.control_loop.bare_watch", str(objects)]
    environment = {"KUBECONFIG": str(kubeconfig)}
    with running(command, folder / "bare-watch.log", **environment) as measured:
        while not measured.said().strip():
            measured.check()
            await asyncio.sleep(POLL_SECONDS)
        return _started(measured)


def _started(measured: Measured) -> Start:
    return Start(
        seconds=time.monotonic() - measured.started_at,
        cpu_seconds=measured.cpu_seconds(),
        memory_mb=measured.memory_mb(),
        peak_memory_mb=measured.peak_memory_mb(),
    )


async def _cold_start(operator: Operator, count: int) -> Start:
    await _until(operator, lambda now: now.total(PASSES) >= count and now.waiting() == 0)
    return _started(operator.measured)


async def _resync(operator: Operator, count: int) -> float:
    """Writes while everything is listed and looked at once more."""
    before = await _until(operator, lambda _: True)
    lists = before.total(REQUESTS, operation="list", kind="Pod")
    passes = before.total(PASSES)
    after = await _until(
        operator,
        lambda now: (
            now.total(REQUESTS, operation="list", kind="Pod") > lists
            and now.total(PASSES) >= passes + count
            and now.waiting() == 0
        ),
    )
    return after.writes() - before.writes()


async def _events_per_cpu_second(operator: Operator, api: Api, count: int) -> float:
    """Annotations that mean nothing to us: each is an event, and a pass that writes nothing."""
    before, cpu_seconds = await _until(operator, lambda _: True), operator.measured.cpu_seconds()

    def note(number: int) -> Callable[[], Awaitable[Body]]:
        path = f"{DEPLOYMENTS}/serving-{number % (count // 2)}"
        change = {"metadata": {"annotations": {"example.com/note": str(number)}}}
        return lambda: api.patch(path, change)

    await all_of(note(number) for number in range(NOTES))
    passes = before.total(PASSES)
    enough = min(NOTES, count // 2)
    await _until(operator, lambda now: now.total(PASSES) >= passes + enough and now.waiting() == 0)
    return NOTES / (operator.measured.cpu_seconds() - cpu_seconds)


async def _until(operator: Operator, holds: Callable[[Scrape], bool]) -> Scrape:
    """The first scrape of which it holds."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        now = await operator.scrape()
        if now is not None and holds(now):
            return now
        await asyncio.sleep(POLL_SECONDS)
    said = operator.measured.said()
    raise RuntimeError(f"not within {PATIENCE_SECONDS} s; the operator said:\n{said}")


@contextlib.contextmanager
def _phase(what: str) -> Iterator[None]:
    began = time.monotonic()
    print(f"==> {what}", file=sys.stderr, flush=True)
    yield
    print(f"    {what}: {time.monotonic() - began:.1f} s", file=sys.stderr, flush=True)
