"""The paths that matter, answered as plain ASGI before any framework.

A route is looked up by method and path in one dictionary. The documentation is left to `fallback`,
BentoML's own application; what nobody knows is told so. A prediction request takes its place among
those that are answered only once all of it was read, so that one that comes slowly takes nothing
from the others; from then on it is counted and timed.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable
from typing import TypeAlias

from serinus_runtime.artifact.model import Model
from serinus_runtime.server.answer import FAILURE, Answer, of_json, refusal
from serinus_runtime.server.bento import is_documentation
from serinus_runtime.server.binary_tensors import NO_DATA, divided
from serinus_runtime.server.errors import NotFound, Overloaded, RequestError, WrongMethod
from serinus_runtime.server.exchange import Form
from serinus_runtime.server.feedback_requests import BODY_BYTES_MAX, FeedbackRequests
from serinus_runtime.server.invocations import InvocationsForm
from serinus_runtime.server.metrics import CONTENT_TYPE, Elsewhere, rendered
from serinus_runtime.server.predict_rows import RowsForm
from serinus_runtime.server.prediction_requests import PredictionRequests
from serinus_runtime.server.protocol_v1 import InstancesForm, models_list
from serinus_runtime.server.protocol_v2 import TensorsForm, model_metadata, server_metadata
from serinus_runtime.server.request_body import (
    Application,
    ClientGone,
    Receive,
    Scope,
    Send,
    read_body,
    received_at,
)
from serinus_runtime.server.serving import Serving

logger = logging.getLogger(__name__)

Handler: TypeAlias = Callable[[Scope, Receive], Awaitable[Answer]]
_SHOWN_CHARACTERS = 200
_TO_MIRROR = "serinus.to_mirror"
"""Key in a scope: the body of a request that a shadow is to answer too."""


class HotPath:
    """The ASGI application."""

    def __init__(self, serving: Serving, fallback: Application) -> None:
        self._serving = serving
        self._fallback = fallback
        self._predictions = PredictionRequests(serving)
        self._labels = FeedbackRequests(serving)
        self._shadow = serving.shadow
        self._routes = self._made_routes(serving.model)

    def _made_routes(self, model: Model) -> dict[tuple[str, str], Handler]:
        revision = self._serving.revision
        infer = self._predicting(TensorsForm(model, revision))
        routes: dict[tuple[str, str], Handler] = {
            ("POST", "/predict"): self._predicting(RowsForm(model, revision)),
            ("POST", "/feedback"): self._feedback,
            ("GET", "/metrics"): self._metrics,
            ("POST", "/invocations"): self._predicting(InvocationsForm(model, revision)),
            ("GET", "/ping"): self._ready,
            ("GET", "/v1/models"): self._models,
            ("GET", "/v2"): self._server_metadata,
            ("GET", "/v2/health/live"): self._live,
            ("GET", "/v2/health/ready"): self._ready,
            ("GET", "/healthz"): self._live,
            ("GET", "/livez"): self._live,
            ("GET", "/readyz"): self._ready,
        }
        first = f"/v1/models/{model.manifest.model_name}"
        routes["GET", first] = self._model_ready
        routes["POST", f"{first}:predict"] = self._predicting(InstancesForm(model, revision))
        name = f"/v2/models/{model.manifest.model_name}"
        for path in (name, f"{name}/versions/{model.version}"):
            routes["GET", path] = self._model_metadata
            routes["GET", f"{path}/ready"] = self._model_ready
            routes["POST", f"{path}/infer"] = infer
        return routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or hand it on."""
        if scope["type"] != "http":
            await self._fallback(scope, receive, send)
            return
        handler = self._routes.get((scope["method"], scope["path"]))
        if handler is None:
            if is_documentation(scope["method"], scope["path"]):
                await self._fallback(scope, receive, send)
                return
            handler = self._unknown
        try:
            answer = await handler(scope, receive)
        except ClientGone:
            return
        except RequestError as error:
            answer = refusal(error, scope)
        except Exception:
            logger.exception("request failed")
            answer = FAILURE
        await answer.send(send)
        if self._shadow is not None and (body := scope.get(_TO_MIRROR)) is not None:
            self._shadow.offer(scope, body, answer)

    # Predictions

    def _predicting(self, form: Form) -> Handler:
        """The handler of prediction requests in one form: limits, errors, counting."""
        serving, metrics, shadow = self._serving, self._serving.metrics, self._serving.shadow

        async def handled(scope: Scope, receive: Receive) -> Answer:
            started: float | None = None
            try:
                body = await read_body(receive, serving.limits.body_bytes)
                started = received_at(scope)
                if shadow is not None and shadow.is_there:
                    scope[_TO_MIRROR] = body
                body, data = divided(scope, body) if form.takes_binary else (body, NO_DATA)
                answer = await self._in_its_place(form, body, data)
            except RequestError as error:
                answer = refusal(error, scope)
            except ClientGone:
                metrics.unread += 1
                raise
            except Exception:
                logger.exception("prediction failed")
                answer = FAILURE
            since = received_at(scope) if started is None else started
            metrics.observe(answer.status, time.monotonic() - since)
            return answer

        return handled

    async def _in_its_place(self, form: Form, body: bytes, data: memoryview) -> Answer:
        """The answer, while it counts as one of those that are being answered."""
        metrics, limit = self._serving.metrics, self._serving.limits.concurrency
        if metrics.in_flight >= limit:
            raise Overloaded(f"{limit} requests are being answered; try again in 1 s")
        metrics.in_flight += 1
        try:
            return await self._predictions.answered(form, body, data)
        finally:
            metrics.in_flight -= 1

    # Feedback

    async def _feedback(self, scope: Scope, receive: Receive) -> Answer:
        return await self._labels.answered(scope, await read_body(receive, BODY_BYTES_MAX))

    # What the pod says of itself

    async def _metrics(self, _scope: Scope, _receive: Receive) -> Answer:
        serving = self._serving
        serving.ledger.settle(time.time_ns() // 1_000_000)
        elsewhere = Elsewhere(
            flagged=serving.encoder.flags.total,
            connections=len(serving.door.guests),
            coming=serving.door.coming(),
        )
        return Answer(200, rendered(serving.metrics, elsewhere), CONTENT_TYPE)

    async def _live(self, _scope: Scope, _receive: Receive) -> Answer:
        return of_json(200, {"live": True})

    async def _ready(self, _scope: Scope, _receive: Receive) -> Answer:
        ready = self._serving.readiness.ready
        return of_json(200 if ready else 503, {"ready": ready})

    async def _model_ready(self, _scope: Scope, _receive: Receive) -> Answer:
        ready = self._serving.readiness.ready
        name = self._serving.model.manifest.model_name
        return of_json(200 if ready else 503, {"name": name, "ready": ready})

    async def _models(self, _scope: Scope, _receive: Receive) -> Answer:
        return of_json(200, models_list(self._serving.model))

    async def _server_metadata(self, _scope: Scope, _receive: Receive) -> Answer:
        return of_json(200, server_metadata(self._serving.server_version))

    async def _model_metadata(self, _scope: Scope, _receive: Receive) -> Answer:
        return of_json(200, model_metadata(self._serving.model))

    async def _unknown(self, scope: Scope, _receive: Receive) -> Answer:
        path = scope["path"]
        shown = path[:_SHOWN_CHARACTERS] + ("…" if len(path) > _SHOWN_CHARACTERS else "")
        methods = sorted(method for method, known in self._routes if known == path)
        if methods:
            raise WrongMethod(f"{shown}: expected {' or '.join(methods)}, got {scope['method']}")
        model = self._serving.model
        raise NotFound(
            f"{shown} is not here; this server has model `{model.manifest.model_name}`, "
            f"version `{model.version}`"
        )
