"""The messages of the Open Inference Protocol over gRPC, made into what its JSON says, and back.

A request's tensors bear their values in the field of their datatype, or all as raw bytes in
`raw_input_contents`, where `NaN` in a float means missing. Answers come in the way in which the
request did. Whether they fit the model is decided in `tensors`, for both ways to call.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any, TypeAlias, TypeVar

from google.protobuf.message import DecodeError

from serinus_runtime.artifact.signature import Datatype
from serinus_runtime.server import open_inference_pb2 as wire
from serinus_runtime.server.binary_tensors import bytes_of, values_of, without_nan
from serinus_runtime.server.errors import BadRequest
from serinus_runtime.server.exchange import JsonObject

_RANK_SHOWN = 8
"""Dimensions of a shape that are looked at: far more than any that is taken."""
_PIECE = 8192

InferRequest: TypeAlias = wire.ModelInferRequest
Message = TypeVar("Message")

_FIELDS: Mapping[str, str] = {
    Datatype.BOOL: "bool_contents",
    Datatype.INT8: "int_contents",
    Datatype.INT16: "int_contents",
    Datatype.INT32: "int_contents",
    Datatype.INT64: "int64_contents",
    Datatype.UINT8: "uint_contents",
    Datatype.UINT16: "uint_contents",
    Datatype.UINT32: "uint_contents",
    Datatype.UINT64: "uint64_contents",
    Datatype.FP32: "fp32_contents",
    Datatype.FP64: "fp64_contents",
    Datatype.BYTES: "bytes_contents",
}


def parsed(kind: type[Message], message: bytes) -> Message:
    """The message in those bytes; raises `BadRequest`."""
    try:
        read: Message = kind.FromString(message)  # type: ignore[attr-defined]
    except DecodeError as error:
        name = kind.__name__
        raise BadRequest(f"the message isn't a {name} of the Open Inference Protocol") from error
    return read


def document_of(request: InferRequest) -> JsonObject:
    """What the request's JSON would say, without the values."""
    return {
        "id": request.id or None,
        "inputs": [
            {"name": one.name, "datatype": one.datatype, "shape": list(one.shape[:_RANK_SHOWN])}
            for one in request.inputs
        ],
        "outputs": [{"name": one.name} for one in request.outputs],
    }


def fill(document: JsonObject, request: InferRequest) -> None:
    """Put in the values; raises `BadRequest` where they aren't as the datatype wants them."""
    raw = request.raw_input_contents
    if raw:
        _check_raw(request)
    for index, (tensor, given) in enumerate(zip(document["inputs"], request.inputs, strict=True)):
        where = f"inputs[{index}]"
        if raw:
            size_field = f"raw_input_contents[{index}]"
            tensor["data"] = values_of(tensor, memoryview(raw[index]), where, size_field)
        else:
            tensor["data"] = _typed(tensor["datatype"], given.contents, where)


def _check_raw(request: InferRequest) -> None:
    expected, got = len(request.inputs), len(request.raw_input_contents)
    if got != expected:
        raise BadRequest(
            f"`raw_input_contents`: expected one for each of the {expected} inputs, got {got}"
        )
    for index, given in enumerate(request.inputs):
        if given.contents.ListFields():  # MLServer's client sends it, empty
            raise BadRequest(f"`inputs[{index}].contents`: not together with `raw_input_contents`")


def _typed(datatype: str, contents: Any, where: str) -> list[Any]:
    """Values of one tensor; those of an unknown datatype are left to who checks it."""
    if datatype == Datatype.FP16:
        raise BadRequest(f"`{where}.contents`: send values of FP16 in `raw_input_contents`")
    field = _FIELDS.get(datatype)
    if field is None:
        return []
    for other, _ in contents.ListFields():
        if other.name != field:
            raise BadRequest(
                f"`{where}.contents`: expected values of {datatype} in `{field}`, got some in "
                f"`{other.name}`"
            )
    values = _in_pieces(getattr(contents, field))
    if datatype == Datatype.BYTES:
        return _texts(values, where)
    return without_nan(values) if datatype.startswith("FP") else values


def _in_pieces(values: Sequence[Any]) -> list[Any]:
    """The same as a list, made in pieces: between two of them other threads get their turn."""
    pieces = (values[at : at + _PIECE] for at in range(0, len(values), _PIECE))
    return list(chain.from_iterable(pieces))


def _texts(values: list[bytes], where: str) -> list[str]:
    texts = []
    for index, value in enumerate(values):
        try:
            texts.append(value.decode())
        except UnicodeDecodeError as error:
            raise BadRequest(f"`{where}`: text {index} isn't UTF-8") from error
    return texts


def answer_message(document: JsonObject, *, raw: bool) -> bytes:
    """The answer that JSON would give, as a message: its values typed, or as raw bytes."""
    response = wire.ModelInferResponse(
        model_name=document["model_name"],
        model_version=document["model_version"],
        id=document["id"],
    )
    for name, value in document["parameters"].items():
        if type(value) is int:
            response.parameters[name].int64_param = value
        else:
            response.parameters[name].string_param = value
    for output in document["outputs"]:
        tensor = response.outputs.add(
            name=output["name"], datatype=output["datatype"], shape=output["shape"]
        )
        if raw:
            response.raw_output_contents.append(bytes_of(output["datatype"], output["data"]))
        else:
            _put_typed(tensor.contents, output["datatype"], output["data"])
    message: bytes = response.SerializeToString()
    return message


def _put_typed(contents: Any, datatype: str, values: list[Any]) -> None:
    if datatype == Datatype.BYTES:
        values = [str(value).encode() for value in values]
    getattr(contents, _FIELDS[datatype]).extend(values)


def metadata_message(document: JsonObject) -> bytes:
    """`GET /v2/models/{name}` as a message."""
    tensors = wire.ModelMetadataResponse.TensorMetadata
    message: bytes = wire.ModelMetadataResponse(
        name=document["name"],
        versions=document["versions"],
        platform=document["platform"],
        inputs=[tensors(**tensor) for tensor in document["inputs"]],
        outputs=[tensors(**tensor) for tensor in document["outputs"]],
    ).SerializeToString()
    return message
