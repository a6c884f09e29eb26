"""From the body of a prediction request to the bytes of its answer.

A small request is answered where it stands, on the event loop: changing threads would take longer
than answering it. A large one is read, encoded and written on a thread of its own kind, so that
the others, and the probes, aren't kept waiting. Rows are counted before any of them is encoded.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Protocol, TypeVar

import orjson

from serinus_runtime.artifact.encoding import RowEncoder
from serinus_runtime.artifact.forest import FloatArray
from serinus_runtime.server.answer import Answer
from serinus_runtime.server.binary_tensors import CONTENT_TYPE, HEADER, filled
from serinus_runtime.server.engine import BatchingEngine
from serinus_runtime.server.errors import (
    BadRequest,
    Overloaded,
    TooLarge,
    Unanswered,
    not_looked_up,
)
from serinus_runtime.server.exchange import Answered, Asked, Form, JsonObject, LookedUp
from serinus_runtime.server.online_features import Completing
from serinus_runtime.server.request_body import check_structure, json_object
from serinus_runtime.server.request_cells import RequestCells
from serinus_runtime.server.serving import Serving

SMALL_BODY_BYTES = 64 << 10
_STRUCTURE_OF_A_ROW = 4
_STRUCTURE_OF_AN_INPUT = 1000
"""Objects and lists that a request may have; a row is one, a tensor three."""

SMALL_CELLS = 2048
"""Values of all rows together: about a millisecond of encoding."""

Result = TypeVar("Result")


class Stage(Protocol):
    """Where a piece of work is done."""

    def __call__(self, work: Callable[..., Result], *arguments: Any) -> Awaitable[Result]:
        """Do it."""


class PredictionRequests:
    """Answers prediction requests of any form."""

    def __init__(self, serving: Serving) -> None:
        self._serving = serving
        self._inputs = len(serving.model.manifest.signature.inputs)
        self._structure_max = (
            _STRUCTURE_OF_A_ROW * serving.limits.rows + _STRUCTURE_OF_AN_INPUT * self._inputs
        )

    def enter(self) -> None:
        """Take a place among the requests that are being answered; raises `Overloaded`."""
        metrics, limit = self._serving.metrics, self._serving.limits.concurrency
        if metrics.in_flight >= limit:
            raise Overloaded(f"{limit} requests are being answered; try again in 1 s")
        metrics.in_flight += 1

    def leave(self) -> None:
        """Give the place back."""
        self._serving.metrics.in_flight -= 1

    @asynccontextmanager
    async def place(self, since: float) -> AsyncIterator[None]:
        """A place for as long as a request that came whole at `since` may wait for its answer.

        Raises
        ------
        Overloaded, Unanswered
        """
        self.enter()
        try:
            async with answered_in_time(since, self._serving.limits.answer_seconds):
                yield
        finally:
            self.leave()

    def at_once(
        self, form: Form, body: bytes, data: memoryview, *, mirrored: bool = False
    ) -> Answer | None:
        """As `answered`; None where a thread is to do some of it."""
        engine, online = self._serving.engine, self._serving.online
        if isinstance(engine, BatchingEngine) or (online is not None and online.waits):
            return None
        if self.stage_of_bytes(len(body) + len(data)) is not _here:
            return None
        document = json_object(body)
        if self.stage_of_rows(form, document, _here) is not _here:
            return None
        if data:
            filled(document, data)
        begun = online.begun(form.word, document) if online is not None else None
        asked, flagged_rows = self._read_here(form, document, begun)
        answered = self._recorded(engine.answers(asked.rows), flagged_rows, self._serving.metrics)
        self._logged(form, asked, answered, mirrored=mirrored)
        return _written(form, asked, answered)

    async def answered(
        self,
        form: Form,
        body: bytes,
        data: memoryview,
        cells: RequestCells | None = None,
        *,
        mirrored: bool = False,
    ) -> Answer:
        """The answer to JSON with binary data after it; raises `RequestError`.

        Rows are counted in `cells`; None: in those of the server. The log says whether the request
        was `mirrored`: then nobody gets the answer.
        """
        stage = self.stage_of_bytes(len(body) + len(data))
        if stage is not _here:
            check_structure(body, self._structure_max)
        document = await stage(json_object, body)
        stage = self.stage_of_rows(form, document, stage)
        if data:
            await stage(filled, document, data)
        asked, answered = await self.predicted(form, document, stage, cells, mirrored=mirrored)
        return await stage(_written, form, asked, answered)

    def stage_of_bytes(self, size: int) -> Stage:
        """Where a request of that many bytes is taken apart."""
        return _here if size <= SMALL_BODY_BYTES else self._aside

    def stage_of_rows(self, form: Form, document: JsonObject, stage: Stage) -> Stage:
        """Where its rows are worked on, after they were counted; raises `TooLarge`."""
        small = self._row_count(form, document) * self._inputs <= SMALL_CELLS
        return stage if small else self._aside

    async def predicted(
        self,
        form: Form,
        document: JsonObject,
        stage: Stage,
        cells: RequestCells | None = None,
        *,
        mirrored: bool = False,
    ) -> tuple[Asked, Answered]:
        """What was asked and what is answered, counted and logged; raises `RequestError`."""
        asked, flagged_rows = await self._read(form, document, stage)
        answers = await self._answers(asked.rows, stage)
        answered = self._recorded(answers, flagged_rows, cells or self._serving.metrics)
        self._logged(form, asked, answered, mirrored=mirrored)
        return asked, answered

    def _row_count(self, form: Form, document: JsonObject) -> int:
        count, limit = form.row_count(document), self._serving.limits.rows
        if count > limit:
            raise TooLarge(
                f"`{form.rows_field}`: expected at most {limit} rows, got {count}; send them in "
                "several requests"
            )
        return count

    async def _read(self, form: Form, document: JsonObject, stage: Stage) -> tuple[Asked, int]:
        """Read the request; what it flags is only counted if nothing of it is refused.

        With it comes in how many of its rows a value was flagged.
        """
        begun = None
        if self._serving.online is not None:
            begun = await stage(self._serving.online.begun, form.word, document)
            await begun.fetched()
        if stage is _here:
            return self._read_here(form, document, begun)
        encoder = RowEncoder(self._serving.model.manifest.signature)  # flags belong to one thread
        try:
            asked = await stage(_reading(form, begun), document, encoder)
        except BadRequest as error:
            self._tell_unavailable(error, begun)
            raise
        if asked.looked_up is not None:
            self._serving.metrics.count_looked_up(asked.looked_up)
        self._serving.encoder.flags.total += encoder.flags.total
        return asked, encoder.flags.rows

    def _read_here(
        self, form: Form, document: JsonObject, begun: Completing | None
    ) -> tuple[Asked, int]:
        flags = self._serving.encoder.flags
        values, rows = flags.total, flags.rows
        try:
            asked = _reading(form, begun)(document, self._serving.encoder)
        except Exception as error:
            flags.total, flags.rows = values, rows
            self._tell_unavailable(error, begun)
            raise
        if asked.looked_up is not None:
            self._serving.metrics.count_looked_up(asked.looked_up)
        return asked, flags.rows - rows

    def _tell_unavailable(self, error: Exception, begun: Completing | None) -> None:
        """Raise `Overloaded` where a request is refused for what isn't its own fault."""
        if begun is not None and begun.unavailable and isinstance(error, BadRequest):
            self._serving.metrics.count_looked_up(LookedUp(unavailable=begun.unavailable))
            raise not_looked_up(error) from error

    async def _answers(self, rows: FloatArray, stage: Stage) -> FloatArray:
        engine = self._serving.engine
        if isinstance(engine, BatchingEngine):
            return await engine.answers_of(rows)
        return await stage(engine.answers, rows)

    def _recorded(self, answers: FloatArray, flagged_rows: int, cells: RequestCells) -> Answered:
        """Count the rows and, at the same moment, those flagged; seal the answer in an id."""
        serving = self._serving
        now_ms = time.time_ns() // 1_000_000
        cells.predictions += len(answers)
        cells.predictions_out_of_range += flagged_rows
        exposed, cohort = cells.exposed, serving.ledger.cohort(now_ms)
        serving.metrics.cohort_cells(serving.revision, cohort, exposed=exposed)
        model, ids = serving.model, serving.ids
        decided = model.decided(answers) if model.is_classification else None
        serving.bins.count(answers, decided, serving.metrics.predictions_binned)
        if decided is None:
            identity = ids.of_values(answers[:, 0], issued_at_ms=now_ms, exposed=exposed)
        else:
            identity = ids.of_classes(answers, decided, issued_at_ms=now_ms, exposed=exposed)
        return Answered(answers, decided, identity, now_ms)

    def _logged(self, form: Form, asked: Asked, answered: Answered, *, mirrored: bool) -> None:
        """Offer to the log each row that was counted, and no other."""
        if self._serving.log is not None:
            self._serving.log.buffer.offer(
                answered.prediction_id,
                answered.issued_at_ms,
                form.word,
                asked.rows,
                answered.answers,
                answered.decided,
                mirrored=mirrored,
            )

    async def _aside(self, work: Callable[..., Result], *arguments: Any) -> Result:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._serving.aside, work, *arguments)


@asynccontextmanager
async def answered_in_time(since: float, seconds: float) -> AsyncIterator[None]:
    """Give up what is done inside `seconds` after the monotonic time `since`.

    What waits for its turn on a thread is taken out of the queue then; what a thread has begun
    can't be stopped.

    Raises
    ------
    Unanswered
    """
    try:
        async with asyncio.timeout(since + seconds - time.monotonic()) as patience:
            yield
    except TimeoutError as error:
        if not patience.expired():
            raise
        raise Unanswered(
            f"there was no answer within {seconds:g} s; send fewer rows, or try again later"
        ) from error


async def _here(work: Callable[..., Result], *arguments: Any) -> Result:
    return work(*arguments)


def _reading(form: Form, begun: Completing | None) -> Callable[[JsonObject, RowEncoder], Asked]:
    """How a request is read: after what it leaves out was filled, where that is wanted."""
    if begun is None:
        return form.read

    def read(document: JsonObject, encoder: RowEncoder) -> Asked:
        looked_up = begun.filled()
        return form.read(document, encoder)._replace(looked_up=looked_up)

    return read


def _written(form: Form, asked: Asked, answered: Answered) -> Answer:
    document, data = form.written(asked, answered)
    text = orjson.dumps(document)
    if not data:
        return Answer(200, text)
    return Answer(200, text + data, CONTENT_TYPE, ((HEADER, b"%d" % len(text)),))
