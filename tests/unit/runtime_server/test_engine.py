"""Quick models answer on the loop, slow ones on a thread that takes all that waits."""

import asyncio
import threading
import time

import numpy as np
import pytest

from serinus_runtime.artifact.forest import FloatArray
from serinus_runtime.server.engine import BatchingEngine, InlineEngine, engine_for

ROW = np.ones((1, 2))


class Doubling:
    """Answers twice the row; holds each batch until `go` is set, and notes batch sizes."""

    kind = "native"

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.go = threading.Event()
        self.batches: list[int] = []

    def answers(self, rows: FloatArray) -> FloatArray:
        self.batches.append(len(rows))
        self.begun.set()
        self.go.wait(10)
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


async def test_a_failure_reaches_every_request_of_its_batch_and_no_other() -> None:
    class Failing(Doubling):
        def answers(self, rows: FloatArray) -> FloatArray:
            if np.isnan(rows).any():
                raise ZeroDivisionError
            return super().answers(rows)

    model = Failing()
    model.go.set()
    engine = BatchingEngine(model, asyncio.get_running_loop())

    with pytest.raises(ZeroDivisionError):
        await engine.answers_of(ROW * np.nan)
    assert (await engine.answers_of(ROW))[0, 0] == 2
    engine.close()


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
