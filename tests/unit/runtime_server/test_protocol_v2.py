"""The Open Inference Protocol: forms of data, metadata, and what a wrong tensor is told."""

from typing import Any

import pytest

from serinus_runtime.artifact.packaging import Packaged
from serinus_runtime.artifact.signature import Datatype
from tests.support.flight_requests import INFER, ROW, matrix, tensors
from tests.support.model_servers import REVISION, Client
from tests.support.trained_models import NAMES, flights


def test_the_protocols_forms_of_data_all_answer_alike(client: Client) -> None:
    rows = flights(5, seed=12)
    by_rows = client.post("/predict", {"rows": rows}).json()["predictions"]
    forms = [tensors(rows), [matrix(rows, nested=True)], [matrix(rows, nested=False)]]

    for form in forms:
        answer = client.post(INFER, {"inputs": form}).json()
        prediction, probability = answer["outputs"]
        assert prediction["data"] == [item["value"] for item in by_rows]
        assert probability["data"] == [item["probability"] for item in by_rows]
        assert (prediction["datatype"], prediction["shape"]) == ("BOOL", [5])


def test_an_answer_of_the_protocol_names_model_version_and_prediction(
    client: Client, two_classes: Packaged
) -> None:
    own = client.post(INFER, {"inputs": tensors([ROW])}).json()
    given = client.post(INFER, {"id": "42", "inputs": tensors([ROW])}).json()

    assert own["model_name"] == "flight-delay"
    assert own["model_version"] == two_classes.digest[7:19]
    assert own["id"] == own["parameters"]["prediction_id"]
    assert given["id"] == "42"
    assert given["parameters"]["prediction_id"] not in ("42", own["id"])
    assert given["parameters"]["revision"] == REVISION


def test_only_the_outputs_that_were_asked_for_are_sent(client: Client) -> None:
    asked = {"inputs": tensors([ROW]), "outputs": [{"name": "probability"}]}

    outputs = client.post(INFER, asked).json()["outputs"]

    assert [item["name"] for item in outputs] == ["probability"]


def test_metadata_tells_inputs_and_outputs(client: Client) -> None:
    told = client.get("/v2/models/flight-delay").json()

    assert told["inputs"][0] == {"name": "distance", "datatype": "FP64", "shape": [-1]}
    assert [item["name"] for item in told["inputs"]] == list(NAMES)
    assert told["outputs"] == [
        {"name": "prediction", "datatype": "BOOL", "shape": [-1]},
        {"name": "probability", "datatype": "FP64", "shape": [-1]},
    ]
    assert client.get("/v2").json()["name"] == "serinus"
    assert client.get("/v2/health/live").status_code == 200
    assert client.get("/v2/health/ready").status_code == 200


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
        "`inputs`: expected as many rows in each tensor, got {'distance': 1, 'delay': 2}",
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
]  # fmt: skip


@pytest.mark.parametrize(("document", "message"), WRONG_TENSORS)
def test_wrong_tensors_are_told_where_and_what(client: Client, document: Any, message: str) -> None:
    answer = client.post(INFER, document)

    assert (answer.status_code, answer.json()) == (400, {"error": message})
