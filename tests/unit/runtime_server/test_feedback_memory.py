"""Two bytes an id, whole cohorts dropped, and never more than allowed."""

import tracemalloc

import pytest

from serinus_runtime.server.feedback_memory import PAGE_BYTES, FeedbackMemory, MemoryFullError
from serinus_runtime.server.prediction_id import MAX_ROWS


def unique(number: int) -> bytes:
    return b"pod1" + number.to_bytes(4, "big")


def test_each_row_of_each_id_is_new_once() -> None:
    memory = FeedbackMemory(PAGE_BYTES)
    asked = [(number, row) for number in (0, 1, 1023) for row in range(MAX_ROWS)]

    first = [memory.rows_of(0, unique(number)).first_time(row) for number, row in asked]
    again = [memory.rows_of(0, unique(number)).first_time(row) for number, row in asked]

    assert (set(first), set(again)) == ({True}, {False})


def test_neighbours_share_a_page_and_cohorts_dont() -> None:
    memory = FeedbackMemory(10 * PAGE_BYTES)

    for cohort in (0, 300):
        for number in range(2048):
            memory.rows_of(cohort, unique(number)).first_time(0)

    assert memory.size_bytes == 4 * PAGE_BYTES


def test_a_full_memory_takes_no_new_page_but_knows_its_own() -> None:
    memory = FeedbackMemory(PAGE_BYTES)
    memory.rows_of(0, unique(0)).first_time(0)

    with pytest.raises(MemoryFullError):
        memory.rows_of(0, unique(1024))

    assert memory.rows_of(0, unique(1)).first_time(0)
    assert not memory.rows_of(0, unique(0)).first_time(0)


def test_a_dropped_cohort_gives_its_room_back() -> None:
    memory = FeedbackMemory(PAGE_BYTES)
    memory.rows_of(0, unique(0))

    memory.forget_before(300)

    assert memory.size_bytes == 0
    assert memory.rows_of(300, unique(0)).first_time(0)


def test_the_size_it_tells_is_what_it_takes() -> None:
    memory = FeedbackMemory(64 << 20)
    tracemalloc.start()
    for page in range(2000):
        memory.rows_of(0, unique(1024 * page))
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert 0.8 * taken < memory.size_bytes < 1.3 * taken
