"""A plan as JSON and named arrays, and back. `parse(render(plan))` is the plan.

Arrays go into `arrays.npz`, which is read with `allow_pickle=False`; the JSON names them. Shapes
and indices are checked here, so that a crafted artifact can at worst be refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias, assert_never

import numpy as np
from numpy.typing import NDArray

from serinus_runtime.artifact.errors import FormatRefused
from serinus_runtime.artifact.forest import Aggregation, FloatArray, Forest
from serinus_runtime.artifact.plan import (
    Cast,
    Concatenate,
    Impute,
    Linear,
    Link,
    MissingIndicator,
    OneHot,
    Operation,
    Ordinal,
    Plan,
    Scale,
    Select,
)
from serinus_runtime.kernel.forest_kernel import indices_fit

Arrays: TypeAlias = Mapping[str, NDArray[Any]]
_Document: TypeAlias = dict[str, Any]
_FOREST_ARRAYS = {
    "feature": np.int32,
    "threshold": np.float64,
    "left": np.int32,
    "value": np.float64,
    "roots": np.int32,
    "baseline": np.float64,
    "category_feature": np.int32,
    "category_second": np.bool_,
}
_COVER = "cover"


class _Writer:
    def __init__(self) -> None:
        self.arrays: dict[str, NDArray[Any]] = {}

    def add(self, array: NDArray[Any]) -> str:
        name = f"a{len(self.arrays)}"
        self.arrays[name] = array
        return name

    def operation(self, operation: Operation) -> _Document:
        match operation:
            case Select(columns):
                return {"op": "select", "columns": self.add(columns)}
            case Cast():
                return {"op": "cast", "datatype": "FP32"}
            case Impute(values):
                return {"op": "impute", "values": self.add(values)}
            case MissingIndicator(columns):
                return {"op": "missing-indicator", "columns": self.add(columns)}
            case Scale(offset, divisor):
                return {"op": "scale", "offset": self.add(offset), "divisor": self.add(divisor)}
            case Ordinal(start, values):
                return {"op": "ordinal", "start": self.add(start), "values": self.add(values)}
            case OneHot(start, position, width):
                return {
                    "op": "one-hot",
                    "start": self.add(start),
                    "position": self.add(position),
                    "width": width,
                }
            case Concatenate(branches):
                return {
                    "op": "concatenate",
                    "branches": [[self.operation(step) for step in branch] for branch in branches],
                }
            case _:
                assert_never(operation)

    def model(self, model: Linear | Forest) -> _Document:
        if isinstance(model, Linear):
            return {
                "kind": "linear",
                "weights": self.add(model.weights),
                "intercept": self.add(model.intercept),
            }
        document = {
            "kind": "forest",
            "features": model.n_features,
            "depth": model.depth,
            "aggregation": model.aggregation.value,
            "singlePrecision": model.single_precision,
        } | {name: self.add(getattr(model, name)) for name in _FOREST_ARRAYS}
        return document if model.cover is None else document | {_COVER: self.add(model.cover)}


def render_operations(
    operations: Sequence[Operation],
) -> tuple[list[_Document], dict[str, NDArray[Any]]]:
    """JSON documents and arrays of operations alone."""
    writer = _Writer()
    return [writer.operation(step) for step in operations], writer.arrays


def render(plan: Plan) -> tuple[_Document, dict[str, NDArray[Any]]]:
    """JSON document and arrays of a plan."""
    writer = _Writer()
    document = {
        "operations": [writer.operation(step) for step in plan.operations],
        "model": writer.model(plan.model),
        "link": plan.link.value,
    }
    return document, writer.arrays


def parse(document: Mapping[str, Any], arrays: Arrays) -> Plan:
    """The plan; raises `FormatRefused` where it isn't one."""
    try:
        return Plan(
            operations=tuple(_operation(step, arrays) for step in document["operations"]),
            model=_model(document["model"], arrays),
            link=Link(document["link"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise FormatRefused(f"manifest.json: plan can't be read: {error!r}") from error


def parse_operations(
    documents: Sequence[Mapping[str, Any]], arrays: Arrays
) -> tuple[Operation, ...]:
    """Operations that stand alone; raises `FormatRefused` where they aren't."""
    try:
        return tuple(_operation(step, arrays) for step in documents)
    except (KeyError, TypeError, ValueError) as error:
        raise FormatRefused(f"manifest.json: operations can't be read: {error!r}") from error


def _operation(step: Mapping[str, Any], arrays: Arrays) -> Operation:
    match step["op"]:
        case "select":
            return Select(_array(arrays, step["columns"], np.int32))
        case "cast":
            return Cast()
        case "impute":
            return Impute(_array(arrays, step["values"], np.float64))
        case "missing-indicator":
            return MissingIndicator(_array(arrays, step["columns"], np.int32))
        case "scale":
            return Scale(
                _array(arrays, step["offset"], np.float64),
                _array(arrays, step["divisor"], np.float64),
            )
        case "ordinal":
            return Ordinal(
                _array(arrays, step["start"], np.int32), _array(arrays, step["values"], np.float64)
            )
        case "one-hot":
            return OneHot(
                _array(arrays, step["start"], np.int32),
                _array(arrays, step["position"], np.int32),
                int(step["width"]),
            )
        case "concatenate":
            return Concatenate(
                tuple(
                    tuple(_operation(inner, arrays) for inner in branch)
                    for branch in step["branches"]
                )
            )
        case unknown:
            raise FormatRefused(f"manifest.json: unknown operation `{unknown}` in the plan")


def _model(document: Mapping[str, Any], arrays: Arrays) -> Linear | Forest:
    match document["kind"]:
        case "linear":
            return Linear(
                _array(arrays, document["weights"], np.float64),
                _array(arrays, document["intercept"], np.float64),
            )
        case "forest":
            return _forest(document, arrays)
        case unknown:
            raise FormatRefused(f"manifest.json: unknown model kind `{unknown}` in the plan")


def _forest(document: Mapping[str, Any], arrays: Arrays) -> Forest:
    tables: dict[str, Any] = {
        name: _array(arrays, document[name], dtype) for name, dtype in _FOREST_ARRAYS.items()
    }
    forest = Forest(
        n_features=int(document["features"]),
        depth=int(document["depth"]),
        aggregation=Aggregation(document["aggregation"]),
        single_precision=bool(document["singlePrecision"]),
        **tables,
    )
    if not indices_fit(forest):
        raise FormatRefused("arrays.npz: the tables of the forest don't fit each other")
    return forest


def cover_of(document: Mapping[str, Any], arrays: Arrays) -> FloatArray | None:
    """The weights of the training rows at the nodes of a plan's forest; None where it has none.

    Left out when a plan is read: no answer needs them.
    """
    name = document["model"].get(_COVER)
    return None if name is None else _array(arrays, name, np.float64)


def _array(arrays: Arrays, name: str, dtype: Any) -> NDArray[Any]:
    array = arrays[name]
    if array.dtype != np.dtype(dtype):
        raise FormatRefused(f"arrays.npz: `{name}` is {array.dtype}, expected {np.dtype(dtype)}")
    return np.ascontiguousarray(array)
