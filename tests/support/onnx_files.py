"""Small ONNX files, ours and others', part by part."""

from collections.abc import Callable
from typing import Any

import numpy as np

from serinus_runtime.artifact.onnx_file_pb2 import (
    Graph,
    Model,
    Node,
    OperatorSet,
    Tensor,
    ValueInfo,
)

DOUBLE = 11
INT64 = 7


def end(name: str, width: int) -> ValueInfo:
    """An input or output: a matrix of doubles with as many columns."""
    value = ValueInfo(name=name)
    value.type.tensor_type.elem_type = DOUBLE
    value.type.tensor_type.shape.dim.add(dim_param="rows")
    value.type.tensor_type.shape.dim.add(dim_value=width)
    return value


def doubles(name: str, values: np.ndarray) -> Tensor:
    return Tensor(name=name, data_type=DOUBLE, dims=values.shape, raw_data=values.tobytes())


def product(weights: np.ndarray) -> Model:
    """A model that multiplies each row by weights (n_columns, n_answers)."""
    return Model(
        ir_version=10,
        opset_import=[OperatorSet(domain="", version=21)],
        graph=Graph(
            name="estimator",
            node=[Node(op_type="MatMul", input=["columns", "weights"], output=["answers"])],
            initializer=[doubles("weights", weights)],
            input=[end("columns", weights.shape[0])],
            output=[end("answers", weights.shape[1])],
        ),
    )


def bytes_of(model: Any) -> bytes:
    """As they are written by us."""
    written: bytes = model.SerializeToString(deterministic=True)
    return written


def crafted(content: bytes, change: Callable[[Any], None]) -> bytes:
    """The file after a change of its parts, among them such as ours never have."""
    import onnx

    model = onnx.ModelProto()
    model.ParseFromString(content)
    change(model)
    written: bytes = model.SerializeToString(deterministic=True)
    return written
