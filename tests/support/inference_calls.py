"""Calls of the Open Inference Protocol over gRPC, as messages that a client would send."""

from typing import Any

import numpy as np

from serinus_runtime.server import open_inference_pb2 as wire
from tests.support.flight_requests import TYPES
from tests.support.trained_models import NAMES

CODES = {"FP64": "<f8", "INT64": "<i8", "BOOL": "?"}
FIELDS = {
    "FP64": "fp64_contents",
    "INT64": "int64_contents",
    "BOOL": "bool_contents",
    "BYTES": "bytes_contents",
}
MISSING = float("nan")


def typed(rows: list[dict[str, Any]], **fields: Any) -> wire.ModelInferRequest:
    """A request with its values in the fields of their datatypes; missing floats are NaN."""
    request = wire.ModelInferRequest(**({"model_name": "flight-delay"} | fields))
    for name in NAMES:
        tensor = request.inputs.add(name=name, datatype=TYPES[name], shape=[len(rows)])
        values = [row[name] for row in rows]
        if TYPES[name] == "BYTES":
            values = [value.encode() for value in values]
        if TYPES[name] == "FP64":
            values = [MISSING if value is None else value for value in values]
        getattr(tensor.contents, FIELDS[TYPES[name]]).extend(values)
    return request


def raw(rows: list[dict[str, Any]], **fields: Any) -> wire.ModelInferRequest:
    """The same with all values as raw bytes."""
    request = typed(rows, **fields)
    for tensor in request.inputs:
        values = getattr(tensor.contents, FIELDS[tensor.datatype])
        if tensor.datatype == "BYTES":
            data = b"".join(len(text).to_bytes(4, "little") + text for text in values)
        else:
            data = np.array(values, CODES[tensor.datatype]).tobytes()
        request.raw_input_contents.append(data)
        tensor.ClearField("contents")
    return request
