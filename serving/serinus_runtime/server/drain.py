"""How the server ends: without a client noticing.

On SIGTERM the pod stops wanting traffic at once, goes on answering for the drain time, each answer
with `Connection: close`, then closes what is idle, finishes what is in flight and exits with 0.
"""

from __future__ import annotations

import logging
import os
import signal
import time
from types import FrameType

import uvicorn

from serinus_runtime.server.connection import BoundedConnection, ConnectionPolicy
from serinus_runtime.server.serving import Readiness

logger = logging.getLogger(__name__)


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
