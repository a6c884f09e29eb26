"""Callers that ask at a steady rate, each over a connection of its own.

Requests are due by the clock, in the order of the flights, and the next free caller takes the next
one. If all callers wait for answers, the replay waits, too: it never asks more at once than it has
callers. A label is sent when the replay has reached the moment at which it was known, plus a
second.
"""

from __future__ import annotations

import asyncio
import heapq
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

import orjson

from flights_demo.replay.connection import Answer, Connection, Unanswered
from flights_demo.replay.flights import Flight, known_positions, position_at
from flights_demo.replay.measurements import Asked, Measurements

REQUESTS_PER_CONNECTION = 50
TIMEOUT_SECONDS = 10.0
LABEL_DELAY_SECONDS = 1.0
_TICK_SECONDS = 0.01
_HTTP_OK = 200


@dataclass(frozen=True, slots=True)
class Job:
    """One request. `due_position` is where in the replay its label is due."""

    scene: str
    asked: Asked
    request: bytes
    due_position: float = 0.0
    late: bool = False


@dataclass(slots=True)
class Traffic:
    """The replay of `flights` over `callers` connections; it asks nothing before it begins."""

    flights: Sequence[Flight]
    host: str
    callers: int
    measurements: Measurements
    open_connection: Callable[[], Awaitable[Connection]]
    scene: str = ""
    position: int = 0
    rate_per_second: float = 0.0
    waiting: int = 0
    """Callers that wait for an answer now."""
    _known: list[int] = field(default_factory=list)
    _labels: list[tuple[float, str, bool]] = field(default_factory=list)
    _jobs: asyncio.Queue[Job] = field(default_factory=asyncio.Queue)
    _last_tick: float = 0.0
    _credit: float = 0.0

    def begin(self, scene: str, moment: float, rate_per_second: float) -> None:
        """Go on with the flights asked from `moment` on; open questions are dropped."""
        self.scene, self.rate_per_second = scene, rate_per_second
        self.position = position_at(self.flights, moment)
        self._labels.clear()
        self._credit = 0.0
        while not self._jobs.empty():
            self._jobs.get_nowait()

    async def run(self) -> None:
        """Ask until cancelled."""
        self._known = known_positions(self.flights)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._dispatch())
            for _ in range(self.callers):
                group.create_task(self._call())

    @property
    def clock(self) -> float:
        """Moment that the replay has reached, in seconds since 1970."""
        return self.flights[self.position % len(self.flights)].asked_at

    async def _dispatch(self) -> None:
        self._last_tick = time.monotonic()
        while True:
            await asyncio.sleep(_TICK_SECONDS)
            now = time.monotonic()
            elapsed, self._last_tick = now - self._last_tick, now
            if self.scene:
                self._put_due(elapsed)

    def _put_due(self, elapsed_seconds: float) -> None:
        """Put what became due; nothing while callers are behind by more than one request each."""
        if self._jobs.qsize() >= self.callers:
            return
        self._credit = min(self._credit + elapsed_seconds * self.rate_per_second, self.callers)
        while self._credit >= 1:
            self._credit -= 1
            self._put_prediction()
        while self._labels and self._labels[0][0] <= self.position:
            _, identity, late = heapq.heappop(self._labels)
            body = orjson.dumps({"id": identity, "labels": [late]})
            self._jobs.put_nowait(Job(self.scene, Asked.FEEDBACK, self._post("/feedback", body)))

    def _put_prediction(self) -> None:
        lap, index = divmod(self.position, len(self.flights))
        flight = self.flights[index]
        known = lap * len(self.flights) + self._known[index]
        due = known + LABEL_DELAY_SECONDS * self.rate_per_second
        request = self._post("/predict", flight.body)
        self._jobs.put_nowait(Job(self.scene, Asked.PREDICTION, request, due, flight.late))
        self.position += 1

    def _post(self, path: str, body: bytes) -> bytes:
        head = (
            f"POST {path} HTTP/1.1\r\nhost: {self.host}\r\ncontent-type: application/json\r\n"
            f"content-length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body

    async def _call(self) -> None:
        connection: Connection | None = None
        while True:
            job = await self._jobs.get()
            if connection is not None and connection.requests >= REQUESTS_PER_CONNECTION:
                connection.close()
            self.waiting += 1
            try:
                if connection is None or not connection.is_open:
                    connection = await self.open_connection()
                await self._ask(job, connection)
            except Unanswered as error:
                self.measurements.unanswered(job.scene, job.asked, error.failure, time.time())
            finally:
                self.waiting -= 1

    async def _ask(self, job: Job, connection: Connection) -> None:
        started = time.perf_counter()
        answer = await connection.ask(job.request, TIMEOUT_SECONDS)
        seconds = time.perf_counter() - started
        self.measurements.answered(
            job.scene, job.asked, answer.revision, answer.status, seconds, time.time()
        )
        if job.asked is Asked.PREDICTION and answer.status == _HTTP_OK and job.scene == self.scene:
            self._remember_label(job, answer)

    def _remember_label(self, job: Job, answer: Answer) -> None:
        identity = orjson.loads(answer.body)["id"]
        heapq.heappush(self._labels, (job.due_position, identity, job.late))
