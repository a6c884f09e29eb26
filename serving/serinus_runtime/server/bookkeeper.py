"""The process that keeps a pod's books where several workers answer: labels, and sums for a scrape.

Labels count once for the pod whichever worker made the prediction and whichever is sent the label,
because one process counts them all. It answers no predictions, so that nothing a request does can
take the books along. The workers' counts are in memory that it shares with them.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import time
from collections import Counter
from dataclasses import dataclass

from serinus_runtime.artifact.model import Model
from serinus_runtime.server.access_log import AccessCounts
from serinus_runtime.server.answer import FAILURE, Answer, refusal
from serinus_runtime.server.errors import RequestError
from serinus_runtime.server.feedback import FeedbackLedger
from serinus_runtime.server.feedback_requests import FeedbackRequests
from serinus_runtime.server.metrics import (
    CONTENT_TYPE,
    SHADOWS_KEPT,
    Elsewhere,
    Metrics,
    ShadowOutcome,
    rendered,
)
from serinus_runtime.server.peers import Peers
from serinus_runtime.server.pod_books import (
    LINE_BYTES_MAX,
    About,
    Question,
    read_question,
    write_answer,
)
from serinus_runtime.server.prediction_id import PredictionIds
from serinus_runtime.server.worker_cells import PodCells, Word
from serinus_runtime.server.worker_metrics import (
    pod_log_counts,
    pod_requests,
    pod_span_counts,
    revision_text,
)

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Books:
    """All that labels need, and what the workers count."""

    model: Model
    ids: PredictionIds
    ledger: FeedbackLedger
    peers: Peers | None
    metrics: Metrics
    cells: PodCells


class Bookkeeper:
    """Answers the workers' questions."""

    def __init__(self, books: Books) -> None:
        self._books = books
        self._labels = FeedbackRequests(books)

    async def keep(self, listening: socket.socket) -> None:
        """Answer until SIGTERM."""
        ended = asyncio.Event()
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, ended.set)
        server = await asyncio.start_unix_server(
            self._connected, sock=listening, limit=LINE_BYTES_MAX
        )
        await ended.wait()
        server.close()
        if self._books.peers is not None:
            self._books.peers.close()

    async def answered(self, question: Question) -> Answer:
        """What the books say."""
        try:
            if question.about is About.METRICS:
                return self._metrics()
            return await self._labels.answered({"headers": question.headers}, question.body)
        except RequestError as error:
            return refusal(error, question.headers)
        except Exception:
            logger.exception("question of a worker failed")
            return FAILURE

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            write_answer(writer, await self.answered(await read_question(reader)))
            await writer.drain()
        except (OSError, EOFError):  # the worker is gone
            return
        finally:
            writer.close()

    def _metrics(self) -> Answer:
        books = self._books
        begin_cohorts(books.metrics, books.cells)
        books.ledger.settle(time.time_ns() // 1_000_000)
        take_sums(books.metrics, books.cells)
        return Answer(200, rendered(books.metrics, others_counts(books.cells)), CONTENT_TYPE)


def begin_cohorts(metrics: Metrics, cells: PodCells) -> None:
    """Let there be counters for each cohort in which a worker answered."""
    for cohort in sorted({cohort for worker in cells.workers for cohort in worker.cohorts}):
        if cohort:
            metrics.cohort_cells(metrics.revision, cohort)


def take_sums(metrics: Metrics, cells: PodCells) -> None:
    """Set what requests count to the sums of all workers.

    A part is read before its whole, so that it is never more, though workers go on meanwhile.
    """
    workers = cells.workers
    metrics.predictions_out_of_range = cells.total(Word.OUT_OF_RANGE)
    metrics.predictions = cells.total(Word.PREDICTIONS)
    metrics.unread = cells.total(Word.UNREAD)
    metrics.in_flight = cells.total(Word.IN_FLIGHT)
    metrics.worker_deaths = cells.deaths
    metrics.looked_up = {
        "present": cells.total(Word.ONLINE_PRESENT),
        "stale": cells.total(Word.ONLINE_STALE),
        "missing": cells.total(Word.ONLINE_MISSING),
        "unavailable": cells.total(Word.ONLINE_UNAVAILABLE),
    }
    metrics.requests = pod_requests(cells)
    metrics.duration_seconds = sum(worker.floats[Word.SECONDS] for worker in workers)
    metrics.duration_buckets = _columns([worker.durations for worker in workers])
    metrics.predictions_binned = _columns([worker.bins for worker in workers])
    metrics.shadows = _shadows(cells)


def others_counts(cells: PodCells) -> Elsewhere:
    """What is counted beside the requests, of all workers."""
    return Elsewhere(
        flagged=cells.total(Word.FLAGGED),
        connections=cells.total(Word.CONNECTIONS),
        coming=cells.total(Word.COMING),
        log=pod_log_counts(cells),
        access=AccessCounts(cells.total(Word.ACCESS_WRITTEN), cells.total(Word.ACCESS_DROPPED)),
        spans=pod_span_counts(cells),
        # All of them look into the same tables.
        online_entities=max(worker.words[Word.ONLINE_ENTITIES] for worker in cells.workers),
    )


def _columns(rows: list[memoryview[int]]) -> list[int]:
    return [sum(column) for column in zip(*rows, strict=True)]


def _shadows(cells: PodCells) -> dict[str, dict[ShadowOutcome, int]]:
    """The newest shadows, by when the first worker met them."""
    first_met: dict[int, int] = {}
    counts: dict[int, Counter[ShadowOutcome]] = {}
    for worker in cells.workers:
        for met, revision, *outcomes in worker.shadows:
            if met:
                first_met[revision] = min(met, first_met.get(revision, met))
                of = counts.setdefault(revision, Counter(dict.fromkeys(ShadowOutcome, 0)))
                of.update(dict(zip(ShadowOutcome, outcomes, strict=True)))
    newest = sorted(first_met, key=lambda revision: first_met[revision])[-SHADOWS_KEPT:]
    return {revision_text(revision): dict(counts[revision]) for revision in newest}
