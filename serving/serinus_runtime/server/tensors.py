"""The tensors of a request of the Open Inference Protocol, checked and made into columns.

Inputs come as one tensor for each input of the signature, by name, or as one two-dimensional
tensor whose columns are the inputs in the signature's order. `data` is flat in row-major order, or
nested.

A tensor that the model has no input for is ignored where all its inputs are there, so that one
client can call two versions of a model; where one is missing it may be misspelt, and is refused.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any, NamedTuple, TypeGuard

from serinus_runtime.artifact.encoding import shown, some_names
from serinus_runtime.artifact.signature import Datatype, Signature
from serinus_runtime.server.errors import BadRequest

_DATATYPES = frozenset(datatype.value for datatype in Datatype)
_MATRIX_RANK = 2
_SHOWN_CHARACTERS = 60


class Cells(NamedTuple):
    """Values row by row, each row in the order of the signature's inputs."""

    values: Sequence[Any]
    n_rows: int


def claimed_rows(tensors: Any) -> int:
    """Rows of the longest tensor by the shapes, which `cells_of` holds to the data."""
    if type(tensors) is not list:
        return 0
    shapes = [tensor.get("shape") for tensor in tensors if type(tensor) is dict]
    sizes = [shape[0] for shape in shapes if type(shape) is list and shape]
    return max((size for size in sizes if type(size) is int), default=0)


class _Tensor(NamedTuple):
    """A checked tensor: flat `values` in row-major order, and its place for a message."""

    where: str
    name: str
    shape: list[int]
    values: list[Any]

    @property
    def called(self) -> str:
        """Its name as a message shows it."""
        return cut(self.name)

    @property
    def rank(self) -> int:
        return len(self.shape)

    @property
    def width(self) -> int:
        """How many values a row has."""
        return self.shape[1] if self.rank == _MATRIX_RANK else 1


def cells_of(tensors: Any, signature: Signature) -> Cells:
    """The values of a request's tensors; raises `BadRequest` naming tensor and field."""
    if type(tensors) is not list or not tensors:
        raise BadRequest(f"`inputs`: expected a list of tensors, got {shown(tensors)}")
    read = [_tensor(tensor, f"inputs[{index}]") for index, tensor in enumerate(tensors)]
    names = signature.names
    if is_matrix(tensors, len(names)):
        return _cells_of_matrix(read[0], names)
    by_name = _by_name(read)
    _check_names(read, by_name, names)
    n_rows = _common_rows(read)
    absent = [None] * n_rows
    columns = [by_name[name].values if name in by_name else absent for name in names]
    return Cells(list(chain.from_iterable(zip(*columns, strict=True))), n_rows)


def is_matrix(tensors: Sequence[Any], n_inputs: int) -> bool:
    """Whether tensors, checked or not, are one for all of several inputs."""
    if len(tensors) != 1 or n_inputs == 1 or type(tensors[0]) is not dict:
        return False
    shape = tensors[0].get("shape")
    return type(shape) is list and len(shape) == _MATRIX_RANK


def _cells_of_matrix(tensor: _Tensor, names: tuple[str, ...]) -> Cells:
    if tensor.width != len(names):
        raise BadRequest(
            f"`{tensor.called}`: expected {len(names)} columns ({some_names(names)}), "
            f"got {tensor.width}"
        )
    return Cells(tensor.values, tensor.shape[0])


def _by_name(tensors: Sequence[_Tensor]) -> dict[str, _Tensor]:
    by_name: dict[str, _Tensor] = {}
    for tensor in tensors:
        if (first := by_name.setdefault(tensor.name, tensor)) is not tensor:
            raise BadRequest(
                f"`{tensor.where}.name`: expected each input once, got `{tensor.called}` again; it "
                f"is `{first.where}` already"
            )
    return by_name


def _check_names(
    tensors: Sequence[_Tensor], by_name: Mapping[str, _Tensor], names: tuple[str, ...]
) -> None:
    unknown = next((tensor for tensor in tensors if tensor.name not in names), None)
    if unknown is None:
        return
    missing = tuple(name for name in names if name not in by_name)
    if missing:
        raise BadRequest(
            f"`{unknown.where}.name`: the model has no input {shown(unknown.name)}, and of its "
            f"inputs these are missing: {some_names(missing)}"
        )


def _common_rows(tensors: Sequence[_Tensor]) -> int:
    for tensor in tensors:
        if tensor.width != 1:
            raise BadRequest(f"`{tensor.called}`: expected shape [n] or [n, 1], got {tensor.shape}")
    first = tensors[0]
    for tensor in tensors:
        if tensor.shape[0] != first.shape[0]:
            raise BadRequest(
                f"`inputs`: expected as many rows in each tensor, got {first.shape[0]} in "
                f"`{first.called}` and {tensor.shape[0]} in `{tensor.called}`"
            )
    return first.shape[0]


def cut(name: str) -> str:
    """A client's name of something as a message shows it: cut short."""
    return name[:_SHOWN_CHARACTERS] + ("…" if len(name) > _SHOWN_CHARACTERS else "")


def _tensor(tensor: Any, where: str) -> _Tensor:
    if type(tensor) is not dict:
        raise BadRequest(f"`{where}`: expected a tensor, got {shown(tensor)}")
    name, datatype, shape = tensor.get("name"), tensor.get("datatype"), tensor.get("shape")
    if type(name) is not str:
        raise BadRequest(f"`{where}.name`: expected a text, got {shown(name)}")
    if type(datatype) is not str or datatype not in _DATATYPES:
        raise BadRequest(
            f"`{where}.datatype` of `{cut(name)}`: expected one of "
            f"{', '.join(sorted(_DATATYPES))}, got {shown(datatype)}"
        )
    if not _is_shape(shape):
        raise BadRequest(
            f"`{where}.shape` of `{cut(name)}`: expected [rows] or [rows, columns], "
            f"got {_shape_shown(shape)}"
        )
    try:
        values = _flat(tensor.get("data"), shape)
    except _DoesntFit as error:
        raise BadRequest(f"`{where}.data` of `{cut(name)}`: expected {error}") from error
    return _Tensor(where, name, shape, values)


def _is_shape(shape: Any) -> TypeGuard[list[int]]:
    return (
        type(shape) is list
        and 1 <= len(shape) <= _MATRIX_RANK
        and all(type(size) is int and 1 <= size < 1 << 31 for size in shape)
    )


def _shape_shown(shape: Any) -> str:
    if type(shape) is list and all(type(size) is int for size in shape):
        return str(shape)[:_SHOWN_CHARACTERS]
    return shown(shape)


class _DoesntFit(Exception):
    """What was expected of data, and what came."""


def _flat(data: Any, shape: list[int]) -> list[Any]:
    """Values in row-major order; nested data of a matrix is taken row by row."""
    if type(data) is not list:
        raise _DoesntFit(f"a list, got {shown(data)}")
    values: list[Any] = data
    if len(shape) == _MATRIX_RANK and data and type(data[0]) is list:
        values = _joined(data, shape)
    if len(values) != math.prod(shape):
        raise _DoesntFit(f"{math.prod(shape)} values for shape {shape}, got {len(values)}")
    return values


def _joined(rows: list[Any], shape: list[int]) -> list[Any]:
    for index, row in enumerate(rows):
        if type(row) is not list or len(row) != shape[1]:
            raise _DoesntFit(
                f"a list of {shape[1]} at position {index} for shape {shape}, got {shown(row)}"
            )
    return list(chain.from_iterable(rows))
