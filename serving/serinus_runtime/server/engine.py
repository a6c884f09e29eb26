"""Where predictions are computed: on the event loop if that is quick, else on a thread.

A quick model answers in less time than a thread switch costs. A slow one would stop the loop:
requests would wait unread in their sockets, where no clock of ours runs, and the latency that
clients see would be missing from the metrics. So it gets one thread, and that thread takes all
that waits at once (no timer: the batch is what came while the last one was computed).
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Protocol, TypeAlias

import numpy as np

from serinus_runtime.artifact.forest import FloatArray
from serinus_runtime.artifact.model import Predictor

INLINE_LIMIT_SECONDS = 0.002
BATCH_ROWS_MAX = 1024
_TRIALS = 5

Waiting: TypeAlias = "tuple[FloatArray, asyncio.Future[FloatArray]]"
"""Rows of a request, and where its answers go."""


class Engine(Protocol):
    """Computes answers for encoded rows."""

    def close(self) -> None:
        """End what was started."""


class InlineEngine:
    """Computes on the event loop."""

    def __init__(self, predictor: Predictor) -> None:
        self.answers = predictor.answers

    def close(self) -> None:
        """Nothing was started."""


class BatchingEngine:
    """Computes on one thread, all waiting requests at once."""

    def __init__(self, predictor: Predictor, loop: asyncio.AbstractEventLoop) -> None:
        self._predictor = predictor
        self._loop = loop
        self._waiting: deque[Waiting] = deque()
        self._wake = threading.Event()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="predictor", daemon=True)
        self._thread.start()

    async def answers_of(self, rows: FloatArray) -> FloatArray:
        """Answers of `rows`, computed together with those of other requests."""
        if len(rows) <= BATCH_ROWS_MAX:
            return await self._queued(rows)
        parts = range(0, len(rows), BATCH_ROWS_MAX)  # one after the other: others get in between
        return np.concatenate([await self._queued(rows[at : at + BATCH_ROWS_MAX]) for at in parts])

    def _queued(self, rows: FloatArray) -> asyncio.Future[FloatArray]:
        future: asyncio.Future[FloatArray] = self._loop.create_future()
        self._waiting.append((rows, future))
        self._wake.set()
        return future

    def close(self) -> None:
        """Let the thread end once it has answered what waits; doesn't wait for it.

        What it has begun may take longer than the process has, and nobody waits for it any more.
        """
        self._closed = True
        self._wake.set()

    def _run(self) -> None:
        while True:
            self._wake.wait()
            self._wake.clear()
            while batch := self._taken():
                self._answer(batch)
            if self._closed:
                return

    def _taken(self) -> list[Waiting]:
        """The waiting requests that fit a batch; at least one if any waits."""
        batch: list[Waiting] = []
        rows = 0
        while self._waiting and (not batch or rows + len(self._waiting[0][0]) <= BATCH_ROWS_MAX):
            one = self._waiting.popleft()
            if one[1].done():
                continue  # given up: nobody waits for its answer any more
            batch.append(one)
            rows += len(one[0])
        return batch

    def _answer(self, batch: list[Waiting]) -> None:
        """Answer together; where the model fails, each alone, so that only its cause fails."""
        try:
            answers = self._predictor.answers(np.concatenate([rows for rows, _ in batch]))
        except Exception as error:  # noqa: BLE001 (the model's own; the request gets it)
            if len(batch) == 1:
                self._tell(_fail, batch[0], error)
                return
            for one in batch:
                self._answer([one])
        else:
            self._tell(_deliver, batch, answers)

    def _tell(self, tell: Callable[..., None], *what: object) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(tell, *what)


def _deliver(batch: list[Waiting], answers: FloatArray) -> None:
    start = 0
    for rows, future in batch:
        end = start + len(rows)
        if not future.done():
            future.set_result(answers[start:end])
        start = end


def _fail(one: Waiting, error: Exception) -> None:
    _, future = one
    if not future.done():
        future.set_exception(error)


def engine_for(
    predictor: Predictor, sample: FloatArray, loop: asyncio.AbstractEventLoop
) -> InlineEngine | BatchingEngine:
    """The engine that fits how long one row takes at best, tried on `sample` (1, n_inputs).

    The best of a few trials: what slows the others is the machine, not the model.
    """
    seconds = []
    for _ in range(_TRIALS):
        start = time.perf_counter()
        predictor.answers(sample)
        seconds.append(time.perf_counter() - start)
    if min(seconds) <= INLINE_LIMIT_SECONDS:
        return InlineEngine(predictor)
    return BatchingEngine(predictor, loop)
