"""What ends a pod, sockets of one port, and what a pod of several workers counted in the end."""

import os
import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from serinus_runtime.server import worker_lives
from serinus_runtime.server.pod_books import PodBooks
from serinus_runtime.server.supervisor import (
    EXIT_REFUSED,
    Programs,
    Supervisor,
    listening_sockets,
    pod_totals,
)
from serinus_runtime.server.worker_cells import PodCells, State, Word
from serinus_runtime.server.worker_process import EXIT_FAILED, WorkerPlace, forked


def test_each_worker_has_a_socket_of_the_same_port_and_connections_are_spread() -> None:
    sockets = listening_sockets("127.0.0.1", 0, 2)
    for one in sockets:
        one.listen(64)
        one.setblocking(False)
    port = sockets[0].getsockname()[1]

    clients = [socket.create_connection(("127.0.0.1", port)) for _ in range(64)]
    taken = [0, 0]
    for number, one in enumerate(sockets):
        try:
            while True:
                one.accept()[0].close()
                taken[number] += 1
        except BlockingIOError:
            one.close()
    for client in clients:
        client.close()

    assert sum(taken) == 64
    assert min(taken) >= 8


def test_the_last_line_has_the_sums_of_all_workers() -> None:
    cells = PodCells(2, 0)
    for number, worker in enumerate(cells.workers, start=1):
        worker.statuses[100] += number
        worker.words[Word.PREDICTIONS] = worker.words[Word.UNREAD] = number
        worker.words[Word.LOG_WRITTEN] = worker.words[Word.LOG_LOST] = number
        worker.words[Word.LOG_UNSAMPLED] = worker.words[Word.SPANS_EXPORTED] = number
    cells.count_death()

    assert pod_totals(cells) == {
        "requests": {"200": 3, "400": 0, "413": 0, "500": 0, "503": 0, "504": 0},
        "requests_unread": 3,
        "predictions": 3,
        "worker_deaths": 1,
        "prediction_log_rows": {"written": 3, "dropped": 3, "unsampled": 3, "waiting": 0},
        "trace_spans": {"exported": 3, "dropped": 0, "failed": 0},
    }


def sleeps(*_: object) -> int:
    time.sleep(60)
    return 0


def is_ready_and_hangs(place: WorkerPlace) -> int:
    place.cells.words[Word.BEAT] = int(time.monotonic())
    place.cells.become(State.READY)
    return sleeps()


def refuses(_: WorkerPlace) -> int:
    return EXIT_REFUSED


@pytest.mark.slow
@pytest.mark.parametrize(
    ("work", "code", "deaths"),
    [(sleeps, EXIT_FAILED, 2), (is_ready_and_hangs, EXIT_FAILED, 2), (refuses, EXIT_REFUSED, 1)],
)
def test_a_pod_ends_whose_worker_never_gets_ready_or_hangs_or_refuses(
    work: Callable[[WorkerPlace], int], code: int, deaths: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_lives, "START_SECONDS", 0.2)
    monkeypatch.setattr(worker_lives, "HUNG_SECONDS", 1.0)
    monkeypatch.setattr(worker_lives, "SHORT_LIVES_MAX", 2)
    cells = PodCells(1, 0)
    programs = Programs(work, sleeps)
    sockets = listening_sockets("127.0.0.1", 0, 1)
    with socket.socket(socket.AF_UNIX) as books:
        supervisor = Supervisor(cells, programs, sockets, PodBooks(Path("books")), books, {})
        _, status = os.waitpid(forked(supervisor.run), 0)

    assert os.waitstatus_to_exitcode(status) == code
    assert cells.deaths == deaths
