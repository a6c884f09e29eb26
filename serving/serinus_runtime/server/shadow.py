"""The shadow of this revision: a new version that gets the same requests, and whose answers nobody
gets.

A request is mirrored after its answer was sent, never before and never instead. What waits to be
mirrored is bounded in number and bytes, and so is what is under way: a shadow that is slow, or
hangs, or answers nonsense costs counted drops and nothing else. Which pods are the shadow is asked
of DNS from time to time: a rollout begins and ends one without touching the pods that serve.
"""

from __future__ import annotations

import asyncio
import logging
import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from serinus_runtime.server.answer import Answer
from serinus_runtime.server.binary_tensors import HEADER
from serinus_runtime.server.errors import Headers
from serinus_runtime.server.metrics import ShadowOutcome
from serinus_runtime.server.peers import Lookup, looked_up
from serinus_runtime.server.request_body import RequestHeaders, Scope
from serinus_runtime.server.revision_connection import RevisionAnswer, RevisionError
from serinus_runtime.server.shadow_comparison import agree
from serinus_runtime.server.trace_context import BEGUN, onward

logger = logging.getLogger(__name__)

MIRRORED_HEADER = b"serinus-mirrored"
"""Marks a request that was mirrored, so that nobody mirrors it once more."""
MARK = (MIRRORED_HEADER, b"1")
LOOK_SECONDS = 5.0
"""How often it is asked who the shadow is."""
ANSWER_SECONDS = 5.0
"""How long a shadow may take for an answer, to connect included."""
AT_ONCE = 16
"""Requests that a shadow answers at the same time."""
WAITING_MAX = 256
WAITING_BYTES_MAX = 4 << 20
BODY_BYTES_MAX = 256 << 10
"""A larger request, or one with a larger answer, isn't mirrored but counted as dropped."""
_MIRRORED_STATUSES = frozenset({200, 400, 500})
"""What the model answered: neither what was never read nor what there was no room for."""
_VERSION_IN_PATH = re.compile(r"/versions/[^/]+(?=/infer$)")
"""Stable's version, which a shadow doesn't have."""


@dataclass(frozen=True, slots=True)
class Mirrored:
    """A request that was answered, and with what."""

    path: str
    headers: Headers
    body: bytes
    answer: Answer


def is_mirrored(headers: RequestHeaders) -> bool:
    """Whether somebody else answered the request, and nobody gets this pod's answer."""
    return any(name == MIRRORED_HEADER for name, _ in headers)


class Connection(Protocol):
    """A way to ask the shadow, one request after the other."""

    async def ask(self, path: str, body: bytes, headers: Headers = ()) -> RevisionAnswer:
        """The shadow's answer; raises `RevisionError`."""

    def close(self) -> None:
        """Hang up."""


class Counts(Protocol):
    """Where it is counted what came of mirrored requests."""

    def shadowed(self, revision: str, outcome: ShadowOutcome) -> None:
        """One more; `revision` is the shadow's, empty where it didn't say yet."""


class Shadow:
    """Mirrors requests while there is a shadow."""

    def __init__(
        self,
        lookup: Lookup,
        connect: Callable[[Callable[[], str | None]], Connection],
        counts: Counts,
        *,
        own_revision: str,
    ) -> None:
        self._lookup = lookup
        self._connect = connect
        self._counts = counts
        self._own_revision = own_revision
        self._revision = ""
        self._addresses: tuple[str, ...] = ()
        self._waiting: asyncio.Queue[Mirrored] = asyncio.Queue(WAITING_MAX)
        self._waiting_bytes = 0

    @property
    def is_there(self) -> bool:
        """Whether requests are mirrored now."""
        return bool(self._addresses)

    def offer(self, scope: Scope, body: bytes, answer: Answer) -> None:
        """Mirror a request that was answered, when there is time. Never waits, never raises."""
        if not self._addresses or answer.status not in _MIRRORED_STATUSES:
            return
        headers = dict(scope["headers"])
        if MIRRORED_HEADER in headers:
            return  # this pod is the shadow: nobody mirrors twice
        size = len(body) + len(answer.body)
        fits = self._waiting_bytes + size <= WAITING_BYTES_MAX
        if size > BODY_BYTES_MAX or not fits or self._waiting.full():
            self._counts.shadowed(self._revision, ShadowOutcome.DROPPED)
            return
        self._waiting_bytes += size
        path = _VERSION_IN_PATH.sub("", scope["path"])
        meant = tuple((name, headers[name]) for name in (HEADER,) if name in headers)
        if (begun := scope.get(BEGUN)) is not None:
            meant += onward(begun)
        self._waiting.put_nowait(Mirrored(path, meant, body, answer))

    async def run(self) -> None:
        """Look for the shadow and mirror, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._watch())
            for _ in range(AT_ONCE):
                tasks.create_task(self._mirror())

    async def _watch(self) -> None:
        while True:
            await self.look()
            await asyncio.sleep(LOOK_SECONDS)

    async def look(self) -> None:
        """Ask DNS who the shadow is; where it can't tell now, what it said before holds.

        It may take its time: nobody waits for it, and a lookup that was given up would go on
        holding a thread that others need.
        """
        before = self._addresses
        self._addresses = tuple(sorted(set(await looked_up(self._lookup, before))))
        if bool(before) != bool(self._addresses):
            self._revision = ""
            logger.info("shadow %s", "found" if self._addresses else "gone")

    async def _mirror(self) -> None:
        connection = self._connect(self._any_address)
        try:
            while True:
                await self._mirror_next(connection)
        finally:
            connection.close()

    async def _mirror_next(self, connection: Connection) -> None:
        mirrored = await self._waiting.get()
        self._waiting_bytes -= len(mirrored.body) + len(mirrored.answer.body)
        if not self._addresses:
            connection.close()
            return
        outcome = await self._outcome(mirrored, connection)
        if self._revision != self._own_revision:
            self._counts.shadowed(self._revision, outcome)

    async def _outcome(self, mirrored: Mirrored, connection: Connection) -> ShadowOutcome:
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                said = await connection.ask(mirrored.path, mirrored.body, mirrored.headers)
        except TimeoutError:
            return ShadowOutcome.TIMEOUT
        except RevisionError:
            return ShadowOutcome.ERROR
        except Exception:
            logger.exception("mirroring failed")
            return ShadowOutcome.ERROR
        self._revision = said.revision
        if said.revision == self._own_revision:
            self._addresses = ()  # until DNS says otherwise: it is no shadow of this one
        if said.answer.status >= 500:
            return ShadowOutcome.ERROR
        same = agree(mirrored.answer, said.answer)
        return ShadowOutcome.SAME if same else ShadowOutcome.DIFFERENT

    def _any_address(self) -> str | None:
        return random.choice(self._addresses) if self._addresses else None  # noqa: S311 (no secret)
