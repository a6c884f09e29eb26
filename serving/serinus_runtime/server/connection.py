"""How long a connection lives, and how it ends without a client seeing a reset.

A Service balances connections, not requests: a client that keeps one open stays with its pod, and
a weight of a canary would mean nothing to it. So a connection gets `Connection: close` with an
answer once it is old enough or has carried enough requests, and with every answer while the
server drains. A connection is never closed between two requests of a busy client.

The one place that knows uvicorn's protocol class; `tests/unit/runtime_server` holds its contract.
"""

from __future__ import annotations

import asyncio
import random
import time
from dataclasses import dataclass
from typing import Any

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

_JITTER = 0.2
"""Ages are spread by this share, so that clients of one moment don't come back as one crowd."""


@dataclass(slots=True)
class ConnectionPolicy:
    """When connections end; `draining` ends each with its next answer. Age 0 is no limit."""

    max_age_seconds: float
    max_requests: int
    draining: bool = False

    def deadline(self, now: float) -> float:
        """Monotonic time from which on a connection made `now` ends with its next answer."""
        if self.max_age_seconds == 0:
            return float("inf")
        spread = random.uniform(1 - _JITTER, 1)  # noqa: S311 (no secret)
        return now + self.max_age_seconds * spread


class BoundedConnection(HttpToolsProtocol):
    """uvicorn's connection with the bounds of a `ConnectionPolicy`."""

    policy: ConnectionPolicy

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._ends_at = self.policy.deadline(time.monotonic())
        self._requests_left = self.policy.max_requests

    def on_headers_complete(self) -> None:
        """A request begins; its answer says `Connection: close` if the connection is to end."""
        super().on_headers_complete()
        self._requests_left -= 1
        if self._requests_left <= 0 or self.policy.draining or time.monotonic() >= self._ends_at:
            self.cycle.keep_alive = False

    def end_with_answer(self) -> None:
        """Let the answer that is being made be the last; an idle connection waits for its next."""
        cycle: RequestResponseCycle | None = self.cycle  # None before the first request
        if cycle is not None and not cycle.response_complete:
            cycle.keep_alive = False


def bounded(policy: ConnectionPolicy) -> type[BoundedConnection]:
    """The connection class with `policy` bound, as uvicorn's configuration wants a class."""
    return type("BoundedConnection", (BoundedConnection,), {"policy": policy})
