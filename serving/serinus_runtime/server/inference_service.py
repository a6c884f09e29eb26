"""The methods of the Open Inference Protocol's gRPC service: bytes of a message in, bytes out.

They stand beside the paths of `hot_path` and do the same with the same: one way to check, predict,
count and refuse, whatever the protocol. Nothing here knows how messages travel.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

import orjson

from serinus_runtime.server import open_inference_pb2 as wire
from serinus_runtime.server.ab_test import Exposure
from serinus_runtime.server.answer import of_json
from serinus_runtime.server.call_exposure import exposure_of, relayed, told
from serinus_runtime.server.errors import NotFound, RequestError, TooLarge
from serinus_runtime.server.exchange import Answered, Asked, JsonObject
from serinus_runtime.server.inference_messages import (
    answer_message,
    document_of,
    fill,
    metadata_message,
    parsed,
)
from serinus_runtime.server.message_structure import check_fields, check_tensors
from serinus_runtime.server.prediction_requests import SMALL_BODY_BYTES, PredictionRequests
from serinus_runtime.server.protocol_v2 import (
    PLATFORM,
    TensorsForm,
    model_metadata,
)
from serinus_runtime.server.request_body import Scope
from serinus_runtime.server.request_cells import RequestCells
from serinus_runtime.server.serving import Serving
from serinus_runtime.server.shadow import BODY_BYTES_MAX, Shadow
from serinus_runtime.server.tensors import cut
from serinus_runtime.server.trace_context import BEGUN, CALL_BEGUN

logger = logging.getLogger(__name__)

SERVICE = "inference.GRPCInferenceService"
INFER = "ModelInfer"
CLIENT_LEFT = 499
"""What is counted where the client didn't wait for the answer, or its deadline was over."""

Method: TypeAlias = Callable[[bytes], Awaitable[bytes]]
FIELDS_MIN = 1000
_FIELDS_OF_AN_INPUT = 4
"""Fields that a message may have: a tensor is one, and its raw values another."""
_FIELDS_OF_A_TENSOR = 8
"""Fields that each of them may have, if it is a tensor."""


class InferenceService:
    """What each method answers; each raises `RequestError`."""

    def __init__(self, serving: Serving) -> None:
        self._serving = serving
        self._form = TensorsForm(serving.model, serving.revision)
        self._predictions = PredictionRequests(serving)
        inputs = len(serving.model.manifest.signature.inputs)
        self._fields_max = FIELDS_MIN + _FIELDS_OF_AN_INPUT * inputs
        self._path = f"/v2/models/{serving.model.manifest.model_name}/infer"
        self.methods: Mapping[str, Method] = {
            "ServerLive": self._server_live,
            "ServerReady": self._server_ready,
            "ModelReady": self._model_ready,
            "ServerMetadata": self._server_metadata,
            "ModelMetadata": self._model_metadata,
            INFER: self._model_infer,
        }

    async def _server_live(self, message: bytes) -> bytes:
        parsed(wire.ServerLiveRequest, message)
        return bytes(wire.ServerLiveResponse(live=True).SerializeToString())

    async def _server_ready(self, message: bytes) -> bytes:
        parsed(wire.ServerReadyRequest, message)
        ready = self._serving.readiness.ready
        return bytes(wire.ServerReadyResponse(ready=ready).SerializeToString())

    async def _model_ready(self, message: bytes) -> bytes:
        asked = parsed(wire.ModelReadyRequest, message)
        self._check_model(asked.name, asked.version)
        ready = self._serving.readiness.ready
        return bytes(wire.ModelReadyResponse(ready=ready).SerializeToString())

    async def _server_metadata(self, message: bytes) -> bytes:
        parsed(wire.ServerMetadataRequest, message)
        told = wire.ServerMetadataResponse(name=PLATFORM, version=self._serving.server_version)
        return bytes(told.SerializeToString())

    async def _model_metadata(self, message: bytes) -> bytes:
        asked = parsed(wire.ModelMetadataRequest, message)
        self._check_model(asked.name, asked.version)
        return metadata_message(model_metadata(self._serving.model))

    def _check_model(self, name: str, version: str) -> None:
        model = self._serving.model
        known = model.manifest.model_name
        if name != known or version not in ("", model.version):
            asked = f"model `{cut(name)}`" + (f", version `{cut(version)}`," if version else "")
            raise NotFound(
                f"{asked} is not here; this server has model `{known}`, version `{model.version}`"
            )

    # Predictions

    async def _model_infer(self, message: bytes) -> bytes:
        """The answer, counted and timed as one that came over HTTP."""
        since, status, said = time.monotonic(), 500, _Said(self._serving.metrics)
        try:
            answer = await self._in_its_place(message, said, since)
            status = 200
        except asyncio.CancelledError:
            status = CLIENT_LEFT
            raise
        except RequestError as error:
            status = error.status
            raise
        finally:
            if status != NotFound.status and not said.is_relayed:  # as a path that isn't there
                said.cells.observe(status, time.monotonic() - since)
                self._offer_to_shadow(status, message, said)
        return answer

    async def _in_its_place(self, message: bytes, said: _Said, since: float) -> bytes:
        limit = self._serving.limits.body_bytes
        if len(message) > limit:
            raise TooLarge(f"the message is over the limit of {limit} bytes; send fewer rows")
        async with self._predictions.place(since):
            return await self._answered(message, said)

    async def _answered(self, message: bytes, said: _Said) -> bytes:
        predictions, form = self._predictions, self._form
        check_fields(message, self._fields_max)
        stage = predictions.stage_of_bytes(len(message))
        if len(message) > SMALL_BODY_BYTES:
            await stage(check_tensors, message, _FIELDS_OF_A_TENSOR * self._fields_max)
        request = await stage(parsed, wire.ModelInferRequest, message)
        self._check_model(request.model_name, request.model_version)
        is_elsewhere = self._is_elsewhere(request, said)
        document = said.asked = await stage(document_of, request)
        stage = predictions.stage_of_rows(form, document, stage)
        await stage(fill, document, request)
        written = partial(answer_message, raw=bool(request.raw_input_contents))
        if is_elsewhere and (told := await self._told_by_canary(document, said)) is not None:
            return await stage(written, told)
        asked, answered = await predictions.predicted(form, document, stage, said.cells)
        said.told = await stage(self._told, asked, answered)
        return await stage(written, said.told)

    def _is_elsewhere(self, request: wire.ModelInferRequest, said: _Said) -> bool:
        """Whether an A/B test's canary is to answer; what names a version takes no part."""
        ab_test = self._serving.ab_test
        if ab_test is None or not ab_test.runs or request.model_version:
            return False
        exposure = exposure_of(ab_test, self._path)
        if exposure is Exposure.HERE and self._serving.metrics.ab_test is not None:
            said.cells = self._serving.metrics.ab_test.own
        return exposure is Exposure.ELSEWHERE

    async def _told_by_canary(self, document: JsonObject, said: _Said) -> JsonObject | None:
        """Its answer, which it has counted; None where stable is to answer."""
        assert self._serving.ab_test is not None
        answer = await relayed(self._serving.ab_test, self._path, document)
        if answer is None:
            return None
        said.is_relayed = True
        return told(answer)

    def _told(self, asked: Asked, answered: Answered) -> JsonObject:
        return self._form.written(asked, answered).document

    def _offer_to_shadow(self, status: int, message: bytes, said: _Said) -> None:
        """Mirror the call as the request that it would be over HTTP, once it is answered."""
        shadow = self._serving.shadow
        if shadow is None or not shadow.is_there or said.asked is None:
            return
        scope = {"path": self._path, "headers": (), BEGUN: CALL_BEGUN.get()}
        asyncio.get_running_loop().call_soon(_offered, shadow, scope, status, message, said)


@dataclass(slots=True)
class _Said:
    """What JSON would say of a call, asked and told, and where it is counted, if it is."""

    cells: RequestCells
    is_relayed: bool = False
    asked: JsonObject | None = None
    told: JsonObject | None = None


def _offered(shadow: Shadow, scope: Scope, status: int, message: bytes, said: _Said) -> None:
    is_large = len(message) > BODY_BYTES_MAX  # it is dropped, and counted there
    body = message if is_large else orjson.dumps(said.asked)
    shadow.offer(scope, body, of_json(status, said.told))
