"""What the tensors of a request may look like, and what a wrong one is told."""

from typing import Any

import pytest

from serinus_runtime.artifact.signature import Datatype
from serinus_runtime.server.tensors import claimed_rows
from tests.support.flight_requests import INFER, ROW, matrix, tensors
from tests.support.model_servers import Client


def tensor(**changes: Any) -> dict[str, Any]:
    usual = {"name": "distance", "datatype": "FP64", "shape": [1], "data": [500.0]}
    return {"inputs": [usual | changes]}


DATATYPES = ", ".join(sorted(Datatype))
WRONG_TENSORS = [
    ({}, "`inputs`: expected a list of tensors, got nothing"),
    ({"inputs": []}, "`inputs`: expected a list of tensors, got a list of 0"),
    ({"inputs": [3]}, "`inputs[0]`: expected a tensor, got 3"),
    (tensor(name=None), "`inputs[0].name`: expected a text, got nothing"),
    (
        tensor(datatype="FP128"),
        f"`inputs[0].datatype` of `distance`: expected one of {DATATYPES}, got the text 'FP128'",
    ),
    (
        tensor(shape=[0]),
        "`inputs[0].shape` of `distance`: expected [rows] or [rows, columns], got [0]",
    ),
    (
        tensor(shape="1"),
        "`inputs[0].shape` of `distance`: expected [rows] or [rows, columns], got the text '1'",
    ),
    (tensor(data=5), "`inputs[0].data` of `distance`: expected a list, got 5"),
    (
        tensor(shape=[2]),
        "`inputs[0].data` of `distance`: expected 2 values for shape [2], got 1",
    ),
    (
        tensor(shape=[1, 3], data=[[1, 2, 3]]),
        "`distance`: expected 6 columns (distance, delay, hour, holiday, carrier, route), got 3",
    ),
    (tensor(data=["x"]), "`distance`: expected a number (FP64, mi), got the text 'x'"),
    (
        {"inputs": [*tensor()["inputs"], *tensor(name="delay", shape=[2], data=[1, 2])["inputs"]]},
        "`inputs`: expected as many rows in each tensor, got 1 in `distance` and 2 in `delay`",
    ),
    (
        tensor() | {"outputs": [{"name": "gate"}]},
        "`outputs`: expected some of prediction, probability, got the text 'gate'",
    ),
    (
        tensor() | {"outputs": [[]]},
        "`outputs`: expected some of prediction, probability, got a list of 0",
    ),
    (tensor() | {"id": 5}, "`id`: expected a text, got 5"),
    (
        {"inputs": [matrix([ROW, ROW], nested=True) | {"data": [[1, 2, 3], [4]]}]},
        ("`inputs[0].data` of `rows`: expected a list of 6 at position 0 for shape [2, 6], "
        "got a list of 3"),
    ),
    (
        {"inputs": [matrix([ROW, ROW], nested=True) | {"data": [[1] * 6, 5]}]},
        "`inputs[0].data` of `rows`: expected a list of 6 at position 1 for shape [2, 6], got 5",
    ),
    (
        {"inputs": [matrix([ROW, ROW], nested=True) | {"data": [[1] * 6] * 3}]},
        "`inputs[0].data` of `rows`: expected 12 values for shape [2, 6], got 18",
    ),
    (
        {"inputs": [*tensor()["inputs"], *tensor(data=[2.0])["inputs"]]},
        ("`inputs[1].name`: expected each input once, got `distance` again; it is `inputs[0]` "
        "already"),
    ),
    (
        {"inputs": [*tensor()["inputs"], *tensor(name="dealy")["inputs"]]},
        ("`inputs[1].name`: the model has no input the text 'dealy', and of its inputs these are "
        "missing: delay, hour, holiday, carrier, route"),
    ),
    (
        tensor(name="x" * 5000, data=[]),
        f"`inputs[0].data` of `{'x' * 60}…`: expected 1 values for shape [1], got 0",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("document", "message"), WRONG_TENSORS)
def test_wrong_tensors_are_told_where_and_what(client: Client, document: Any, message: str) -> None:
    answer = client.post(INFER, document)

    assert (answer.status_code, answer.json()) == (400, {"error": message})


def test_a_tensor_more_than_the_model_has_is_ignored(client: Client) -> None:
    usual = client.post(INFER, {"inputs": tensors([ROW])}).json()["outputs"]
    gate = {"name": "gate", "datatype": "BYTES", "shape": [1], "data": ["B42"]}

    answer = client.post(INFER, {"inputs": [gate, *tensors([ROW])]})

    assert answer.json()["outputs"] == usual


def test_data_of_one_column_may_be_nested(client: Client) -> None:
    nested = [
        item | {"shape": [2, 1], "data": [[value] for value in item["data"]]}
        for item in tensors([ROW, ROW])
    ]

    assert client.post(INFER, {"inputs": nested}).status_code == 200


@pytest.mark.parametrize(
    ("given", "rows"),
    [
        ([{"shape": [3]}, {"shape": [7, 2]}], 7),
        ([{"shape": [True]}, {"shape": "9"}, {"shape": []}, {}, 5, {"shape": [[4]]}], 0),
        ("9", 0),
        (None, 0),
    ],
)
def test_rows_are_claimed_by_the_longest_shape(given: Any, rows: int) -> None:
    assert claimed_rows(given) == rows
