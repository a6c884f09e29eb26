"""BentoML behind the hot path: the documentation of the API, in its pages and schemas.

BentoML takes seconds and tens of megabytes to import, so it is imported at the first request for
one of its pages, on a thread, never before. Until it is there such a request waits; predictions
don't. Its service names `/predict`, which the hot path answers: there is no second way to predict
that limits and counters wouldn't see.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

from serinus_runtime.artifact.model import Model
from serinus_runtime.server.request_body import Receive, Scope, Send

logger = logging.getLogger(__name__)

_PAGES = frozenset({"/", "/docs.json", "/schema.json"})
_FILES_OF_PAGES = "/static_content/"
_TIMER_SECONDS = 2
"""BentoML keeps a timer for each request, with all that it holds, until this time is over."""


def is_documentation(method: str, path: str) -> bool:
    """Whether a request is for a page that BentoML has."""
    return method == "GET" and (path in _PAGES or path.startswith(_FILES_OF_PAGES))


class LateBento:
    """The BentoML application, made at its first use."""

    def __init__(self, model: Model, scratch: Path) -> None:
        self._model = model
        self._scratch = scratch
        self._lock = asyncio.Lock()
        self._lifespan: _Lifespan | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer through BentoML; the lifespan of our own server starts nothing."""
        if scope["type"] == "lifespan":
            await _acknowledged(receive, send)
            return
        async with self._lock:
            if self._lifespan is None:
                self._lifespan = await self._started()
        await self._lifespan.application(scope, receive, send)

    async def close(self) -> None:
        """Let BentoML end what it started."""
        if self._lifespan is not None:
            await self._lifespan.end()

    async def _started(self) -> _Lifespan:
        started = time.perf_counter()
        application = await asyncio.to_thread(bento_application, self._model, self._scratch)
        lifespan = _Lifespan(application)
        await lifespan.begin()
        logger.info(
            "BentoML loaded", extra={"duration_seconds": round(time.perf_counter() - started, 3)}
        )
        return lifespan


def bento_application(model: Model, scratch: Path) -> Any:
    """The ASGI application of a BentoML service with a `predict` API over the same model."""
    for name, value in {
        "BENTOML_HOME": str(scratch / "bentoml"),
        "BENTOML_DO_NOT_TRACK": "True",
        "OTEL_SDK_DISABLED": "true",
    }.items():
        os.environ.setdefault(name, value)
    import bentoml  # late: see the module

    class PredictionService:
        @bentoml.api(route="/predict")  # type: ignore[untyped-decorator]
        def predict(self, rows: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: ARG002 (shown)
            """Predict rows of named values; one prediction for each, in order."""
            raise RuntimeError("`/predict` is answered by the hot path, never by BentoML")

    configured = bentoml.service(
        name=model.manifest.model_name,
        metrics={"enabled": False},
        logging={"access": {"enabled": False}},
        traffic={"timeout": _TIMER_SECONDS},
    )
    return configured(PredictionService).to_asgi()


class _Lifespan:
    """Runs the lifespan of an ASGI application that isn't the server's own."""

    def __init__(self, application: Any) -> None:
        self.application = application
        self._messages: asyncio.Queue[dict[str, str]] = asyncio.Queue()
        self._answers: asyncio.Queue[MutableMapping[str, Any]] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None

    async def begin(self) -> None:
        """Start the application; raises `RuntimeError` where it refuses to."""
        scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": {}}
        self._task = asyncio.create_task(
            self.application(scope, self._messages.get, self._answers.put)
        )
        await self._asked("lifespan.startup")

    async def end(self) -> None:
        """Shut the application down."""
        await self._asked("lifespan.shutdown")
        if self._task is not None:
            await self._task

    async def _asked(self, message: str) -> None:
        await self._messages.put({"type": message})
        answer = await self._answers.get()
        if answer["type"] != f"{message}.complete":
            raise RuntimeError(f"BentoML: {message} failed: {answer.get('message', '')}")


async def _acknowledged(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
