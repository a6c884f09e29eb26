"""From the body of a prediction request to the bytes of its answer.

A small request is answered where it stands, on the event loop: changing threads would take longer
than answering it. A large one is read, encoded and written on a thread of its own kind, so that
the others, and the probes, aren't kept waiting. Rows are counted before any of them is encoded.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, Protocol, TypeVar

import orjson

from serinus_runtime.artifact.encoding import RowEncoder
from serinus_runtime.artifact.forest import FloatArray
from serinus_runtime.server.answer import Answer
from serinus_runtime.server.binary_tensors import CONTENT_TYPE, HEADER, filled
from serinus_runtime.server.engine import BatchingEngine
from serinus_runtime.server.errors import TooLarge
from serinus_runtime.server.exchange import Answered, Asked, Form, JsonObject
from serinus_runtime.server.request_body import check_structure, json_object
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

    async def answered(self, form: Form, body: bytes, data: memoryview) -> Answer:
        """The answer to JSON with binary data after it; raises `RequestError`."""
        stage: Stage = _here
        if len(body) + len(data) > SMALL_BODY_BYTES:
            stage = self._aside
            check_structure(body, self._structure_max)
        document = await stage(json_object, body)
        if self._row_count(form, document) * self._inputs > SMALL_CELLS:
            stage = self._aside
        if data:
            await stage(filled, document, data)
        asked, flagged_rows = await self._read(form, document, stage)
        answered = self._recorded(await self._answers(asked.rows, stage), flagged_rows)
        return await stage(_written, form, asked, answered)

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
        flags = self._serving.encoder.flags
        if stage is _here:
            values, rows = flags.total, flags.rows
            try:
                asked = form.read(document, self._serving.encoder)
            except Exception:
                flags.total, flags.rows = values, rows
                raise
            return asked, flags.rows - rows
        encoder = RowEncoder(self._serving.model.manifest.signature)  # flags belong to one thread
        asked = await stage(form.read, document, encoder)
        flags.total += encoder.flags.total
        return asked, encoder.flags.rows

    async def _answers(self, rows: FloatArray, stage: Stage) -> FloatArray:
        engine = self._serving.engine
        if isinstance(engine, BatchingEngine):
            return await engine.answers_of(rows)
        return await stage(engine.answers, rows)

    def _recorded(self, answers: FloatArray, flagged_rows: int) -> Answered:
        """Count the rows and, at the same moment, those flagged; seal the answer in an id."""
        serving = self._serving
        now_ms = time.time_ns() // 1_000_000
        serving.metrics.predictions += len(answers)
        serving.metrics.predictions_out_of_range += flagged_rows
        serving.metrics.cohort_cells(serving.revision, serving.ledger.cohort(now_ms))
        if not serving.model.is_classification:
            serving.bins.count(answers, None, serving.metrics.predictions_binned)
            identity = serving.ids.of_values(answers[:, 0], issued_at_ms=now_ms)
            return Answered(answers, None, identity)
        decided = serving.model.decided(answers)
        serving.bins.count(answers, decided, serving.metrics.predictions_binned)
        identity = serving.ids.of_classes(answers, decided, issued_at_ms=now_ms)
        return Answered(answers, decided, identity)

    async def _aside(self, work: Callable[..., Result], *arguments: Any) -> Result:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._serving.aside, work, *arguments)


async def _here(work: Callable[..., Result], *arguments: Any) -> Result:
    return work(*arguments)


def _written(form: Form, asked: Asked, answered: Answered) -> Answer:
    document, data = form.written(asked, answered)
    text = orjson.dumps(document)
    if not data:
        return Answer(200, text)
    return Answer(200, text + data, CONTENT_TYPE, ((HEADER, b"%d" % len(text)),))
