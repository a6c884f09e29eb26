"""`POST /feedback`: labels for a prediction, by its id."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import Any

from serinus_runtime.artifact.encoding import shown
from serinus_runtime.server.errors import BadRequest
from serinus_runtime.server.feedback import judged_labels
from serinus_runtime.server.prediction_id import Prediction, PredictionIdError
from serinus_runtime.server.request_body import json_object
from serinus_runtime.server.serving import Serving

BODY_BYTES_MAX = 64 << 10
"""An id and at most 16 labels."""


class FeedbackRequests:
    """Counts labels."""

    def __init__(self, serving: Serving) -> None:
        self._serving = serving

    async def answered(self, body: bytes) -> dict[str, Any]:
        """What became of the labels; raises `RequestError`."""
        document = json_object(body)
        prediction = self._prediction(document.get("id"))
        labels = document.get("labels")
        if type(labels) is not list:
            raise BadRequest(f"`labels`: expected a list, got {shown(labels)}")
        return self._counted(prediction, labels)

    def _prediction(self, identity: Any) -> Prediction:
        if type(identity) is not str:
            raise BadRequest(f"`id`: expected the id of a prediction, got {shown(identity)}")
        try:
            return self._serving.ids.opened(identity)
        except PredictionIdError as error:
            raise BadRequest(f"`id`: {error}") from error

    def _counted(self, prediction: Prediction, labels: list[Any]) -> dict[str, Any]:
        serving = self._serving
        judged = judged_labels(prediction, labels, serving.model, serving.ledger)
        return asdict(serving.ledger.count(prediction, judged, time.time_ns() // 1_000_000))
