"""The paths that matter, answered as plain ASGI before any framework.

A route is looked up by method and path in one dictionary. All else goes to `fallback`, BentoML's
own application. Every prediction request that was read is counted and timed, from its headers to
its answer.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import orjson
from numpy.typing import NDArray

from serinus_runtime.artifact.encoding import RowEncoder, shown
from serinus_runtime.artifact.forest import FloatArray
from serinus_runtime.artifact.model import Model
from serinus_runtime.server import metrics as metrics_text
from serinus_runtime.server.engine import BatchingEngine, InlineEngine
from serinus_runtime.server.errors import BadRequest, NotFound, Overloaded, RequestError
from serinus_runtime.server.feedback import FeedbackLedger, judged_labels
from serinus_runtime.server.metrics import Metrics
from serinus_runtime.server.predict_rows import encoded_rows, predictions
from serinus_runtime.server.prediction_id import PredictionIdError, PredictionIds
from serinus_runtime.server.protocol_v2 import (
    encoded_inputs,
    inference_answer,
    model_metadata,
    requested_outputs,
    server_metadata,
)
from serinus_runtime.server.request_body import (
    ClientGone,
    Receive,
    Scope,
    Send,
    json_object,
    read_body,
)

logger = logging.getLogger(__name__)

Application: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]
_JSON = b"application/json"
_RETRY_AFTER_SECONDS = b"1"
_INTERNAL_ERROR = "the server failed on this request; its log has the traceback"


@dataclass(slots=True)
class Readiness:
    """Whether the pod wants traffic. It stops wanting it at once when told to end."""

    ready: bool = True


@dataclass(frozen=True, slots=True)
class Serving:
    """All that a request needs."""

    model: Model
    encoder: RowEncoder
    engine: InlineEngine | BatchingEngine
    ids: PredictionIds
    metrics: Metrics
    ledger: FeedbackLedger
    readiness: Readiness
    revision: str
    server_version: str
    max_body_bytes: int
    max_concurrency: int


@dataclass(frozen=True, slots=True, eq=False)
class Answered:
    """Answers of one request, with what a response says of them."""

    answers: FloatArray
    decided: NDArray[np.intp] | None
    prediction_id: str


class HotPath:
    """The ASGI application."""

    def __init__(self, serving: Serving, fallback: Application) -> None:
        self._serving = serving
        self._fallback = fallback
        self._routes = self._made_routes(serving.model)

    def _made_routes(self, model: Model) -> dict[tuple[str, str], Application]:
        routes: dict[tuple[str, str], Application] = {
            ("POST", "/predict"): self._predict,
            ("POST", "/feedback"): self._feedback,
            ("GET", "/metrics"): self._metrics,
            ("GET", "/v2"): self._server_metadata,
            ("GET", "/v2/health/live"): self._live,
            ("GET", "/v2/health/ready"): self._ready,
        }
        name = f"/v2/models/{model.manifest.model_name}"
        for path in (name, f"{name}/versions/{model.version}"):
            routes["GET", path] = self._model_metadata
            routes["GET", f"{path}/ready"] = self._model_ready
            routes["POST", f"{path}/infer"] = self._infer
        return routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or hand it on."""
        if scope["type"] != "http":
            await self._fallback(scope, receive, send)
            return
        route = self._routes.get((scope["method"], scope["path"]))
        if route is not None:
            await route(scope, receive, send)
        elif scope["path"].startswith("/v2/") or self._methods(scope["path"]):
            await self._unknown(scope, send)
        else:
            await self._fallback(scope, receive, send)

    # Predictions

    async def _predict(self, _scope: Scope, receive: Receive, send: Send) -> None:
        await self._timed(receive, send, self._predicted_rows)

    async def _infer(self, _scope: Scope, receive: Receive, send: Send) -> None:
        await self._timed(receive, send, self._inferred_tensors)

    async def _timed(
        self, receive: Receive, send: Send, answer: Callable[[bytes], Awaitable[Any]]
    ) -> None:
        """Run a prediction request: limits, errors, counting."""
        serving, started = self._serving, time.perf_counter()
        metrics = serving.metrics
        metrics.in_flight += 1
        try:
            if metrics.in_flight > serving.max_concurrency:
                raise Overloaded(
                    f"{serving.max_concurrency} requests are being answered; try again in 1 s"
                )
            document = await answer(await read_body(receive, serving.max_body_bytes))
            status = 200
        except RequestError as error:
            status, document = error.status, {"error": error.message}
        except ClientGone:
            return
        except Exception:
            logger.exception("prediction failed")
            status, document = 500, {"error": _INTERNAL_ERROR}
        finally:
            metrics.in_flight -= 1
        metrics.observe(status, time.perf_counter() - started)
        await self._send_json(send, status, document)

    async def _predicted_rows(self, body: bytes) -> Any:
        rows = encoded_rows(json_object(body), self._serving.encoder)
        answered = await self._answered(rows)
        model = self._serving.model
        return {
            "predictions": predictions(model, answered.answers, answered.decided),
            "id": answered.prediction_id,
            "revision": self._serving.revision,
            "model": model.manifest.model_name,
        }

    async def _inferred_tensors(self, body: bytes) -> Any:
        document = json_object(body)
        model = self._serving.model
        signature = model.manifest.signature
        wanted = requested_outputs(document, signature)
        given_id = document.get("id")
        if given_id is not None and type(given_id) is not str:
            raise BadRequest(f"`id`: expected a text, got {shown(given_id)}")
        answered = await self._answered(encoded_inputs(document, signature, self._serving.encoder))
        outputs = inference_answer(model, answered.answers, answered.decided)
        return {
            "model_name": model.manifest.model_name,
            "model_version": model.version,
            "id": given_id if given_id is not None else answered.prediction_id,
            "parameters": {
                "prediction_id": answered.prediction_id,
                "revision": self._serving.revision,
            },
            "outputs": [item for item in outputs if wanted is None or item["name"] in wanted],
        }

    async def _answered(self, rows: FloatArray) -> Answered:
        serving = self._serving
        engine = serving.engine
        if isinstance(engine, InlineEngine):
            answers = engine.answers(rows)
        else:
            answers = await engine.answers_of(rows)
        now_ms = time.time_ns() // 1_000_000
        serving.metrics.predictions += len(rows)
        serving.metrics.cohort_cells(serving.revision, serving.ledger.cohort(now_ms))
        if not serving.model.is_classification:
            identity = serving.ids.of_values(answers[:, 0], issued_at_ms=now_ms)
            return Answered(answers, None, identity)
        decided = serving.model.decided(answers)
        identity = serving.ids.of_classes(answers, decided, issued_at_ms=now_ms)
        return Answered(answers, decided, identity)

    # Feedback

    async def _feedback(self, _scope: Scope, receive: Receive, send: Send) -> None:
        serving = self._serving
        try:
            document = json_object(await read_body(receive, serving.max_body_bytes))
            status, answer = 200, self._counted(document)
        except RequestError as error:
            status, answer = error.status, {"error": error.message}
        except ClientGone:
            return
        await self._send_json(send, status, answer)

    def _counted(self, document: dict[str, Any]) -> dict[str, Any]:
        serving = self._serving
        identity, labels = document.get("id"), document.get("labels")
        if type(identity) is not str:
            raise BadRequest(f"`id`: expected the id of a prediction, got {shown(identity)}")
        if type(labels) is not list:
            raise BadRequest(f"`labels`: expected a list, got {shown(labels)}")
        try:
            prediction = serving.ids.opened(identity)
        except PredictionIdError as error:
            raise BadRequest(f"`id`: {error}") from error
        judged = judged_labels(prediction, labels, serving.model, serving.ledger)
        receipt = serving.ledger.count(prediction, judged, time.time_ns() // 1_000_000)
        return {
            "counted": receipt.counted,
            "pending": receipt.pending,
            "repeated": receipt.repeated,
            "late": receipt.late,
        }

    # What the pod says of itself

    async def _metrics(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        serving = self._serving
        serving.ledger.settle(time.time_ns() // 1_000_000)
        text = metrics_text.rendered(serving.metrics, flagged=serving.encoder.flags.total)
        await self._send(send, 200, metrics_text.CONTENT_TYPE, text)

    async def _live(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        await self._send_json(send, 200, {"live": True})

    async def _ready(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        ready = self._serving.readiness.ready
        await self._send_json(send, 200 if ready else 503, {"ready": ready})

    async def _model_ready(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        ready = self._serving.readiness.ready
        name = self._serving.model.manifest.model_name
        await self._send_json(send, 200 if ready else 503, {"name": name, "ready": ready})

    async def _server_metadata(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        await self._send_json(send, 200, server_metadata(self._serving.server_version))

    async def _model_metadata(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        await self._send_json(send, 200, model_metadata(self._serving.model))

    async def _unknown(self, scope: Scope, send: Send) -> None:
        methods = self._methods(scope["path"])
        if methods:
            message = f"expected {' or '.join(methods)}, got {scope['method']}"
            await self._send_json(send, 405, {"error": f"{scope['path']}: {message}"})
            return
        model = self._serving.model
        error = NotFound(
            f"{scope['path']} is not here; this server has model `{model.manifest.model_name}`, "
            f"version `{model.version}`"
        )
        await self._send_json(send, error.status, {"error": error.message})

    def _methods(self, path: str) -> list[str]:
        return sorted(method for method, known in self._routes if known == path)

    async def _send_json(self, send: Send, status: int, document: Any) -> None:
        await self._send(send, status, _JSON, orjson.dumps(document))

    async def _send(self, send: Send, status: int, content_type: bytes, body: bytes) -> None:
        headers = [
            (b"content-type", content_type),
            (b"content-length", b"%d" % len(body)),
        ]
        if status == Overloaded.status:
            headers.append((b"retry-after", _RETRY_AFTER_SECONDS))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})
