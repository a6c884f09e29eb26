"""What clients send and what they are told: right answers, and each way of being wrong."""

from collections.abc import Callable
from typing import Any

import pytest

from serinus_runtime.artifact.model import decided
from serinus_runtime.artifact.package import load
from serinus_runtime.artifact.packaging import Packaged
from serinus_runtime.server.engine import InlineEngine
from tests.support.flight_requests import INFER, ROW, tensors
from tests.support.model_servers import REVISION, Client
from tests.support.trained_models import encoded, flights


def test_rows_get_the_models_answers(client: Client, two_classes: Packaged) -> None:
    rows = flights(20, seed=11)
    model = load(two_classes.path, two_classes.digest)
    answers = model.predictor.answers(encoded(rows))

    answer = client.post("/predict", {"rows": rows})

    assert answer.status_code == 200
    told = answer.json()
    assert told["revision"] == REVISION
    assert told["model"] == "flight-delay"
    assert [item["probability"] for item in told["predictions"]] == answers[:, 1].tolist()
    assert [item["value"] for item in told["predictions"]] == [
        bool(position) for position in decided(answers, 0.5)
    ]


def test_a_regression_answers_values(
    client_of: Callable[..., Client], regression: Packaged
) -> None:
    client = client_of(regression)
    value = client.post("/predict", {"rows": [ROW]}).json()["predictions"][0]["value"]
    outputs = client.post(INFER, {"inputs": tensors([ROW])}).json()["outputs"]

    assert outputs == [{"name": "prediction", "datatype": "FP64", "shape": [1], "data": [value]}]


def test_the_version_may_stand_in_the_path(client: Client, two_classes: Packaged) -> None:
    version = two_classes.digest[7:19]
    path = f"/v2/models/flight-delay/versions/{version}"

    assert client.post(f"{path}/infer", {"inputs": tensors([ROW])}).status_code == 200
    assert client.get(f"{path}/ready").json() == {"name": "flight-delay", "ready": True}
    assert client.get(path).json()["versions"] == [version]


def test_unknown_paths_of_the_protocol_say_what_is_here(
    client: Client, two_classes: Packaged
) -> None:
    answer = client.get("/v2/models/other/ready")

    assert answer.status_code == 404
    assert answer.json()["error"] == (
        "/v2/models/other/ready is not here; this server has model `flight-delay`, version "
        f"`{two_classes.digest[7:19]}`"
    )


def test_a_wrong_method_is_told(client: Client) -> None:
    answer = client.get("/predict")

    assert (answer.status_code, answer.json()) == (
        405,
        {"error": "/predict: expected POST, got GET"},
    )


@pytest.mark.parametrize("path", ["/v2/health/ready", "/v2/models/flight-delay", "/metrics"])
def test_what_answers_get_answers_head(client: Client, path: str) -> None:
    answer = client.request("HEAD", path)

    assert (answer.status_code, answer.headers["content-type"]) == (
        200,
        client.get(path).headers["content-type"],
    )


def test_mlflows_probes_are_answered(client: Client) -> None:
    assert [client.get(path).status_code for path in ("/ping", "/health")] == [200, 200]
    assert client.get("/version").text == client.serving.server_version


@pytest.mark.parametrize("path", ["/", "/docs.json", "/schema.json", "/static_content/x.css"])
def test_the_documentation_is_left_to_the_fallback(client: Client, path: str) -> None:
    assert client.get(path).status_code == 418


@pytest.mark.parametrize("path", ["/docs", "/favicon.ico", "/predict/", "/bento/predict", "/v1"])
def test_what_nobody_knows_never_reaches_the_fallback(client: Client, path: str) -> None:
    for method in ("GET", "POST"):
        answer = client.request(method, path)

        assert answer.status_code == 404
        assert answer.json()["error"].startswith(f"{path} is not here; ")


def test_a_long_path_isnt_told_back_whole(client: Client) -> None:
    error = client.get("/" + "a" * 5000).json()["error"]

    assert len(error) < 400


def test_a_body_over_the_limit_is_413(
    client_of: Callable[..., Client], two_classes: Packaged
) -> None:
    client = client_of(two_classes, MAX_BODY_BYTES="100")

    answer = client.post("/predict", {"rows": [ROW] * 10})

    assert (answer.status_code, answer.json()) == (
        413,
        {"error": "the body is over the limit of 100 bytes; send fewer rows"},
    )
    assert client.metric("serinus_requests_total", code="413") == 1


def test_more_requests_at_once_than_the_limit_are_503_with_retry_after(client: Client) -> None:
    client.serving.metrics.in_flight = client.serving.limits.concurrency

    answer = client.post("/predict", {"rows": [ROW]})

    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "1"
    assert answer.json()["error"].startswith("256 requests are being answered")


class Broken:
    """A predictor that fails."""

    kind = "native"

    def answers(self, rows: Any) -> Any:
        raise ZeroDivisionError


def test_a_model_that_fails_is_500_without_details(client: Client) -> None:
    broken = client.changed(engine=InlineEngine(Broken()))

    answer = broken.post("/predict", {"rows": [ROW]})

    assert answer.status_code == 500
    assert answer.json()["error"] == "the server failed on this request; its log has the traceback"
    assert broken.metric("serinus_requests_total", code="500") == 1


def test_a_pod_that_ends_isnt_ready_but_answers(client: Client) -> None:
    client.serving.readiness.ready = False
    try:
        assert client.get("/v2/health/ready").status_code == 503
        assert client.get("/v2/models/flight-delay/ready").status_code == 503
        assert client.get("/v2/health/live").status_code == 200
        assert client.post("/predict", {"rows": [ROW]}).status_code == 200
    finally:
        client.serving.readiness.ready = True
