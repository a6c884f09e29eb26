"""`/predict`: what rows may look like, and what a wrong one is told."""

from collections.abc import Callable
from typing import Any

import pytest

from serinus_runtime.artifact.packaging import Packaged
from tests.support.flight_requests import ROW
from tests.support.model_servers import Client


def test_instances_is_another_word_for_rows(client: Client) -> None:
    by_rows = client.post("/predict", {"rows": [ROW]}).json()["predictions"]

    assert client.post("/predict", {"instances": [ROW]}).json()["predictions"] == by_rows


def test_fields_that_the_model_doesnt_know_are_ignored(client: Client) -> None:
    usual = client.post("/predict", {"rows": [ROW]}).json()["predictions"]

    answer = client.post("/predict", {"rows": [ROW | {"gate": "B42"}]})

    assert answer.json()["predictions"] == usual


def test_several_classes_get_a_probability_each(
    client_of: Callable[..., Client], three_classes: Packaged
) -> None:
    item = client_of(three_classes).post("/predict", {"rows": [ROW]}).json()["predictions"][0]

    assert set(item["probabilities"]) == {"early", "late", "on time"}
    assert item["probability"] == item["probabilities"][item["value"]]
    assert sum(item["probabilities"].values()) == pytest.approx(1)
    assert item["probability"] == max(item["probabilities"].values())


WRONG_ROWS = [
    (b"", "the body isn't JSON: "),
    (b'{"rows": [{"distance": NaN}]}', "the body isn't JSON: "),
    (b"\xff\xfe", "the body isn't JSON: "),
    ([], "the body: expected an object, got a list of 0"),
    ({}, "expected `rows`, a list of objects"),
    ({"rows": {}}, "expected `rows`, a list of objects, got an object"),
    (
        {"rows": [ROW], "instances": [ROW]},
        "expected `rows` or `instances`, which mean the same, got both",
    ),
    ({"rows": []}, "`rows`: expected at least one row, got none"),
    ({"rows": [ROW, 7]}, "`rows[1]`: expected an object of field names and values, got 7"),
    (
        {"rows": [{**ROW, "distance": None}]},
        "`rows[0].distance`: expected a number (FP64, mi), got nothing",
    ),
    (
        {"rows": [{"delay": 1.0}]},
        "`rows[0].distance`: expected a number (FP64, mi), got nothing",
    ),
    (
        {"rows": [ROW, {**ROW, "distance": "far"}]},
        "`rows[1].distance`: expected a number (FP64, mi), got the text 'far'",
    ),
    (
        {"rows": [{**ROW, "distance": True}]},
        "`rows[0].distance`: expected a number (FP64, mi), got true",
    ),
    (
        {"rows": [{**ROW, "distance": [1.0]}]},
        "`rows[0].distance`: expected a number (FP64, mi), got a list of 1",
    ),
    (
        {"rows": [{**ROW, "distance": 7000}]},
        "`rows[0].distance`: expected 0 to 6000 mi, got 7000",
    ),
    (
        {"rows": [{**ROW, "hour": 12.5}]},
        "`rows[0].hour`: expected a whole number (INT64), got 12.5",
    ),
    (
        {"rows": [{**ROW, "hour": 2**63}]},
        "`rows[0].hour`: expected a whole number (INT64), got 9223372036854775808",
    ),
    (
        {"rows": [{**ROW, "holiday": 1}]},
        "`rows[0].holiday`: expected true or false (BOOL), got 1",
    ),
    (
        {"rows": [{**ROW, "carrier": 7}]},
        "`rows[0].carrier`: expected a text (BYTES), got 7",
    ),
]


@pytest.mark.parametrize(("document", "message"), WRONG_ROWS)
def test_wrong_rows_are_told_where_and_what(client: Client, document: Any, message: str) -> None:
    answer = client.post("/predict", document)

    assert answer.status_code == 400
    told = answer.json()
    assert set(told) == {"error"}
    assert told["error"] == message or (message.endswith(": ") and message in told["error"])
    assert client.metric("serinus_requests_total", code="400") == 1
