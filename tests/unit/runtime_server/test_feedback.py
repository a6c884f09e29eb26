"""Labels count once, for the revision and the cohort of their answer, and none can be made up."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from serinus.api.label_scores import BRIER, COHORTS_KEPT
from serinus_runtime.artifact.packaging import Packaged
from serinus_runtime.server import feedback
from serinus_runtime.server.errors import Overloaded
from serinus_runtime.server.feedback import FeedbackLedger, Judged
from serinus_runtime.server.feedback_memory import PAGE_BYTES, FeedbackMemory
from serinus_runtime.server.label_rules import LabelRules
from serinus_runtime.server.metrics import Metrics
from serinus_runtime.server.prediction_id import Prediction, PredictionIds
from tests.support.model_servers import KEY, REVISION, Client
from tests.support.trained_models import flights

OTHER_REVISION = "abcdefabcd"
NOW_MS = 1_800_000_000_000
COHORT_SECONDS = 60


def metrics() -> Metrics:
    return Metrics(
        deployment="d",
        revision=REVISION,
        model="m",
        digest="sha256:0",
        label_rules=LabelRules(scores=(BRIER,)),
    )


def ledger(*, maturity_seconds: float = 0, memory_bytes: int = 1 << 20) -> FeedbackLedger:
    return FeedbackLedger(metrics(), FeedbackMemory(memory_bytes), COHORT_SECONDS, maturity_seconds)


def prediction(
    *, issued_at_ms: int = NOW_MS, unique: bytes = b"12345678", rows: int = 1
) -> Prediction:
    return Prediction(
        revision=OTHER_REVISION,
        issued_at_ms=issued_at_ms,
        unique=unique,
        rows=rows,
        probabilities=np.tile([0.3, 0.7], (rows, 1)),
        decided=np.ones(rows, dtype=np.intp),
        values=None,
    )


def judged(ledger: FeedbackLedger, at: Prediction, *, right: bool = True) -> Judged:
    return Judged(
        due_at_ms=ledger.due_at_ms(at.issued_at_ms),
        cohort=ledger.cohort(at.issued_at_ms),
        revision=at.revision,
        right=right,
        losses=(0.25,),
    )


def counted(ledger: FeedbackLedger, at: Prediction, now_ms: int, *, right: bool = True) -> Any:
    return ledger.count(at, [judged(ledger, at, right=right)] * at.rows, now_ms)


# Through the server


def test_a_label_counts_for_its_prediction(client: Client) -> None:
    rows = flights(8, seed=21)
    told = client.post("/predict", {"rows": rows}).json()
    labels = [item["value"] for item in told["predictions"]]
    labels[0] = not labels[0]
    losses = [
        (item["probability"] - label) ** 2
        for item, label in zip(told["predictions"], labels, strict=True)
    ]

    answer = client.post("/feedback", {"id": told["id"], "labels": labels})

    assert answer.json() == {"counted": 8, "pending": 0, "repeated": 0, "late": 0}
    of_revision = {"revision": REVISION}
    assert client.metric("serinus_labels_total", outcome="right", **of_revision) == 7
    assert client.metric("serinus_labels_total", outcome="wrong", **of_revision) == 1
    loss = client.metric("serinus_label_loss_total", score="brier", **of_revision)
    assert loss == pytest.approx(sum(losses), abs=1e-6)


def test_labels_of_two_classes_are_counted_by_what_was_so(client: Client) -> None:
    told = client.post("/predict", {"rows": flights(12, seed=21)}).json()
    answers = [item["value"] for item in told["predictions"]]
    labels = [not answers[0], *answers[1:]]
    client.post("/feedback", {"id": told["id"], "labels": labels})

    def counted(actual: str, outcome: str) -> float:
        return client.metric("serinus_labels_of_two_total", actual=actual, outcome=outcome) or 0

    for actual, is_so in (("positive", True), ("negative", False)):
        pairs = [answer for answer, label in zip(answers, labels, strict=True) if label is is_so]
        assert counted(actual, "right") == pairs.count(is_so)
        assert counted(actual, "wrong") == pairs.count(not is_so)


def test_labels_of_several_classes_are_neither_positive_nor_negative(
    client_of: Callable[..., Client], three_classes: Packaged
) -> None:
    client = client_of(three_classes)
    told = client.post("/predict", {"rows": flights(1, seed=2)}).json()

    assert client.post("/feedback", {"id": told["id"], "labels": ["late"]}).json()["counted"] == 1
    assert client.metric("serinus_labels_of_two_total") is None


def test_null_is_a_label_that_isnt_known_yet(client: Client) -> None:
    told = client.post("/predict", {"rows": flights(3, seed=21)}).json()

    first = client.post("/feedback", {"id": told["id"], "labels": [True, None, None]})
    second = client.post("/feedback", {"id": told["id"], "labels": [True, False, None]})

    assert first.json()["counted"] == 1
    assert second.json() == {"counted": 1, "pending": 0, "repeated": 1, "late": 0}


def test_labels_of_several_classes_are_their_texts(
    client_of: Callable[..., Client], three_classes: Packaged
) -> None:
    client = client_of(three_classes)
    told = client.post("/predict", {"rows": flights(1, seed=2)}).json()
    item = told["predictions"][0]
    expected = 0.5 * sum(
        (probability - (name == "late")) ** 2 for name, probability in item["probabilities"].items()
    )

    client.post("/feedback", {"id": told["id"], "labels": ["late"]})

    outcome = "right" if item["value"] == "late" else "wrong"
    assert client.metric("serinus_labels_total", outcome=outcome) == 1
    assert client.metric("serinus_label_loss_total") == pytest.approx(expected, abs=1e-6)


def test_zero_and_one_stand_for_false_and_true(client: Client) -> None:
    told = client.post("/predict", {"rows": flights(2, seed=2)}).json()

    assert client.post("/feedback", {"id": told["id"], "labels": [0, 1]}).json()["counted"] == 2


def test_any_pod_with_the_key_counts_for_the_revision_that_answered(client: Client) -> None:
    elsewhere = PredictionIds(KEY, revision=OTHER_REVISION, tag=b"else", classes=(False, True))
    identity = elsewhere.of_classes(
        np.array([[0.2, 0.8]]), np.array([1]), issued_at_ms=time.time_ns() // 10**6
    )

    client.post("/feedback", {"id": identity, "labels": [True]})

    assert client.metric("serinus_labels_total", revision=OTHER_REVISION, outcome="right") == 1
    loss = client.metric("serinus_label_loss_total", revision=OTHER_REVISION)
    assert loss == pytest.approx(0.04, abs=1e-6)


def test_no_pod_judges_by_positions_among_classes_that_arent_its_models(
    client_of: Callable[..., Client], three_classes: Packaged
) -> None:
    """The class that stood first among theirs is another one than the first of ours."""
    theirs = PredictionIds(
        KEY, revision=OTHER_REVISION, tag=b"else", classes=("cancelled", "early", "late")
    )
    identity = theirs.of_classes(
        np.array([[0.1, 0.1, 0.8]]), np.array([2]), issued_at_ms=time.time_ns() // 10**6
    )
    client = client_of(three_classes)

    answer = client.post("/feedback", {"id": identity, "labels": ["late"]})

    assert answer.status_code == 400
    assert "decided among other classes than this pod's model" in answer.json()["error"]
    assert client.metric("serinus_labels_total", revision=OTHER_REVISION) is None


def identity_of(client: Client, rows: int = 1) -> str:
    return str(client.post("/predict", {"rows": flights(rows, seed=2)}).json()["id"])


@pytest.mark.parametrize(
    ("identity", "message"),
    [
        ("", "`id`: not a prediction id"),
        ("garbage!", "`id`: not a prediction id"),
        ("x" * 5000, "`id`: not a prediction id"),
        ("é", "`id`: not a prediction id"),
        ("AAAA" * 16, "`id`: not a prediction id of this Deployment"),
        (None, "`id`: expected the id of a prediction, got nothing"),
    ],
)
def test_garbled_ids_are_400(client: Client, identity: Any, message: str) -> None:
    answer = client.post("/feedback", {"id": identity, "labels": [True]})

    assert answer.status_code == 400
    assert answer.json()["error"].startswith(message)


def test_a_changed_id_is_400(client: Client) -> None:
    identity = identity_of(client)

    for position in range(0, len(identity), 7):
        other = "A" if identity[position] != "A" else "B"
        forged = identity[:position] + other + identity[position + 1 :]
        assert client.post("/feedback", {"id": forged, "labels": [True]}).status_code == 400
    assert client.metric("serinus_labels_total", outcome="right") == 0


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (None, "`labels`: expected a list, got nothing"),
        ([], "`labels`: expected 1, one for each row of the prediction, got 0"),
        ([True, True], "`labels`: expected 1, one for each row of the prediction, got 2"),
        (["late"], "`labels[0]`: expected one of false, true, got the text 'late'"),
        ([2], "`labels[0]`: expected one of false, true, got 2"),
        ([[]], "`labels[0]`: expected one of false, true, got a list of 0"),
    ],
)
def test_wrong_labels_are_told(client: Client, labels: Any, message: str) -> None:
    answer = client.post("/feedback", {"id": identity_of(client), "labels": labels})

    assert (answer.status_code, answer.json()) == (400, {"error": message})


def test_an_id_of_too_many_rows_cant_be_judged(client: Client) -> None:
    identity = identity_of(client, rows=17)

    answer = client.post("/feedback", {"id": identity, "labels": [True] * 17})

    assert answer.status_code == 400
    assert answer.json()["error"].startswith("`id`: this prediction can't be judged by its id")


# The ledger, with its time passed in


def test_a_repeated_label_counts_once() -> None:
    book = ledger()

    first, again = (counted(book, prediction(rows=3), NOW_MS) for _ in range(2))

    assert (first.counted, again.counted, again.repeated) == (3, 0, 3)
    (cells,) = book.metrics.cohorts.values()
    assert (cells.right, cells.wrong, cells.losses) == (3, 0, {BRIER: 0.75})


@pytest.mark.slow
def test_a_label_is_known_again_however_many_came_since() -> None:
    book = ledger(memory_bytes=1 << 20)
    first = prediction(unique=bytes(8))
    counted(book, first, NOW_MS)

    for number in range(1, 250_000):
        counted(book, prediction(unique=number.to_bytes(8, "big")), NOW_MS)

    assert counted(book, first, NOW_MS).repeated == 1


def test_what_cant_be_remembered_isnt_counted() -> None:
    book = ledger(memory_bytes=2 * PAGE_BYTES)
    far_apart = [prediction(unique=(number << 32).to_bytes(8, "big")) for number in range(3)]
    for at in far_apart[:2]:
        counted(book, at, NOW_MS)

    with pytest.raises(Overloaded) as refused:
        counted(book, far_apart[2], NOW_MS)

    (cells,) = book.metrics.cohorts.values()
    assert (cells.right, book.metrics.refused) == (2, 1)
    assert refused.value.headers == ((b"retry-after", b"60"),)
    assert counted(book, far_apart[0], NOW_MS).repeated == 1


def test_a_cohort_that_is_no_longer_kept_makes_room() -> None:
    book = ledger(memory_bytes=PAGE_BYTES)
    counted(book, prediction(), NOW_MS)
    later = NOW_MS + COHORTS_KEPT * COHORT_SECONDS * 1000

    receipt = counted(book, prediction(issued_at_ms=later, unique=b"87654321"), later)

    assert receipt.counted == 1


def test_more_labels_than_may_wait_are_refused_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feedback, "LABELS_PENDING", 3)
    book = ledger(maturity_seconds=30)
    counted(book, prediction(rows=2), NOW_MS)

    with pytest.raises(Overloaded):
        counted(book, prediction(rows=2, unique=b"87654321"), NOW_MS)

    assert counted(book, prediction(unique=b"87654321"), NOW_MS).pending == 1


def test_before_its_maturity_a_label_waits() -> None:
    book = ledger(maturity_seconds=30)
    at = prediction()

    receipt = counted(book, at, NOW_MS + 1_000)
    book.settle(NOW_MS + 29_999)
    before = dict(book.metrics.cohorts)
    book.settle(NOW_MS + 30_000)

    assert (receipt.pending, receipt.counted, before) == (1, 0, {})
    assert book.metrics.cohorts[OTHER_REVISION, book.cohort(NOW_MS)].right == 1


def test_after_its_maturity_a_label_counts_when_it_comes() -> None:
    book = ledger(maturity_seconds=30)

    receipt = counted(book, prediction(), NOW_MS + 31_000)

    assert (receipt.counted, receipt.pending) == (1, 0)


def test_a_label_of_a_cohort_that_is_no_longer_kept_is_late() -> None:
    book = ledger()
    length_ms = COHORT_SECONDS * 1000
    start = NOW_MS // length_ms * length_ms
    newest_kept = start - (COHORTS_KEPT - 1) * length_ms

    on_time = counted(book, prediction(issued_at_ms=newest_kept), start)
    late = counted(book, prediction(issued_at_ms=newest_kept - 1, unique=b"87654321"), start)

    assert (on_time.counted, late.late) == (1, 1)
    assert book.metrics.late == {REVISION: 0, OTHER_REVISION: 1}


def test_no_more_cohorts_are_kept_than_promised() -> None:
    book = ledger()
    for step in range(200):
        at = NOW_MS + step * COHORT_SECONDS * 1000
        counted(book, prediction(issued_at_ms=at, unique=step.to_bytes(8, "big")), at)

    assert len(book.metrics.cohorts) == COHORTS_KEPT


def test_the_cohort_is_the_issue_time_in_whole_cohort_lengths() -> None:
    assert ledger().cohort(1_800_000_059_999) == 1_800_000_000
    assert ledger().cohort(1_800_000_060_000) == 1_800_000_060
