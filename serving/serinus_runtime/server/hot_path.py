"""The paths that matter, answered as plain ASGI before any framework.

A route is looked up by method and path in one dictionary. The documentation is left to `fallback`,
BentoML's own application; what nobody knows is told so. Predictions are in `prediction_paths`.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Set
from typing import TYPE_CHECKING, TypeAlias

from serinus_runtime.artifact.model import Model
from serinus_runtime.prediction_log.buffer import LogCounts
from serinus_runtime.server.access_log import AccessCounts
from serinus_runtime.server.answer import FAILURE, OK, TEXT, Answer, of_json, refusal
from serinus_runtime.server.bento import is_documentation
from serinus_runtime.server.content_encoding import plain_body
from serinus_runtime.server.errors import NotFound, RequestError, WrongMethod
from serinus_runtime.server.feedback_requests import BODY_BYTES_MAX, FeedbackRequests
from serinus_runtime.server.metrics import CONTENT_TYPE, Elsewhere, rendered
from serinus_runtime.server.openapi import openapi_document
from serinus_runtime.server.pod_books import About, Question
from serinus_runtime.server.prediction_paths import TO_MIRROR, PredictionPaths
from serinus_runtime.server.protocol_v1 import models_list
from serinus_runtime.server.protocol_v2 import model_metadata, server_metadata
from serinus_runtime.server.request_body import (
    Application,
    ClientGone,
    Receive,
    Scope,
    Send,
    read_body,
    received_at,
)
from serinus_runtime.server.request_listeners import AnsweredRequest, listener_of
from serinus_runtime.server.serving import Serving
from serinus_runtime.server.trace_context import BEGUN
from serinus_runtime.server.tracing import SpanCounts

if TYPE_CHECKING:
    from serinus_runtime.server.explanations import Explanations

logger = logging.getLogger(__name__)

Handler: TypeAlias = Callable[[Scope, Receive], Awaitable[Answer]]
_SHOWN_CHARACTERS = 200
_READING = frozenset({"GET", "HEAD"})
_QUIET = frozenset(
    {"/metrics", "/ping", "/health", "/v2/health/live", "/healthz", "/livez", "/readyz"}
)


def is_quiet(scope: Scope) -> bool:
    """Whether the request is a probe or a scrape, which come every few seconds."""
    path: str = scope["path"]
    return scope["method"] in _READING and (path in _QUIET or path.endswith("/ready"))


def _answered(scope: Scope, answer: Answer) -> AnsweredRequest:
    return AnsweredRequest(
        scope["method"],
        scope["path"],
        scope["headers"],
        scope.get("client"),
        received_at(scope),
        answer,
        scope.get(BEGUN),
    )


class HotPath:
    """The ASGI application."""

    def __init__(
        self, serving: Serving, predictions: PredictionPaths, fallback: Application
    ) -> None:
        self._serving = serving
        self._fallback = fallback
        self._labels = FeedbackRequests(serving)
        self._explanations: Explanations | None = None
        self._shadow = serving.shadow
        self._listener = listener_of(serving.access_log, serving.tracing)
        self._tracing = serving.tracing
        self._routes = self._made_routes(serving.model, predictions)

    def _made_routes(
        self, model: Model, predictions: PredictionPaths
    ) -> dict[tuple[str, str], Handler]:
        routes: dict[tuple[str, str], Handler] = {
            ("POST", path): predictions.answered for path in predictions.forms
        }
        routes |= {
            ("POST", "/feedback"): self._feedback,
            ("GET", "/metrics"): self._metrics,
            ("GET", "/openapi.json"): self._openapi,
            ("GET", "/ping"): self._ready,
            ("GET", "/health"): self._ready,
            ("GET", "/version"): self._version,
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
        name = f"/v2/models/{model.manifest.model_name}"
        for path in (name, f"{name}/versions/{model.version}"):
            routes["GET", path] = self._model_metadata
            routes["GET", f"{path}/ready"] = self._model_ready
            routes["POST", f"{path}/explain"] = self._explain
        return routes | {
            ("HEAD", path): handler for (method, path), handler in routes.items() if method == "GET"
        }

    @property
    def paths(self) -> Set[str]:
        """All that are answered here."""
        return {path for _, path in self._routes}

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
        if self._tracing is not None:
            scope[BEGUN] = self._tracing.begun(scope["headers"])
        try:
            answer = await handler(scope, receive)
        except ClientGone:
            return
        except RequestError as error:
            answer = refusal(error, scope["headers"])
        except Exception:
            logger.exception("request failed")
            answer = FAILURE
        await answer.send(send)
        if self._listener is not None and not (answer.status == OK and is_quiet(scope)):
            self._listener.offer(_answered(scope, answer))
        if self._shadow is not None and (body := scope.get(TO_MIRROR)) is not None:
            self._shadow.offer(scope, body, answer)

    # Explanations

    async def _explain(self, scope: Scope, receive: Receive) -> Answer:
        if self._explanations is None:
            # Only here: whoever explains nothing pays nothing for it.
            from serinus_runtime.server.explanations import Explanations

            self._explanations = Explanations(self._serving)
        return await self._explanations.answered(scope, receive)

    # Feedback

    async def _feedback(self, scope: Scope, receive: Receive) -> Answer:
        sent, books = await read_body(scope, receive, BODY_BYTES_MAX), self._serving.books
        body = plain_body(scope["headers"], sent, BODY_BYTES_MAX)
        if books is not None:
            return await books.asked(Question(About.LABELS, scope["headers"], body))
        return await self._labels.answered(scope, body)

    # What the pod says of itself

    async def _metrics(self, _scope: Scope, _receive: Receive) -> Answer:
        serving = self._serving
        if serving.books is not None:
            return await serving.books.asked(Question(About.METRICS))
        serving.ledger.settle(time.time_ns() // 1_000_000)
        elsewhere = Elsewhere(
            flagged=serving.encoder.flags.total,
            connections=len(serving.door.guests),
            coming=serving.door.coming(),
            log=serving.log.buffer.counts() if serving.log else LogCounts(),
            access=serving.access_log.counts() if serving.access_log else AccessCounts(),
            spans=serving.tracing.counts() if serving.tracing else SpanCounts(),
            online_entities=serving.online.entities if serving.online else 0,
        )
        return Answer(200, rendered(serving.metrics, elsewhere), CONTENT_TYPE)

    async def _openapi(self, _scope: Scope, _receive: Receive) -> Answer:
        serving = self._serving
        looked_up = serving.online.features if serving.online else frozenset()
        document = openapi_document(
            serving.model, rows_max=serving.limits.rows, looked_up=looked_up
        )
        return of_json(200, document)

    async def _live(self, _scope: Scope, _receive: Receive) -> Answer:
        return of_json(200, {"live": True})

    async def _ready(self, _scope: Scope, _receive: Receive) -> Answer:
        ready = self._serving.readiness.ready
        return of_json(200 if ready else 503, {"ready": ready})

    async def _version(self, _scope: Scope, _receive: Receive) -> Answer:
        return Answer(200, self._serving.server_version.encode(), TEXT)

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
        if path == "*":  # what the server can do in all (RFC 9110, 9.3.7)
            methods = sorted({method for method, _ in self._routes})
        if methods:
            expected = " or ".join(methods)
            raise WrongMethod(f"{shown}: expected {expected}, got {scope['method']}", methods)
        model = self._serving.model
        raise NotFound(
            f"{shown} is not here; this server has model `{model.manifest.model_name}`, "
            f"version `{model.version}`"
        )
