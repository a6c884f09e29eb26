"""Quick models answer on the loop, slow ones on a thread that takes all that waits."""

import asyncio
import threading
import time

import numpy as np

from serinus_runtime.artifact.forest import FloatArray
from serinus_runtime.server.engine import (
    BATCH_ROWS_MAX,
    BatchingEngine,
    InlineEngine,
    engine_for,
)

ROW = np.ones((1, 2))


class Doubling:
    """Answers twice the row; holds each batch until `go` is set, and notes batch sizes."""

    kind = "native"

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.go = threading.Event()
        self.batches: list[int] = []
        self.answered = 0

    def answers(self, rows: FloatArray) -> FloatArray:
        self.batches.append(len(rows))
        self.begun.set()
        self.go.wait(10)
        self.answered += len(rows)
        return rows * 2


class Slow:
    """Takes longer than the loop may be held."""

    kind = "native"

    def answers(self, rows: FloatArray) -> FloatArray:
        time.sleep(0.003)
        return rows


class Quick:
    """Takes no time."""

    kind = "linear"

    def answers(self, rows: FloatArray) -> FloatArray:
        return rows


async def test_the_engine_fits_the_model() -> None:
    loop = asyncio.get_running_loop()

    assert isinstance(engine_for(Quick(), ROW, loop), InlineEngine)
    slow = engine_for(Slow(), ROW, loop)
    assert isinstance(slow, BatchingEngine)
    slow.close()


async def test_what_waits_is_answered_together_and_each_gets_its_own() -> None:
    model = Doubling()
    engine = BatchingEngine(model, asyncio.get_running_loop())
    first = asyncio.ensure_future(engine.answers_of(ROW))
    await asyncio.to_thread(model.begun.wait, 10)
    others = [asyncio.ensure_future(engine.answers_of(ROW * n)) for n in range(1, 6)]
    await asyncio.sleep(0)  # the others stand in the queue now

    model.go.set()
    answers = await asyncio.gather(first, *others)
    engine.close()

    assert model.batches == [1, 5]
    assert [answer[0, 0] for answer in answers] == [2, 2, 4, 6, 8, 10]


class Failing(Doubling):
    """Can't answer rows with a missing value."""

    def answers(self, rows: FloatArray) -> FloatArray:
        if np.isnan(rows).any():
            raise ZeroDivisionError
        return super().answers(rows)


async def test_a_request_that_makes_the_model_fail_fails_alone() -> None:
    model = Failing()
    engine = BatchingEngine(model, asyncio.get_running_loop())
    first = asyncio.ensure_future(engine.answers_of(ROW))
    await asyncio.to_thread(model.begun.wait, 10)
    batch = [asyncio.ensure_future(engine.answers_of(ROW * n)) for n in (1, np.nan, 3)]
    await asyncio.sleep(0)  # they stand in the queue now

    model.go.set()
    answers = await asyncio.gather(first, *batch, return_exceptions=True)
    engine.close()

    assert [type(answer) for answer in answers[:3]] == [np.ndarray, np.ndarray, ZeroDivisionError]
    assert [answer[0, 0] for answer in (answers[0], answers[1], answers[3])] == [2, 2, 6]
    assert model.batches == [1, 1, 1]


async def test_many_rows_are_answered_in_parts_between_which_others_get_theirs() -> None:
    model = Doubling()
    engine = BatchingEngine(model, asyncio.get_running_loop())
    many = np.arange(2 * BATCH_ROWS_MAX + 1, dtype=np.float64).reshape(-1, 1)
    large = asyncio.ensure_future(engine.answers_of(many))
    await asyncio.to_thread(model.begun.wait, 10)
    small = asyncio.ensure_future(engine.answers_of(many[:1]))
    small.add_done_callback(lambda _: order.append("small"))
    large.add_done_callback(lambda _: order.append("large"))
    order: list[str] = []
    await asyncio.sleep(0)  # the small one stands in the queue now

    model.go.set()
    answers, _ = await asyncio.gather(large, small)
    engine.close()

    assert np.array_equal(answers, many * 2)
    assert order == ["small", "large"]
    assert max(model.batches) <= BATCH_ROWS_MAX


async def test_a_request_that_was_given_up_doesnt_stop_the_others() -> None:
    model = Doubling()
    engine = BatchingEngine(model, asyncio.get_running_loop())
    given_up = asyncio.ensure_future(engine.answers_of(ROW))
    await asyncio.to_thread(model.begun.wait, 10)
    given_up.cancel()
    other = asyncio.ensure_future(engine.answers_of(ROW * 3))

    model.go.set()

    assert (await other)[0, 0] == 6
    engine.close()


async def test_what_was_given_up_while_it_waited_isnt_computed() -> None:
    model = Doubling()
    engine = BatchingEngine(model, asyncio.get_running_loop())
    first = asyncio.ensure_future(engine.answers_of(ROW))
    await asyncio.to_thread(model.begun.wait, 10)
    waiting = [asyncio.ensure_future(engine.answers_of(ROW)) for _ in range(3)]
    await asyncio.sleep(0)  # they stand in the queue now
    for one in waiting[:2]:
        one.cancel()

    model.go.set()
    await asyncio.gather(first, *waiting, return_exceptions=True)
    engine.close()

    assert model.batches == [1, 1]


async def test_the_end_waits_for_no_model_that_is_still_at_work() -> None:
    """The logs are to be written in the time that the process has left."""
    model = Doubling()
    engine = BatchingEngine(model, asyncio.get_running_loop())
    asked = asyncio.ensure_future(engine.answers_of(ROW))
    await asyncio.to_thread(model.begun.wait, 10)

    engine.close()
    answered_before_the_end = model.answered
    model.go.set()

    assert answered_before_the_end == 0
    assert (await asked)[0, 0] == 2
