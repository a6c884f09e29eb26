"""Labels of a regression: numbers, right within a bound, and counted by the scores asked for."""

import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families
from sklearn.metrics import mean_absolute_error, mean_pinball_loss, mean_squared_error

from serinus.api.label_scores import COHORTS_KEPT
from serinus_runtime.artifact.packaging import Packaged
from serinus_runtime.server.prediction_id import PredictionIds
from tests.support.flight_requests import INFER, ROW, tensors
from tests.support.model_servers import (
    KEY,
    REVISION,
    Client,
    ServerProcess,
    free_port,
    metric,
    server_process,
)
from tests.support.trained_models import flights

OTHER_REVISION = "abcdefabcd"
SCORES = (
    '[{"score": "logLoss", "bound": "5"}, {"score": "absoluteError", "bound": "4.0"},'
    ' {"score": "squaredError", "bound": "1e2"},'
    ' {"score": "pinball", "bound": "4", "quantile": "0.90"}]'
)
COHORT_SECONDS = 86_400
"""So long that what a test counts is of one cohort."""
JUDGED = {
    "FEEDBACK_WRONG_BEYOND": "1.50",
    "FEEDBACK_SCORES": SCORES,
    "COHORT_LENGTH_SECONDS": str(COHORT_SECONDS),
}
NONE = {"counted": 0, "pending": 0, "repeated": 0, "late": 0}
ERRORS = np.array([0.0, 0.5, -1.0, 1.5, -1.75, 2.0, -3.0, 10.0])
"""Of answers, in eighths: what they are is exact. Three are within 1.5, and so is 0."""
GONE = PredictionIds(KEY, revision=OTHER_REVISION, tag=b"gone")
ADDRESSES = ("127.0.0.1", "127.0.0.2", "127.0.0.3")


@pytest.fixture
def judging(client_of: Callable[..., Client], regression: Packaged) -> Client:
    return client_of(regression, **JUDGED)


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def identity_of(answers: Any, *, issued_at_ms: int | None = None, exposed: bool = False) -> str:
    """An id of a pod that isn't here any more, of another revision."""
    at = now_ms() if issued_at_ms is None else issued_at_ms
    return GONE.of_values(np.array(answers, dtype=np.float64), issued_at_ms=at, exposed=exposed)


def losses(text: str, **labels: str) -> dict[tuple[str, str, str], float]:
    """Sums by score, bound and quantile, of the series with these labels."""
    return {
        tuple(sample.labels.get(name, "") for name in ("score", "bound", "quantile")): sample.value  # type: ignore[misc]  # three of them
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == "serinus_label_loss_total" and labels.items() <= sample.labels.items()
    }


def test_labels_count_by_the_bound_and_the_scores(judging: Client) -> None:
    answers = np.arange(8.0)
    labels = answers + ERRORS

    told = judging.post("/feedback", {"id": identity_of(answers), "labels": labels.tolist()})

    assert told.json() == NONE | {"counted": 8}
    of = {"revision": OTHER_REVISION, "beyond": "1.5"}
    assert judging.metric("serinus_labels_total", outcome="right", **of) == 4
    assert judging.metric("serinus_labels_total", outcome="wrong", **of) == 4
    sizes = np.abs(ERRORS)
    pinball = np.maximum(0.9 * ERRORS, -0.1 * ERRORS)
    assert losses(judging.get("/metrics").text, revision=OTHER_REVISION) == {
        ("absoluteError", "4", ""): pytest.approx(np.minimum(sizes, 4).sum() / 4),
        ("squaredError", "100", ""): pytest.approx(np.minimum(sizes**2, 100).sum() / 100),
        ("pinball", "4", "0.9"): pytest.approx(np.minimum(pinball, 4).sum() / 4),
    }
    assert judging.metric("serinus_labels_of_two_total") is None


def test_counters_are_there_before_the_first_label(judging: Client) -> None:
    judging.post("/predict", {"rows": [ROW]})

    text = judging.get("/metrics").text
    for outcome in ("right", "wrong"):
        assert metric(text, "serinus_labels_total", beyond="1.5", outcome=outcome) == 0
    assert list(losses(text).values()) == [0, 0, 0]


@pytest.mark.parametrize("path", ["/predict", INFER])
def test_ids_of_this_server_are_judged_by_what_it_answered(judging: Client, path: str) -> None:
    rows = flights(4, seed=3)
    if path == INFER:
        told = judging.post(path, {"inputs": tensors(rows)}).json()
        identity, answers = told["parameters"]["prediction_id"], told["outputs"][0]["data"]
    else:
        told = judging.post(path, {"rows": rows}).json()
        identity, answers = told["id"], [item["value"] for item in told["predictions"]]

    judging.post("/feedback", {"id": identity, "labels": answers})

    assert judging.metric("serinus_labels_total", revision=REVISION, outcome="right") == 4
    assert set(losses(judging.get("/metrics").text).values()) == {0}


def test_a_label_counts_once_and_null_isnt_one(judging: Client) -> None:
    identity = identity_of([1.0, 2.0])

    receipts = [
        judging.post("/feedback", {"id": identity, "labels": labels}).json()
        for labels in ([1, None], [9, 2.0], [9, 9])
    ]

    assert [(one["counted"], one["repeated"]) for one in receipts] == [(1, 0), (1, 1), (0, 2)]
    assert judging.metric("serinus_labels_total", outcome="right") == 2
    assert judging.metric("serinus_labels_total", outcome="wrong") == 0


def test_a_label_that_is_late_is_only_counted_as_that(judging: Client) -> None:
    long_ago = now_ms() - (COHORTS_KEPT + 1) * COHORT_SECONDS * 1000
    told = judging.post("/feedback", {"id": identity_of([1], issued_at_ms=long_ago), "labels": [1]})

    assert told.json() == NONE | {"late": 1}
    assert judging.metric("serinus_labels_late_total", revision=OTHER_REVISION) == 1
    assert losses(judging.get("/metrics").text) == {}


def test_before_its_maturity_a_label_waits_with_its_losses(
    client_of: Callable[..., Client], regression: Packaged
) -> None:
    client = client_of(regression, **JUDGED, FEEDBACK_MATURITY_SECONDS="40")
    told = client.post("/feedback", {"id": identity_of([1]), "labels": [3]})
    before = losses(client.get("/metrics").text)

    client.serving.ledger.settle(now_ms() + 40_000)

    assert (told.json(), before) == (NONE | {"pending": 1}, {})
    assert client.metric("serinus_label_loss_total", score="absoluteError") == 0.5
    assert client.metric("serinus_labels_total", outcome="wrong") == 1


def test_labels_of_units_in_an_ab_test_are_counted_for_themselves(judging: Client) -> None:
    for exposed, label in ((False, 1), (True, 3)):
        identity = identity_of([1], exposed=exposed)
        assert judging.post("/feedback", {"id": identity, "labels": [label]}).json()["counted"] == 1

    text = judging.get("/metrics").text
    assert losses(text, exposed="true")["absoluteError", "4", ""] == 0.5
    assert metric(text, "serinus_labels_total", exposed="true", outcome="wrong", beyond="1.5") == 1
    assert metric(text, "serinus_labels_total", outcome="right") == 1


@pytest.mark.parametrize(
    ("label", "message"),
    [
        (True, "got true"),
        ("3", "got the text '3'"),
        ([3], "got a list of 1"),
        ({}, "got an object"),
    ],
)
def test_what_is_no_number_is_refused_by_its_row(judging: Client, label: Any, message: str) -> None:
    answer = judging.post("/feedback", {"id": identity_of([1, 2]), "labels": [1, label]})

    assert answer.status_code == 400
    assert answer.json()["error"].startswith("`labels[1]`: expected a finite number, got ")
    assert message in answer.json()["error"]
    assert judging.metric("serinus_labels_total", outcome="right") is None


@pytest.mark.parametrize("number", ["1e999", "-1e999", "NaN", "Infinity"])
def test_what_is_no_finite_number_is_refused(judging: Client, number: str) -> None:
    body = f'{{"id": "{identity_of([1])}", "labels": [{number}]}}'.encode()

    assert judging.post("/feedback", body).status_code == 400


def test_without_a_bound_labels_are_refused_and_the_field_is_named(
    client_of: Callable[..., Client], regression: Packaged
) -> None:
    client = client_of(regression, FEEDBACK_SCORES=SCORES)
    identity = client.post("/predict", {"rows": [ROW]}).json()["id"]

    answer = client.post("/feedback", {"id": identity, "labels": [1]})

    assert answer.status_code == 400
    assert "set `server.feedback.wrongBeyond`" in answer.json()["error"]
    assert client.metric("serinus_label_loss_total") is None


def test_what_another_task_predicted_cant_be_judged(
    judging: Client, client_of: Callable[..., Client], two_classes: Packaged
) -> None:
    classifying = client_of(two_classes, **JUDGED)
    of_classes = classifying.post("/predict", {"rows": [ROW]}).json()["id"]

    for client, identity, task in (
        (judging, of_classes, "regression"),
        (classifying, identity_of([1]), "classification"),
    ):
        answer = client.post("/feedback", {"id": identity, "labels": [1]})
        assert answer.status_code == 400
        assert answer.json()["error"].endswith(f"this pod's model is for {task}")


def test_a_regression_of_too_many_rows_cant_be_judged(judging: Client) -> None:
    identity = judging.post("/predict", {"rows": flights(17, seed=2)}).json()["id"]

    answer = judging.post("/feedback", {"id": identity, "labels": [1] * 17})

    assert answer.json()["error"].startswith("`id`: this prediction can't be judged by its id")


def test_a_classification_counts_log_loss_beside_brier(
    client_of: Callable[..., Client], two_classes: Packaged
) -> None:
    client = client_of(two_classes, FEEDBACK_SCORES=SCORES)
    told = client.post("/predict", {"rows": flights(8, seed=21)}).json()
    labels = [True, False] * 4
    client.post("/feedback", {"id": told["id"], "labels": labels})

    of_what_was_so = np.array(
        [
            item["probability"] if label else 1 - item["probability"]
            for item, label in zip(told["predictions"], labels, strict=True)
        ]
    )
    assert losses(client.get("/metrics").text, revision=REVISION) == {
        ("brier", "", ""): pytest.approx(((1 - of_what_was_so) ** 2).sum(), abs=1e-5),
        ("logLoss", "5", ""): pytest.approx(
            np.minimum(-np.log(of_what_was_so), 5).sum() / 5, abs=1e-5
        ),
    }
    assert client.metric("serinus_labels_total", beyond="1.5") is None


# Real servers


def labelled(server: ServerProcess) -> tuple[np.ndarray, np.ndarray, list[dict[str, int]]]:
    """Answers to many rows, labels that are sent for them, and what became of these."""
    answers: list[float] = []
    labels: list[float] = []
    receipts: list[dict[str, int]] = []
    chance = np.random.default_rng(5)
    for seed in range(12):
        rows = flights(16, seed=seed)
        told = httpx.post(f"{server.url}/predict", json={"rows": rows}).json()
        values = [item["value"] for item in told["predictions"]]
        so = [value + error for value, error in zip(values, chance.normal(0, 1, 16), strict=True)]
        body = {"id": told["id"], "labels": so}
        # Each on a connection of its own, so perhaps by another worker.
        receipts += [httpx.post(f"{server.url}/feedback", json=body).json() for _ in range(2)]
        answers, labels = answers + values, labels + so
    return np.array(answers), np.array(labels), receipts


@pytest.mark.slow
@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_server_counts_what_scikit_learn_says(
    regression: Packaged, store: Path, workers: str
) -> None:
    scores = SCORES.replace('"4', '"4000').replace("1e2", "1e6")  # nothing reaches these bounds
    settings = JUDGED | {"FEEDBACK_SCORES": scores, "WORKERS": workers, "DRAIN_SECONDS": "0"}
    with server_process(regression, store, **settings) as server:
        answers, labels, receipts = labelled(server)
        text = httpx.get(f"{server.url}/metrics").text
        told = [line for line in server.lines() if "not in force" in line["message"]]

    count = len(labels)
    assert receipts == [NONE | {"counted": 16}, NONE | {"repeated": 16}] * (count // 16)
    right = int((np.abs(labels - answers) <= 1.5).sum())
    assert 0 < right < count
    assert metric(text, "serinus_labels_total", outcome="right", beyond="1.5") == right
    assert metric(text, "serinus_labels_total", outcome="wrong", beyond="1.5") == count - right
    assert losses(text) == {
        ("absoluteError", "4000", ""): pytest.approx(
            mean_absolute_error(labels, answers) * count / 4000
        ),
        ("squaredError", "1000000", ""): pytest.approx(
            mean_squared_error(labels, answers) * count / 1e6
        ),
        ("pinball", "4000", "0.9"): pytest.approx(
            mean_pinball_loss(labels, answers, alpha=0.9) * count / 4000
        ),
    }
    assert [line["message"] for line in told] == [
        "`server.feedback`: logLoss not in force, since it doesn't fit a model for regression"
    ]


@pytest.mark.slow
@pytest.mark.parametrize("workers", ["1", "2"])
def test_the_home_of_a_label_counts_it_and_after_it_another(
    regression: Packaged, store: Path, workers: str
) -> None:
    settings = JUDGED | {
        "PORT": str(free_port()),
        "PEERS": ",".join(ADDRESSES),
        "DRAIN_SECONDS": "0",
        "WORKERS": workers,
    }
    with ExitStack() as stack:
        pods = {
            address: stack.enter_context(
                server_process(regression, store, HOST=address, POD_IP=address, **settings)
            )
            for address in ADDRESSES
        }
        maker, *others = (f"http://{address}:{pods[address].port}" for address in ADDRESSES[::-1])
        told = httpx.post(f"{maker}/predict", json={"rows": [ROW]}).json()
        body = {"id": told["id"], "labels": [told["predictions"][0]["value"] + 2]}
        wrong = body | {"labels": ["late"]}

        def sent(urls: list[str]) -> list[int]:
            answers = [httpx.post(f"{url}/feedback", json=body).json() for url in urls]
            return [one["counted"] for one in answers]

        def counted(url: str) -> tuple[float | None, float | None]:
            text = httpx.get(f"{url}/metrics").text
            loss = metric(text, "serinus_label_loss_total", score="absoluteError", bound="4")
            return metric(text, "serinus_labels_total", outcome="wrong", beyond="1.5"), loss

        refused = httpx.post(f"{others[0]}/feedback", json=wrong)
        before = sent([*others, maker])
        by_maker = counted(maker)
        pods[ADDRESSES[-1]].told_to_end()
        pods[ADDRESSES[-1]].exit_code()
        after = sent([*others, *others])
        by_others = sorted(counted(url) for url in others if counted(url)[0])

    assert (refused.status_code, "`labels[0]`" in refused.text) == (400, True)
    assert before == [1, 0, 0]
    assert by_maker == (1, pytest.approx(0.5))
    assert sorted(after) == [0, 0, 0, 1]
    assert by_others == [(1, pytest.approx(0.5))]
