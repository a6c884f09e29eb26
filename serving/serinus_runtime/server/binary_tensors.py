"""The binary tensor data extension of the Open Inference Protocol: values as raw bytes.

A request with the header `Inference-Header-Content-Length: N` has N bytes of JSON, and after them
the values of those inputs that say `parameters.binary_data_size`, one after the other, row-major,
little-endian; a text has its length in 4 bytes before it, a boolean is one byte. Such clients get
their answers the same way where they ask for it, as `tritonclient` does unless told otherwise.

JSON has null for what is missing; binary floats have NaN, which means the same here.

References
----------
Triton Inference Server, "Binary Tensor Data Extension".
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from serinus_runtime.artifact.encoding import shown
from serinus_runtime.artifact.signature import Datatype
from serinus_runtime.server.errors import BadRequest
from serinus_runtime.server.exchange import JsonObject
from serinus_runtime.server.request_body import RequestHeaders

HEADER = b"inference-header-content-length"
EXTENSION = "binary_tensor_data"
CONTENT_TYPE = b"application/octet-stream"

NO_DATA = memoryview(b"")
"""What follows the JSON of most requests."""

_NONE: frozenset[str] = frozenset()
_SIZE_FIELD = "binary_data_size"
_LENGTH = struct.Struct("<I")
_DTYPES: Mapping[str, str] = {
    Datatype.BOOL: "?",
    Datatype.UINT8: "<u1",
    Datatype.UINT16: "<u2",
    Datatype.UINT32: "<u4",
    Datatype.UINT64: "<u8",
    Datatype.INT8: "<i1",
    Datatype.INT16: "<i2",
    Datatype.INT32: "<i4",
    Datatype.INT64: "<i8",
    Datatype.FP16: "<f2",
    Datatype.FP32: "<f4",
    Datatype.FP64: "<f8",
}


def divided(headers: RequestHeaders, body: bytes) -> tuple[bytes, memoryview]:
    """The JSON of a body, and the binary data after it; raises `BadRequest`."""
    for name, value in headers:
        if name == HEADER:
            size = int(value) if value.isdigit() and len(value) < len(str(1 << 62)) else -1
            if not 0 <= size <= len(body):
                raise BadRequest(
                    f"`{HEADER.decode()}`: expected a number of bytes up to the body's "
                    f"{len(body)}, got {shown(value.decode('latin-1'))}"
                )
            return body[:size], memoryview(body)[size:]
    return body, NO_DATA


def filled(document: JsonObject, data: memoryview) -> None:
    """Put the binary values where JSON has them: `data` of each tensor that says it has some.

    Raises
    ------
    BadRequest
        Sizes don't fit each other, the shape or the datatype, or a text isn't UTF-8.
    """
    start = 0
    tensors = document.get("inputs")
    for index, tensor in enumerate(tensors if type(tensors) is list else []):
        size = _size_of(tensor, f"inputs[{index}]")
        if size is None:
            continue
        if size > len(data) - start:
            raise BadRequest(
                f"`inputs[{index}].parameters.{_SIZE_FIELD}`: expected at most the "
                f"{len(data) - start} bytes that are left, got {size}"
            )
        where = f"inputs[{index}]"
        size_field = f"{where}.parameters.{_SIZE_FIELD}"
        tensor["data"] = values_of(tensor, data[start : start + size], where, size_field)
        start += size
    if start != len(data):
        raise BadRequest(
            f"the body: expected {start} bytes of binary data by `{_SIZE_FIELD}`, got {len(data)}"
        )


def _size_of(tensor: Any, where: str) -> int | None:
    parameters = tensor.get("parameters") if type(tensor) is dict else None
    size = parameters.get(_SIZE_FIELD) if type(parameters) is dict else None
    if size is None:
        return None
    if type(size) is not int or size < 0:
        raise BadRequest(
            f"`{where}.parameters.{_SIZE_FIELD}`: expected a number of bytes, got {shown(size)}"
        )
    if tensor.get("data") is not None:
        raise BadRequest(f"`{where}`: expected `data` or `parameters.{_SIZE_FIELD}`, got both")
    return size


def values_of(tensor: JsonObject, data: memoryview, where: str, size_field: str) -> list[Any]:
    """Values of one tensor; those of an unknown datatype are left to who checks it.

    `size_field` is what a client is told of that says how many bytes there are.
    """
    datatype, shape = tensor.get("datatype"), tensor.get("shape")
    if datatype == Datatype.BYTES:
        return _texts(data, where)
    if type(datatype) is not str or datatype not in _DTYPES:
        return []
    code = _DTYPES[datatype]
    width = np.dtype(code).itemsize
    if len(data) % width or len(data) // width != _count(shape):
        raise BadRequest(
            f"`{size_field}`: expected {_count(shape) * width} bytes for shape "
            f"{shape if type(shape) is list else shown(shape)}, got {len(data)}"
        )
    values: list[Any] = np.frombuffer(data, dtype=code).tolist()
    return without_nan(values) if datatype.startswith("FP") else values


def without_nan(values: list[Any]) -> list[Any]:
    """The same with None for NaN, which is how a float says that it is missing."""
    return [None if value != value else value for value in values]


def _count(shape: Any) -> int:
    if type(shape) is list and all(type(size) is int and 0 <= size < 1 << 31 for size in shape[:8]):
        return math.prod(shape[:8])
    return 0


def _texts(data: memoryview, where: str) -> list[str]:
    texts: list[str] = []
    start = 0
    while start < len(data):
        content = start + _LENGTH.size
        end = (
            content + _LENGTH.unpack_from(data, start)[0] if content <= len(data) else len(data) + 1
        )
        if end > len(data):
            raise BadRequest(f"`{where}`: text {len(texts)} is cut off at the end of its data")
        try:
            texts.append(str(data[content:end], "utf-8"))
        except UnicodeDecodeError as error:
            raise BadRequest(f"`{where}`: text {len(texts)} isn't UTF-8") from error
        start = end
    return texts


def wanted_in_binary(document: JsonObject, names: Sequence[str]) -> frozenset[str]:
    """Which outputs are asked for in binary: each may say so, else the request does for all."""
    if "parameters" not in document and "outputs" not in document:
        return _NONE  # as most requests
    of_all = _flag(document.get("parameters"), "binary_data_output")
    wanted = dict.fromkeys(names, of_all is True)
    outputs = document.get("outputs")
    for output in outputs if type(outputs) is list else []:
        own = _flag(output.get("parameters"), "binary_data") if type(output) is dict else None
        if own is not None:
            wanted[output.get("name")] = own
    return frozenset(name for name, binary in wanted.items() if binary)


def _flag(parameters: Any, name: str) -> bool | None:
    value = parameters.get(name) if type(parameters) is dict else None
    return value if type(value) is bool else None


def moved_to_binary(outputs: Sequence[JsonObject], wanted: frozenset[str]) -> bytes:
    """Take `data` out of the outputs that are wanted in binary; the bytes that it becomes."""
    parts = []
    for output in outputs:
        if output["name"] in wanted:
            part = bytes_of(output["datatype"], output.pop("data"))
            output["parameters"] = {_SIZE_FIELD: len(part)}
            parts.append(part)
    return b"".join(parts)


def bytes_of(datatype: str, values: list[Any]) -> bytes:
    """The values as raw bytes."""
    if datatype != Datatype.BYTES:
        return np.array(values, dtype=_DTYPES[datatype]).tobytes()
    texts = [str(value).encode() for value in values]
    return b"".join(_LENGTH.pack(len(text)) + text for text in texts)
