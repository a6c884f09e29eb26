"""The Open Inference Protocol: forms of data, answers and metadata."""

from serinus_runtime.artifact.packaging import Packaged
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
