"""Memory that processes share: what one counts the other reads, and nothing lies over another."""

import os

from serinus_runtime.server.worker_cells import PodCells, State, Word

BINS = 3


def test_what_another_process_counted_is_there_after_its_end() -> None:
    cells = PodCells(2, BINS)

    pid = os.fork()
    if not pid:
        cells.workers[1].words[Word.PREDICTIONS] += 5
        cells.workers[1].floats[Word.SECONDS] += 0.25
        os._exit(0)
    os.waitpid(pid, 0)

    assert cells.total(Word.PREDICTIONS) == 5
    assert [worker.floats[Word.SECONDS] for worker in cells.workers] == [0.0, 0.25]


def test_no_cell_is_another_one() -> None:
    cells = PodCells(2, BINS)
    parts = [
        part
        for worker in cells.workers
        for part in (
            worker.words,
            worker.statuses,
            worker.durations,
            worker.bins,
            worker.cohorts,
            *worker.shadows,
        )
    ]

    number = 0
    for part in parts:
        for place in range(len(part)):
            number += 1
            part[place] = number

    assert [value for part in parts for value in part] == list(range(1, number + 1))
    assert cells.deaths == 0


def test_all_are_ready_when_each_is() -> None:
    cells = PodCells(2, BINS)
    seen = [cells.all_ready]
    for state in (State.READY, State.ENDING):
        for worker in cells.workers:
            worker.become(state)
            seen.append(cells.all_ready)

    assert seen == [False, False, True, False, False]


def test_who_is_gone_has_nothing_open_and_lost_what_its_log_hadnt_written() -> None:
    worker = PodCells(1, BINS).workers[0]
    worker.become(State.READY)
    for word, value in {
        Word.IN_FLIGHT: 2,
        Word.CONNECTIONS: 3,
        Word.COMING: 1,
        Word.LOG_TAKEN: 10,
        Word.LOG_WRITTEN: 7,
        Word.PREDICTIONS: 10,
    }.items():
        worker.words[word] = value

    worker.settle()

    assert [worker.words[w] for w in (Word.IN_FLIGHT, Word.CONNECTIONS, Word.COMING)] == [0, 0, 0]
    assert (worker.words[Word.LOG_LOST], worker.words[Word.PREDICTIONS]) == (3, 10)
    assert worker.state is State.ENDING


def test_deaths_are_the_pods() -> None:
    cells = PodCells(1, BINS)

    for _ in range(2):
        cells.count_death()

    assert cells.deaths == 2
