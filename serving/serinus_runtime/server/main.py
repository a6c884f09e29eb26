"""The model server's process: settings, model, sockets, and how it ends.

On SIGTERM the pod stops wanting traffic at once, goes on answering for the drain time, each answer
with `Connection: close`, then closes what is idle, finishes what is in flight and exits with 0.
"""

from __future__ import annotations

import asyncio
import logging
import os
import resource
import signal
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import FrameType

import numpy as np
import uvicorn
import uvloop

from serinus import __version__
from serinus_runtime.artifact.encoding import RowEncoder
from serinus_runtime.artifact.errors import ArtifactError
from serinus_runtime.artifact.model import Model
from serinus_runtime.artifact.package import directory_of, load
from serinus_runtime.server.bento import LateBento
from serinus_runtime.server.connection import BoundedConnection, ConnectionPolicy, bounded
from serinus_runtime.server.doorkeeper import Doorkeeper, DoorLimits
from serinus_runtime.server.engine import engine_for
from serinus_runtime.server.feedback import FeedbackLedger
from serinus_runtime.server.hot_path import HotPath
from serinus_runtime.server.json_log import configure_logging
from serinus_runtime.server.metrics import Metrics
from serinus_runtime.server.prediction_id import PredictionIds
from serinus_runtime.server.serving import Readiness, RequestLimits, Serving
from serinus_runtime.server.settings import Settings, SettingsError, settings_from_environment

logger = logging.getLogger(__name__)

EXIT_REFUSED = 2
"""Exit code where the settings or the artifact are wrong: starting again won't help."""

_IDLE_SECONDS = 75
"""Longer than clients' pools keep idle connections, so that it is the client who closes them."""

_UNTAKEN_REQUESTS = 3
"""How long an answer waits for its client to take it, in times that a request has to come."""

_OTHER_FILES = 128
"""Files that aren't connections: libraries, logs, the model."""

_IN_FLIGHT_SECONDS = 20
"""How long requests in flight may take after the drain; the pod has 30 s in all."""

_KEY_BYTES_MIN = 16


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
        model = load(directory_of(settings.model_uri, settings.store), settings.model_digest)
    except (SettingsError, ArtifactError) as error:
        logger.error("model server refused to start: %s", error)  # noqa: TRY400 (for people)
        return EXIT_REFUSED
    uvloop.run(serve(settings, model, key))
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


async def serve(settings: Settings, model: Model, key: bytes) -> None:
    """Serve `model` until SIGTERM or SIGINT."""
    serving = made_serving(settings, model, key, asyncio.get_running_loop())
    fallback = LateBento(model, Path(tempfile.gettempdir()))
    policy = ConnectionPolicy(
        settings.connection_max_age_seconds,
        settings.connection_max_requests,
        settings.max_body_bytes,
    )
    server = DrainingServer(
        uvicorn.Config(
            HotPath(serving, fallback),
            host=settings.host,
            port=settings.port,
            http=bounded(policy, serving.door),
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            headers=[("serinus-revision", settings.revision)],
            timeout_keep_alive=_IDLE_SECONDS,
            timeout_graceful_shutdown=_IN_FLIGHT_SECONDS,
        ),
        policy=policy,
        readiness=serving.readiness,
        drain_seconds=settings.drain_seconds,
    )
    watch = asyncio.create_task(serving.door.watch())
    try:
        await server.serve()
    finally:
        watch.cancel()
        serving.engine.close()
        serving.aside.shutdown(cancel_futures=True)
        await fallback.close()


def made_serving(
    settings: Settings, model: Model, key: bytes, loop: asyncio.AbstractEventLoop
) -> Serving:
    """All that requests need, wired together."""
    signature = model.manifest.signature
    metrics = Metrics(
        deployment=settings.deployment,
        revision=settings.revision,
        model=model.manifest.model_name,
        digest=model.digest,
    )
    process = f"{settings.pod_uid}/{os.getpid()}/{time.time_ns()}".encode()
    return Serving(
        model=model,
        encoder=RowEncoder(signature),
        engine=engine_for(model.predictor, np.zeros((1, len(signature.inputs))), loop),
        aside=ThreadPoolExecutor(max_workers=1, thread_name_prefix="aside"),
        ids=PredictionIds(key, revision=settings.revision, process=process),
        metrics=metrics,
        ledger=FeedbackLedger(
            metrics, settings.cohort_length_seconds, settings.feedback_maturity_seconds
        ),
        door=Doorkeeper(door_limits(settings)),
        readiness=Readiness(),
        revision=settings.revision,
        server_version=__version__,
        limits=RequestLimits(
            body_bytes=settings.max_body_bytes,
            rows=settings.max_rows,
            concurrency=settings.max_concurrency,
        ),
    )


def door_limits(settings: Settings) -> DoorLimits:
    """What all connections may take; as many of them as the process may have files."""
    return DoorLimits(
        connections=connections_possible(settings.max_connections),
        held_bytes=settings.max_held_bytes,
        request_seconds=settings.request_seconds,
        silence_seconds=_IDLE_SECONDS,
        untaken_seconds=_UNTAKEN_REQUESTS * settings.request_seconds,
    )


def connections_possible(wanted: int) -> int:
    """How many of the wanted connections the process may open, after asking for more files."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = wanted + _OTHER_FILES
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return wanted
    allowed = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    return max(1, allowed - _OTHER_FILES)


class DrainingServer(uvicorn.Server):
    """uvicorn's server with our end: drain first, exit code 0 after a signal."""

    def __init__(
        self,
        config: uvicorn.Config,
        *,
        policy: ConnectionPolicy,
        readiness: Readiness,
        drain_seconds: float,
    ) -> None:
        super().__init__(config)
        self._policy = policy
        self._readiness = readiness
        self._drain_seconds = drain_seconds
        self._drained_at: float | None = None

    async def startup(self, sockets: list[object] | None = None) -> None:  # type: ignore[override]
        """Open the port and say so."""
        await super().startup(sockets)  # type: ignore[arg-type]
        port = self.servers[0].sockets[0].getsockname()[1]
        logger.info("model server ready", extra={"port": port, "cpu_seconds": cpu_seconds()})

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002
        """A signal: the first begins the drain, the next ends it."""
        if self._drained_at is not None:
            self.should_exit = True
            return
        logger.info("drain began", extra={"signal": signal.Signals(sig).name})
        self._readiness.ready = False
        self._policy.draining = True
        self._drained_at = time.monotonic() + self._drain_seconds

    async def on_tick(self, counter: int) -> bool:
        """Ten times a second: whether to shut down."""
        if self._drained_at is not None:
            for connection in self.server_state.connections:
                if isinstance(connection, BoundedConnection):
                    connection.end_with_answer()
            self.should_exit = self.should_exit or time.monotonic() >= self._drained_at
        return await super().on_tick(counter)


def cpu_seconds() -> float:
    """CPU time of this process so far."""
    times = os.times()
    return round(times.user + times.system, 3)
