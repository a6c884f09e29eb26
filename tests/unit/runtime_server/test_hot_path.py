"""What clients send and what they are told: right answers, and each way of being wrong."""

from collections.abc import Callable
from typing import Any

import pytest

from serinus_runtime.artifact.model import decided
from serinus_runtime.artifact.package import load
from serinus_runtime.artifact.packaging import Packaged
from serinus_runtime.artifact.signature import Datatype
from serinus_runtime.server.engine import InlineEngine
from tests.support.model_servers import REVISION, Client
from tests.support.trained_models import NAMES, encoded, flights

ROW = {
    "distance": 500.0,
    "delay": 5.0,
    "hour": 12,
    "holiday": False,
    "carrier": "AA",
    "route": "R00",
}
INFER = "/v2/models/flight-delay/infer"
TYPES = dict(zip(NAMES, ("FP64", "FP64", "INT64", "BOOL", "BYTES", "BYTES"), strict=True))


def tensors(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One tensor for each input."""
    return [
        {
            "name": name,
            "datatype": TYPES[name],
            "shape": [len(rows)],
            "data": [row[name] for row in rows],
        }
        for name in NAMES
    ]


def matrix(rows: list[dict[str, Any]], *, nested: bool) -> dict[str, Any]:
    """All inputs as one tensor."""
    lists = [[row[name] for name in NAMES] for row in rows]
    data = lists if nested else [value for row in lists for value in row]
    return {"name": "rows", "datatype": "BYTES", "shape": [len(rows), len(NAMES)], "data": data}


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


def test_a_regression_answers_values(
    client_of: Callable[..., Client], regression: Packaged
) -> None:
    client = client_of(regression)
    value = client.post("/predict", {"rows": [ROW]}).json()["predictions"][0]["value"]
    outputs = client.post(INFER, {"inputs": tensors([ROW])}).json()["outputs"]

    assert outputs == [{"name": "prediction", "datatype": "FP64", "shape": [1], "data": [value]}]


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


def test_the_version_may_stand_in_the_path(client: Client, two_classes: Packaged) -> None:
    version = two_classes.digest[7:19]
    path = f"/v2/models/flight-delay/versions/{version}"

    assert client.post(f"{path}/infer", {"inputs": tensors([ROW])}).status_code == 200
    assert client.get(f"{path}/ready").json() == {"name": "flight-delay", "ready": True}
    assert client.get(path).json()["versions"] == [version]


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


WRONG_ROWS = [
    (b"", "the body isn't JSON: "),
    (b'{"rows": [{"distance": NaN}]}', "the body isn't JSON: "),
    (b"\xff\xfe", "the body isn't JSON: "),
    ([], "the body: expected an object, got a list of 0"),
    ({}, "expected `rows`, a list of objects"),
    ({"rows": {}}, "expected `rows`, a list of objects, got an object"),
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
def test_wrong_tensors_are_told_where_and_what(
    client: Client, document: Any, message: str
) -> None:
    answer = client.post(INFER, document)

    assert (answer.status_code, answer.json()) == (400, {"error": message})


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


def test_all_other_paths_are_left_to_the_fallback(client: Client) -> None:
    assert client.get("/docs").status_code == 418


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
    client.serving.metrics.in_flight = client.serving.max_concurrency

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
