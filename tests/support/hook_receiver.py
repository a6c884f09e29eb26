"""A receiver of hooks on this machine, which answers as the test says, over real HTTP."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web

from serinus.hooks.declared import DeclaredHook

SECRET_PATH = "/gate/correct-horse-battery"
Answers = Callable[[web.Request], Awaitable[web.StreamResponse]]


def says(status: int, text: str = "", **headers: str) -> Answers:
    """Answers this to each question."""

    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(status=status, text=text, headers=headers)

    return answer


OVER = web.AppKey("over", asyncio.Event)


async def hangs(request: web.Request) -> web.StreamResponse:
    """Gives no answer as long as the test runs."""
    await request.app[OVER].wait()
    return web.Response(status=503)


@dataclass
class Receiver:
    """What came in, and what is answered."""

    answers: Answers = field(default_factory=lambda: says(200))
    bodies: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    url: str = ""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.bodies.append(json.loads(await request.read()))
        self.headers.append(dict(request.headers))
        return await self.answers(request)


@asynccontextmanager
async def receiving(answers: Answers | None = None) -> AsyncIterator[Receiver]:
    """A receiver that listens."""
    receiver = Receiver(answers or says(200))
    app = web.Application()
    app[OVER] = asyncio.Event()
    app.router.add_post("/{tail:.*}", receiver.handle)
    runner = web.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}{SECRET_PATH}"
    try:
        yield receiver
    finally:
        app[OVER].set()
        await runner.cleanup()


def declared(tmp_path: Path, url: str, name: str = "board", **changes: Any) -> DeclaredHook:
    """A hook whose address is in a file."""
    file = tmp_path / f"{name}-url"
    file.write_text(f"{url}\n")
    return DeclaredHook(name=name, url_file=file, **changes)
