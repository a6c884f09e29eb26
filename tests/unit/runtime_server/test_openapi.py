"""The document says what the server takes and gives: Schemathesis holds one against the other."""

import json
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from serinus_runtime.artifact.packaging import Packaged
from serinus_runtime.artifact.signature import Datatype, InputSpec, PolicyAction
from serinus_runtime.server.hot_path import HotPath
from serinus_runtime.server.openapi import openapi_document
from serinus_runtime.server.prediction_paths import PredictionPaths
from tests.support.client_environment import client_python
from tests.support.flight_requests import INFER, ROW, matrix, tensors
from tests.support.model_servers import Client, not_here, server_process
from tests.support.trained_models import NAMES

V1 = "/v1/models/flight-delay:predict"
CONFIGURATION = Path(__file__).parents[2] / "support" / "schemathesis.toml"
WHOLE_IN_A_SCHEMA = "^/(predict|v1/.*)$"
"""Paths whose schema says all: neither that a shape fits its data, nor that an id was issued."""
VALUES = [ROW[name] for name in NAMES]
SOME = {"distance": 500.0, "delay": None}
TAKEN: list[tuple[str, dict[str, Any]]] = [
    ("/predict", {"rows": [ROW, SOME]}),
    ("/predict", {"instances": [ROW], "unknown": 1}),
    (V1, {"instances": [ROW, SOME]}),
    (V1, {"instances": [VALUES], "signature_name": "x"}),
    (V1, {"inputs": [ROW]}),
    (V1, {"inputs": [VALUES]}),
    ("/invocations", {"dataframe_records": [ROW, SOME]}),
    ("/invocations", {"dataframe_split": {"columns": ["distance"], "data": [[1]], "index": [0]}}),
    ("/invocations", {"instances": [ROW]}),
    ("/invocations", {"instances": [VALUES]}),
    ("/invocations", {"inputs": [ROW], "params": {"a": 1}}),
    ("/invocations", {"inputs": [VALUES]}),
    ("/invocations", {"inputs": {"distance": [1, 2], "delay": [None, 3]}}),
    (INFER, {"inputs": tensors([ROW])}),
    (INFER, {"id": None, "inputs": tensors([ROW]), "outputs": None}),
    (INFER, {"inputs": tensors([ROW])[:1], "outputs": ["prediction"]}),
    (INFER, {"inputs": [matrix([ROW], nested=True)], "parameters": {"a": 1}}),
    (INFER, {"inputs": [*tensors([ROW]), {**tensors([ROW])[0], "name": "of another version"}]}),
]
FITS = """
import json, sys
from jsonschema_rs import validator_for
document, requests = json.load(sys.stdin)
for path, asked in requests:
    schema = document["paths"][path]["post"]["requestBody"]["content"]["application/json"]["schema"]
    whole = {**schema, "components": document["components"]}
    for error in validator_for(whole).iter_errors(asked):
        sys.exit(f"{path}: {error}")
"""


@pytest.fixture
def document(client: Client) -> dict[str, Any]:
    model, limits = client.serving.model, client.serving.limits
    return openapi_document(model, rows_max=limits.rows)


def test_the_server_gives_it(client: Client, document: dict[str, Any]) -> None:
    assert client.get("/openapi.json").json() == document


def test_a_row_has_the_inputs_with_what_is_promised_of_them(document: dict[str, Any]) -> None:
    row = document["components"]["schemas"]["Row"]

    assert row["required"] == ["distance"]
    assert row["properties"]["distance"] == {
        "description": "a number (FP64, mi)",
        "type": "number",
        "minimum": 0,
        "maximum": 6000,
    }
    assert row["properties"]["holiday"]["anyOf"][1] == {"type": "null"}


def text(**changes: Any) -> InputSpec:
    return InputSpec("x", Datatype.BYTES, categories=("a", "b"), **changes)


def number(**changes: Any) -> InputSpec:
    return InputSpec("x", Datatype.UINT8, minimum=1.0, maximum=9.0, **changes)


REJECT, FLAG, IMPUTE = PolicyAction.REJECT, PolicyAction.FLAG, PolicyAction.IMPUTE
CELLS: list[tuple[str, InputSpec, dict[str, Any]]] = [
    ("an unseen text is flagged", text(nullable=False), {"type": "string"}),
    (
        "an unseen text is refused",
        text(nullable=False, unseen=REJECT),
        {"type": "string", "enum": ["a", "b"]},
    ),
    (
        "a text that isn't allowed is refused",
        text(nullable=False, allowed=("a",), on_violation=REJECT),
        {"type": "string", "enum": ["a"]},
    ),
    (
        "a text that isn't allowed is imputed",
        text(nullable=False, allowed=("a",), on_violation=IMPUTE),
        {"type": "string"},
    ),
    (
        "a number outside its range is flagged",
        number(nullable=False, on_violation=FLAG),
        {"type": "integer", "minimum": 0, "maximum": 255},
    ),
    (
        "a number outside its range is refused",
        number(on_missing=REJECT, on_violation=REJECT),
        {"type": "integer", "minimum": 1.0, "maximum": 9.0},
    ),
]


@pytest.mark.parametrize(("why", "spec", "schema"), CELLS, ids=[why for why, *_ in CELLS])
def test_only_what_is_refused_is_outside_the_schema(
    client: Client, why: str, spec: InputSpec, schema: dict[str, Any]
) -> None:
    manifest = client.serving.model.manifest
    signature = replace(manifest.signature, inputs=(spec,))
    model = replace(client.serving.model, manifest=replace(manifest, signature=signature))
    document = openapi_document(model, rows_max=10)

    cell = document["components"]["schemas"]["Row"]["properties"]["x"]
    assert {key: value for key, value in cell.items() if key != "description"} == schema, why


def test_labels_of_a_regression_are_numbers(
    client_of: Callable[..., Client], regression: Packaged
) -> None:
    document = openapi_document(client_of(regression).serving.model, rows_max=10)

    labels = document["components"]["schemas"]["Feedback"]["properties"]["labels"]
    assert labels["items"] == {"anyOf": [{"type": "number"}, {"type": "null"}]}
    assert "`server.feedback.wrongBeyond`" in labels["description"]


def taken_by(client: Client) -> list[tuple[str, dict[str, Any]]]:
    """Requests of each form that the server takes, labels among them."""
    requests = list(TAKEN)
    for labels in ([True, False], [1, None], [0.0, 1.0]):
        identity = client.post("/predict", {"rows": [ROW, ROW]}).json()["id"]
        requests.append(("/feedback", {"id": identity, "labels": labels}))
    return requests


def test_the_table_is_of_what_is_taken(client: Client) -> None:
    for path, asked in taken_by(client):
        assert client.post(path, asked).status_code == 200, (path, asked)


@pytest.mark.slow
def test_whatever_is_taken_fits(client: Client, document: dict[str, Any]) -> None:
    ended = subprocess.run(
        [client_python("schemathesis"), "-c", FITS],
        input=json.dumps([document, taken_by(client)]),
        capture_output=True,
        text=True,
        check=False,
    )

    assert ended.returncode == 0, ended.stderr


def test_each_path_that_is_answered_is_in_it(client: Client, document: dict[str, Any]) -> None:
    answered = HotPath(client.serving, PredictionPaths(client.serving), not_here).paths

    assert answered - {"/openapi.json"} == set(document["paths"])


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "checks",
    [
        ["--checks", "all", "--exclude-checks", "positive_data_acceptance"],
        ["--checks", "positive_data_acceptance", "--include-path-regex", WHOLE_IN_A_SCHEMA],
    ],
    ids=["what is sent is answered as it says", "what fits is taken"],
)
def test_schemathesis_finds_nothing(two_classes: Packaged, store: Path, checks: list[str]) -> None:
    python = client_python("schemathesis")
    with server_process(two_classes, store) as server:
        ended = subprocess.run(
            [
                python.parent / "st",
                *("--config-file", CONFIGURATION, "run", f"{server.url}/openapi.json"),
                *("--phases", "coverage,fuzzing", "--max-examples", "60", "--seed", "1"),
                *("--no-color", "--continue-on-failure", *checks),
            ],
            capture_output=True,
            text=True,
            check=False,
            timeout=240,
            cwd=store,
        )

    assert ended.returncode == 0, ended.stdout
