"""`/explain` answers what each input adds, off the way of predictions."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from sklearn.neighbors import KNeighborsClassifier

from serinus_runtime.artifact.packaging import Packaged
from serinus_runtime.server.explanations import ROWS_MAX, WAITING_MAX
from serinus_runtime.server.hot_path import HotPath
from serinus_runtime.server.prediction_paths import PredictionPaths
from tests.support.flight_requests import INFER, ROW, tensors
from tests.support.model_servers import REVISION, Client, not_here
from tests.support.trained_models import INPUTS, fitted, one_hot, packaged

EXPLAIN = "/v2/models/flight-delay/explain"


def outputs(answer: httpx.Response) -> dict[str, dict[str, Any]]:
    return {one["name"]: one for one in answer.json()["outputs"]}


def test_contributions_are_by_input_and_sum_to_the_total(client: Client) -> None:
    answer = client.post(EXPLAIN, {"id": "mine", "inputs": tensors([ROW] * 2)})

    told, document = outputs(answer), answer.json()
    contributions = told["contributions"]
    first = contributions["data"][: len(INPUTS)]
    assert contributions["shape"] == [2, len(INPUTS)]
    assert told["base"]["data"][0] + sum(first) == pytest.approx(told["total"]["data"][0])
    assert document["id"] == "mine"
    assert document["parameters"] == {
        "revision": REVISION,
        "explained": "margin",
        "inputs": [spec.name for spec in INPUTS],
        "classes": [True],
    }


def test_the_total_is_what_the_probability_comes_from(client: Client) -> None:
    request = {"inputs": tensors([ROW])}
    probability = client.post(INFER, request).json()["outputs"][1]["data"][0]

    margin = outputs(client.post(EXPLAIN, request))["total"]["data"][0]

    assert 1 / (1 + 2.718281828459045**-margin) == pytest.approx(probability)


def test_each_of_more_classes_has_its_own(
    client_of: Callable[..., Client], three_classes: Packaged
) -> None:
    version = client_of(three_classes).get("/v2/models/flight-delay").json()["versions"][0]
    client = client_of(three_classes)

    answer = client.post(
        f"/v2/models/flight-delay/versions/{version}/explain", {"inputs": tensors([ROW])}
    )

    told = outputs(answer)
    assert told["contributions"]["shape"] == [1, len(INPUTS), 3]
    assert (told["base"]["shape"], told["total"]["shape"]) == ([3], [1, 3])
    assert answer.json()["parameters"]["classes"] == ["early", "late", "on time"]


def test_a_value_is_explained_itself(
    client_of: Callable[..., Client], regression: Packaged
) -> None:
    client = client_of(regression)
    value = client.post(INFER, {"inputs": tensors([ROW])}).json()["outputs"][0]["data"][0]

    answer = client.post(EXPLAIN, {"inputs": tensors([ROW])})

    assert outputs(answer)["total"]["data"][0] == pytest.approx(value)
    assert answer.json()["parameters"]["explained"] == "value"
    assert "classes" not in answer.json()["parameters"]


def test_explanations_are_no_predictions(client: Client) -> None:
    client.post(EXPLAIN, {"inputs": tensors([ROW])})

    assert client.metric("serinus_predictions_total") == 0
    assert client.metric("serinus_requests_total", code="200") == 0


@pytest.mark.parametrize(
    ("body", "status", "told"),
    [
        (b"{", 400, "the body isn't JSON"),
        (
            {"inputs": tensors([ROW | {"distance": "far"}])},
            400,
            "`distance`: expected a number (FP64, mi), got the text 'far'",
        ),
        (
            {"inputs": [{"name": "x", "shape": [ROWS_MAX + 1], "datatype": "FP64", "data": []}]},
            413,
            f"expected at most {ROWS_MAX} rows to explain",
        ),
        (b'{"a": ' + b"[" * 20_000, 413, "objects and lists"),
    ],
)
def test_what_cant_be_read_is_refused(client: Client, body: Any, status: int, told: str) -> None:
    answer = client.post(EXPLAIN, body)

    assert answer.status_code == status
    assert told in answer.json()["error"]


@pytest.mark.slow
def test_a_model_that_cant_be_explained_says_what_to_do(
    client_of: Callable[..., Client], store: Path
) -> None:
    package = packaged(fitted(one_hot(), KNeighborsClassifier(), classes=(False, True)), store)

    answer = client_of(package).post(EXPLAIN, {"inputs": tensors([ROW])})

    assert answer.status_code == 501
    assert "explain it where it was trained" in answer.json()["error"]


def test_few_wait_and_others_come_back_later(client: Client) -> None:
    async def crowd() -> list[int]:
        application = HotPath(client.serving, PredictionPaths(client.serving), not_here)
        transport = httpx.ASGITransport(application)
        async with httpx.AsyncClient(transport=transport, base_url="http://pod") as http:
            body = {"inputs": tensors([ROW] * 200)}
            asked = [http.post(EXPLAIN, json=body) for _ in range(WAITING_MAX + 3)]
            return [answer.status_code for answer in await asyncio.gather(*asked)]

    statuses = asyncio.run(crowd())

    assert sorted(statuses) == [200] * WAITING_MAX + [503] * 3
    assert client.post(EXPLAIN, {"inputs": tensors([ROW])}).status_code == 200
