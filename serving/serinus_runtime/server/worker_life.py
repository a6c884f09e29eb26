"""What one of several workers does beside serving, from its start to its end."""

from __future__ import annotations

import asyncio
import os
import signal
import socket

from serinus_runtime.server.serving import Serving
from serinus_runtime.server.worker_metrics import Pulse, WorkerMetrics
from serinus_runtime.server.worker_process import WorkerPlace


class ProcessLife:
    """A process that serves alone: there is nothing beside serving."""

    name = "model server"
    sockets: list[socket.socket] | None = None
    """Where it listens; None: where the settings say."""

    def begin(self) -> None:
        """It is about to serve."""

    def end(self) -> None:
        """It has answered its last request."""


class WorkerLife(ProcessLife):
    """A worker: it shows the pod what it counts, and ends where its supervisor is gone."""

    name = "worker"

    def __init__(self, serving: Serving, place: WorkerPlace) -> None:
        self.sockets = [place.listening]
        self._serving = serving
        self._place = place
        self._pulse = Pulse(serving, place.cells)
        self._beats: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Show from now on what is counted."""
        metrics, log = self._serving.metrics, self._serving.log
        if isinstance(metrics, WorkerMetrics):
            metrics.counts_of(self._serving.encoder.flags, log.buffer if log else None)
        self._pulse.beat()
        self._beats = asyncio.create_task(self._pulse.run())
        asyncio.get_running_loop().add_reader(self._place.lifeline, self._supervisor_gone)

    def end(self) -> None:
        """Show the last counts."""
        if self._beats is not None:
            self._beats.cancel()
            asyncio.get_running_loop().remove_reader(self._place.lifeline)
        self._pulse.beat()

    def _supervisor_gone(self) -> None:
        asyncio.get_running_loop().remove_reader(self._place.lifeline)
        os.kill(os.getpid(), signal.SIGTERM)
