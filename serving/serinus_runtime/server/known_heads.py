"""Heads of requests that came before, so that one that comes again needn't be parsed again.

A client sends the same head with each of its requests, byte by byte. What a parser made of it is
kept here, for requests whose head and body come in one piece.
"""

from __future__ import annotations

from dataclasses import dataclass

from serinus_runtime.kernel.line_kernel import HeadOfLines
from serinus_runtime.server.request_body import RequestHeaders
from serinus_runtime.server.trace_context import TRACE_HEADERS

HEADS_MAX = 512
HEAD_BYTES_MAX = 1024
END_OF_HEAD = b"\r\n\r\n"
_OF_ONE_REQUEST = TRACE_HEADERS | frozenset({
    b"b3", b"x-b3-traceid", b"x-b3-spanid", b"x-amzn-trace-id",
    b"x-cloud-trace-context", b"uber-trace-id", b"x-request-id", b"x-correlation-id", b"request-id",
    b"idempotency-key", b"expect", b"upgrade",
})  # fmt: skip
"""Headers with which a head doesn't come again, or isn't all that is to be known."""


@dataclass(frozen=True, slots=True)
class KnownHead:
    """What a head says: it is followed by `body_bytes` bytes of a body that is sent as it is.

    `is_plain` says that nothing in the headers changes what the body means. `lines` is what the
    access log says of requests with this head; None: there is none, or it is told as of others.
    """

    url: bytes
    headers: RequestHeaders
    body_bytes: int
    is_plain: bool
    lines: HeadOfLines | None = None


class KnownHeads:
    """Some heads, by their bytes with the empty line."""

    def __init__(self) -> None:
        self._heads: dict[bytes, KnownHead] = {}
        self.of = self._heads.get
        """The head of these bytes; None where it isn't known."""

    def learn(self, head: bytes, known: KnownHead) -> None:
        """Keep a head, if it may come again. When there are too many, all are forgotten."""
        if len(head) > HEAD_BYTES_MAX or not _comes_again(known):
            return
        if len(self._heads) >= HEADS_MAX:
            self._heads.clear()
        self._heads[head] = known


def _comes_again(known: KnownHead) -> bool:
    lengths = [value for name, value in known.headers if name == b"content-length"]
    return lengths == [b"%d" % known.body_bytes] and not any(
        name in _OF_ONE_REQUEST for name, _ in known.headers
    )
