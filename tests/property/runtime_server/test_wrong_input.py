"""Laws of the model server: no input makes it fail, and what is refused changes nothing."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from sklearn.tree import DecisionTreeClassifier

from tests.support.flight_requests import INFER, ROW, matrix, tensors
from tests.support.model_servers import Client, made
from tests.support.trained_models import NAMES, encoded, fitted, flights, ordinal, packaged

EXPLAIN = "/v2/models/flight-delay/explain"
SCALARS = (
    some.none()
    | some.booleans()
    | some.integers()
    | some.floats(allow_nan=False, allow_infinity=False)
    | some.text(max_size=8)
)
JSON = some.recursive(
    SCALARS,
    lambda inner: (
        some.lists(inner, max_size=4)
        | some.dictionaries(some.sampled_from([*NAMES, "rows", "x"]), inner, max_size=4)
    ),
    max_leaves=12,
)
ROWS = some.lists(some.dictionaries(some.sampled_from(NAMES), SCALARS) | JSON, max_size=4)
TENSORS = some.fixed_dictionaries(
    {},
    optional={
        "name": some.sampled_from(NAMES) | SCALARS,
        "datatype": some.sampled_from(["FP64", "INT64", "BOOL", "BYTES", "FP128"]) | JSON,
        "shape": some.lists(some.integers(-1, 4), max_size=3) | JSON,
        "data": some.lists(SCALARS, max_size=4) | JSON,
    },
)
LISTS = some.lists(some.lists(SCALARS, max_size=7) | JSON, max_size=4)
INSTANCES = some.dictionaries(some.sampled_from(["instances", "inputs", "x"]), LISTS | ROWS | JSON)
INVOCATIONS = some.fixed_dictionaries(
    {},
    optional={
        "dataframe_split": some.fixed_dictionaries(
            {},
            optional={
                "columns": some.lists(some.sampled_from(NAMES), max_size=4) | JSON,
                "data": LISTS | JSON,
            },
        )
        | JSON,
        "dataframe_records": ROWS | JSON,
        "instances": LISTS | JSON,
        "inputs": some.dictionaries(some.sampled_from(NAMES), some.lists(SCALARS) | JSON) | LISTS,
    },
)
BINARY_TENSORS = some.fixed_dictionaries(
    {
        "name": some.sampled_from(NAMES),
        "datatype": some.sampled_from(["FP64", "FP16", "INT64", "BOOL", "BYTES", "FP128"]),
        "shape": some.lists(some.integers(0, 3), min_size=1, max_size=2) | JSON,
        "parameters": some.fixed_dictionaries({"binary_data_size": some.integers(-1, 24)}) | JSON,
    }
)
REQUESTS = some.fixed_dictionaries(
    {"inputs": some.lists(TENSORS, max_size=3) | JSON},
    optional={"id": JSON, "outputs": JSON, "parameters": JSON},
)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Client:
    store: Path = tmp_path_factory.mktemp("store")
    pipeline = fitted(ordinal(), DecisionTreeClassifier(max_depth=4), classes=(False, True))
    return Client(made(packaged(pipeline, store), store))


# What JSON's grammar allows and forbids at its edges, in place of a value.
ODD_VALUES = (
    "NaN", "-Infinity", "1e999", "-1e999", "1" * 400, "18446744073709551616", "1e-400", "4.9e-324",
    "-0", "01", "+1", ".5", "1.", "tru", "'a'", '"\\ud800"', '"\\u0000"', '"' + "x" * 5000 + '"',
    "[" * 2000 + "]" * 2000, '{"a":' * 1500 + "1" + "}" * 1500, "[]", "{}", '{"a":1,"a":2}',
    "null", "true", "",
)  # fmt: skip
BODIES = (
    ("/predict", json.dumps({"rows": [ROW, ROW]})),
    (INFER, json.dumps({"id": "1", "inputs": tensors([ROW, ROW]), "outputs": ["prediction"]})),
    (INFER, json.dumps({"inputs": [matrix([ROW, ROW], nested=True)]})),
    ("/feedback", json.dumps({"id": "AQEj", "labels": [True, None]})),
)
TOKEN = re.compile(r'"[^"]*"|-?[\d.]+|true|false|null|[\[\]{},:]')


@some.composite
def odd_bodies(draw: some.DrawFn) -> tuple[str, str]:
    """A path and a body in which some values, names or brackets are something else."""
    path, body = draw(some.sampled_from(BODIES))
    for _ in range(draw(some.integers(1, 3))):
        token = draw(some.sampled_from(list(TOKEN.finditer(body)) or [None]))
        if token is not None:
            other = draw(some.sampled_from(ODD_VALUES) | some.just(token[0] * 2))
            body = body[: token.start()] + other + body[token.end() :]
    return path, body


def fine_or_told(client: Client, path: str, content: bytes, **headers: str) -> None:
    """200, or a refusal with the error shape; flags are only counted for what was answered.

    413 is for a shape that claims more rows than are taken.
    """
    flagged = client.serving.encoder.flags.total

    answer = client.request("POST", path, content=content, headers=headers)

    assert answer.status_code in (200, 400, 413), answer.text
    if answer.status_code != 200:
        assert list(answer.json()) == ["error"]
        assert client.serving.encoder.flags.total == flagged


@given(content=some.binary(max_size=60))
def test_bytes_are_refused_or_answered(client: Client, content: bytes) -> None:
    for path in ("/predict", INFER, "/feedback"):
        fine_or_told(client, path, content)


@given(document=some.fixed_dictionaries({"rows": ROWS | JSON}) | JSON)
@settings(max_examples=300)
def test_any_rows_are_refused_or_answered(client: Client, document: Any) -> None:
    fine_or_told(client, "/predict", json.dumps(document).encode())


@given(document=REQUESTS | JSON)
@settings(max_examples=300)
def test_any_tensors_are_refused_or_answered(client: Client, document: Any) -> None:
    fine_or_told(client, INFER, json.dumps(document).encode())


@given(document=REQUESTS | JSON)
def test_any_tensors_are_refused_or_explained(client: Client, document: Any) -> None:
    fine_or_told(client, EXPLAIN, json.dumps(document).encode())


@given(seed=some.integers(0, 2**32 - 1))
def test_what_is_explained_adds_up_to_what_is_answered(client: Client, seed: int) -> None:
    request = {"inputs": tensors(flights(3, seed=seed, missing=0.3))}

    probabilities = client.post(INFER, request).json()["outputs"][1]["data"]
    contributions, base, total = client.post(EXPLAIN, request).json()["outputs"]

    by_row = np.array(contributions["data"]).reshape(contributions["shape"])
    np.testing.assert_allclose(total["data"], probabilities, rtol=0, atol=1e-12)
    np.testing.assert_allclose(by_row.sum(axis=1) + base["data"], total["data"], atol=1e-12)


@given(instances=INSTANCES | JSON, rows=INVOCATIONS | JSON)
@settings(max_examples=300)
def test_any_rows_of_other_protocols_are_refused_or_answered(
    client: Client, instances: Any, rows: Any
) -> None:
    fine_or_told(client, "/v1/models/flight-delay:predict", json.dumps(instances).encode())
    fine_or_told(client, "/invocations", json.dumps(rows).encode())


@given(
    inputs=some.lists(BINARY_TENSORS, min_size=1, max_size=3),
    data=some.binary(max_size=40),
    asked=some.booleans() | JSON,
    more=some.integers(-3, 3),
)
@settings(max_examples=300)
def test_any_binary_tensors_are_refused_or_answered(
    client: Client, inputs: Any, data: bytes, asked: Any, more: int
) -> None:
    document = {"inputs": inputs, "parameters": {"binary_data_output": asked}}
    text = json.dumps(document).encode()
    size = {"inference-header-content-length": str(len(text) + more)}

    fine_or_told(client, INFER, text + data, **size)


@given(sent=odd_bodies())
@settings(max_examples=300)
def test_odd_values_in_any_place_are_refused_or_answered(
    client: Client, sent: tuple[str, str]
) -> None:
    path, body = sent

    fine_or_told(client, path, body.encode())


@given(identity=JSON, labels=JSON)
def test_any_feedback_is_refused(client: Client, identity: Any, labels: Any) -> None:
    fine_or_told(client, "/feedback", json.dumps({"id": identity, "labels": labels}).encode())


@given(labels=some.lists(SCALARS, min_size=1, max_size=3))
def test_any_labels_of_a_real_id_are_refused_or_counted(client: Client, labels: list[Any]) -> None:
    rows = flights(len(labels), seed=4)
    identity = client.post("/predict", {"rows": rows}).json()["id"]

    fine_or_told(client, "/feedback", json.dumps({"id": identity, "labels": labels}).encode())


@given(seed=some.integers(0, 2**32 - 1))
def test_what_is_answered_is_what_the_model_says(client: Client, seed: int) -> None:
    rows = flights(3, seed=seed, missing=0.3)
    answers = client.serving.model.predictor.answers(encoded(rows))

    told = client.post("/predict", {"rows": rows}).json()["predictions"]

    assert [item["probability"] for item in told] == answers[:, 1].tolist()
