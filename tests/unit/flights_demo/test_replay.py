"""The callers of the demo against real server processes: they count all that a caller sees."""

import asyncio
import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import httpx
import pytest
from sklearn.linear_model import LogisticRegression

from flights_demo.replay.connection import Failure, Unanswered, connect
from flights_demo.replay.flights import (
    Flight,
    flights_of,
    gzipped,
    known_positions,
    position_at,
    share_of,
)
from flights_demo.replay.measurements import Asked, Measurements
from flights_demo.replay.traffic import Traffic
from tests.support import trained_models
from tests.support.model_servers import REVISION, metric, server_process

pytestmark = pytest.mark.slow

ROWS = trained_models.flights(200, seed=3)


def questions(rows: list[dict[str, object]] = ROWS) -> list[Flight]:
    """A flight a minute, known to be late or not 10 minutes after it was asked."""
    lines = [
        {"asked_at": 60.0 * n, "known_at": 60.0 * n + 600, "late": n % 2 == 0, "row": row}
        for n, row in enumerate(rows)
    ]
    return flights_of(gzipped(lines))


def traffic(port: int, flights: list[Flight], *, callers: int = 8) -> Traffic:
    connected = partial(connect, "127.0.0.1", port)
    return Traffic(flights, "127.0.0.1", callers, Measurements(), connected)


async def replayed(replay: Traffic, done: Callable[[], bool], *, begin: str = "a") -> None:
    """Replay until `done`."""
    task = asyncio.create_task(replay.run())
    await asyncio.sleep(0)
    replay.begin(begin, 0, 400)
    deadline = time.monotonic() + 20
    while not done() and not task.done():
        assert time.monotonic() < deadline, replay.measurements.report()
        await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
def package(tmp_path: Path):
    pipeline = trained_models.fitted(
        trained_models.one_hot(), LogisticRegression(max_iter=500), classes=(False, True)
    )
    return trained_models.packaged(pipeline, tmp_path)


def test_flights_keep_their_order_and_are_shared_evenly() -> None:
    flights = questions()

    assert [flight.asked_at for flight in share_of(flights, 1, 2)] == [
        60.0 * n for n in range(1, 200, 2)
    ]
    assert known_positions(flights)[:3] == [10, 11, 12]
    assert known_positions(flights)[-1] == len(flights)
    assert position_at(flights, 601) == 11


async def test_callers_count_answers_by_revision_and_send_labels_back(
    package, tmp_path: Path
) -> None:
    with server_process(package, tmp_path) as server:
        replay = traffic(server.port, questions())
        seen = replay.measurements.outcomes
        await replayed(replay, lambda: seen["a", Asked.FEEDBACK, REVISION, "200"] >= 100)
        async with httpx.AsyncClient() as client:
            exposition = (await client.get(f"{server.url}/metrics")).text

    asked = seen["a", Asked.PREDICTION, REVISION, "200"]
    assert set(seen) == {
        ("a", Asked.PREDICTION, REVISION, "200"),
        ("a", Asked.FEEDBACK, REVISION, "200"),
    }
    assert metric(exposition, "serinus_requests_total", code="200") == pytest.approx(asked, abs=8)
    assert sum(replay.measurements.latencies["a", REVISION]) == asked


async def test_refused_values_are_counted_with_the_revision_that_refused(
    package, tmp_path: Path
) -> None:
    too_far = [row | {"distance": 9000.0} for row in ROWS]
    with server_process(package, tmp_path) as server:
        replay = traffic(server.port, questions(too_far))
        seen = replay.measurements.outcomes
        await replayed(replay, lambda: seen["a", Asked.PREDICTION, REVISION, "400"] >= 20)

    assert set(seen) == {("a", Asked.PREDICTION, REVISION, "400")}


async def test_nothing_is_lost_when_a_pod_drains_and_the_service_leads_to_another(
    package, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    other_store = shutil.copytree(tmp_path / "models", tmp_path / "other" / "models").parent
    other_package = replace(package, path=other_store / package.path.relative_to(tmp_path))
    with (
        server_process(package, tmp_path, DRAIN_SECONDS="1") as ending,
        server_process(other_package, other_store, REVISION="abcdef0123") as other,
    ):
        ports = [ending.port]
        replay = traffic(0, questions())
        replay.open_connection = lambda: connect("127.0.0.1", ports[-1])
        seen = replay.measurements.outcomes

        def done() -> bool:
            if len(ports) == 1 and seen["a", Asked.PREDICTION, REVISION, "200"] >= 50:
                ports.append(other.port)
                ending.told_to_end()
            return ending.process.poll() is not None

        await replayed(replay, done)
        assert ending.exit_code() == 0

    assert {outcome for *_, outcome in seen} == {"200"}
    assert seen["a", Asked.PREDICTION, "abcdef0123", "200"] > 0


async def test_no_answer_is_told_apart_from_a_refused_connection() -> None:
    async def hang_up(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _reader.read(10)
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    replay = traffic(port, questions(), callers=1)
    seen = replay.measurements.outcomes
    await replayed(replay, lambda: seen.total() >= 3)
    server.close()
    assert {outcome for *_, outcome in seen} <= {"no answer", "reset"}

    refused = traffic(port, questions(), callers=1)
    await replayed(refused, lambda: refused.measurements.outcomes.total() >= 3)
    assert set(refused.measurements.outcomes) == {("a", Asked.PREDICTION, "", "reset")}


async def test_a_new_scene_starts_at_its_date_and_drops_what_is_open(
    package, tmp_path: Path
) -> None:
    with server_process(package, tmp_path) as server:
        replay = traffic(server.port, questions())
        seen = replay.measurements.outcomes
        await replayed(replay, lambda: seen["a", Asked.PREDICTION, REVISION, "200"] >= 20)
        replay.begin("b", 60.0 * 150, 100)

    assert replay.position == 150
    assert replay.clock == 60.0 * 150


async def test_callers_that_wait_for_an_answer_are_told_of() -> None:
    held = asyncio.Event()

    async def hold(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await held.wait()
        writer.close()

    server = await asyncio.start_server(hold, "127.0.0.1", 0)
    replay = traffic(server.sockets[0].getsockname()[1], questions(), callers=3)

    await replayed(replay, lambda: replay.waiting == 3)

    held.set()
    server.close()
    assert replay.measurements.outcomes.total() == 0
    assert replay.waiting == 0


async def test_a_name_that_nobody_knows_is_told_as_such() -> None:
    with pytest.raises(Unanswered) as told:
        await connect("nobody.invalid", 80)

    assert told.value.failure is Failure.NO_ADDRESS
