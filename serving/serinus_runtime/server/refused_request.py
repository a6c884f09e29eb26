"""A request that is refused by its head, answered in its turn among those of its connection.

It is the last one there: what follows might not be what it seems.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace

from serinus_runtime.server.answer import refusal
from serinus_runtime.server.errors import Endless, RequestError
from serinus_runtime.server.request_body import ClientGone, Receive, Scope, Send, read_body

_BODY_BYTES = 1 << 20
"""So much of its body, eight times over, is read and dropped before it is told."""


@dataclass(frozen=True, slots=True)
class RefusedRequest:
    """The application of one request; `reads_body`: its client sends one without being asked.

    A client that is still sending when the connection closes would see a reset instead.
    """

    error: RequestError
    reads_body: bool

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Tell why, and that the connection ends."""
        if self.reads_body:
            try:
                with suppress(RequestError):
                    await read_body(scope, receive, _BODY_BYTES)
            except ClientGone:
                return
        answer = refusal(self.error, scope["headers"])
        headers = answer.headers + Endless.headers
        await replace(answer, headers=headers).send(send)
