"""The edges of HTTP/1.1, byte by byte, against a real process.

What RFC 9110 and 9112 say must be refused is refused, and the connection ends, so that nobody reads
the rest of it otherwise than we do; what they say must be read is read.
"""

import contextlib
import json
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from serinus_runtime.artifact.packaging import Packaged
from tests.support.flight_requests import INFER, ROW, matrix
from tests.support.model_servers import ServerProcess, metric, server_process
from tests.support.trained_models import flights
from tests.support.wire import DEADLINE_SECONDS, request, wire

pytestmark = pytest.mark.slow

BODY = json.dumps({"rows": flights(1, seed=3)}).encode()
PREDICT = request("/predict", BODY)
SLOW = request("/predict", json.dumps({"rows": flights(400, seed=3)}).encode())
"""So many cells are worked on by a thread: what comes behind it waits."""
LINE = b"POST /predict HTTP/1.1\r\n"
HOST = b"host: pod\r\n"
LENGTH = b"content-length: %d\r\n" % len(BODY)
CHUNKS = b"%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY)
CHUNKED = b"transfer-encoding: chunked\r\n"
WAITS = b"expect: 100-continue"
PROBE = b"GET /livez HTTP/1.1\r\n"


@pytest.fixture(scope="module")
def server(two_classes: Packaged, store: Path) -> Iterator[ServerProcess]:
    with server_process(two_classes, store, MAX_BODY_BYTES="200000") as process:
        yield process


def statuses(server: ServerProcess, sent: bytes) -> list[int]:
    """What is answered to what is sent and a whole request behind it, until the connection ends."""
    with wire(server.port) as client:
        client.send(sent + request("/predict", BODY, b"connection: close"))
        return [answer.status for answer in client.answers()]


REFUSED = {
    "no host": (LINE + LENGTH + b"\r\n" + BODY, 400),
    "two hosts": (LINE + HOST + HOST + LENGTH + b"\r\n" + BODY, 400),
    "a host that is none": (LINE + b"host: a b\r\n" + LENGTH + b"\r\n" + BODY, 400),
    "length and chunks": (LINE + HOST + LENGTH + CHUNKED + b"\r\n" + CHUNKS, 400),
    "chunks and length": (LINE + HOST + CHUNKED + LENGTH + b"\r\n" + CHUNKS, 400),
    "two equal lengths": (LINE + HOST + LENGTH + LENGTH + b"\r\n" + BODY, 400),
    "a list of lengths": (LINE + HOST + b"content-length: 9, 9\r\n\r\n" + BODY, 400),
    "a length with a sign": (LINE + HOST + b"content-length: +9\r\n\r\n" + BODY, 400),
    "no length at all": (LINE + HOST + b"content-length:\r\n\r\n" + BODY, 400),
    "an unknown coding": (LINE + HOST + b"transfer-encoding: xchunked\r\n\r\n" + CHUNKS, 400),
    "chunks twice": (LINE + HOST + b"transfer-encoding: chunked, chunked\r\n\r\n" + CHUNKS, 400),
    "chunks not last": (LINE + HOST + b"transfer-encoding: chunked, gzip\r\n\r\n" + CHUNKS, 400),
    "a coding before chunks": (
        LINE + HOST + b"transfer-encoding: gzip, chunked\r\n\r\n" + CHUNKS,
        501,
    ),
    "a coding in a header before": (
        LINE + HOST + b"transfer-encoding: gzip\r\n" + CHUNKED + b"\r\n" + CHUNKS,
        501,
    ),
    "chunks of HTTP/1.0": (
        LINE.replace(b"1.1", b"1.0") + HOST + CHUNKED + b"\r\n" + CHUNKS,
        400,
    ),
    "a chunk's size in 0x": (LINE + HOST + CHUNKED + b"\r\n0x" + CHUNKS, 400),
    "a chunk's line that ends with LF": (
        LINE + HOST + CHUNKED + b"\r\n" + CHUNKS.replace(b"\r\n", b"\n", 1),
        400,
    ),
    "a folded header": (LINE + HOST + b"x: a\r\n b\r\n" + LENGTH + b"\r\n" + BODY, 400),
    "a header that ends with LF": (LINE + HOST + b"x: a\n" + LENGTH + b"\r\n" + BODY, 400),
    "a header with CR": (LINE + HOST + b"x: a\rb\r\n" + LENGTH + b"\r\n" + BODY, 400),
    "a header with NUL": (LINE + HOST + b"x: a\0b\r\n" + LENGTH + b"\r\n" + BODY, 400),
    "a header with DEL": (LINE + HOST + b"x: a\x7fb\r\n" + LENGTH + b"\r\n" + BODY, 400),
    "a space before the colon": (LINE + HOST + b"content-length : 9\r\n\r\n" + BODY, 400),
    "a name with a space": (LINE + HOST + b"a b: c\r\n" + LENGTH + b"\r\n" + BODY, 400),
    "no version": (b"GET /livez\r\n\r\n", 505),
    "another version": (PROBE.replace(b"1.1", b"2.0") + HOST + b"\r\n", 505),
    "another expectation": (request("/predict", BODY, b"expect: tea"), 417),
}


@pytest.mark.parametrize(("sent", "status"), REFUSED.values(), ids=REFUSED)
def test_what_may_be_read_in_two_ways_is_refused_and_nothing_behind_it_is_answered(
    server: ServerProcess, sent: bytes, status: int
) -> None:
    assert statuses(server, sent) == [status]


READ = {
    "a host without a name": (LINE + b"host:\r\n" + LENGTH + b"\r\n" + BODY, 200),
    "chunks in capitals": (LINE + HOST + CHUNKED.upper() + b"\r\n" + CHUNKS, 200),
    "an extension of a chunk": (
        LINE + HOST + CHUNKED + b"\r\n" + CHUNKS.replace(b"\r\n", b';a="b c"\r\n', 1),
        200,
    ),
    "a byte that is no ASCII": (LINE + HOST + b"x: \xe4\r\n" + LENGTH + b"\r\n" + BODY, 200),
    "an empty line before it": (b"\r\n" + PREDICT, 200),
    "a whole address": (PREDICT.replace(b" /", b" http://other/", 1), 200),
    "an escaped path": (PREDICT.replace(b"/predict", b"/predic%74"), 200),
    "a probe with a body": (request("/livez", b"{}", method="GET"), 200),
    "what the server can do in all": (b"OPTIONS * HTTP/1.1\r\n" + HOST + b"\r\n", 405),
    "a body that nobody reads": (request("/nowhere", BODY), 404),
}


@pytest.mark.parametrize(("sent", "status"), READ.values(), ids=READ)
def test_what_is_unusual_is_read_and_so_is_what_comes_behind_it(
    server: ServerProcess, sent: bytes, status: int
) -> None:
    assert statuses(server, sent) == [status, 200]


def test_a_whole_address_without_a_path_is_that_of_the_root(server: ServerProcess) -> None:
    with wire(server.port) as client:
        client.send(b"DELETE http://pod?x HTTP/1.1\r\n" + HOST + b"\r\n")
        answer = client.answer()

    assert answer is not None
    assert answer.status == 404
    assert answer.error.startswith("/ is not here")


@pytest.mark.parametrize("more", [b"", b"connection: keep-alive\r\n"])
def test_http_1_0_is_answered_and_its_connection_ends(server: ServerProcess, more: bytes) -> None:
    sent = LINE.replace(b"1.1", b"1.0") + more + LENGTH + b"\r\n" + BODY

    assert statuses(server, sent) == [200]


def test_an_answer_to_head_has_no_body(server: ServerProcess) -> None:
    with wire(server.port) as client:
        client.send(b"HEAD /nowhere HTTP/1.1\r\n" + HOST + b"\r\n")
        client.send(b"HEAD /livez HTTP/1.1\r\n" + HOST + HOST + b"\r\n")
        received = b""
        while piece := client.socket.recv(65536):
            received += piece

    heads = received.split(b"\r\n\r\n")
    assert [head.split(b" ", 2)[1] for head in heads if head] == [b"404", b"400"]
    assert heads[-1] == b""


def test_headers_behind_a_body_mean_nothing(server: ServerProcess) -> None:
    trailers = b"\r\ninference-header-content-length: 2\r\nhost: other\r\n\r\n"
    tensors = json.dumps({"inputs": [matrix([ROW], nested=True)]}).encode()
    chunks = b"%x\r\n%b\r\n0" % (len(tensors), tensors)
    line = LINE.replace(b"/predict", INFER.encode())

    assert statuses(server, line + HOST + CHUNKED + b"\r\n" + chunks + trailers) == [200, 200]


# How much


@pytest.mark.parametrize("pieces", [1, 7])
def test_a_head_over_the_limit_is_refused_however_it_is_cut(
    two_classes: Packaged, store: Path, pieces: int
) -> None:
    sent = LINE + HOST + b"x: " + b"a" * (65 << 10) + b"\r\n" + LENGTH + b"\r\n" + BODY
    size = len(sent) // pieces + 1
    with server_process(two_classes, store) as server, wire(server.port) as client:
        for start in range(0, len(sent), size):
            client.send(sent[start : start + size])
        answer = client.answer()

    assert answer is not None
    assert (answer.status, answer.error) == (431, "the request's head is over 65536 bytes")


def test_a_body_that_nobody_reads_is_held_for_nobody(two_classes: Packaged, store: Path) -> None:
    limits = {"MAX_HELD_BYTES": "300000", "MAX_BODY_BYTES": "200000"}
    unread = request("/nowhere", b"x" * 190_000)
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(server_process(two_classes, store, **limits))
        others = [stack.enter_context(wire(server.port)) for _ in range(4)]
        for other in others:
            other.send(unread[:100])
            assert (answer := other.answer())
            assert answer.status == 404
            other.send(unread[100:])
        slow = stack.enter_context(wire(server.port))
        slow.send(request("/predict", b" " * 150_000, length=150_000 + len(BODY)))
        time_to_hold(server)
        slow.send(BODY)
        answer = slow.answer()

    assert answer is not None
    assert answer.status == 200


def time_to_hold(server: ServerProcess) -> None:
    """Return once the server has read what was sent so far, and is reading one request."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while metric(httpx.get(f"{server.url}/metrics").text, "serinus_requests_coming") != 1:
        assert time.monotonic() < deadline


# Whether to send a body


def test_who_asks_to_send_too_much_is_told_at_once(server: ServerProcess) -> None:
    for path, length in (("/predict", 200_001), ("/feedback", 65_537), (INFER, 1 << 40)):
        with wire(server.port) as client:
            client.send(request(path, b"", WAITS, length=length))
            answers = client.answers()

        assert [answer.status for answer in answers] == [413], path
        assert answers[0].headers["connection"] == "close"


def test_who_asks_is_told_to_go_on_before_the_body_is_awaited(server: ServerProcess) -> None:
    with wire(server.port) as client:
        for _ in range(2):
            client.send(request("/predict", b"", WAITS, length=len(BODY)))
            go_on = client.answer()
            client.send(BODY)
            answer = client.answer()
            assert [go_on and go_on.status, answer and answer.status] == [100, 200]


def test_who_is_answered_without_sending_its_body_may_not_go_on(server: ServerProcess) -> None:
    with wire(server.port) as client:
        client.send(request("/nowhere", b"", WAITS, length=len(BODY)))
        answers = client.answers()

    assert [answer.status for answer in answers] == [404]
    assert answers[0].headers["connection"] == "close"


def test_http_1_0_is_not_told_to_go_on(server: ServerProcess) -> None:
    sent = request("/predict", BODY, WAITS).replace(b"HTTP/1.1", b"HTTP/1.0")

    assert statuses(server, sent) == [200]


# One behind the other


def test_fast_and_slow_requests_are_answered_in_order(server: ServerProcess) -> None:
    few, tensors = [SLOW, PREDICT, PREDICT], json.dumps({"inputs": [matrix([ROW], nested=True)]})
    sent = [PREDICT, *few, PROBE + HOST + b"\r\n", request(INFER, tensors.encode()), *few]
    with wire(server.port) as client:
        client.send(PREDICT)  # whose head is known from now on
        assert client.answer() is not None
        client.send(b"".join(sent))
        answers = [client.answer() for _ in sent]

    assert [told(answer.json) if answer else None for answer in answers] == [
        1, 400, 1, 1, "live", "outputs", 400, 1, 1
    ]  # fmt: skip


def told(document: dict[str, object]) -> object:
    predictions = document.get("predictions")
    if isinstance(predictions, list):
        return len(predictions)
    return "live" if "live" in document else "outputs"


BROKEN = {
    "no HTTP": b"no HTTP at all\r\n\r\n",
    "a head without a host": LINE + LENGTH + b"\r\n" + BODY,
    "a chunk that is none": LINE + HOST + CHUNKED + b"\r\nxyz\r\n",
}


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN)
@pytest.mark.parametrize("before", [[], [PREDICT], [SLOW], [SLOW, PREDICT], [SLOW] * 3])
@pytest.mark.parametrize("leaves", [False, True])
def test_what_is_broken_costs_no_answer_before_it_and_is_told_last(
    server: ServerProcess, before: list[bytes], broken: bytes, leaves: bool
) -> None:
    with wire(server.port) as client:
        client.send(b"".join(before) + broken + PREDICT)
        if leaves:
            client.socket.shutdown(1)
        answers = client.answers()

    assert [answer.status for answer in answers] == [200] * len(before) + [400]
    assert answers[-1].headers["connection"] == "close"


def test_a_client_that_has_said_all_gets_the_answers_to_all(server: ServerProcess) -> None:
    with wire(server.port) as client:
        client.send(SLOW * 3 + PREDICT)
        client.socket.shutdown(1)
        answers = client.answers()

    assert [answer.status for answer in answers] == [200] * 4


LEFT = {
    "at once": b"",
    "in a line": LINE[:9],
    "in a head": LINE + HOST,
    "before a body": LINE + HOST + LENGTH + b"\r\n",
    "in a body": PREDICT[:-3],
    "in a chunk": LINE + HOST + CHUNKED + b"\r\n" + CHUNKS[:9],
    "in trailers": LINE + HOST + CHUNKED + b"\r\n" + CHUNKS[:-2] + b"x: y\r\n",
    "before it is told to go on": request("/predict", b"", WAITS, length=len(BODY)),
    "before its answer": SLOW,
    "before its answers": SLOW * 3,
    "after what is refused": LINE + LENGTH + b"\r\n",
}


@pytest.mark.parametrize("half", [False, True])
@pytest.mark.parametrize("sent", LEFT.values(), ids=LEFT)
def test_a_client_that_leaves_leaves_nothing_behind(
    server: ServerProcess, sent: bytes, half: bool
) -> None:
    with wire(server.port) as client:
        client.send(sent)
        if half:
            client.socket.shutdown(1)
            client.answers()

    deadline = time.monotonic() + DEADLINE_SECONDS
    while number(server, "serinus_connections") != 1 or number(server, "serinus_requests_coming"):
        assert time.monotonic() < deadline, "it is still there"
    assert number(server, "serinus_requests_in_flight") == 0
    assert not [line for line in server.lines() if line["level"] == "error"]


def number(server: ServerProcess, name: str) -> float:
    value = metric(httpx.get(f"{server.url}/metrics").text, name)
    assert value is not None
    return value
