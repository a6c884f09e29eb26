"""An A/B test as this pod carries it out: who is exposed to it, and who answers.

While a test runs, the pods of stable assign: a request's unit leads to its arm, whichever pod is
asked. A unit of the canary is answered by one of the canary's pods, whose answer is relayed as it
is; where none gives one, stable answers, and the client knows nothing of it. The canary's pods
count what is marked as handed on; what is marked is never handed on again, so nothing goes round.
One that ends hands it back at once: so a rollback takes effect with the word that ends the pods.

What the test is stands in a file that the kubelet brings, in time before all pods begin at one
instant. Which pods are the canary's is asked of DNS: once they are gone, so is the test.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path
from typing import Protocol

from serinus.api.ab_test_document import AbTestDocument, DocumentError, UnitSource, parsed_document
from serinus_runtime.server.ab_test_cells import AbTestCells, Fallback
from serinus_runtime.server.answer import Answer
from serinus_runtime.server.binary_tensors import HEADER
from serinus_runtime.server.connection import with_revision
from serinus_runtime.server.errors import Headers
from serinus_runtime.server.metrics import Metrics
from serinus_runtime.server.peers import Lookup, looked_up
from serinus_runtime.server.request_body import Scope, Send
from serinus_runtime.server.revision_connection import (
    NotAskedError,
    NotReachedError,
    RevisionAnswer,
    RevisionError,
)
from serinus_runtime.server.trace_context import BEGUN, TRACE_HEADERS, onward
from serinus_runtime.server.unit_assignment import Arm, Assignment

logger = logging.getLogger(__name__)

MARK_HEADER = b"serinus-ab-test"
"""Marks a request that was handed to the canary, with the test's name."""
LEAVING = b"leaving"
"""What the mark says in the answer of a pod of the canary that ends."""
LOOK_SECONDS = 5.0
"""How often the file is read and DNS asked."""
ANSWER_SECONDS = 5.0
"""How long the canary may take for an answer, to connect included."""
ANSWER_BYTES_MAX = 64 << 20
IDLE_MAX = 64
"""Connections to the canary that are kept for the next request."""
_PASSED_ON = TRACE_HEADERS | {HEADER, b"content-type", b"x-request-id"}
"""Headers of a request that mean something to the model, or to who follows it.

A body that came compressed goes on as what it became.
"""
_NAMES_A_VERSION = "/versions/"
_UNKNOWN = frozenset({404, 405})
"""What a server says where it doesn't have the path: no answer to the request."""


class Exposure(Enum):
    """What becomes of a request whose unit takes part in a test."""

    HERE = auto()
    """This pod's revision answers it."""
    ELSEWHERE = auto()
    """It is the canary's; stable answers only where the canary can't."""


class Connection(Protocol):
    """A way to ask the canary, one request after the other."""

    address: str | None
    """Whom it asked last."""

    @property
    def is_open(self) -> bool:
        """Whether the next request goes over a connection that has carried one before."""

    async def ask(self, path: str, body: bytes, headers: Headers = ()) -> RevisionAnswer:
        """The canary's answer; raises `RevisionError`."""

    def close(self) -> None:
        """Hang up."""


Connect = Callable[[Callable[[], str | None], tuple[bytes, bytes]], Connection]


@dataclass(frozen=True, slots=True)
class Relayed(Answer):
    """An answer that isn't this pod's to count: of another revision, whose name it bears."""

    revision: bytes = b""

    async def send(self, send: Send) -> None:
        """Put it on the wire."""
        if self.revision:
            send = with_revision(send, self.revision)
        await Answer.send(self, send)


HANDED_BACK = Relayed(
    503,
    b'{"error": "this pod ends; the one that handed the request on asks another"}',
    headers=((MARK_HEADER, LEAVING),),
)
"""To a pod of stable, never to a client; counted as nothing."""


@dataclass(frozen=True, slots=True)
class _Assigns:
    """Stable's part: each request's unit leads to its arm."""

    unit: UnitSource
    assignment: Assignment
    cells: AbTestCells

    def exposure(self, scope: Scope) -> Exposure | None:
        """None where the request takes no part: without a unit, out of the layer's range, handed
        on already, or by name for one version.
        """
        if _NAMES_A_VERSION in scope["path"]:
            return None
        unit = unit_of(scope["headers"], self.unit)
        assigned = self.assignment.of(unit) if unit else None
        if assigned is None:
            return None
        self.cells.units.meet(assigned)
        return Exposure.ELSEWHERE if assigned.arm is Arm.CANARY else Exposure.HERE


@dataclass(frozen=True, slots=True)
class _Counts:
    """The canary's part: what is marked belongs to the test."""

    test: bytes

    def exposure(self, scope: Scope) -> Exposure | None:
        """None where the request wasn't handed on in this test."""
        marked = any(name == MARK_HEADER and value == self.test for name, value in scope["headers"])
        return Exposure.HERE if marked else None


class AbTest:
    """The test that runs, if one does."""

    def __init__(
        self,
        file: Path,
        lookup: Lookup,
        connect: Connect,
        metrics: Metrics,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._file = file
        self._lookup = lookup
        self._connect = connect
        self._metrics = metrics
        self._clock = clock
        self._document: AbTestDocument | None = None
        self._unreadable = b""
        self._part: _Assigns | _Counts | None = None
        self._addresses: tuple[str, ...] = ()
        self._idle: list[Connection] = []
        self.runs = False
        """Whether requests may belong to a test now."""

    def exposure(self, scope: Scope) -> Exposure | None:
        """What becomes of a request; None where it belongs to no test."""
        return self._part.exposure(scope) if self._part is not None else None

    # Handing on

    async def relayed(self, scope: Scope, body: bytes) -> Relayed | None:
        """The canary's answer; None where there is none, and stable is to answer."""
        cells, document = self._metrics.ab_test, self._document
        if cells is None or document is None:
            return None
        since = time.monotonic()
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                said = await self._said(document, scope, body)
        except TimeoutError:
            why = Fallback.TIMEOUT
        except NotAskedError:
            why = Fallback.UNREACHED
        except RevisionError:
            why = Fallback.NO_ANSWER
        except Exception:
            logger.exception("handing a request to the canary failed")
            why = Fallback.UNREACHED
        else:
            if said.answer.status not in _UNKNOWN:
                return _relayed(said)
            why = Fallback.NO_ANSWER
        cells.fell_back(why, time.monotonic() - since)
        return None

    async def _said(self, document: AbTestDocument, scope: Scope, body: bytes) -> RevisionAnswer:
        connection = self._taken(document)
        said = await self._asked(connection, scope["path"], body, passed_on(scope))
        if said.revision != document.canary:
            connection.close()
            raise NotReachedError(f"revision {said.revision} has the canary's address")
        if connection.is_open and len(self._idle) < IDLE_MAX:
            self._idle.append(connection)
        else:
            connection.close()
        return said

    def _taken(self, document: AbTestDocument) -> Connection:
        while self._idle:
            connection = self._idle.pop()
            if connection.is_open and connection.address in self._addresses:
                return connection
            connection.close()
        return self._connect(self._any_address, (MARK_HEADER, document.test.encode()))

    async def _asked(
        self, connection: Connection, path: str, body: bytes, headers: Headers
    ) -> RevisionAnswer:
        """The answer; a connection that was only left open may be closed by the other side."""
        while True:
            kept_open = connection.is_open
            try:
                said = await connection.ask(path, body, headers)
                if (MARK_HEADER, LEAVING) not in said.answer.headers:
                    return said
                connection.close()
                raise NotReachedError("the pod ends")
            except NotReachedError:
                self._avoid(connection.address)
                if not self._addresses:
                    raise
            except RevisionError:
                if not kept_open:
                    raise

    def _any_address(self) -> str | None:
        return random.choice(self._addresses) if self._addresses else None  # noqa: S311 (no secret)

    def _avoid(self, address: str | None) -> None:
        """Nobody is there; until the next look the others are asked, or none."""
        self._addresses = tuple(one for one in self._addresses if one != address)
        if not self._addresses:
            self._end()

    # Who takes part

    async def run(self) -> None:
        """Follow what the file and DNS say, until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(self._pause_seconds())

    def _pause_seconds(self) -> float:
        if self._document is None:
            return LOOK_SECONDS
        until = self._document.active_from - self._clock()
        return min(LOOK_SECONDS, until) if until > 0 else LOOK_SECONDS

    async def look(self) -> None:
        """Read what there is to do, and begin or end it."""
        self._read()
        document, own = self._document, self._metrics.revision
        if document is None or own not in (document.stable, document.canary):
            self._end()
            return
        cells = self._cells_of(document)
        if own == document.canary:
            self._begin(_Counts(document.test.encode()))
            return
        found = await looked_up(self._lookup, self._addresses)
        self._addresses = tuple(sorted(set(found)))
        if not self._addresses or self._clock() < document.active_from:
            self._end()
            return
        if not isinstance(self._part, _Assigns) or self._part.cells is not cells:
            assignment = Assignment(document.salt, document.canary_percent, document.layer)
            self._begin(_Assigns(document.unit, assignment, cells))

    def _read(self) -> None:
        try:
            text = self._file.read_bytes()
        except OSError:
            self._document = None
            return
        try:
            self._document = parsed_document(text)
        except DocumentError as error:
            self._document = None
            if text != self._unreadable:
                logger.warning("no A/B test: %s", error)
            self._unreadable = text

    def _cells_of(self, document: AbTestDocument) -> AbTestCells:
        cells = self._metrics.ab_test
        if cells is None:
            cells = AbTestCells(document.test, document.canary)
        elif cells.test != document.test:
            cells = cells.following(document.test, document.canary)
        self._metrics.ab_test = cells
        return cells

    def _begin(self, part: _Assigns | _Counts) -> None:
        if self._part != part:
            logger.info("A/B test runs", extra={"part": type(part).__name__.strip("_").lower()})
        self._part, self.runs = part, True

    def _end(self) -> None:
        if self._part is not None:
            logger.info("A/B test ended")
        self._part, self.runs = None, False
        while self._idle:
            self._idle.pop().close()


def passed_on(scope: Scope) -> Headers:
    """The headers that go along; where the request has a span, it is the parent of the next."""
    headers = tuple((name, text) for name, text in scope["headers"] if name in _PASSED_ON)
    begun = scope.get(BEGUN)
    if begun is None:
        return headers
    return (*(one for one in headers if one[0] not in TRACE_HEADERS), *onward(begun))


def is_handed_on(scope: Scope) -> bool:
    """Whether another pod sent it."""
    return any(name == MARK_HEADER for name, _ in scope["headers"])


def unit_of(headers: Headers, source: UnitSource) -> bytes | None:
    """The unit that a request says it belongs to; None where it says none, or was handed on."""
    wanted = source.header.lower().encode() or b"cookie"
    found: bytes | None = None
    for name, value in headers:
        if name == MARK_HEADER:
            return None
        if name == wanted and not found:
            found = value if source.header else _cookie(value, source.cookie.encode())
    return found or None


def _cookie(text: bytes, wanted: bytes) -> bytes | None:
    for pair in text.split(b";"):
        name, _, value = pair.strip().partition(b"=")
        if name == wanted:
            return value
    return None


def _relayed(said: RevisionAnswer) -> Relayed:
    answer = said.answer
    revision = said.revision.encode("latin-1")
    return Relayed(answer.status, answer.body, answer.content_type, answer.headers, revision)
