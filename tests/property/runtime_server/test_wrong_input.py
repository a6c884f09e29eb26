"""Laws of the model server: no input makes it fail, and what is refused changes nothing."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from sklearn.tree import DecisionTreeClassifier

from tests.support.model_servers import Client, made
from tests.support.trained_models import NAMES, encoded, fitted, flights, ordinal, packaged

INFER = "/v2/models/flight-delay/infer"
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
REQUESTS = some.fixed_dictionaries(
    {"inputs": some.lists(TENSORS, max_size=3) | JSON},
    optional={"id": JSON, "outputs": JSON, "parameters": JSON},
)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Client:
    store: Path = tmp_path_factory.mktemp("store")
    pipeline = fitted(ordinal(), DecisionTreeClassifier(max_depth=4), classes=(False, True))
    return Client(made(packaged(pipeline, store), store))


def fine_or_told(client: Client, path: str, content: bytes) -> None:
    """200, or 400 with the error shape; flags are only counted for what was answered."""
    flagged = client.serving.encoder.flags.total

    answer = client.post(path, content)

    assert answer.status_code in (200, 400), answer.text
    if answer.status_code == 400:
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
