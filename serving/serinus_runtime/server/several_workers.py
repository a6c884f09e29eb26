"""A pod of several workers: what its processes load, and what they run."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
from collections.abc import Callable, Coroutine
from typing import Any, TypeAlias

import uvloop

from serinus_runtime.artifact.errors import ArtifactError
from serinus_runtime.artifact.model import Model
from serinus_runtime.artifact.package import directory_of, load, opened
from serinus_runtime.online.latest import NoTable
from serinus_runtime.server.bookkeeper import Bookkeeper
from serinus_runtime.server.json_log import configure_logging
from serinus_runtime.server.prediction_bins import bins_of
from serinus_runtime.server.settings import Settings
from serinus_runtime.server.supervisor import Programs, supervised
from serinus_runtime.server.wiring import made_books, tell_rules_without_use
from serinus_runtime.server.worker_cells import PodCells
from serinus_runtime.server.worker_process import EXIT_REFUSED, WorkerPlace, settings_of_worker

logger = logging.getLogger(__name__)

Serve: TypeAlias = Callable[[Settings, Model, bytes, WorkerPlace | None], Coroutine[Any, Any, None]]


class _NoPredictor:
    """Stands for the predictor where nothing is predicted."""

    kind = "none"

    def answers(self, rows: Any) -> Any:
        """Never asked."""
        raise RuntimeError(f"this process predicts nothing; it got {len(rows)} rows")


def serve_by_workers(settings: Settings, key: bytes, serve: Serve) -> int:
    """Serve by `settings.workers` processes until SIGTERM or SIGINT; the exit code.

    A compiled model is loaded once and shared by fork. What isn't compiled runs libraries whose
    threads a fork leaves behind: each worker loads it for itself. Raises `ArtifactError` and
    `SettingsError`.
    """
    directory = directory_of(settings.model_uri, settings.store)
    package = opened(directory, settings.model_digest)
    shared: Model | None = None
    if package.manifest.plan is not None:
        shared = load(directory, settings.model_digest)
    described = Model(package.manifest, settings.model_digest, _NoPredictor())

    def worker(place: WorkerPlace) -> int:
        _log_as(settings, worker=str(place.number))
        try:
            model = shared or load(directory, settings.model_digest)
            uvloop.run(serve(settings_of_worker(settings, place.number), model, key, place))
        except (ArtifactError, NoTable) as error:
            logger.error("worker refused to start: %s", error)  # noqa: TRY400 (for people)
            return EXIT_REFUSED
        return 0

    def bookkeeper(cells: PodCells, listening: socket.socket, lifeline: int) -> int:
        _log_as(settings, worker="books")
        tell_rules_without_use(settings, described)
        asyncio.run(
            _keep(Bookkeeper(made_books(settings, described, key, cells)), listening, lifeline)
        )
        return 0

    return supervised(settings, len(bins_of(described).names), Programs(worker, bookkeeper))


async def _keep(bookkeeper: Bookkeeper, listening: socket.socket, lifeline: int) -> None:
    """Keep the books until told to end, or nobody is there who could say so."""
    asyncio.get_running_loop().add_reader(lifeline, os.kill, os.getpid(), signal.SIGTERM)
    await bookkeeper.keep(listening)


def _log_as(settings: Settings, *, worker: str) -> None:
    configure_logging(
        {
            "namespace": settings.namespace,
            "deployment": settings.deployment,
            "revision": settings.revision,
            "worker": worker,
        }
    )
