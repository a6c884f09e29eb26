"""Who is told of each request once it is answered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol

from serinus_runtime.server.answer import Answer
from serinus_runtime.server.request_body import RequestHeaders
from serinus_runtime.server.trace_context import Begun


class AnsweredRequest(NamedTuple):
    """A request that was answered just now.

    `received_at` is the monotonic time of its last byte; names of headers are in lower case.
    `begun` is its span, where that was asked for before.
    """

    method: str
    path: str
    headers: RequestHeaders
    client: tuple[str, int] | None
    received_at: float
    answer: Answer
    begun: Begun | None = None


class RequestListener(Protocol):
    """Is told of requests, and never waits or raises."""

    def offer(self, request: AnsweredRequest) -> None:
        """Note a request."""


@dataclass(frozen=True, slots=True)
class Both:
    """Tells one, and then the other."""

    first: RequestListener
    second: RequestListener

    def offer(self, request: AnsweredRequest) -> None:
        """Tell both."""
        self.first.offer(request)
        self.second.offer(request)


def listener_of(
    first: RequestListener | None, second: RequestListener | None
) -> RequestListener | None:
    """Who tells all of them that are there; None where nobody is."""
    if first is None or second is None:
        return first or second
    return Both(first, second)
