"""A worker shows what it counts, and ends where its supervisor is gone."""

import asyncio
import os
import signal
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from serinus_runtime.artifact.packaging import Packaged
from serinus_runtime.server.pod_books import PodBooks
from serinus_runtime.server.serving import Serving
from serinus_runtime.server.worker_cells import PodCells, Word
from serinus_runtime.server.worker_life import ProcessLife, WorkerLife
from serinus_runtime.server.worker_metrics import WorkerMetrics
from serinus_runtime.server.worker_process import WorkerPlace
from tests.support.model_servers import made


@pytest.fixture
def serving(two_classes: Packaged, store: Path) -> Serving:
    return made(two_classes, store)


@pytest.fixture
def lifeline() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    os.close(ends[0])


@pytest.fixture
def place(serving: Serving, lifeline: tuple[int, int]) -> Iterator[WorkerPlace]:
    pod = PodCells(2, len(serving.bins.names))
    with socket.socket() as listening:
        yield WorkerPlace(1, pod, listening, PodBooks(Path("books")), lifeline[0])


def worker(serving: Serving, place: WorkerPlace) -> Serving:
    return replace(serving, metrics=WorkerMetrics(serving.metrics, place.cells))


async def test_what_it_counts_is_shown_at_the_latest_at_its_end(
    serving: Serving, place: WorkerPlace, lifeline: tuple[int, int]
) -> None:
    serving = worker(serving, place)
    life = WorkerLife(serving, place)
    life.begin()
    serving.metrics.in_flight = 3
    serving.encoder.flags.total = 2
    serving.metrics.observe(200, 0.1)

    life.end()

    words = place.cells.words
    assert (words[Word.IN_FLIGHT], words[Word.FLAGGED]) == (3, 2)
    os.close(lifeline[1])


async def test_it_tells_itself_to_end_when_the_supervisor_is_gone(
    serving: Serving, place: WorkerPlace, lifeline: tuple[int, int]
) -> None:
    told = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, told.set)
    life = WorkerLife(worker(serving, place), place)
    life.begin()

    os.close(lifeline[1])

    async with asyncio.timeout(30):
        await told.wait()
    life.end()
    asyncio.get_running_loop().remove_signal_handler(signal.SIGTERM)


def test_a_process_alone_listens_where_its_settings_say() -> None:
    life = ProcessLife()
    life.begin()
    life.end()

    assert (life.sockets, life.name) == (None, "model server")
    assert WorkerPlace(0, PodCells(3, 0), socket.socket(), PodBooks(Path()), 0).step == 4
