"""KServe's protocol of version 1, which is TensorFlow Serving's: `/v1/models/{name}:predict`.

Request `{"instances": [[1400, "UA"], …]}`, each instance the values of the model's inputs in their
order, or an object of names and values; `inputs` is the same. Answer `{"predictions": [true, …]}`.

References
----------
KServe, "V1 Inference Protocol"; TensorFlow Serving, "RESTful API", row format.
"""

from __future__ import annotations

from typing import Any

from serinus_runtime.artifact.encoding import RowEncoder
from serinus_runtime.artifact.model import Model
from serinus_runtime.server.errors import BadRequest
from serinus_runtime.server.exchange import Answered, Asked, JsonObject, Written
from serinus_runtime.server.plain_answers import plain_answer
from serinus_runtime.server.row_values import encoded_objects, objects_of, some_rows


class InstancesForm:
    """Requests and answers of `/v1/models/{name}:predict`."""

    word = "v1"
    rows_field = "instances"
    takes_binary = False
    takes_csv = False

    def __init__(self, model: Model, revision: str) -> None:
        self._model = model
        self._revision = revision

    def row_count(self, document: JsonObject) -> int:
        """How many instances there are; raises `BadRequest`."""
        return len(_instances(document))

    def read(self, document: JsonObject, encoder: RowEncoder) -> Asked:
        """The instances, encoded; raises `BadRequest` naming instance and field."""
        rows, where = _instances(document), _word(document)
        if type(rows[0]) is list:
            rows = objects_of(rows, self._model.manifest.signature.names, where=where)
        return Asked(encoded_objects(rows, encoder, where=where))

    def written(self, asked: Asked, answered: Answered) -> Written:  # noqa: ARG002 (a form's)
        """A prediction for each instance."""
        return Written(plain_answer(self._model, self._revision, answered))


def models_list(model: Model) -> JsonObject:
    """Answer of `GET /v1/models`."""
    return {"models": [model.manifest.model_name]}


def _instances(document: JsonObject) -> list[Any]:
    if "instances" in document and "inputs" in document:
        raise BadRequest("expected `instances` or `inputs`, which mean the same, got both")
    word = _word(document)
    return some_rows(document.get(word), word, "objects or lists")


def _word(document: JsonObject) -> str:
    return "inputs" if "inputs" in document else "instances"
