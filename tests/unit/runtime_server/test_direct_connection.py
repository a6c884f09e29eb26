"""Both ways through the server give the same answers, and none is lost between them."""

import asyncio
import gzip
import inspect
import json
import logging
import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from hypothesis import given, settings
from hypothesis import strategies as st
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from serinus_runtime.artifact.packaging import Packaged
from serinus_runtime.server.access_log import AccessLog
from serinus_runtime.server.answer import Answer
from serinus_runtime.server.connection import ConnectionPolicy
from serinus_runtime.server.direct_connection import DirectAnswers, DirectConnection, direct
from serinus_runtime.server.doorkeeper import Doorkeeper, DoorLimits
from serinus_runtime.server.hot_path import HotPath
from serinus_runtime.server.prediction_paths import PredictionPaths
from serinus_runtime.server.prediction_requests import SMALL_BODY_BYTES
from serinus_runtime.server.request_body import RequestHeaders
from serinus_runtime.server.request_listeners import (
    AnsweredRequest,
    RequestListener,
    listener_of,
)
from serinus_runtime.server.serving import Serving
from tests.support.flight_requests import INFER, ROW, matrix
from tests.support.model_servers import made, not_here
from tests.support.trained_models import flights
from tests.support.wire import request

ROWS = json.dumps({"rows": flights(2, seed=3)}).encode()
LARGE = json.dumps({"rows": flights(400, seed=3)}).encode()
TURNS_MAX = 2_000


class Wire(asyncio.Transport):
    """The server's end of a connection whose other end only listens."""

    def __init__(self) -> None:
        super().__init__()
        self.sent = bytearray()
        self.closing = False

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return {"peername": ("10.0.0.1", 1), "sockname": ("10.0.0.2", 2)}.get(name, default)

    def write(self, data: Any) -> None:
        assert not self.closing
        self.sent += data

    def is_closing(self) -> bool:
        return self.closing

    def close(self) -> None:
        self.closing = True

    def get_write_buffer_size(self) -> int:
        return 0

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


@dataclass(frozen=True)
class NeverAtOnce:
    """Takes these first lines, and then has to wait for something."""

    taken: frozenset[tuple[bytes, bytes]] = frozenset()

    def takes(self, method: bytes, url: bytes) -> bool:
        return (method, url) in self.taken

    def at_once(
        self, url: bytes, headers: RequestHeaders, body: bytes, since: float
    ) -> Answer | None:
        assert self.takes(b"POST", url), (headers, body, since)
        return None

    def is_plain(self, headers: RequestHeaders) -> bool:
        return bool(headers)

    def usual(self, url: bytes, body: bytes, since: float) -> bytes | None:
        assert self.takes(b"POST", url), (body, since)
        return None


class Witness(PredictionPaths):
    """Answers, and remembers which requests C answered."""

    def __init__(self, serving: Serving) -> None:
        super().__init__(serving)
        self.in_c = 0

    def usual(self, url: bytes, body: bytes, since: float) -> bytes | None:
        text = super().usual(url, body, since)
        self.in_c += text is not None
        return text


def connected(
    serving: Serving, answers: DirectAnswers, listener: RequestListener | None = None
) -> tuple[DirectConnection, Wire]:
    door = Doorkeeper(DoorLimits(100, 1 << 24, 60, 60, 60))
    kind = direct(answers, ConnectionPolicy(0, 1_000, 1 << 22), door, listener)
    app = HotPath(serving, PredictionPaths(serving), not_here)
    config = uvicorn.Config(
        app, http=kind, ws="none", lifespan="off", log_config=None, access_log=False
    )
    config.load()
    state = ServerState()
    state.default_headers = [(b"serinus-revision", b"0123456789")]
    connection = kind(config, state, {}, asyncio.get_running_loop())
    wire = Wire()
    connection.connection_made(wire)
    return connection, wire


async def said(serving: Serving, answers: DirectAnswers, pieces: list[bytes]) -> tuple[bytes, bool]:
    """What a client gets for what it sends, and whether the connection ends."""
    connection, wire = connected(serving, answers)
    for piece in pieces:
        if not wire.closing:
            connection.data_received(piece)
            await asyncio.sleep(0)
    await awaited(lambda: wire.closing or is_idle(connection))
    assert wire.closing or is_idle(connection)
    ended = wire.closing
    connection.connection_lost(None)
    return without_ids(bytes(wire.sent)), ended


def is_idle(connection: DirectConnection) -> bool:
    """Whether all that began was answered, also what was refused before it came whole."""
    cycle = connection.cycle
    return not connection.owes_answer and (cycle is None or cycle.response_complete)


async def awaited(holds: Callable[[], bool]) -> None:
    """Let the loop turn until it holds, or for so many turns."""
    for _ in range(TURNS_MAX):
        if holds():
            return
        await asyncio.sleep(0.001)


def without_ids(answers: bytes) -> bytes:
    """Answers without what is another each time: prediction ids, and the latency of requests."""
    return re.sub(rb"\"[A-Za-z0-9_-]{40,}\"", b'"an id"', answers)


TENSORS = json.dumps({"inputs": [matrix([ROW, ROW], nested=True)]}).encode()
REQUESTS = {
    "tensors": request(INFER, TENSORS),
    "tensors of a trace": request(INFER, TENSORS, b"traceparent: 00-0-0-00"),
    "tensors for as long as the connection lives": request(INFER, TENSORS, b"connection: close"),
    "tensors for nobody": request(INFER, TENSORS, b"serinus-mirrored: 1"),
    "tensors that aren't plain": request(INFER, TENSORS, b"content-encoding: gzip"),
    "a wrong tensor": request(INFER, b'{"inputs": [{"name": "distance"}]}'),
    "rows": request("/predict", ROWS),
    "rows for as long as the connection lives": request("/predict", ROWS, b"connection: close"),
    "rows in upper case": request("/predict", ROWS, b"X-REQUEST-ID: 1"),
    "many rows": request("/predict", LARGE),
    "a large body": request("/predict", ROWS + b" " * SMALL_BODY_BYTES),
    "no JSON": request("/predict", b"{"),
    "compressed": request("/predict", b"\x1f\x8b", b"Content-Encoding: gzip"),
    "a wrong field": request("/predict", b'{"rows": [{"distance": "far"}]}'),
    "the other protocol": request("/invocations", json.dumps({"inputs": []}).encode()),
    "nothing": request("/predict", b""),
    "chunks": b"POST /predict HTTP/1.1\r\nhost: pod\r\ntransfer-encoding: chunked\r\n\r\n"
    + b"%x\r\n%b\r\n0\r\n\r\n" % (len(ROWS), ROWS),
    "a query": request("/predict?x=1", ROWS),
    "an escaped path": request("/predic%74", ROWS),
    "HTTP/1.0": request("/predict", ROWS).replace(b"HTTP/1.1", b"HTTP/1.0"),
    "with permission": request("/predict", ROWS, b"Expect: 100-continue"),
    "a wrong path": request("/predictions", ROWS),
    "rows in gzip": request("/predict", gzip.compress(ROWS), b"content-encoding: gzip"),
    "tensors in deflate": request(INFER, zlib.compress(TENSORS), b"content-encoding: deflate"),
    "many rows in gzip": request("/predict", gzip.compress(LARGE), b"content-encoding: gzip"),
    "gzip that breaks off": request(
        "/predict", gzip.compress(ROWS)[:-1], b"content-encoding: gzip"
    ),
    "another coding": request("/predict", ROWS, b"content-encoding: br"),
    "trailers": b"POST /predict HTTP/1.1\r\nhost: pod\r\ntransfer-encoding: chunked\r\n\r\n"
    + b"%x\r\n%b\r\n0\r\ncontent-encoding: br\r\n\r\n" % (len(ROWS), ROWS),
    "a whole address": request("http://other/predict", ROWS),
    "no host": request("/predict", ROWS).replace(b"host: pod\r\n", b""),
    "two hosts": request("/predict", ROWS, b"host: pod"),
    "another expectation": request("/predict", ROWS, b"expect: tea"),
    "permission for too much": request("/predict", b"", b"expect: 100-continue", length=1 << 30),
    "a coding before chunks": b"POST /predict HTTP/1.1\r\nhost: pod\r\n"
    + b"transfer-encoding: gzip, chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(ROWS), ROWS),
    "no HTTP": b"no HTTP at all\r\n\r\n",
    "a probe": b"GET /readyz HTTP/1.1\r\nhost: pod\r\n\r\n",
}


@pytest.fixture(scope="module")
def serving(two_classes: Packaged, store: Path) -> Serving:
    return made(two_classes, store)


@pytest.mark.parametrize("name", REQUESTS)
def test_the_answer_is_the_same_on_both_ways(serving: Serving, name: str) -> None:
    directly = asyncio.run(said(serving, PredictionPaths(serving), [REQUESTS[name]]))
    by_the_application = asyncio.run(said(serving, NeverAtOnce(), [REQUESTS[name]]))

    assert directly == by_the_application
    assert directly[0].startswith(b"HTTP/1.1 ")


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(sorted(REQUESTS)), min_size=1, max_size=5), st.data())
def test_however_requests_are_cut_and_follow_each_other(
    serving: Serving, names: list[str], data: st.DataObject
) -> None:
    sent = b"".join(REQUESTS[name] for name in names)
    cuts = sorted(data.draw(st.sets(st.integers(1, len(sent) - 1), max_size=6)))
    pieces = [sent[a:b] for a, b in zip([0, *cuts], [*cuts, len(sent)], strict=True)]

    directly = asyncio.run(said(serving, PredictionPaths(serving), pieces))
    by_the_application = asyncio.run(said(serving, NeverAtOnce(), pieces))

    assert directly == by_the_application


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(sorted(REQUESTS)), min_size=2, max_size=8))
def test_whichever_head_came_before(serving: Serving, names: list[str]) -> None:
    pieces = [REQUESTS[name] for name in names]

    directly = asyncio.run(said(serving, PredictionPaths(serving), pieces))
    by_the_application = asyncio.run(said(serving, NeverAtOnce(), pieces))

    assert directly == by_the_application


async def test_a_request_whose_head_is_known_is_answered_unparsed(serving: Serving) -> None:
    answers = Witness(serving)
    connection, wire = connected(serving, answers)
    for count in range(3):
        connection.data_received(REQUESTS["tensors"])
        assert answers.in_c == count
        assert not connection.owes_answer

    first, second, third = without_ids(bytes(wire.sent)).split(b"HTTP/1.1 200 OK\r\n")[1:]
    assert first == second == third
    assert connection.server_state.total_requests == 3


async def test_nothing_is_kept_of_a_request_that_was_answered(serving: Serving) -> None:
    connection, _ = connected(serving, PredictionPaths(serving))
    for piece in (REQUESTS["tensors"], REQUESTS["many rows"], REQUESTS["rows"][:-3]):
        connection.data_received(piece)
        assert connection._piece == b""


async def test_a_request_that_has_to_wait_is_asked_for_once(serving: Serving) -> None:
    asked: list[bytes] = []

    class Busy(PredictionPaths):
        def at_once(
            self, url: bytes, headers: RequestHeaders, body: bytes, since: float
        ) -> Answer | None:
            asked.append(body)
            if len(asked) == 2:
                return None
            return super().at_once(url, headers, body, since)

    left_by_c = request("/predict", json.dumps({"rows": [ROW | {"unknown": 1}]}).encode())
    connection, wire = connected(serving, Busy(serving))
    for count in (1, 2, 3):
        connection.data_received(left_by_c)
        await awaited(lambda: not connection.owes_answer)
        assert len(asked) == count

    assert wire.sent.count(b"HTTP/1.1 200 OK\r\n") == 3


async def test_behind_what_is_no_http_no_request_is_answered(serving: Serving) -> None:
    connection, wire = connected(serving, PredictionPaths(serving))
    connection.data_received(REQUESTS["tensors"])
    connection.data_received(REQUESTS["a large body"])
    connection.cycle.response_started = True  # the first bytes of its answer are on their way
    connection.data_received(b"no HTTP at all\r\n\r\n")
    connection.cycle.response_started = False
    await awaited(lambda: not connection.owes_answer)
    before = wire.sent.count(b"HTTP/1.1 ")
    connection.data_received(REQUESTS["tensors"])

    assert wire.sent.count(b"HTTP/1.1 ") == before


async def test_another_connection_knows_it_too(serving: Serving) -> None:
    answers = Witness(serving)
    connection, _ = connected(serving, answers)
    connection.data_received(REQUESTS["tensors"])
    other = type(connection)(connection.config, connection.server_state, {}, connection.loop)
    other.connection_made(Wire())
    other.data_received(REQUESTS["tensors"])

    assert answers.in_c == 1


class Told:
    """Remembers of whom it was told."""

    def __init__(self) -> None:
        self.paths: list[str] = []

    def offer(self, request: AnsweredRequest) -> None:
        self.paths.append(request.path)


async def test_a_request_with_a_known_head_is_told_as_any_other(serving: Serving) -> None:
    written: list[bytes] = []
    log, answers = AccessLog({"deployment": "delay"}, written.append), Witness(serving)
    connection, _ = connected(serving, answers, log)
    for _ in range(4):
        connection.data_received(REQUESTS["tensors"])
    log.start()
    log.close(within_seconds=20)

    lines = [json.loads(line) for line in b"".join(written).splitlines()]
    for line in lines:
        assert 0 < line.pop("duration_seconds") < 20
        assert line.pop("time").endswith("+00:00")
    assert answers.in_c == 3
    assert lines[1:] == lines[:1] * 3
    assert {"path": INFER, "client": "10.0.0.1", "status": 200}.items() <= lines[0].items()
    assert lines[0]["request_bytes"] == len(TENSORS)
    assert list(lines[0]) == list(lines[1])


async def test_who_is_told_beside_the_access_log_is_told_of_each(serving: Serving) -> None:
    log, told, answers = AccessLog({}), Told(), Witness(serving)
    connection, _ = connected(serving, answers, listener_of(log, told))
    for _ in range(4):
        connection.data_received(REQUESTS["tensors"])

    assert answers.in_c == 3
    assert told.paths == [INFER] * 4


LATER = {
    "in two pieces": [REQUESTS["tensors"][:-9], REQUESTS["tensors"][-9:]],
    "with another behind it": [REQUESTS["tensors"] * 2],
    "behind a request that waits": [REQUESTS["a large body"], REQUESTS["tensors"]],
}


@pytest.mark.parametrize("pieces", LATER.values(), ids=LATER)
async def test_with_a_known_head_it_may_come(serving: Serving, pieces: list[bytes]) -> None:
    taught = [REQUESTS["tensors"], *pieces, REQUESTS["tensors"]]
    directly = await said(serving, PredictionPaths(serving), taught)

    assert directly == await said(serving, NeverAtOnce(), taught)


@pytest.mark.parametrize("end", ["draining", "old", "the last of so many"])
async def test_the_last_answer_of_a_connection_says_so(serving: Serving, end: str) -> None:
    connection, wire = connected(serving, PredictionPaths(serving))
    connection.data_received(REQUESTS["tensors"])
    connection.data_received(REQUESTS["tensors"])
    assert b"connection: close" not in wire.sent
    if end == "draining":
        connection.policy.draining = True
    elif end == "old":
        connection._ends_at = 0.0
    else:
        connection._requests_left = 1
    connection.data_received(REQUESTS["tensors"])

    assert wire.closing
    assert wire.sent.count(b"connection: close") == 1


async def test_a_known_head_counts_each_request_of_its_connection(serving: Serving) -> None:
    connection, wire = connected(serving, PredictionPaths(serving))
    connection._requests_left = 5
    for _ in range(5):
        connection.data_received(REQUESTS["tensors"])

    assert wire.closing
    assert wire.sent.count(b"HTTP/1.1 200 OK\r\n") == 5


async def test_a_client_that_takes_its_answers_slowly_waits_with_a_known_head_too(
    serving: Serving,
) -> None:
    answers = Witness(serving)
    connection, _ = connected(serving, answers)
    connection.data_received(REQUESTS["tensors"])
    connection.pause_writing()
    connection.data_received(REQUESTS["tensors"])

    assert connection.owes_answer
    assert answers.in_c == 0
    connection.resume_writing()
    await awaited(lambda: not connection.owes_answer)


async def test_what_has_to_wait_is_answered_by_the_application(serving: Serving) -> None:
    whole = [REQUESTS["rows"]]
    waited = await said(serving, NeverAtOnce(frozenset({(b"POST", b"/predict")})), whole)

    assert waited == await said(serving, NeverAtOnce(), whole)


async def test_a_client_that_takes_its_answers_slowly_waits_for_the_application(
    serving: Serving,
) -> None:
    connection, wire = connected(serving, PredictionPaths(serving))
    connection.pause_writing()
    connection.data_received(REQUESTS["rows"])
    await asyncio.sleep(0)

    assert connection.owes_answer
    assert not wire.sent

    connection.resume_writing()
    await awaited(lambda: not connection.owes_answer)
    assert wire.sent.startswith(b"HTTP/1.1 200 OK\r\n")


async def test_a_request_that_never_comes_whole_is_counted(serving: Serving) -> None:
    before = serving.metrics.unread
    connection, _ = connected(serving, PredictionPaths(serving))
    connection.data_received(REQUESTS["rows"][:-3])
    connection.connection_lost(None)
    await awaited(lambda: serving.metrics.unread > before)

    assert serving.metrics.unread == before + 1


@pytest.mark.parametrize("requests", [1, 2, 3])
async def test_a_client_that_left_is_told_nothing_whatever_it_asked_for(
    serving: Serving, caplog: pytest.LogCaptureFixture, requests: int
) -> None:
    """What is written to a transport that is closed raises, and who has gone is no error."""
    connection, wire = connected(serving, NeverAtOnce())
    connection.data_received(REQUESTS["rows"] * requests)
    wire.closing = True
    connection.connection_lost(None)
    await awaited(lambda: not connection.tasks)

    assert not connection.tasks
    assert not wire.sent
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


@pytest.mark.parametrize(
    "end",
    [DirectConnection.end_with_answer, DirectConnection.shutdown],
    ids=lambda end: end.__name__,
)
async def test_a_server_that_ends_answers_the_request_that_is_coming(
    serving: Serving, end: Callable[[DirectConnection], None]
) -> None:
    connection, wire = connected(serving, PredictionPaths(serving))
    connection.data_received(REQUESTS["rows"][:-3])
    end(connection)
    connection.data_received(REQUESTS["rows"][-3:])
    await awaited(lambda: wire.closing)

    assert wire.sent.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"connection: close\r\n" in wire.sent


async def test_the_headers_that_all_answers_have_are_those_of_now(serving: Serving) -> None:
    connection, wire = connected(serving, PredictionPaths(serving))
    connection.data_received(REQUESTS["rows"])
    connection.server_state.default_headers = [(b"date", b"later")]
    connection.data_received(REQUESTS["rows"])

    first, second = bytes(wire.sent).split(b"HTTP/1.1 200 OK\r\n")[1:]
    assert b"serinus-revision: 0123456789\r\n" in first
    assert b"date: later\r\n" in second
    assert b"serinus-revision" not in second


def test_uvicorn_still_makes_of_a_head_what_a_sketch_leaves_to_it() -> None:
    begins = inspect.getsource(HttpToolsProtocol.on_message_begin)
    ends = inspect.getsource(HttpToolsProtocol.on_headers_complete)

    assert '"headers": self.headers' in begins
    assert "self._start_asgi_task(self.cycle, app)" in ends
    assert "parse_url(self.url)" in ends


def test_each_server_has_its_own_answers() -> None:
    one, other = NeverAtOnce(), NeverAtOnce()
    policy, door = ConnectionPolicy(1, 1, 1), Doorkeeper(DoorLimits(1, 1, 1, 1, 1))

    assert direct(one, policy, door).direct_answers is one
    assert direct(other, policy, door).direct_answers is other
    assert direct(one, policy, door).door is door
