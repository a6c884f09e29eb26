"""The Open Inference Protocol, version 2, over REST: requests, answers and metadata.

What a request's tensors may look like is in `tensors`. Answers are one tensor for each output:
`prediction`, and for classification `probability`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from serinus_runtime.artifact.encoding import RowEncoder, ValueRefused, shown
from serinus_runtime.artifact.forest import FloatArray
from serinus_runtime.artifact.model import TWO_CLASSES, Model
from serinus_runtime.artifact.signature import Signature
from serinus_runtime.server.binary_tensors import EXTENSION, moved_to_binary, wanted_in_binary
from serinus_runtime.server.errors import BadRequest
from serinus_runtime.server.exchange import Answered, Asked, JsonObject, LookedUp, Written
from serinus_runtime.server.tensors import cells_of, claimed_rows

PLATFORM = "serinus"
EXTENSIONS = (EXTENSION, "explain")
"""What `/v2` says that there is beside the protocol itself."""


class TensorsForm:
    """Requests and answers of `/v2/models/{name}/infer`."""

    word = "v2"
    rows_field = "inputs"
    takes_binary = True
    takes_csv = False

    def __init__(self, model: Model, revision: str) -> None:
        self._model = model
        self._revision = revision
        self._named = {
            "model_name": model.manifest.model_name,
            "model_version": model.version,
        }
        self._output_names = tuple(spec.name for spec in model.manifest.signature.outputs)

    def row_count(self, document: JsonObject) -> int:
        """The longest tensor's rows by their shapes, which `read` holds to their data."""
        return claimed_rows(document.get("inputs"))

    def read(self, document: JsonObject, encoder: RowEncoder) -> Asked:
        """The request; raises `BadRequest` naming tensor and field."""
        signature = self._model.manifest.signature
        outputs = requested_outputs(document, signature)
        given_id = document.get("id")
        if given_id is not None and type(given_id) is not str:
            raise BadRequest(f"`id`: expected a text, got {shown(given_id)}")
        cells = cells_of(document.get("inputs"), signature)
        binary = wanted_in_binary(document, self._output_names)
        try:
            return Asked(encoder.cells(cells.values, cells.n_rows), given_id, outputs, binary)
        except ValueRefused as error:
            raise BadRequest(str(error)) from error

    def written(self, asked: Asked, answered: Answered) -> Written:
        """The outputs that were asked for, with the id to send labels for."""
        model, wanted = self._model, asked.outputs
        outputs = inference_answer(model, answered.answers, answered.decided)
        if wanted is not None:
            outputs = [item for item in outputs if item["name"] in wanted]
        data = moved_to_binary(outputs, asked.binary) if asked.binary else b""
        parameters: JsonObject = {
            "prediction_id": answered.prediction_id,
            "revision": self._revision,
        }
        if asked.looked_up is not None:
            parameters |= _looked_up(asked.looked_up)
        document = {
            **self._named,
            "id": asked.given_id if asked.given_id is not None else answered.prediction_id,
            "parameters": parameters,
            "outputs": outputs,
        }
        return Written(document, data)


def _looked_up(counts: LookedUp) -> JsonObject:
    """How many values were looked up, as parameters of the answer."""
    return {f"online_{state}": count for state, count in counts._asdict().items()}


def server_metadata(version: str) -> JsonObject:
    """Answer of `GET /v2`."""
    return {"name": PLATFORM, "version": version, "extensions": list(EXTENSIONS)}


def model_metadata(model: Model) -> JsonObject:
    """Answer of `GET /v2/models/{name}`; variable dimensions are -1."""
    signature = model.manifest.signature
    return {
        "name": model.manifest.model_name,
        "versions": [model.version],
        "platform": PLATFORM,
        "inputs": [
            {"name": spec.name, "datatype": spec.datatype.value, "shape": [-1]}
            for spec in signature.inputs
        ],
        "outputs": [
            {
                "name": spec.name,
                "datatype": spec.datatype.value,
                "shape": [-1] if spec.width == 1 else [-1, spec.width],
            }
            for spec in signature.outputs
        ],
    }


def inference_answer(
    model: Model, answers: FloatArray, decided: NDArray[np.intp] | None
) -> list[JsonObject]:
    """The `outputs` of an answer."""
    n_rows = len(answers)
    specs = model.manifest.signature.outputs
    if decided is None:
        return [_output(specs[0].name, "FP64", [n_rows], answers[:, 0].tolist())]
    classes = model.classes
    labels = [classes[position] for position in decided.tolist()]
    if len(classes) == TWO_CLASSES:
        probability = _output(specs[1].name, "FP64", [n_rows], answers[:, 1].tolist())
    else:
        shape = [n_rows, answers.shape[1]]
        probability = _output(specs[1].name, "FP64", shape, answers.reshape(-1).tolist())
    return [_output(specs[0].name, specs[0].datatype.value, [n_rows], labels), probability]


def _output(name: str, datatype: str, shape: list[int], data: list[Any]) -> JsonObject:
    return {"name": name, "datatype": datatype, "shape": shape, "data": data}


def requested_outputs(document: Mapping[str, Any], signature: Signature) -> frozenset[str] | None:
    """Names of the outputs that a request asks for, None for all; raises `BadRequest`."""
    wanted = document.get("outputs")
    if wanted is None or wanted == []:
        return None
    known = {spec.name for spec in signature.outputs}
    names: set[str] = set()
    for item in wanted if type(wanted) is list else [wanted]:
        name = item.get("name") if type(item) is dict else item
        if type(name) is not str or name not in known:
            raise BadRequest(
                f"`outputs`: expected some of {', '.join(sorted(known))}, got {shown(name)}"
            )
        names.add(name)
    return frozenset(names)
