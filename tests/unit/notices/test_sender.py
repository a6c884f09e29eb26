"""Notices over real HTTP, to a server on this machine that answers as the test says."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from serinus.notices.sender import Limits, NoticeSender, Outcome
from serinus.notices.sinks import sinks_of
from tests.unit.notices.test_notice import RECORD, owner

pytestmark = pytest.mark.slow

QUICK = Limits(first_wait_seconds=0.01, spacing_seconds=0.001)
SECRET_PATH = "/services/correct-horse-battery"


@dataclass
class Receiver:
    """What came in, and what is answered: one answer a request, then 200."""

    answers: list[Callable[[], Awaitable[web.Response]]] = field(default_factory=list)
    bodies: list[dict[str, Any]] = field(default_factory=list)
    counted: list[tuple[str, Outcome]] = field(default_factory=list)
    news: asyncio.Event = field(default_factory=asyncio.Event)
    url: str = ""

    async def handle(self, request: web.Request) -> web.Response:
        self.bodies.append(await request.json())
        return await self.answers.pop(0)() if self.answers else web.Response()

    def count(self, sink: str, outcome: Outcome) -> None:
        self.counted.append((sink, outcome))
        self.news.set()

    async def has_counted(self, number: int) -> list[Outcome]:
        async with asyncio.timeout(20):
            while len(self.counted) < number:
                self.news.clear()
                await self.news.wait()
        return [outcome for _, outcome in self.counted]


def says(status: int, **headers: str) -> Callable[[], Awaitable[web.Response]]:
    async def answer() -> web.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return web.Response(status=status, headers=named)

    return answer


@asynccontextmanager
async def running(
    tmp_path: Path, *types: str, answers: tuple[Any, ...] = (), limits: Limits = QUICK
) -> AsyncIterator[tuple[NoticeSender, Receiver]]:
    receiver = Receiver(list(answers))
    app = web.Application()
    app.router.add_post("/{tail:.*}", receiver.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    receiver.url = f"http://127.0.0.1:{port}{SECRET_PATH}"
    (tmp_path / "url").write_text(f"{receiver.url}\n")
    sinks = sinks_of(
        json.dumps(
            [
                {"name": f"sink-{number}", "type": type_, "urlFile": str(tmp_path / "url")}
                for number, type_ in enumerate(types or ("webhook",))
            ]
        )
    )
    async with NoticeSender(sinks, receiver.count, limits) as sender:
        task = asyncio.create_task(sender.run())
        try:
            yield sender, receiver
        finally:
            task.cancel()
            await asyncio.wait({task})
            await runner.cleanup()


def numbered(number: int) -> dict[str, Any]:
    return {**RECORD, "metadata": {"labels": {"serinus.dev/record": str(number)}}}


async def test_each_sink_is_told_once_in_its_own_words(tmp_path: Path) -> None:
    async with running(tmp_path, "cloudEvents", "slack", "teams", "webhook") as (sender, receiver):
        sender.tell(owner(), RECORD)
        sender.tell(owner(), RECORD)

        assert await receiver.has_counted(4) == [Outcome.SENT] * 4
        assert len(receiver.bodies) == 4
        assert {"1.0", None} == {body.get("specversion") for body in receiver.bodies}


@pytest.mark.parametrize("status", [408, 429, 500, 503])
async def test_what_may_work_later_is_tried_again(tmp_path: Path, status: int) -> None:
    async with running(tmp_path, answers=(says(status), says(status))) as (sender, receiver):
        sender.tell(owner(), RECORD)

        assert await receiver.has_counted(1) == [Outcome.SENT]
        assert len(receiver.bodies) == 3


@pytest.mark.parametrize("status", [400, 401, 404, 410])
async def test_what_will_never_work_is_tried_once(tmp_path: Path, status: int) -> None:
    async with running(tmp_path, answers=(says(status),)) as (sender, receiver):
        sender.tell(owner(), RECORD)

        assert await receiver.has_counted(1) == [Outcome.FAILED]
        assert len(receiver.bodies) == 1


async def test_patience_ends(tmp_path: Path) -> None:
    async with running(tmp_path, answers=(says(500),) * 20) as (sender, receiver):
        sender.tell(owner(), RECORD)

        assert await receiver.has_counted(1) == [Outcome.FAILED]
        assert len(receiver.bodies) == QUICK.attempts


async def test_a_redirect_is_not_followed(tmp_path: Path) -> None:
    answers = (says(307, Location="/elsewhere"),)
    async with running(tmp_path, answers=answers) as (sender, receiver):
        sender.tell(owner(), RECORD)

        assert await receiver.has_counted(1) == [Outcome.FAILED]
        assert len(receiver.bodies) == 1


async def test_one_that_is_asked_to_wait_waits(tmp_path: Path) -> None:
    limits = replace(QUICK, longest_wait_seconds=0.2)
    answers = (says(429, Retry_After="30"),)
    async with running(tmp_path, answers=answers, limits=limits) as (sender, receiver):
        began = asyncio.get_running_loop().time()
        sender.tell(owner(), RECORD)

        assert await receiver.has_counted(1) == [Outcome.SENT]
        assert asyncio.get_running_loop().time() - began >= 0.2


async def test_a_sink_that_hangs_holds_up_nobody_and_ends(tmp_path: Path) -> None:
    limits = replace(QUICK, answer_within_seconds=0.1)
    forever = asyncio.Event()

    async def hangs() -> web.Response:
        await forever.wait()
        return web.Response()

    async with running(tmp_path, answers=(hangs,), limits=limits) as (sender, receiver):
        began = asyncio.get_running_loop().time()
        sender.tell(owner(), RECORD)
        told_after = asyncio.get_running_loop().time() - began

        assert told_after < 0.05
        assert await receiver.has_counted(1) == [Outcome.SENT]
        forever.set()


async def test_too_many_are_dropped_and_counted(tmp_path: Path) -> None:
    limits = replace(QUICK, queue_max=3)
    async with running(tmp_path, limits=limits) as (sender, receiver):
        for number in range(10):
            sender.tell(owner(), numbered(number))

        outcomes = await receiver.has_counted(10)
        assert outcomes.count(Outcome.DROPPED) == 7
        assert outcomes.count(Outcome.SENT) == 3


async def test_a_sink_is_told_so_many_a_second(tmp_path: Path) -> None:
    limits = replace(QUICK, spacing_seconds=0.1, burst=2)
    async with running(tmp_path, limits=limits) as (sender, receiver):
        began = asyncio.get_running_loop().time()
        for number in range(5):
            sender.tell(owner(), numbered(number))

        assert await receiver.has_counted(5) == [Outcome.SENT] * 5
        assert asyncio.get_running_loop().time() - began >= 0.2


async def test_the_address_is_read_anew_and_told_nowhere(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with running(tmp_path, answers=(says(404),)) as (sender, receiver):
        sender.tell(owner(), numbered(1))
        await receiver.has_counted(1)
        (tmp_path / "url").write_text("http://127.0.0.1:1/correct-horse-battery")
        sender.tell(owner(), numbered(2))
        await receiver.has_counted(2)
        (tmp_path / "url").write_text("correct-horse-battery")
        sender.tell(owner(), numbered(3))

        assert await receiver.has_counted(3) == [Outcome.FAILED] * 3
        told = " ".join(f"{one.getMessage()} {one.__dict__}" for one in caplog.records)
        ours = [one for one in caplog.records if one.name.startswith("serinus")]
        assert len(ours) == 3
        assert "correct-horse" not in told.replace(f"POST {SECRET_PATH}", "")


async def test_a_missing_secret_is_waited_for(tmp_path: Path) -> None:
    async with running(tmp_path) as (sender, receiver):
        (tmp_path / "url").unlink()
        sender.tell(owner(), RECORD)

        assert await receiver.has_counted(1) == [Outcome.FAILED]
        assert receiver.bodies == []


async def test_what_is_no_record_is_told_to_nobody_and_harms_nobody(tmp_path: Path) -> None:
    async with running(tmp_path) as (sender, receiver):
        sender.tell(owner(), {"metadata": {}, "data": {}})
        sender.tell(owner(), RECORD)

        assert await receiver.has_counted(1) == [Outcome.SENT]
