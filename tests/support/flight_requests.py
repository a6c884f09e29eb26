"""Requests for the model of `trained_models`, in each form that the server takes."""

from typing import Any

from tests.support.trained_models import NAMES

ROW = {
    "distance": 500.0,
    "delay": 5.0,
    "hour": 12,
    "holiday": False,
    "carrier": "AA",
    "route": "R00",
}
INFER = "/v2/models/flight-delay/infer"
TYPES = dict(zip(NAMES, ("FP64", "FP64", "INT64", "BOOL", "BYTES", "BYTES"), strict=True))


def tensors(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One tensor for each input."""
    return [
        {
            "name": name,
            "datatype": TYPES[name],
            "shape": [len(rows)],
            "data": [row[name] for row in rows],
        }
        for name in NAMES
    ]


def matrix(rows: list[dict[str, Any]], *, nested: bool) -> dict[str, Any]:
    """All inputs as one tensor."""
    lists = [[row[name] for name in NAMES] for row in rows]
    data = lists if nested else [value for row in lists for value in row]
    return {"name": "rows", "datatype": "BYTES", "shape": [len(rows), len(NAMES)], "data": data}
