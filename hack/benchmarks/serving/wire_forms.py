"""How each server wants its rows and writes its answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from benchmarks.serving.wires import GRPC, HTTP, Wire

Rows = list[list[float]]


@dataclass(frozen=True, slots=True)
class WireForm:
    """Path of predictions of a model, a request of rows, and the predictions of an answer.

    `wire` is how requests get there.
    """

    path: Callable[[str], str]
    request: Callable[[Rows], Any]
    predictions: Callable[[Any], list[Any]]
    wire: Wire = HTTP


def _tensor(rows: Rows) -> Any:
    flat = [value for row in rows for value in row]
    shape = [len(rows), len(rows[0])]
    return {"inputs": [{"name": "x", "shape": shape, "datatype": "FP64", "data": flat}]}


def _first_output(answer: Any) -> list[Any]:
    data: list[Any] = answer["outputs"][0]["data"]
    return data


OPEN_INFERENCE = WireForm(lambda name: f"/v2/models/{name}/infer", _tensor, _first_output)
OVER_GRPC = WireForm(lambda name: f"/{name}", _tensor, _first_output, GRPC)
ROWS = WireForm(
    lambda _name: "/predict",
    lambda rows: {
        "rows": [{f"x{index}": value for index, value in enumerate(row)} for row in rows]
    },
    lambda answer: [one["value"] for one in answer["predictions"]],
)
INVOCATIONS = WireForm(
    lambda _name: "/invocations",
    lambda rows: {"inputs": rows},
    lambda answer: answer["predictions"],
)
BENTO = WireForm(lambda _name: "/predict", lambda rows: {"x": rows}, lambda answer: answer)
LITSERVE = WireForm(
    lambda _name: "/predict", lambda rows: {"instances": rows}, lambda answer: answer["predictions"]
)
