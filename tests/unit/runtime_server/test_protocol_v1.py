"""KServe's first protocol: what its clients send and get, and what wrong requests are told."""

from collections.abc import Callable
from typing import Any

import pytest

from serinus_runtime.artifact.packaging import Packaged
from tests.support.flight_requests import ROW
from tests.support.model_servers import REVISION, Client
from tests.support.trained_models import NAMES

PREDICT = "/v1/models/flight-delay:predict"
LIST = [ROW[name] for name in NAMES]


def test_lists_and_objects_are_answered_as_rows_are(client: Client) -> None:
    value = client.post("/predict", {"rows": [ROW]}).json()["predictions"][0]["value"]

    for instances in ([LIST, LIST], [ROW, ROW]):
        told = client.post(PREDICT, {"instances": instances}).json()
        assert told["predictions"] == [value, value]
        assert (told["revision"], told["model"]) == (REVISION, "flight-delay")


def test_inputs_is_another_word_for_instances(client: Client) -> None:
    told = client.post(PREDICT, {"inputs": [LIST], "signature_name": "serving_default"})

    assert (
        told.json()["predictions"]
        == client.post(PREDICT, {"instances": [LIST]}).json()["predictions"]
    )


def test_a_regression_answers_numbers(
    client_of: Callable[..., Client], regression: Packaged
) -> None:
    client = client_of(regression)
    value = client.post("/predict", {"rows": [ROW]}).json()["predictions"][0]["value"]

    assert client.post(PREDICT, {"instances": [LIST]}).json()["predictions"] == [value]


def test_a_prediction_of_any_protocol_takes_labels(client: Client) -> None:
    told = client.post(PREDICT, {"instances": [LIST]}).json()

    answer = client.post("/feedback", {"id": told["id"], "labels": [True]})

    assert answer.status_code == 200
    assert client.metric("serinus_predictions_total") == 1
    assert client.metric("serinus_requests_total", code="200") == 1


def test_the_model_is_listed_and_tells_whether_it_is_ready(client: Client) -> None:
    assert client.get("/v1/models").json() == {"models": ["flight-delay"]}
    assert client.get("/v1/models/flight-delay").json() == {"name": "flight-delay", "ready": True}


WRONG = [
    ({}, "expected `instances`, a list of objects or lists"),
    ({"instances": ROW}, "expected `instances`, a list of objects or lists, got an object"),
    (
        {"instances": [LIST], "inputs": [LIST]},
        "expected `instances` or `inputs`, which mean the same, got both",
    ),
    ({"inputs": []}, "`inputs`: expected at least one row, got none"),
    (
        {"instances": [LIST, LIST[:4]]},
        "`instances[1]`: expected 6 values (distance, delay, hour, holiday, carrier, route), got 4",
    ),
    ({"instances": [LIST, ROW]}, "`instances[1]`: expected a list of values, got an object"),
    (
        {"instances": [ROW, LIST]},
        "`instances[1]`: expected an object of field names and values, got a list of 6",
    ),
    (
        {"instances": [7]},
        "`instances[0]`: expected an object of field names and values, got 7",
    ),
    (
        {"inputs": [LIST, ["far", *LIST[1:]]]},
        "`inputs[1].distance`: expected a number (FP64, mi), got the text 'far'",
    ),
]


@pytest.mark.parametrize(("document", "message"), WRONG)
def test_wrong_instances_are_told_where_and_what(
    client: Client, document: Any, message: str
) -> None:
    answer = client.post(PREDICT, document)

    assert (answer.status_code, answer.json()) == (400, {"error": message})


def test_more_instances_than_allowed_are_refused_before_one_is_read(client: Client) -> None:
    limit = client.serving.limits.rows

    answer = client.post(PREDICT, {"instances": [[]] * (limit + 1)})

    assert answer.status_code == 413
    assert f"expected at most {limit} rows, got {limit + 1}" in answer.json()["error"]
