"""Answers of protocols that know nothing but predictions: a value for each row.

Beside `predictions` stand the id to send labels for, and who answered. Clients of these protocols
take what they know and leave the rest.
"""

from __future__ import annotations

from typing import Any

from serinus_runtime.artifact.model import Model
from serinus_runtime.server.exchange import Answered, JsonObject


def plain_answer(model: Model, revision: str, answered: Answered) -> JsonObject:
    """The answer as a JSON object."""
    return {
        "predictions": _values(model, answered),
        "id": answered.prediction_id,
        "revision": revision,
        "model": model.manifest.model_name,
    }


def _values(model: Model, answered: Answered) -> list[Any]:
    if answered.decided is None:
        values: list[Any] = answered.answers[:, 0].tolist()
        return values
    classes = model.classes
    return [classes[position] for position in answered.decided.tolist()]
