"""MLflow's scoring protocol: each way to write rows, and what wrong ones are told."""

from typing import Any

import pytest

from tests.support.flight_requests import ROW
from tests.support.model_servers import REVISION, Client
from tests.support.trained_models import NAMES, flights

ROWS = flights(5, seed=4)
LISTS = [[row[name] for name in NAMES] for row in ROWS]
BACKWARDS = list(reversed(NAMES))
LIST = [ROW[name] for name in NAMES]

WAYS = {
    "split": {"dataframe_split": {"columns": list(NAMES), "data": LISTS}},
    "split, other order, with an index": {
        "dataframe_split": {
            "columns": BACKWARDS,
            "index": [0, 1, 2, 3, 4],
            "data": [[row[name] for name in BACKWARDS] for row in ROWS],
        }
    },
    "records": {"dataframe_records": ROWS},
    "instances as lists": {"instances": LISTS},
    "instances as objects": {"instances": ROWS},
    "inputs by column": {"inputs": {name: [row[name] for row in ROWS] for name in NAMES}},
    "inputs as lists": {"inputs": LISTS},
    "with parameters": {"dataframe_records": ROWS, "params": {"temperature": 1}},
}


@pytest.mark.parametrize("way", WAYS)
def test_each_way_to_write_rows_is_answered_as_rows_are(client: Client, way: str) -> None:
    usual = client.post("/predict", {"rows": ROWS}).json()["predictions"]

    told = client.post("/invocations", WAYS[way]).json()

    assert told["predictions"] == [item["value"] for item in usual]
    assert told["revision"] == REVISION


def test_mlflows_health_check_is_answered(client: Client) -> None:
    assert client.get("/ping").status_code == 200

    client.serving.readiness.ready = False
    assert client.get("/ping").status_code == 503


WORDS = "`dataframe_split`, `dataframe_records`, `instances`, `inputs`"
WRONG = [
    ({}, f"expected one of {WORDS}"),
    (
        {"instances": [LIST], "inputs": [LIST]},
        f"expected one of {WORDS}, got instances and inputs",
    ),
    ({"dataframe_split": []}, "`dataframe_split`: expected an object, got a list of 0"),
    (
        {"dataframe_split": {"data": LISTS}},
        "`dataframe_split.columns`: expected a list of names, got nothing",
    ),
    (
        {"dataframe_split": {"columns": ["hour", "hour"], "data": [[1, 2]]}},
        "`dataframe_split.columns`: expected each name once",
    ),
    (
        {"dataframe_split": {"columns": ["hour"]}},
        "expected `dataframe_split.data`, a list of lists",
    ),
    (
        {"dataframe_split": {"columns": ["hour"], "data": [[1], [1, 2]]}},
        "`dataframe_split.data[1]`: expected 1 values (hour), got 2",
    ),
    (
        {"dataframe_split": {"columns": list(NAMES), "data": [["far", *LIST[1:]]]}},
        "`dataframe_split.data[0].distance`: expected a number (FP64, mi), got the text 'far'",
    ),
    ({"dataframe_records": []}, "`dataframe_records`: expected at least one row, got none"),
    (
        {"dataframe_records": [LIST]},
        "`dataframe_records[0]`: expected an object of field names and values, got a list of 6",
    ),
    ({"inputs": {"hour": 7}}, "`inputs.hour`: expected a list, got 7"),
    (
        {"inputs": {"hour": [7], "distance": [1.0, 2.0]}},
        "`inputs`: expected as many values in each column, and at least one",
    ),
    ({"inputs": {}}, "`inputs`: expected as many values in each column, and at least one"),
    (
        {"inputs": {"hour": [7]}},
        "`inputs[0].distance`: expected a number (FP64, mi), got nothing",
    ),
    ({"instances": 7}, "expected `instances`, a list of objects or lists, got 7"),
]


@pytest.mark.parametrize(("document", "message"), WRONG)
def test_wrong_rows_are_told_where_and_what(client: Client, document: Any, message: str) -> None:
    answer = client.post("/invocations", document)

    assert (answer.status_code, answer.json()) == (400, {"error": message})


@pytest.mark.slow
@pytest.mark.parametrize(
    "document",
    [
        {"dataframe_split": {"columns": ["hour"], "data": [[1]] * 10_001}},
        {"dataframe_records": [{}] * 10_001},
        {"inputs": {"hour": [1] * 10_001}},
    ],
    ids=["split", "records", "columns"],
)
def test_more_rows_than_allowed_are_refused_before_one_is_read(
    client: Client, document: Any
) -> None:
    assert client.serving.limits.rows == 10_000

    answer = client.post("/invocations", document)

    assert answer.status_code == 413
    assert "expected at most 10000 rows, got 10001" in answer.json()["error"]


def csv_of(rows: list[dict[str, Any]]) -> str:
    cells = [["" if row[name] is None else str(row[name]) for name in NAMES] for row in rows]
    return "\r\n".join(",".join(line) for line in [list(NAMES), *cells])


def test_csv_is_answered_as_rows_are(client: Client) -> None:
    usual = client.post("/predict", {"rows": ROWS}).json()["predictions"]

    told = client.request(
        "POST", "/invocations", content=csv_of(ROWS), headers={"content-type": "text/csv; a=b"}
    )

    assert told.status_code == 200
    assert told.json()["predictions"] == [item["value"] for item in usual]
