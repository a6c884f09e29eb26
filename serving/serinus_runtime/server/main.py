"""The model server's process: settings, model, sockets."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import tempfile
import time
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

import uvicorn
import uvloop

from serinus_runtime.artifact.errors import ArtifactError
from serinus_runtime.artifact.model import Model
from serinus_runtime.artifact.package import directory_of, load
from serinus_runtime.online.latest import NoTable
from serinus_runtime.server.bento import LateBento
from serinus_runtime.server.connection import ConnectionPolicy
from serinus_runtime.server.direct_connection import direct
from serinus_runtime.server.drain import DrainingServer, OtherPort, cpu_seconds
from serinus_runtime.server.hot_path import HotPath
from serinus_runtime.server.json_log import configure_logging
from serinus_runtime.server.prediction_paths import PredictionPaths
from serinus_runtime.server.request_listeners import listener_of
from serinus_runtime.server.serving import Serving
from serinus_runtime.server.settings import Settings, SettingsError, settings_from_environment
from serinus_runtime.server.wiring import IDLE_SECONDS, made_serving, tell_rules_without_use
from serinus_runtime.server.worker_life import ProcessLife, WorkerLife
from serinus_runtime.server.worker_process import EXIT_REFUSED, WorkerPlace

logger = logging.getLogger(__name__)

IN_FLIGHT_SECONDS = 20
"""How long requests in flight may take after the drain; the pod has 30 s in all."""

_LOG_SECONDS = 4
"""How long the last rows may take to the log: what is left of those 30 s."""

_ACCESS_LOG_SECONDS = 1
_ONLINE_SECONDS = 0.1

_KEY_BYTES_MIN = 16
_NO_WORD = "NONE"
"""How much gRPC's library says; it would write what clients send into the log, as it came."""


def main() -> int:
    """Run until told to end; the exit code."""
    configure_logging({"deployment": os.environ.get("SERINUS_DEPLOYMENT", "")})
    try:
        settings = settings_from_environment(os.environ)
        configure_logging(
            {
                "namespace": settings.namespace,
                "deployment": settings.deployment,
                "revision": settings.revision,
            }
        )
        key = read_key(settings.feedback_key_file)
        if settings.workers > 1:
            from serinus_runtime.server.several_workers import serve_by_workers

            return serve_by_workers(settings, key, serve)
        model = load(directory_of(settings.model_uri, settings.store), settings.model_digest)
        tell_rules_without_use(settings, model)
        uvloop.run(serve(settings, model, key))
    except (SettingsError, ArtifactError, NoTable) as error:
        logger.error("model server refused to start: %s", error)  # noqa: TRY400 (for people)
        return EXIT_REFUSED
    return 0


def read_key(path: Path) -> bytes:
    """The key of prediction ids; raises `SettingsError`."""
    try:
        key = path.read_bytes()
    except OSError as error:
        raise SettingsError(
            f"SERINUS_FEEDBACK_KEY_FILE: {path} can't be read: {error.strerror}"
        ) from error
    if len(key) < _KEY_BYTES_MIN:
        raise SettingsError(
            f"SERINUS_FEEDBACK_KEY_FILE: {path} has {len(key)} bytes, expected at least "
            f"{_KEY_BYTES_MIN}"
        )
    return key


async def serve(
    settings: Settings, model: Model, key: bytes, place: WorkerPlace | None = None
) -> None:
    """Serve `model` until SIGTERM or SIGINT; with a `place`, as one of the pod's workers."""
    serving = made_serving(settings, model, key, asyncio.get_running_loop(), place)
    process = WorkerLife(serving, place) if place else ProcessLife()
    predictions = PredictionPaths(serving)
    fallback = LateBento(model, Path(tempfile.gettempdir()))
    policy = ConnectionPolicy(
        settings.connection_max_age_seconds,
        settings.connection_max_requests,
        settings.max_body_bytes,
    )
    server = DrainingServer(
        uvicorn.Config(
            HotPath(serving, predictions, fallback),
            host=settings.host,
            port=settings.port,
            http=direct(
                predictions, policy, serving.door, listener_of(serving.access_log, serving.tracing)
            ),
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            headers=[("serinus-revision", settings.revision)],
            timeout_keep_alive=IDLE_SECONDS,
            timeout_graceful_shutdown=IN_FLIGHT_SECONDS,
        ),
        policy=policy,
        readiness=serving.readiness,
        drain_seconds=settings.drain_seconds,
        beside=grpc_port(serving, settings),
        name=process.name,
    )
    watches = [asyncio.create_task(serving.door.watch())]
    if serving.shadow is not None:
        watches.append(asyncio.create_task(serving.shadow.run()))
    if serving.ab_test is not None:
        await serving.ab_test.look()  # a canary counts from its first request on
        watches.append(asyncio.create_task(serving.ab_test.run()))
    if serving.online is not None:
        await serving.online.begin()
    start_threads(serving)
    process.begin()
    server.take_signals()
    gc.freeze()  # what is there now stays: collections needn't walk through it
    try:
        await server.serve(process.sockets)
    finally:
        for watch in watches:
            watch.cancel()
        serving.engine.close()
        # What a thread has begun can't be stopped, and the logs can't wait for it.
        serving.aside.shutdown(wait=False, cancel_futures=True)
        serving.explaining.shutdown(wait=False, cancel_futures=True)
        if serving.peers is not None:
            serving.peers.close()
        await fallback.close()
        if serving.tracing is not None:
            serving.tracing.end()  # its last spans are under way while the logs are written
        logs_end = time.monotonic() + _LOG_SECONDS + _ACCESS_LOG_SECONDS
        if serving.log is not None:
            serving.log.close(_LOG_SECONDS)
        if serving.access_log is not None:
            serving.access_log.close(_ACCESS_LOG_SECONDS)
        if serving.tracing is not None:
            serving.tracing.close(max(0.0, logs_end - time.monotonic()))
        if serving.online is not None:
            serving.online.close(_ONLINE_SECONDS)
            await serving.online.end()
        process.end()
        logger.info("%s ended", process.name, extra=totals(serving))


def start_threads(serving: Serving) -> None:
    """Begin what goes on beside the answers."""
    if serving.log is not None:
        serving.log.start()
    if serving.access_log is not None:
        serving.access_log.start()
    if serving.tracing is not None:
        serving.tracing.start()
    if serving.online is not None:
        serving.online.start()


def totals(serving: Serving) -> dict[str, Any]:
    """What the pod counted in all: its last scrape comes before its last answer."""
    metrics, log, tracing = serving.metrics, serving.log, serving.tracing
    cells = [metrics, metrics.ab_test.own] if metrics.ab_test else [metrics]
    requests: Counter[int] = Counter()
    for one in cells:
        requests.update(one.requests)
    counted: dict[str, Any] = {
        "requests": {str(code): count for code, count in sorted(requests.items())},
        "requests_unread": metrics.unread,
        "predictions": sum(one.predictions for one in cells),
        "cpu_seconds": cpu_seconds(),
    }
    if log is not None:
        counted["prediction_log_rows"] = asdict(log.buffer.counts())
    if tracing is not None:
        counted["trace_spans"] = asdict(tracing.counts())
    return counted


def grpc_port(serving: Serving, settings: Settings) -> OtherPort | None:
    """The port of gRPC; None where it isn't wanted, and then its library isn't loaded."""
    if settings.grpc_port is None:
        return None
    os.environ.setdefault("GRPC_VERBOSITY", _NO_WORD)
    from serinus_runtime.server.inference_port import (
        InferencePort,
        PortSettings,
        connection_age_seconds,
    )

    age = connection_age_seconds(settings.connection_max_age_seconds, settings.drain_seconds)
    return InferencePort(
        serving,
        PortSettings(
            host=settings.host,
            port=settings.grpc_port,
            connection_max_age_seconds=age,
            idle_seconds=IDLE_SECONDS,
            message_bytes=settings.max_body_bytes,
            calls_at_once=settings.max_concurrency,
        ),
    )
