"""Prediction requests by path: limits, errors, counting.

There are two ways through. What can be answered without waiting for anything is answered where its
last byte was read, without a task or a message between tasks: that is nearly every request of a
quick model. All others take the way of ASGI. Both end in the same functions.

A request takes its place among those that are answered only once all of it was read, so that one
that comes slowly takes nothing from the others; from then on it is counted and timed.
"""

from __future__ import annotations

import asyncio
import logging
import time

from serinus_runtime.artifact.model import Model
from serinus_runtime.server.ab_test import HANDED_BACK, AbTest, Exposure, Relayed, is_handed_on
from serinus_runtime.server.answer import FAILURE, OK, Answer, refusal
from serinus_runtime.server.binary_tensors import HEADER, NO_DATA, divided
from serinus_runtime.server.content_encoding import HEADER as CODING_HEADER
from serinus_runtime.server.content_encoding import (
    Coding,
    coding_of,
    decompressed,
    decompressed_at_once,
)
from serinus_runtime.server.csv_rows import is_csv, json_of_csv
from serinus_runtime.server.errors import RequestError
from serinus_runtime.server.exchange import Form
from serinus_runtime.server.invocations import InvocationsForm
from serinus_runtime.server.predict_rows import RowsForm
from serinus_runtime.server.prediction_requests import SMALL_BODY_BYTES, PredictionRequests
from serinus_runtime.server.protocol_v1 import InstancesForm
from serinus_runtime.server.protocol_v2 import TensorsForm
from serinus_runtime.server.request_body import (
    ClientGone,
    Receive,
    RequestHeaders,
    Scope,
    read_body,
    received_at,
)
from serinus_runtime.server.request_cells import RequestCells
from serinus_runtime.server.serving import Serving
from serinus_runtime.server.shadow import is_mirrored

logger = logging.getLogger(__name__)

_NOT_PLAIN = frozenset({CODING_HEADER, HEADER})
TO_MIRROR = "serinus.to_mirror"
"""Key in a scope: the body of a request that a shadow is to answer too."""


class PredictionPaths:
    """Answers the prediction requests of one server."""

    def __init__(self, serving: Serving) -> None:
        self._serving = serving
        self._requests = PredictionRequests(serving)
        self.forms = forms_by_path(serving.model, serving.revision)
        self._forms_by_url = {path.encode(): form for path, form in self.forms.items()}
        # What a row leaves out is looked up first, where that is wanted.
        self._rows = serving.rows if serving.online is None else {}
        self._usual_bytes_max = min(SMALL_BODY_BYTES, serving.limits.body_bytes)
        # Bodies that come may take so much memory together; so may what becomes of them.
        at_once = serving.door.limits.held_bytes // serving.limits.body_bytes
        self._decompressed = asyncio.Semaphore(max(1, at_once))

    def takes(self, method: bytes, url: bytes) -> bool:
        """Whether this is a prediction request, its path written as we write it."""
        return url in self._forms_by_url and method == b"POST"

    def at_once(
        self, url: bytes, headers: RequestHeaders, body: bytes, since: float
    ) -> Answer | None:
        """The answer to a whole request; None where it has to wait for something.

        `since` is the monotonic time of its last byte.
        """
        serving = self._serving
        shadow = serving.shadow
        ab_test = serving.ab_test
        if (shadow is not None and shadow.is_there) or (ab_test is not None and ab_test.runs):
            return None
        if len(body) > serving.limits.body_bytes:
            return None
        form = self._forms_by_url[url]
        if form.takes_csv and is_csv(headers):
            return None
        try:
            if (coding := coding_of(headers)) is not None:
                plain = decompressed_at_once(coding, body, self._usual_bytes_max)
                if plain is None:
                    return None
                body = plain
            text, data = divided(headers, body) if form.takes_binary else (body, NO_DATA)
            mirrored = serving.log is not None and is_mirrored(headers)
            self._requests.enter()
            try:
                answer = self._requests.at_once(form, text, data, mirrored=mirrored)
            finally:
                self._requests.leave()
        except RequestError as error:
            answer = refusal(error, headers)
        except Exception:
            logger.exception("prediction failed")
            answer = FAILURE
        if answer is not None:
            serving.metrics.observe(answer.status, time.monotonic() - since)
        return answer

    def is_plain(self, headers: RequestHeaders) -> bool:
        """Whether `usual` may be asked: the body is JSON alone, and somebody gets the answer."""
        return not is_mirrored(headers) and not any(name in _NOT_PLAIN for name, _ in headers)

    def usual(self, url: bytes, body: bytes, since: float) -> bytes | None:
        """The JSON that answers a usual request; None: `at_once` is to be asked.

        As there, but with headers that are plain.
        """
        serving = self._serving
        kernel, metrics, log = serving.tensors, serving.metrics, serving.log
        shadow, ab_test = serving.shadow, serving.ab_test
        word = self._forms_by_url[url].word
        asked = kernel if word == TensorsForm.word else self._rows.get(word)
        if (
            kernel is None
            or asked is None
            or len(body) > self._usual_bytes_max
            or metrics.in_flight >= serving.limits.concurrency
            or (shadow is not None and shadow.is_there)
            or (ab_test is not None and ab_test.runs)
        ):
            return None
        now_ms = time.time_ns() // 1_000_000
        try:
            text = asked.answer(body, now_ms, serving.ids.coming_number)
            if text is not None and log is not None and kernel.unlogged:
                log.buffer.offer_unlogged(text, now_ms, word)
        except Exception:
            logger.exception("the quick way failed")
            return None
        if text is None:
            return None
        serving.ids.next_number()
        metrics.predictions += kernel.n_rows
        metrics.cohort_cells(serving.revision, serving.ledger.cohort(now_ms))
        for position in kernel.bins_of_rows():
            metrics.predictions_binned[position] += 1
        metrics.observe(OK, time.monotonic() - since)
        return text

    async def answered(self, scope: Scope, receive: Receive) -> Answer:
        """The answer to a request that may still be coming; raises `ClientGone`."""
        serving = self._serving
        metrics, shadow, ab_test = serving.metrics, serving.shadow, serving.ab_test
        form = self.forms[scope["path"]]
        since: float | None = None
        cells: RequestCells = metrics
        room: asyncio.Semaphore | None = None
        try:
            body = await read_body(scope, receive, serving.limits.body_bytes)
            since = received_at(scope)
            if (coding := coding_of(scope["headers"])) is not None:
                body, room = await self._plain(coding, body, since)
            if shadow is not None and shadow.is_there:
                scope[TO_MIRROR] = body
            if ab_test is not None and ab_test.runs:
                tested = await self._tested(ab_test, scope, body)
                if isinstance(tested, Relayed):
                    return tested  # whoever answered it has counted it
                cells = tested
            if form.takes_csv and is_csv(scope["headers"]):
                body = await self._json_of_csv(body)
                if TO_MIRROR in scope:
                    scope[TO_MIRROR] = body
            text, data = divided(scope["headers"], body) if form.takes_binary else (body, NO_DATA)
            mirrored = serving.log is not None and is_mirrored(scope["headers"])
            async with self._requests.place(since):
                answer = await self._requests.answered(form, text, data, cells, mirrored=mirrored)
        except ClientGone:
            metrics.unread += 1
            raise
        except RequestError as error:
            answer = refusal(error, scope["headers"])
        except Exception:
            logger.exception("prediction failed")
            answer = FAILURE
        finally:
            if room is not None:
                room.release()
        since = received_at(scope) if since is None else since
        cells.observe(answer.status, time.monotonic() - since)
        return answer

    async def _plain(
        self, coding: Coding, body: bytes, since: float
    ) -> tuple[bytes, asyncio.Semaphore | None]:
        """What a compressed body becomes; and where it is large, what is to be released for it.

        Few large ones are there at once: the others wait as they came.
        """
        plain = decompressed_at_once(coding, body, self._usual_bytes_max)
        if plain is not None:
            return plain, None
        serving, loop, room = self._serving, asyncio.get_running_loop(), self._decompressed
        async with self._requests.place(since):
            await room.acquire()
            try:
                limit = serving.limits.body_bytes
                plain = await loop.run_in_executor(serving.aside, decompressed, coding, body, limit)
            except BaseException:
                room.release()
                raise
        return plain, room

    async def _json_of_csv(self, body: bytes) -> bytes:
        serving, loop = self._serving, asyncio.get_running_loop()
        inputs, rows_max = serving.model.manifest.signature.inputs, serving.limits.rows
        return await loop.run_in_executor(serving.aside, json_of_csv, body, inputs, rows_max)

    async def _tested(self, ab_test: AbTest, scope: Scope, body: bytes) -> Relayed | RequestCells:
        """An answer that isn't counted here; else where it is when this pod answers the request.

        What there is no room for is turned away before it belongs to a test.
        """
        metrics = self._serving.metrics
        if metrics.in_flight >= self._serving.limits.concurrency:
            return metrics
        exposure = ab_test.exposure(scope)
        if exposure is Exposure.HERE and metrics.ab_test is not None:
            if not self._serving.readiness.ready and is_handed_on(scope):
                return HANDED_BACK
            return metrics.ab_test.own
        if exposure is not Exposure.ELSEWHERE:
            return metrics
        metrics.in_flight += 1
        try:
            return await ab_test.relayed(scope, body) or metrics
        finally:
            metrics.in_flight -= 1


def forms_by_path(model: Model, revision: str) -> dict[str, Form]:
    """How prediction requests are written at each path that takes them."""
    name = model.manifest.model_name
    tensors = TensorsForm(model, revision)
    return {
        "/predict": RowsForm(model, revision),
        "/invocations": InvocationsForm(model, revision),
        f"/v1/models/{name}:predict": InstancesForm(model, revision),
        f"/v2/models/{name}/infer": tensors,
        f"/v2/models/{name}/versions/{model.version}/infer": tensors,
    }
