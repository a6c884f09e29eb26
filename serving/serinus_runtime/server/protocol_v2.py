"""The Open Inference Protocol, version 2, over REST.

Inputs come as one tensor for each input of the signature, by name, or as one two-dimensional
tensor whose columns are the inputs in the signature's order. `data` is flat in row-major order, or
nested. Answers are one tensor for each output: `prediction`, and for classification
`probability`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from serinus_runtime.artifact.encoding import RowEncoder, ValueRefused, shown
from serinus_runtime.artifact.forest import FloatArray
from serinus_runtime.artifact.model import TWO_CLASSES, Model
from serinus_runtime.artifact.signature import Datatype, Signature
from serinus_runtime.server.errors import BadRequest

PLATFORM = "serinus"
_DATATYPES = frozenset(datatype.value for datatype in Datatype)
_MATRIX_RANK = 2
_SHOWN_NAMES = 8
Column: TypeAlias = Sequence[Any]


def server_metadata(version: str) -> dict[str, Any]:
    """Answer of `GET /v2`."""
    return {"name": PLATFORM, "version": version, "extensions": []}


def model_metadata(model: Model) -> dict[str, Any]:
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


def encoded_inputs(
    document: Mapping[str, Any], signature: Signature, encoder: RowEncoder
) -> FloatArray:
    """Encoded rows of an inference request; raises `BadRequest` naming tensor and field."""
    tensors = document.get("inputs")
    if type(tensors) is not list or not tensors:
        raise BadRequest(f"`inputs`: expected a list of tensors, got {shown(tensors)}")
    columns = _columns(tensors, signature)
    flagged_before = encoder.flags.total
    try:
        return encoder.columns(columns)
    except ValueRefused as error:
        encoder.flags.total = flagged_before
        raise BadRequest(str(error)) from error


def _columns(tensors: list[Any], signature: Signature) -> list[Column]:
    """One sequence of values for each input of the signature, in order."""
    read = [_tensor(tensor, f"inputs[{index}]") for index, tensor in enumerate(tensors)]
    names = signature.names
    if len(read) == 1 and read[0][1].rank == _MATRIX_RANK and len(names) > 1:
        return _columns_of_matrix(*read[0], names)
    by_name = dict(read)
    rows = {name: len(tensor.values) for name, tensor in by_name.items()}
    for name, tensor in by_name.items():
        if tensor.width != 1:
            raise BadRequest(f"`{name}`: expected shape [n] or [n, 1], got {tensor.shape}")
    if len(set(rows.values())) != 1:
        raise BadRequest(f"`inputs`: expected as many rows in each tensor, got {rows}")
    n_rows = next(iter(rows.values()))
    absent = [None] * n_rows
    return [by_name[name].values if name in by_name else absent for name in names]


def _columns_of_matrix(name: str, tensor: _Tensor, names: tuple[str, ...]) -> list[Column]:
    if tensor.width != len(names):
        some = ", ".join(names[:_SHOWN_NAMES]) + (", …" if len(names) > _SHOWN_NAMES else "")
        raise BadRequest(f"`{name}`: expected {len(names)} columns ({some}), got {tensor.width}")
    return [tensor.values[index :: len(names)] for index in range(len(names))]


class _Tensor:
    """A checked tensor: flat `values`, `shape`, and how many values a row has."""

    __slots__ = ("shape", "values")

    def __init__(self, shape: list[int], values: list[Any]) -> None:
        self.shape = shape
        self.values = values

    @property
    def rank(self) -> int:
        return len(self.shape)

    @property
    def width(self) -> int:
        return self.shape[1] if self.rank == _MATRIX_RANK else 1


def _tensor(tensor: Any, where: str) -> tuple[str, _Tensor]:
    if type(tensor) is not dict:
        raise BadRequest(f"`{where}`: expected a tensor, got {shown(tensor)}")
    name, datatype, data = tensor.get("name"), tensor.get("datatype"), tensor.get("data")
    if type(name) is not str:
        raise BadRequest(f"`{where}.name`: expected a text, got {shown(name)}")
    if type(datatype) is not str or datatype not in _DATATYPES:
        raise BadRequest(
            f"`{where}.datatype` of `{name}`: expected one of {', '.join(sorted(_DATATYPES))}, "
            f"got {shown(datatype)}"
        )
    shape = _shape(tensor.get("shape"), f"{where}.shape` of `{name}")
    if type(data) is not list:
        raise BadRequest(f"`{where}.data` of `{name}`: expected a list, got {shown(data)}")
    values = _flat(data, shape)
    if len(values) != int(np.prod(shape)):
        raise BadRequest(
            f"`{where}.data` of `{name}`: expected {int(np.prod(shape))} values for shape "
            f"{shape}, got {len(values)}"
        )
    return name, _Tensor(shape, values)


def _shape(shape: Any, where: str) -> list[int]:
    fits = (
        type(shape) is list
        and 1 <= len(shape) <= _MATRIX_RANK
        and all(type(size) is int and 1 <= size < 1 << 31 for size in shape)
    )
    if not fits:
        raise BadRequest(
            f"`{where}`: expected [rows] or [rows, columns], got {_shape_shown(shape)}"
        )
    sizes: list[int] = shape
    return sizes


def _shape_shown(shape: Any) -> str:
    if type(shape) is list and all(type(size) is int for size in shape):
        return str(shape)[:60]
    return shown(shape)


def _flat(data: list[Any], shape: list[int]) -> list[Any]:
    """Values in row-major order; nested data of a matrix is taken row by row."""
    if len(shape) == _MATRIX_RANK and all(type(row) is list for row in data):
        return list(chain.from_iterable(data))
    return data


def inference_answer(
    model: Model, answers: FloatArray, decided: NDArray[np.intp] | None
) -> list[dict[str, Any]]:
    """The `outputs` of an answer."""
    n_rows = len(answers)
    specs = model.manifest.signature.outputs
    if decided is None:
        return [_output(specs[0].name, "FP64", [n_rows], answers[:, 0].tolist())]
    labels = [model.classes[position] for position in decided.tolist()]
    if len(model.classes) == TWO_CLASSES:
        probability = _output(specs[1].name, "FP64", [n_rows], answers[:, 1].tolist())
    else:
        shape = [n_rows, answers.shape[1]]
        probability = _output(specs[1].name, "FP64", shape, answers.reshape(-1).tolist())
    return [_output(specs[0].name, specs[0].datatype.value, [n_rows], labels), probability]


def _output(name: str, datatype: str, shape: list[int], data: list[Any]) -> dict[str, Any]:
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
