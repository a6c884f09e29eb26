"""Send notices: from a bounded queue for each sink, at a bounded pace, with a bounded patience.

Who tells of a decision waits for nothing and learns nothing of what came of it. A sink that hangs
holds up its own notices only; what is too much is dropped and counted.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

import aiohttp

from serinus.notices.notice import JsonObject, Notice, notice_of
from serinus.notices.payloads import payload_for
from serinus.notices.sinks import Sink

REMEMBERED_MAX = 2_000
_MAY_WORK_LATER = frozenset({408, 425, 429})

_log = logging.getLogger(__name__)


class Outcome(StrEnum):
    """What came of a notice."""

    SENT = "sent"
    FAILED = "failed"
    DROPPED = "dropped"


@dataclass(frozen=True, slots=True)
class Limits:
    """How much a sink is told, and how long it is waited for.

    Attributes
    ----------
    queue_max
        Notices that wait; what comes on top is dropped.
    attempts
        How often one is tried in all; `first_wait_seconds` after the first, then twice as long.
    burst
        So many at once, then one a `spacing_seconds`; Slack takes one a second.
    """

    queue_max: int = 500
    attempts: int = 5
    first_wait_seconds: float = 1.0
    longest_wait_seconds: float = 60.0
    answer_within_seconds: float = 10.0
    spacing_seconds: float = 1.0
    burst: int = 10


Count = Callable[[str, Outcome], None]


@dataclass(frozen=True, slots=True)
class _Answer:
    """What a sink said: whether it took it, whether to try again, and after how long at least."""

    taken: bool
    problem: str = ""
    again: bool = False
    wait_seconds: float = 0.0


class Courier:
    """Brings notices to one sink, one after the other."""

    def __init__(
        self, sink: Sink, session: aiohttp.ClientSession, count: Count, limits: Limits
    ) -> None:
        self._sink = sink
        self._limits = limits
        self._session = session
        self._count = count
        self._queue: asyncio.Queue[Notice] = asyncio.Queue(limits.queue_max)
        self._told: OrderedDict[str, None] = OrderedDict()
        self._next_at = float("-inf")

    def take(self, notice: Notice) -> None:
        """Bring it later, unless it was taken before or too many wait."""
        if not self._sink.wants(notice) or notice.id in self._told:
            return
        try:
            self._queue.put_nowait(notice)
        except asyncio.QueueFull:
            self._count(self._sink.name, Outcome.DROPPED)
            return
        self._told[notice.id] = None
        while len(self._told) > REMEMBERED_MAX:
            self._told.popitem(last=False)

    async def run(self) -> None:
        """Bring what there is until cancelled."""
        while True:
            notice = await self._queue.get()
            try:
                outcome = await self._brought(notice)
            except Exception as error:  # noqa: BLE001 - one notice must not end all that follow
                self._complain(notice, type(error).__name__)
                outcome = Outcome.FAILED
            self._count(self._sink.name, outcome)

    async def _brought(self, notice: Notice) -> Outcome:
        limits = self._limits
        wait = limits.first_wait_seconds
        for attempt in range(limits.attempts):
            await self._turn()
            answer = await self._post(notice)
            if answer.taken:
                return Outcome.SENT
            if not answer.again or attempt == limits.attempts - 1:
                self._complain(notice, answer.problem)
                break
            await asyncio.sleep(min(max(wait, answer.wait_seconds), limits.longest_wait_seconds))
            wait *= 2
        return Outcome.FAILED

    async def _turn(self) -> None:
        """Wait until the pace allows one more."""
        now, spacing = asyncio.get_running_loop().time(), self._limits.spacing_seconds
        self._next_at = max(self._next_at, now - self._limits.burst * spacing) + spacing
        if self._next_at > now:
            await asyncio.sleep(self._next_at - now)

    async def _post(self, notice: Notice) -> _Answer:
        try:
            url = self._sink.url_file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            return _Answer(False, f"its address can't be read: {type(error).__name__}", again=True)
        if not url.startswith(("https://", "http://")):
            return _Answer(False, "its address is no http(s) URL", again=False)
        payload = payload_for(self._sink.type, notice)
        try:
            async with self._session.post(
                url,
                data=payload.body,
                headers={"Content-Type": payload.content_type},
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=self._limits.answer_within_seconds),
            ) as response:
                return _answer(response.status, response.headers.get("Retry-After", ""))
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            # Not its text: it may hold the address, which is a secret.
            return _Answer(False, type(error).__name__, again=True)

    def _complain(self, notice: Notice, problem: str) -> None:
        about = {"sink": self._sink.name, "notice": notice.id, "problem": problem}
        _log.warning("notice not sent", extra=about)


class NoticeSender:
    """All couriers. Close it with `async with`."""

    def __init__(self, sinks: Sequence[Sink], count: Count, limits: Limits | None = None) -> None:
        self._session = aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar())
        self._couriers = [Courier(sink, self._session, count, limits or Limits()) for sink in sinks]

    async def __aenter__(self) -> NoticeSender:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    def tell(self, owner: JsonObject, record: JsonObject) -> None:
        """Tell all who want it of the decision in `record`. It returns at once and never raises."""
        if not self._couriers:
            return
        try:
            notice = notice_of(owner, record)
        except (KeyError, TypeError, ValueError) as error:
            _log.error("decision not told", exc_info=error)
            return
        for courier in self._couriers:
            courier.take(notice)

    async def run(self) -> None:
        """Send until cancelled."""
        async with asyncio.TaskGroup() as group:
            for courier in self._couriers:
                group.create_task(courier.run())


def _answer(status: int, retry_after: str) -> _Answer:
    if 200 <= status < 300:
        return _Answer(True)
    if 300 <= status < 400:
        return _Answer(False, f"HTTP {status}: redirects aren't followed")
    again = status >= 500 or status in _MAY_WORK_LATER
    wait = float(retry_after) if retry_after.isdecimal() and len(retry_after) < 6 else 0.0
    return _Answer(False, f"HTTP {status}", again=again, wait_seconds=wait)
