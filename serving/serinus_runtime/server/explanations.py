"""`POST /v2/models/{name}/explain`: what each input adds to the answer, an extension of ours.

The request is that of `infer`. The answer has three tensors: `contributions` (rows, inputs), the
`base` that they are added to, and the `total` that they make; for more than two classes each with
one more dimension. Nothing of it exists before the first request: then the package is opened once
more. It is worked on by one thread of its own, and few requests may wait for it: predictions and
probes don't notice.
"""

from __future__ import annotations

import asyncio
import functools
from typing import Any

import numpy as np
import orjson

from serinus_runtime.artifact.encoding import RowEncoder
from serinus_runtime.artifact.explainer import (
    Explainer,
    Explanation,
    NotExplainable,
    explainer_of,
)
from serinus_runtime.artifact.package import Package
from serinus_runtime.server.answer import Answer
from serinus_runtime.server.binary_tensors import divided, filled
from serinus_runtime.server.content_encoding import plain_body
from serinus_runtime.server.errors import (
    BadRequest,
    NotPossible,
    Overloaded,
    TooLarge,
    not_looked_up,
)
from serinus_runtime.server.exchange import JsonObject
from serinus_runtime.server.online_features import Completing
from serinus_runtime.server.prediction_requests import answered_in_time
from serinus_runtime.server.protocol_v2 import TensorsForm
from serinus_runtime.server.request_body import (
    Receive,
    RequestHeaders,
    Scope,
    check_structure,
    json_object,
    read_body,
    received_at,
)
from serinus_runtime.server.serving import Serving

ROWS_MAX = 256
WAITING_MAX = 4
"""Requests for explanations at once, the one that is worked on among them."""

_STRUCTURE_MAX = 10_000


class Explanations:
    """Answers requests for explanations."""

    def __init__(self, serving: Serving) -> None:
        self._serving = serving
        self._form = TensorsForm(serving.model, serving.revision)
        self._under_way = 0

    async def answered(self, scope: Scope, receive: Receive) -> Answer:
        """The answer; raises `RequestError`."""
        body = await read_body(scope, receive, self._serving.limits.body_bytes)
        if self._under_way >= WAITING_MAX:
            raise Overloaded(f"{WAITING_MAX} explanations are being made; try again in 1 s")
        self._under_way += 1
        try:
            loop = asyncio.get_running_loop()
            on_thread = functools.partial(loop.run_in_executor, self._serving.explaining)
            async with answered_in_time(received_at(scope), self._serving.limits.answer_seconds):
                document, begun = await on_thread(self._begun, scope["headers"], body)
                if begun is not None:
                    await begun.fetched()
                return await on_thread(self._made, document, begun)
        finally:
            self._under_way -= 1

    def _begun(self, headers: RequestHeaders, body: bytes) -> tuple[JsonObject, Completing | None]:
        plain = plain_body(headers, body, self._serving.limits.body_bytes)
        text, data = divided(headers, plain)
        check_structure(text, _STRUCTURE_MAX)
        document = json_object(text)
        limit = min(ROWS_MAX, self._serving.limits.rows)
        if (count := self._form.row_count(document)) > limit:
            raise TooLarge(
                f"`inputs`: expected at most {limit} rows to explain, got {count}; send them in "
                "several requests"
            )
        if data:
            filled(document, data)
        online = self._serving.online
        return document, None if online is None else online.begun(self._form.word, document)

    def _made(self, document: JsonObject, begun: Completing | None) -> Answer:
        if begun is not None:
            begun.filled()
        try:
            asked = self._form.read(document, RowEncoder(self._serving.model.manifest.signature))
        except BadRequest as error:
            if begun is not None and begun.unavailable:
                raise not_looked_up(error) from error
            raise
        made = self._explainer.explanation(asked.rows)
        return Answer(200, orjson.dumps(self._written(made, asked.given_id)))

    @functools.cached_property
    def _explainer(self) -> Explainer:
        model = self._serving.model
        try:
            return explainer_of(
                model, Package(self._serving.directory, model.digest, model.manifest)
            )
        except NotExplainable as error:
            raise NotPossible(str(error)) from error

    def _written(self, made: Explanation, given_id: str | None) -> JsonObject:
        model, explainer = self._serving.model, self._explainer
        parameters: JsonObject = {
            "revision": self._serving.revision,
            "explained": explainer.explained.value,
            "inputs": list(model.manifest.signature.names),
        }
        if explainer.classes is not None:
            parameters["classes"] = list(explainer.classes)
        return {
            "model_name": model.manifest.model_name,
            "model_version": model.version,
            **({} if given_id is None else {"id": given_id}),
            "parameters": parameters,
            "outputs": [
                _tensor("contributions", made.contributions),
                _tensor("base", made.base),
                _tensor("total", made.total),
            ],
        }


def _tensor(name: str, values: Any) -> JsonObject:
    """An output; its last dimension, the classes, is left out where there is one."""
    shape = list(values.shape)
    if shape[-1] == 1 and len(shape) > 1:
        shape = shape[:-1]
    return {
        "name": name,
        "datatype": "FP64",
        "shape": shape,
        "data": np.asarray(values).reshape(-1).tolist(),
    }
