"""`POST /predict`: rows of named values in, one prediction for each row out.

Request `{"rows": [{"distance": 1400, "carrier": "UA"}]}` (`instances` is the same). Fields that
the model doesn't know are ignored, so that one client can call two versions of a model. Answer
`{"predictions": [{"value": true, "probability": 0.7}], "id": …, "revision": …, "model": …}`; with
two classes `probability` is that of the second one, else that of the answered class beside
`probabilities` by class.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from serinus_runtime.artifact.encoding import RowEncoder
from serinus_runtime.artifact.forest import FloatArray
from serinus_runtime.artifact.model import TWO_CLASSES, Model
from serinus_runtime.server.errors import BadRequest
from serinus_runtime.server.exchange import Answered, Asked, JsonObject, Written
from serinus_runtime.server.row_values import encoded_objects, some_rows


class RowsForm:
    """Requests and answers of `/predict`."""

    word = "predict"
    rows_field = "rows"
    takes_binary = False
    takes_csv = False

    def __init__(self, model: Model, revision: str) -> None:
        self._model = model
        self._revision = revision

    def row_count(self, document: JsonObject) -> int:
        """How many rows there are; raises `BadRequest`."""
        return len(_rows(document))

    def read(self, document: JsonObject, encoder: RowEncoder) -> Asked:
        """The rows, encoded; raises `BadRequest` naming row and field."""
        return Asked(encoded_objects(_rows(document), encoder, where=self.rows_field))

    def written(self, asked: Asked, answered: Answered) -> Written:  # noqa: ARG002 (a form's)
        """One prediction for each row, with the id to send labels for."""
        return Written(
            {
                "predictions": predictions(self._model, answered.answers, answered.decided),
                "id": answered.prediction_id,
                "revision": self._revision,
                "model": self._model.manifest.model_name,
            }
        )


def _rows(document: JsonObject) -> list[Any]:
    if "rows" in document and "instances" in document:
        raise BadRequest("expected `rows` or `instances`, which mean the same, got both")
    return some_rows(document.get("instances" if "instances" in document else "rows"), "rows")


def predictions(model: Model, answers: FloatArray, decided: NDArray[np.intp] | None) -> list[Any]:
    """The `predictions` of an answer."""
    if decided is None:
        return [{"value": value} for value in answers[:, 0].tolist()]
    classes = model.classes
    if len(classes) == TWO_CLASSES:
        return [
            {"value": classes[position], "probability": probability}
            for position, probability in zip(decided.tolist(), answers[:, 1].tolist(), strict=True)
        ]
    names = [str(label) for label in classes]
    return [
        {
            "value": classes[position],
            "probability": probabilities[position],
            "probabilities": dict(zip(names, probabilities, strict=True)),
        }
        for position, probabilities in zip(decided.tolist(), answers.tolist(), strict=True)
    ]
