"""How the server ends: without a client noticing.

On SIGTERM the pod stops wanting traffic at once, goes on answering for the drain time, each answer
with `Connection: close`, then closes what is idle, finishes what is in flight and exits with 0.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import time
from types import FrameType
from typing import Protocol

import uvicorn

from serinus_runtime.server.connection import BoundedConnection, ConnectionPolicy
from serinus_runtime.server.serving import Readiness

logger = logging.getLogger(__name__)


class OtherPort(Protocol):
    """A port of the same process on which another protocol is spoken; it ends with the first."""

    number: int

    async def open(self) -> None:
        """Listen; `number` is known from then on."""

    async def close(self, grace_seconds: float) -> None:
        """Stop to listen; what is under way has so long."""


class DrainingServer(uvicorn.Server):
    """uvicorn's server with our end: drain first, exit code 0 after a signal."""

    def __init__(
        self,
        config: uvicorn.Config,
        *,
        policy: ConnectionPolicy,
        readiness: Readiness,
        drain_seconds: float,
        beside: OtherPort | None = None,
        name: str = "model server",
    ) -> None:
        super().__init__(config)
        self._policy = policy
        self._readiness = readiness
        self._drain_seconds = drain_seconds
        self._drained_at: float | None = None
        self._beside = beside
        self._name = name

    def take_signals(self) -> None:
        """Heed signals from now on until the process is gone.

        uvicorn gives them back when it has ended; then one more would take along what the logs
        haven't written yet.
        """
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self.handle_exit)

    async def startup(self, sockets: list[object] | None = None) -> None:  # type: ignore[override]
        """Open the ports and say so."""
        if self._beside is not None:
            await self._beside.open()
        await super().startup(sockets)  # type: ignore[arg-type]
        ports = {"port": self.servers[0].sockets[0].getsockname()[1]}
        if self._beside is not None:
            ports["grpc_port"] = self._beside.number
        if self._drained_at is None:
            self._readiness.ready = True
        logger.info("%s ready", self._name, extra={**ports, "cpu_seconds": cpu_seconds()})

    async def shutdown(self, sockets: list[object] | None = None) -> None:  # type: ignore[override]
        """Close the ports; what is under way is answered."""
        ends = [super().shutdown(sockets)]  # type: ignore[arg-type]
        if self._beside is not None:
            ends.append(self._beside.close(self.config.timeout_graceful_shutdown or 0))
        await asyncio.gather(*ends)

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
