"""MLflow's scoring protocol: `POST /invocations`, as JSON or as CSV.

One of

- `{"dataframe_split": {"columns": ["distance"], "data": [[1400]]}}`
- `{"dataframe_records": [{"distance": 1400}]}`
- `{"instances": [[1400]]}`: lists in the order of the model's inputs, or objects
- `{"inputs": {"distance": [1400]}}`: a list for each column; or lists, as `instances`

`params` is taken and means nothing here. The answer is `{"predictions": [true]}`. CSV becomes a
`dataframe_split` before it gets here.

References
----------
MLflow, "Local Inference Server Specification".
"""

from __future__ import annotations

from typing import Any

from serinus_runtime.artifact.encoding import RowEncoder, shown
from serinus_runtime.artifact.model import Model
from serinus_runtime.server.errors import BadRequest
from serinus_runtime.server.exchange import Answered, Asked, JsonObject, Written
from serinus_runtime.server.plain_answers import plain_answer
from serinus_runtime.server.row_values import encoded_objects, objects_of, some_rows

_WORDS = ("dataframe_split", "dataframe_records", "instances", "inputs")


class InvocationsForm:
    """Requests and answers of `/invocations`."""

    word = "invocations"
    rows_field = "rows"
    takes_binary = False
    takes_csv = True

    def __init__(self, model: Model, revision: str) -> None:
        self._model = model
        self._revision = revision

    def row_count(self, document: JsonObject) -> int:
        """How many rows the request brings; raises `BadRequest`."""
        word = _word(document)
        value = document[word]
        if word == "dataframe_split":
            return len(_split(value)[1])
        if type(value) is dict and word == "inputs":
            return max(
                (len(column) for column in value.values() if type(column) is list), default=0
            )
        return len(some_rows(value, word, "objects or lists"))

    def read(self, document: JsonObject, encoder: RowEncoder) -> Asked:
        """The rows, encoded; raises `BadRequest` naming row and field."""
        word = _word(document)
        rows, where = self._objects(word, document[word])
        return Asked(encoded_objects(rows, encoder, where=where))

    def written(self, asked: Asked, answered: Answered) -> Written:  # noqa: ARG002 (a form's)
        """A prediction for each row."""
        return Written(plain_answer(self._model, self._revision, answered))

    def _objects(self, word: str, value: Any) -> tuple[list[Any], str]:
        """The rows as objects, and where in the request they are."""
        if word == "dataframe_split":
            columns, data = _split(value)
            return objects_of(data, columns, where="dataframe_split.data"), "dataframe_split.data"
        if word == "inputs" and type(value) is dict:
            return _rows_of_columns(value), word
        rows = some_rows(value, word, "objects or lists")
        if word != "dataframe_records" and type(rows[0]) is list:
            return objects_of(rows, self._model.manifest.signature.names, where=word), word
        return rows, word


def _word(document: JsonObject) -> str:
    found = [word for word in _WORDS if word in document]
    if len(found) == 1:
        return found[0]
    got = f", got {' and '.join(found)}" if found else ""
    raise BadRequest(f"expected one of {', '.join(f'`{word}`' for word in _WORDS)}{got}")


def _split(value: Any) -> tuple[list[str], list[Any]]:
    if type(value) is not dict:
        raise BadRequest(f"`dataframe_split`: expected an object, got {shown(value)}")
    columns = value.get("columns")
    if type(columns) is not list or not all(type(name) is str for name in columns):
        raise BadRequest(
            f"`dataframe_split.columns`: expected a list of names, got {shown(columns)}"
        )
    if len(set(columns)) != len(columns):
        raise BadRequest("`dataframe_split.columns`: expected each name once")
    return columns, some_rows(value.get("data"), "dataframe_split.data", "lists")


def _rows_of_columns(columns: dict[str, Any]) -> list[dict[str, Any]]:
    for name, values in columns.items():
        if type(values) is not list:
            raise BadRequest(f"`inputs.{name[:60]}`: expected a list, got {shown(values)}")
    sizes = {len(values) for values in columns.values()}
    if len(sizes) != 1 or 0 in sizes:
        raise BadRequest("`inputs`: expected as many values in each column, and at least one")
    names = list(columns)
    return [dict(zip(names, row, strict=True)) for row in zip(*columns.values(), strict=True)]
