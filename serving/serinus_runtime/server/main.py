"""The model server's process: settings, model, sockets."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import tempfile
from pathlib import Path

import uvicorn
import uvloop

from serinus_runtime.artifact.errors import ArtifactError
from serinus_runtime.artifact.model import Model
from serinus_runtime.artifact.package import directory_of, load
from serinus_runtime.server.bento import LateBento
from serinus_runtime.server.connection import ConnectionPolicy, bounded
from serinus_runtime.server.drain import DrainingServer
from serinus_runtime.server.hot_path import HotPath
from serinus_runtime.server.json_log import configure_logging
from serinus_runtime.server.settings import Settings, SettingsError, settings_from_environment
from serinus_runtime.server.wiring import IDLE_SECONDS, made_serving

logger = logging.getLogger(__name__)

EXIT_REFUSED = 2
"""Exit code where the settings or the artifact are wrong: starting again won't help."""

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
            timeout_keep_alive=IDLE_SECONDS,
            timeout_graceful_shutdown=_IN_FLIGHT_SECONDS,
        ),
        policy=policy,
        readiness=serving.readiness,
        drain_seconds=settings.drain_seconds,
    )
    watches = [asyncio.create_task(serving.door.watch())]
    if serving.shadow is not None:
        watches.append(asyncio.create_task(serving.shadow.run()))
    gc.freeze()  # what is there now stays: collections needn't walk through it
    try:
        await server.serve()
    finally:
        for watch in watches:
            watch.cancel()
        serving.engine.close()
        serving.aside.shutdown(cancel_futures=True)
        if serving.peers is not None:
            serving.peers.close()
        await fallback.close()
