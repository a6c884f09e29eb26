"""A worker's metrics behave as a process's own do, and go on where another worker's ended."""

import pytest

from serinus.api.label_scores import COHORTS_KEPT
from serinus_runtime.artifact.encoding import Flags
from serinus_runtime.server.metrics import Metrics, ShadowOutcome
from serinus_runtime.server.worker_cells import (
    SHADOWS_REMEMBERED,
    PodCells,
    State,
    Word,
    WorkerCells,
)
from serinus_runtime.server.worker_metrics import (
    PodReadiness,
    WorkerMetrics,
    requests_of,
    revision_number,
    revision_text,
)

REVISION = "0123456789"
BINS = ("0", "1", "2")


def plain() -> Metrics:
    return Metrics(deployment="d", revision=REVISION, model="m", digest="sha256:0", bins=BINS)


@pytest.fixture
def cells() -> WorkerCells:
    return PodCells(1, len(BINS)).workers[0]


def counted(metrics: Metrics) -> Metrics:
    for code, seconds in ((200, 0.0003), (200, 0.3), (400, 99.0), (418, 0.02)):
        metrics.observe(code, seconds)
    metrics.predictions += 7
    metrics.predictions_out_of_range += 2
    metrics.unread += 1
    metrics.predictions_binned[1] += 4
    metrics.in_flight += 1
    return metrics


def shown(metrics: Metrics) -> tuple[object, ...]:
    return (
        metrics.requests,
        list(metrics.duration_buckets),
        metrics.duration_seconds,
        metrics.predictions,
        metrics.predictions_out_of_range,
        metrics.unread,
        list(metrics.predictions_binned),
        metrics.in_flight,
    )


def test_they_count_as_those_of_a_process_alone(cells: WorkerCells) -> None:
    assert shown(counted(WorkerMetrics(plain(), cells))) == shown(counted(plain()))


def test_the_next_worker_counts_on(cells: WorkerCells) -> None:
    counted(WorkerMetrics(plain(), cells))

    following = counted(WorkerMetrics(plain(), cells))

    assert following.predictions == 14
    assert following.requests == {200: 4, 400: 2, 413: 0, 418: 2, 500: 0, 503: 0, 504: 0}
    assert following.in_flight == 1


def test_flags_are_told_with_each_request_on_top_of_those_before(cells: WorkerCells) -> None:
    cells.words[Word.FLAGGED] = 10
    metrics, flags = WorkerMetrics(plain(), cells), Flags()
    metrics.counts_of(flags, None)

    flags.total = 3
    metrics.observe(200, 0.1)

    assert cells.words[Word.FLAGGED] == 13


def test_each_cohort_is_noted_once_and_the_newest_stay(cells: WorkerCells) -> None:
    metrics = WorkerMetrics(plain(), cells)

    for cohort in range(60, 60 * (COHORTS_KEPT + 3), 60):
        for _ in range(2):
            metrics.cohort_cells(REVISION, cohort)

    assert cells.words[Word.COHORTS_BEGUN] == COHORTS_KEPT + 2
    assert sorted(cells.cohorts) == [60 * n for n in range(3, COHORTS_KEPT + 3)]


@pytest.mark.parametrize("revision", ["", REVISION, "ffffffffff", "0000000000"])
def test_a_revision_fits_a_cell(revision: str) -> None:
    assert revision_text(revision_number(revision)) == revision


def test_what_is_no_revision_is_nobodys() -> None:
    assert {revision_text(revision_number(text)) for text in ("v1", "zzzzzzzzzz")} == {""}


def test_shadows_have_cells_each_and_the_oldest_makes_room(
    cells: WorkerCells, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter(range(1, 100))
    monkeypatch.setattr("time.time_ns", lambda: next(clock) * 1_000_000)
    metrics = WorkerMetrics(plain(), cells)
    revisions = [f"{number:010x}" for number in range(SHADOWS_REMEMBERED + 1)]

    for revision in revisions:
        for outcome in (ShadowOutcome.SAME, ShadowOutcome.SAME, ShadowOutcome.DROPPED):
            metrics.shadowed(revision, outcome)

    kept = {revision_text(shadow[1]): list(shadow[2:]) for shadow in cells.shadows}
    assert kept == {key: [2, 0, 0, 0, 1] for key in revisions[1:]}


def test_ready_is_the_pod_and_what_is_set_is_the_worker() -> None:
    pod = PodCells(2, 0)
    one, other = (PodReadiness(pod, worker) for worker in pod.workers)

    seen = []
    for readiness, ready in ((one, True), (other, True), (one, False)):
        readiness.ready = ready
        seen.append((one.ready, other.ready))

    assert seen == [(False, False), (True, True), (False, False)]
    assert [worker.state for worker in pod.workers] == [State.ENDING, State.READY]


def test_statuses_from_start_are_there(cells: WorkerCells) -> None:
    assert requests_of(cells) == dict.fromkeys((200, 400, 413, 500, 503, 504), 0)
