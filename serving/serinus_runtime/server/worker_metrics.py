"""A worker's metrics: the cells that others see, behind the names that all of the server uses.

What a request counts is in the shared cells before its answer is sent. What only shows how things
stand (connections, requests under way), and what threads write (lines, files), is brought there ten
times a second.
"""

from __future__ import annotations

import asyncio
import time
from bisect import bisect_left
from collections import Counter
from typing import Any

from serinus_runtime.artifact.encoding import Flags
from serinus_runtime.prediction_log.buffer import LogBuffer, LogCounts
from serinus_runtime.server.exchange import LookedUp
from serinus_runtime.server.metrics import CohortCells, Metrics, ShadowOutcome
from serinus_runtime.server.request_cells import CODES_FROM_START, LATENCY_BOUNDS_SECONDS
from serinus_runtime.server.serving import Readiness, Serving
from serinus_runtime.server.tracing import SpanCounts
from serinus_runtime.server.worker_cells import STATUS_MIN, PodCells, State, Word, WorkerCells

PULSE_SECONDS = 0.1
_OUTCOMES = tuple(ShadowOutcome)
_NOBODY = -1
"""The revision of a shadow that didn't say it."""


def _word(word: Word) -> Any:
    """An attribute that stands in the worker's cells."""
    place = int(word)

    def get(metrics: WorkerMetrics) -> int:
        return metrics.cells.words[place]

    def put(metrics: WorkerMetrics, value: int) -> None:
        metrics.cells.words[place] = value

    return property(get, put)


class WorkerMetrics(Metrics):
    """Counts in `cells`; labels are counted elsewhere."""

    __slots__ = ("_flagged_before", "_flags", "_log", "_log_before", "_newest_cohort", "cells")

    predictions = _word(Word.PREDICTIONS)
    predictions_out_of_range = _word(Word.OUT_OF_RANGE)
    unread = _word(Word.UNREAD)

    def __init__(self, of: Metrics, cells: WorkerCells) -> None:
        """Not the parent's: it would begin to count at 0."""
        self.deployment, self.revision, self.model = of.deployment, of.revision, of.model
        self.digest, self.bins, self.exposed, self.ab_test = of.digest, of.bins, False, None
        self.label_rules = of.label_rules
        self.in_flight = 0
        self.cells = cells
        self.duration_buckets = cells.durations  # type: ignore[assignment]  # as good as a list
        self.predictions_binned = cells.bins  # type: ignore[assignment]  # as good as a list
        self._newest_cohort = -1
        self._flags, self._flagged_before = Flags(), cells.words[Word.FLAGGED]
        self._log: LogBuffer | None = None
        self._log_before = tuple(
            cells.words[word] for word in (Word.LOG_TAKEN, Word.LOG_REFUSED, Word.LOG_UNSAMPLED)
        )

    @property
    def requests(self) -> dict[int, int]:  # type: ignore[override]  # read from the cells
        """Requests by status."""
        return requests_of(self.cells)

    @property
    def duration_seconds(self) -> float:  # type: ignore[override]  # read from the cells
        """Seconds of all requests."""
        return self.cells.floats[Word.SECONDS]

    def counts_of(self, flags: Flags, log: LogBuffer | None) -> None:
        """Count, with each request, what the encoder flagged and the log was offered."""
        self._flags, self._log = flags, log

    def observe(self, code: int, seconds: float) -> None:
        """One prediction request was answered."""
        cells = self.cells
        words = cells.words
        words[Word.FLAGGED] = self._flagged_before + self._flags.total
        if self._log is not None:
            taken, refused, unsampled = self._log.offered()
            before = self._log_before
            words[Word.LOG_TAKEN] = before[0] + taken
            words[Word.LOG_REFUSED] = before[1] + refused
            words[Word.LOG_UNSAMPLED] = before[2] + unsampled
        cells.statuses[code - STATUS_MIN] += 1
        cells.durations[bisect_left(LATENCY_BOUNDS_SECONDS, seconds)] += 1
        cells.floats[Word.SECONDS] += seconds

    def cohort_cells(self, revision: str, cohort: int, *, exposed: bool = False) -> CohortCells:  # noqa: ARG002
        """Note that the worker answered in that cohort, so that its counters begin."""
        if cohort != self._newest_cohort:
            words, ring = self.cells.words, self.cells.cohorts
            ring[words[Word.COHORTS_BEGUN] % len(ring)] = cohort
            words[Word.COHORTS_BEGUN] += 1
            self._newest_cohort = cohort
        return _UNUSED

    def count_looked_up(self, counts: LookedUp) -> None:
        """Values of one request were looked up."""
        words = self.cells.words
        words[Word.ONLINE_PRESENT] += counts.present
        words[Word.ONLINE_STALE] += counts.stale
        words[Word.ONLINE_MISSING] += counts.missing
        words[Word.ONLINE_UNAVAILABLE] += counts.unavailable

    def shadowed(self, revision: str, outcome: ShadowOutcome) -> None:
        """One request was mirrored to `revision`."""
        cells = _shadow_cells(self.cells, revision_number(revision))
        cells[2 + _OUTCOMES.index(outcome)] += 1


_UNUSED = CohortCells()


def requests_of(cells: WorkerCells) -> dict[int, int]:
    """A worker's requests by status."""
    counted = {STATUS_MIN + at: count for at, count in enumerate(cells.statuses) if count}
    return dict.fromkeys(CODES_FROM_START, 0) | counted


def pod_requests(cells: PodCells) -> dict[int, int]:
    """Requests of all workers by status."""
    requests: Counter[int] = Counter()
    for worker in cells.workers:
        requests.update(requests_of(worker))
    return dict(requests)


def pod_log_counts(cells: PodCells) -> LogCounts:
    """Rows of the prediction log, of all workers; parts are read before their whole."""
    written, lost = cells.total(Word.LOG_WRITTEN), cells.total(Word.LOG_LOST)
    return LogCounts(
        written=written,
        dropped=cells.total(Word.LOG_REFUSED) + lost,
        unsampled=cells.total(Word.LOG_UNSAMPLED),
        waiting=max(0, cells.total(Word.LOG_TAKEN) - written - lost),
    )


def pod_span_counts(cells: PodCells) -> SpanCounts:
    """Spans of all workers."""
    return SpanCounts(
        exported=cells.total(Word.SPANS_EXPORTED),
        dropped=cells.total(Word.SPANS_DROPPED),
        failed=cells.total(Word.SPANS_FAILED),
    )


def revision_number(revision: str) -> int:
    """A revision as a cell holds it."""
    try:
        return int(revision, 16) if len(revision) == _DIGITS else _NOBODY
    except ValueError:
        return _NOBODY


def revision_text(number: int) -> str:
    """The revision of a cell."""
    return "" if number == _NOBODY else f"{number:0{_DIGITS}x}"


_DIGITS = 10


def _shadow_cells(cells: WorkerCells, revision: int) -> memoryview[int]:
    """The cells of a shadow; the oldest makes room for a new one."""
    for shadow in cells.shadows:
        if shadow[0] and shadow[1] == revision:
            return shadow
    oldest = min(cells.shadows, key=lambda shadow: shadow[0])
    oldest[0] = 0  # nobody is to read the counts of one as those of another
    for place in range(2, len(oldest)):
        oldest[place] = 0
    oldest[1] = revision
    oldest[0] = time.time_ns() // 1_000_000
    return oldest


class PodReadiness(Readiness):
    """Ready is the pod whose workers all are; what is set is this worker's."""

    __slots__ = ("_own", "_pod")

    def __init__(self, pod: PodCells, own: WorkerCells) -> None:
        self._pod, self._own = pod, own

    @property
    def ready(self) -> bool:  # of all workers
        """Whether all workers are."""
        return self._pod.all_ready

    @ready.setter
    def ready(self, ready: bool) -> None:
        self._own.become(State.READY if ready else State.ENDING)


class Pulse:
    """Brings to the cells what isn't counted there at once."""

    def __init__(self, serving: Serving, cells: WorkerCells) -> None:
        self._serving = serving
        self._words = cells.words
        self._before = {word: cells.words[word] for word in _counts(serving)}

    async def run(self) -> None:
        """Beat until cancelled."""
        while True:
            self.beat()
            await asyncio.sleep(PULSE_SECONDS)

    def beat(self) -> None:
        """Bring it now."""
        serving, words = self._serving, self._words
        words[Word.BEAT] = int(time.monotonic())
        words[Word.IN_FLIGHT] = serving.metrics.in_flight
        words[Word.CONNECTIONS] = len(serving.door.guests)
        words[Word.COMING] = serving.door.coming()
        words[Word.ONLINE_ENTITIES] = serving.online.entities if serving.online else 0
        for word, count in _counts(serving).items():
            words[word] = self._before[word] + count


def _counts(serving: Serving) -> dict[Word, int]:
    """What threads count, since the process began."""
    found: dict[Word, int] = {}
    if serving.access_log is not None:
        lines = serving.access_log.counts()
        found |= {Word.ACCESS_WRITTEN: lines.written, Word.ACCESS_DROPPED: lines.dropped}
    if serving.log is not None:
        written, lost = serving.log.buffer.ended()
        found |= {Word.LOG_WRITTEN: written, Word.LOG_LOST: lost}
    if serving.tracing is not None:
        spans = serving.tracing.counts()
        found |= {
            Word.SPANS_EXPORTED: spans.exported,
            Word.SPANS_DROPPED: spans.dropped,
            Word.SPANS_FAILED: spans.failed,
        }
    return found
