"""Each row is in exactly one count, and memory has a bound."""

import tracemalloc

import numpy as np

from serinus_runtime.prediction_log.buffer import LogBuffer, LogCounts, held_bytes
from serinus_runtime.prediction_log.logged import is_sampled

ROWS = np.zeros((3, 4))
ANSWERS = np.zeros((3, 2))
DECIDED = np.zeros(3, dtype=np.intp)


def offer(buffer: LogBuffer, prediction_id: str = "id") -> None:
    buffer.offer(prediction_id, 1000, "predict", ROWS, ANSWERS, DECIDED)


def buffer_of(percent: int, bytes_max: int = 1 << 20) -> LogBuffer:
    buffer = LogBuffer(bytes_max)
    buffer.sample_percent = percent
    return buffer


def test_nothing_is_kept_until_somebody_says_how_much() -> None:
    buffer = LogBuffer(1 << 20)

    offer(buffer)

    assert buffer.counts() == LogCounts(unsampled=3)
    assert buffer.take(10) == []


def test_a_sample_is_taken_by_id() -> None:
    buffer = buffer_of(30)
    ids = [f"id-{number}" for number in range(100)]

    for one in ids:
        offer(buffer, one)

    sampled = [one for one in ids if is_sampled(one, 30)]
    assert [entry.prediction_id for entry in buffer.take(1000)] == sampled
    assert buffer.counts() == LogCounts(
        unsampled=3 * (100 - len(sampled)), waiting=3 * len(sampled)
    )


def test_what_finds_no_room_is_dropped_until_there_is_room_again() -> None:
    buffer = buffer_of(100)
    offer(buffer)
    (entry,) = buffer.take(1)
    size = held_bytes(entry)
    small = buffer_of(100, bytes_max=2 * size)
    for _ in range(5):
        offer(small)

    full = small.counts()
    small.take(2)
    offer(small)
    taken = small.counts()
    small.release_written(3, size)
    offer(small)

    assert full == LogCounts(waiting=6, dropped=9)
    assert taken == LogCounts(waiting=6, dropped=12)
    assert small.counts() == LogCounts(written=3, waiting=6, dropped=12)


def test_rows_given_up_are_dropped() -> None:
    buffer = buffer_of(100)
    offer(buffer)
    (entry,) = buffer.take(1)

    buffer.release_lost(3, held_bytes(entry))

    assert buffer.counts() == LogCounts(dropped=3)


def test_a_part_of_a_batch_doesn_t_keep_the_batch() -> None:
    buffer, batch = buffer_of(100), np.arange(2000.0).reshape(1000, 2)

    buffer.offer("id", 1000, "predict", ROWS, batch[:3], DECIDED)

    (entry,) = buffer.take(1)
    assert entry.answers.base is None
    assert np.array_equal(entry.answers, batch[:3])


def test_what_it_says_that_it_holds_is_what_it_holds() -> None:
    buffer = buffer_of(100, bytes_max=1 << 30)
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for number in range(2000):
            cells = np.array([float(number)] * 12)  # as the server makes them, one by one
            buffer.offer(
                f"{number:080d}", number << 20, "predict", cells.reshape(3, 4), ANSWERS[:], DECIDED
            )
        held = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()

    said = sum(held_bytes(entry) for _ in range(10) for entry in buffer.take(500))
    assert held <= said <= 2 * held
