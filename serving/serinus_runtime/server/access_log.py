"""The access log: a JSON line on standard output for each request, written by a thread of its own.

A request leaves what the line needs, and nothing of what it brought but the names that tie it to
the logs of others: `traceparent` (W3C Trace Context) and `x-request-id`. Whoever reads standard
output too slowly makes lines drop, which are counted, and nobody wait.

Of a request whose head came before nearly all of the line is known: that one is written at once, in
C, and waits as text with others.
"""

from __future__ import annotations

import select
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from serinus_runtime.kernel.line_kernel import AddLine, HeadOfLines, line_kernel
from serinus_runtime.paced_thread import PacedThread
from serinus_runtime.server.access_lines import (
    AccessEntry,
    around_what_varies,
    entry_of,
    line_of,
)
from serinus_runtime.server.request_body import RequestHeaders
from serinus_runtime.server.request_listeners import AnsweredRequest

WAITING_MAX = 10_000
"""Lines that wait at most: some megabytes."""
WAKES_FROM = 1_000
"""So many lines are written before their time."""
WRITE_SECONDS = 0.5
AT_ONCE = 256
_PAUSE_SECONDS = 0.0005
"""Between two pieces of work, so that requests get their turn."""


class _Text(NamedTuple):
    """Lines that are written already."""

    content: bytes
    n_lines: int


@dataclass(frozen=True, slots=True)
class AccessCounts:
    """Lines by what came of them."""

    written: int = 0
    dropped: int = 0


class AccessLog:
    """Takes requests on the event loop, and writes lines on its thread.

    Each of the two counts in cells of its own: one that both add to would lose counts.
    """

    def __init__(
        self, constant: Mapping[str, str], write: Callable[[bytes], None] | None = None
    ) -> None:
        self._constant = dict(constant)
        self._write = write or _to_standard_output
        self._waiting: deque[AccessEntry | _Text] = deque()
        self._kernel = line_kernel()
        self._moving = threading.Lock()
        self._moved_lines = 0  # of the kernel to those that wait
        self._entries = self._dropped = 0  # the event loop's
        self._ended = self._written = 0  # the thread's
        self._thread = PacedThread("access-log", WRITE_SECONDS, self._write_all, self._write_all)

    # On the event loop

    def offer(self, request: AnsweredRequest) -> None:
        """Note a request."""
        if self._is_full():
            self._dropped += 1
            return
        self._move_lines()  # which are older
        self._entries += 1
        self._waiting.append(entry_of(request, time.time_ns(), time.monotonic()))

    def head_of_lines(self, method: str, path: str, headers: RequestHeaders) -> HeadOfLines | None:
        """What the lines of requests with this head say; None: only `offer` takes them."""
        if self._kernel is None:
            return None
        return HeadOfLines(*around_what_varies(self._constant, method, path, headers))

    @property
    def add_line(self) -> AddLine | None:
        """Adds the line of a request with such a head that is answered with 200 now.

        Where it says 0 the request is to be offered by `offer_again`.
        """
        return None if self._kernel is None else self._kernel.add

    def offer_again(
        self, head: HeadOfLines, client: bytes, microseconds: int, answer_bytes: int
    ) -> None:
        """Note a request whose line found no room."""
        kernel = self._kernel
        if not self._is_full():
            self._move_lines()
        if kernel is None or not kernel.add(head.reference, client, microseconds, answer_bytes):
            self._dropped += 1
        if self._n_waiting() >= WAKES_FROM:
            self._thread.wake()

    def _n_waiting(self) -> int:
        return self._entries + self._moved_lines - self._ended

    def _is_full(self) -> bool:
        return self._n_waiting() >= WAITING_MAX

    # Anybody's

    def counts(self) -> AccessCounts:
        """What came of all lines so far."""
        return AccessCounts(self._written, self._dropped)

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def close(self, within_seconds: float) -> None:
        """Write what waits; where nobody reads, it is left."""
        self._thread.close(within_seconds)

    def _move_lines(self) -> None:
        """Let the lines that were written in C wait behind all that came before them."""
        if self._kernel is None:
            return
        with self._moving:
            content, count = self._kernel.take()
            if count:
                self._moved_lines += count
                self._waiting.append(_Text(content, count))

    # On the thread

    def _write_all(self) -> None:
        self._move_lines()
        while self._waiting:
            lines, count = self._next_lines()
            try:
                self._write(lines)
            except OSError:  # nobody reads; the log of the process can't tell it either
                return
            finally:
                self._ended += count
            self._written += count
            time.sleep(_PAUSE_SECONDS)

    def _next_lines(self) -> _Text:
        lines: list[bytes] = []
        count = 0
        while self._waiting and count < AT_ONCE:
            one = self._waiting.popleft()
            text = one if isinstance(one, _Text) else _Text(line_of(one, self._constant), 1)
            lines.append(text.content)
            count += text.n_lines
        return _Text(b"".join(lines), count)


def whole_lines_to_standard_output(lines: bytes) -> None:
    """Write so that no line of another process gets into one: a pipe takes so much at once."""
    while lines:
        end = len(lines)
        if end > select.PIPE_BUF:
            end = lines.rfind(b"\n", 0, select.PIPE_BUF) + 1 or lines.index(b"\n") + 1
        _to_standard_output(lines[:end])
        lines = lines[end:]


def _to_standard_output(lines: bytes) -> None:
    sys.stdout.buffer.write(lines)
    sys.stdout.buffer.flush()
