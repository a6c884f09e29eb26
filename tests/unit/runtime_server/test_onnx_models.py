"""A model that runs as ONNX is served without the library that it was trained with."""

from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import Pipeline

from serinus_runtime.artifact.packaging import Packaged
from serinus_runtime.training.pipeline import make_pipeline
from tests.support.model_servers import Client, ServerProcess, logged, server_process
from tests.support.trained_models import INPUTS, fitted, flights, original_answers, packaged

pytestmark = pytest.mark.slow

ROWS = flights(40, seed=3)
THREE = ("early", "late", "on time")


@pytest.fixture(scope="module")
def pipeline() -> Pipeline:
    steps = make_pipeline(GaussianNB(), INPUTS)
    return fitted(steps[:-1], steps[-1], classes=THREE)


@pytest.fixture(scope="module")
def bayes(store: Path, pipeline: Pipeline) -> Packaged:
    return packaged(pipeline, store)


def told_by(answer: httpx.Response) -> list[float]:
    """Probability of the predicted class of each row."""
    return [row["probability"] for row in answer.json()["predictions"]]


def likeliest(pipeline: Pipeline) -> list[float]:
    found: list[float] = original_answers(pipeline, ROWS).max(axis=1).tolist()
    return found


def loaded_libraries(server: ServerProcess) -> str:
    """Files that are mapped into the memory of the process."""
    return Path(f"/proc/{server.process.pid}/maps").read_text()


def test_its_answers_are_the_original_models(
    client_of: Callable[..., Client], bayes: Packaged, pipeline: Pipeline
) -> None:
    answer = client_of(bayes).post("/predict", {"rows": ROWS})

    assert answer.status_code == 200
    assert told_by(answer) == pytest.approx(likeliest(pipeline), abs=1e-6)


def test_a_server_of_it_holds_onnxruntime_and_no_scikit_learn(
    store: Path, bayes: Packaged, pipeline: Pipeline
) -> None:
    with server_process(bayes, store) as server:
        answer = httpx.post(f"{server.url}/predict", json={"rows": ROWS})
        libraries = loaded_libraries(server)
        output = server.log.read_text().splitlines()

    assert answer.status_code == 200
    assert "onnxruntime" in libraries
    assert "sklearn" not in libraries
    assert len(output) == len(logged(server.log)), "something writes lines that aren't JSON"


def test_each_of_several_workers_has_its_own(
    store: Path, bayes: Packaged, pipeline: Pipeline
) -> None:
    with server_process(bayes, store, WORKERS="2", DRAIN_SECONDS="1") as server:
        answers = [httpx.post(f"{server.url}/predict", json={"rows": ROWS}) for _ in range(8)]

    assert [answer.status_code for answer in answers] == [200] * 8
    for answer in answers:
        assert told_by(answer) == pytest.approx(likeliest(pipeline), abs=1e-6)


def test_a_server_of_a_compiled_model_holds_neither(store: Path, three_classes: Packaged) -> None:
    with server_process(three_classes, store) as server:
        libraries = loaded_libraries(server)

    assert "numpy" in libraries
    assert "onnxruntime" not in libraries
    assert "sklearn" not in libraries
