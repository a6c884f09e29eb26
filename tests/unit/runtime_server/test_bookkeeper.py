"""The books of a pod: the workers' sums in a scrape, and labels that count once."""

import json
from pathlib import Path

import numpy as np
import pytest

from serinus_runtime.artifact.package import load
from serinus_runtime.artifact.packaging import Packaged
from serinus_runtime.server.bookkeeper import Bookkeeper, Books
from serinus_runtime.server.exchange import LookedUp
from serinus_runtime.server.metrics import SHADOWS_KEPT, ShadowOutcome
from serinus_runtime.server.pod_books import About, Question
from serinus_runtime.server.settings import settings_from_environment
from serinus_runtime.server.wiring import made_books, made_metrics
from serinus_runtime.server.worker_cells import PodCells, Word
from serinus_runtime.server.worker_metrics import WorkerMetrics
from tests.support.model_servers import KEY, REVISION, environment, metric

SCRAPE = Question(About.METRICS)
WORKERS = 2


@pytest.fixture
def books(two_classes: Packaged, store: Path) -> Books:
    settings = settings_from_environment(environment(two_classes, store, WORKERS=str(WORKERS)))
    model = load(two_classes.path, two_classes.digest)
    return made_books(
        settings, model, KEY, PodCells(WORKERS, len(made_metrics(settings, model).bins))
    )


@pytest.fixture
def workers(books: Books) -> list[WorkerMetrics]:
    return [WorkerMetrics(books.metrics, cells) for cells in books.cells.workers]


async def scraped(books: Books) -> str:
    answer = await Bookkeeper(books).answered(SCRAPE)
    assert answer.status == 200
    return answer.body.decode()


async def test_a_scrape_has_the_sums_of_all_workers(
    books: Books, workers: list[WorkerMetrics]
) -> None:
    for number, worker in enumerate(workers, start=1):
        worker.observe(200, 0.003 * number)
        worker.observe(404 + number, 0.003)
        worker.predictions += 10 * number
        worker.predictions_out_of_range += number
        worker.unread += number
        worker.count_looked_up(LookedUp(present=number, stale=10 * number, missing=100))
        worker.cells.words[Word.ONLINE_ENTITIES] = 7
        worker.predictions_binned[number] += number
        for word in (Word.CONNECTIONS, Word.IN_FLIGHT, Word.COMING, Word.FLAGGED):
            worker.cells.words[word] = number
        worker.cells.words[Word.LOG_TAKEN] = 9
        worker.cells.words[Word.LOG_WRITTEN] = 5
        worker.cells.words[Word.LOG_LOST] = worker.cells.words[Word.LOG_REFUSED] = number
        worker.cells.words[Word.ACCESS_WRITTEN] = worker.cells.words[Word.SPANS_EXPORTED] = number
    books.cells.count_death()

    text = await scraped(books)

    assert metric(text, "serinus_requests_total", code="200") == 2
    assert metric(text, "serinus_requests_total", code="405") == 1
    assert metric(text, "serinus_requests_total", code="406") == 1
    assert metric(text, "serinus_request_duration_seconds_bucket", le="0.005") == 3
    assert metric(text, "serinus_request_duration_seconds_count") == 4
    assert metric(text, "serinus_request_duration_seconds_sum") == pytest.approx(0.015)
    assert metric(text, "serinus_predictions_total") == 30
    assert metric(text, "serinus_predictions_out_of_range_total") == 3
    assert metric(text, "serinus_requests_unread_total") == 3
    assert metric(text, "serinus_predictions_binned_total", bin="0.2") == 2
    assert metric(text, "serinus_connections") == 3
    assert metric(text, "serinus_requests_in_flight") == 3
    assert metric(text, "serinus_requests_coming") == 3
    assert metric(text, "serinus_flagged_values_total") == 3
    rows = "serinus_prediction_log_rows_total"
    assert metric(text, rows, outcome="written") == 10
    assert metric(text, rows, outcome="dropped") == 6
    assert metric(text, "serinus_prediction_log_rows_waiting") == 5
    assert metric(text, "serinus_access_log_lines_total", outcome="written") == 3
    assert metric(text, "serinus_trace_spans_total", outcome="exported") == 3
    assert metric(text, "serinus_worker_deaths_total") == 1
    values = "serinus_online_values_total"
    assert metric(text, values, state="present") == 3
    assert metric(text, values, state="stale") == 30
    assert metric(text, values, state="missing") == 200
    assert metric(text, "serinus_online_entities") == 7


async def test_a_cohort_begins_with_the_first_answer_of_any_worker(
    books: Books, workers: list[WorkerMetrics]
) -> None:
    now = books.ledger.cohort(int(np.datetime64("now", "ms").astype(int)))
    before = metric(await scraped(books), "serinus_labels_total")
    workers[1].cohort_cells(REVISION, now)
    workers[0].cohort_cells(REVISION, now)

    text = await scraped(books)

    assert before is None
    assert metric(text, "serinus_labels_total", cohort=str(now), outcome="right") == 0
    assert text.count(f'cohort="{now}",outcome="right"') == 1


async def test_shadows_are_summed_and_the_newest_shown(
    books: Books, workers: list[WorkerMetrics], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter(range(1, 100))
    monkeypatch.setattr("time.time_ns", lambda: next(clock) * 1_000_000)
    revisions = [f"{number:010x}" for number in range(SHADOWS_KEPT + 1)]
    for revision in revisions:
        for worker in workers:
            worker.shadowed(revision, ShadowOutcome.SAME)
    monkeypatch.undo()

    text = await scraped(books)

    counted = [
        metric(text, "serinus_shadow_requests_total", revision=f'{one}",outcome="same')
        for one in revisions
    ]
    assert counted == [None, *[WORKERS] * SHADOWS_KEPT]


async def test_a_label_counts_once(books: Books) -> None:
    issued_at = int(np.datetime64("now", "ms").astype(int))
    identity = books.ids.of_classes(np.array([[0.2, 0.8]]), np.array([1]), issued_at_ms=issued_at)
    question = Question(About.LABELS, (), json.dumps({"id": identity, "labels": [True]}).encode())
    keeper = Bookkeeper(books)

    said = [json.loads((await keeper.answered(question)).body) for _ in range(2)]

    assert [(one["counted"], one["repeated"]) for one in said] == [(1, 0), (0, 1)]


async def test_what_is_wrong_is_told_as_a_server_alone_tells_it(books: Books) -> None:
    answer = await Bookkeeper(books).answered(Question(About.LABELS, (), b"{}"))

    assert answer.status == 400
    assert b"expected the id of a prediction" in answer.body


async def test_a_failure_of_ours_is_a_500(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise RuntimeError("on purpose")

    monkeypatch.setattr("serinus_runtime.server.bookkeeper.take_sums", fails)

    assert (await Bookkeeper(books).answered(SCRAPE)).status == 500
