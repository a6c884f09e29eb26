"""Laws of the wire: how a request is cut doesn't matter, and no bytes make the server fail."""

import gzip
import json
import zlib
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as some
from sklearn.tree import DecisionTreeClassifier

from tests.support.flight_requests import INFER, ROW, tensors
from tests.support.model_servers import ServerProcess, server_process
from tests.support.trained_models import fitted, ordinal, packaged
from tests.support.wire import WireAnswer, request, wire

ROWS = json.dumps({"rows": [ROW] * 3}).encode()
TENSORS = json.dumps({"inputs": tensors([ROW] * 2)}).encode()
REQUESTS = (
    request("/predict", ROWS),
    request(INFER, TENSORS, b"content-type: application/json"),
    request("/feedback", b'{"id": "x", "labels": [true]}'),
    request("/v2/models/flight-delay", method="GET"),
    b"POST /predict HTTP/1.1\r\nhost: pod\r\ntransfer-encoding: chunked\r\n\r\n"
    + b"%x\r\n%b\r\n0\r\n\r\n" % (len(ROWS), ROWS),
    request("/predict", gzip.compress(ROWS), b"content-encoding: gzip"),
    request(INFER, zlib.compress(TENSORS), b"content-encoding: deflate"),
    request("/predict", gzip.compress(b" " * 5000 + ROWS), b"content-encoding: gzip"),
    request("/nowhere", ROWS),
)
STATUSES = (200, 200, 400, 200, 200, 200, 200, 413, 404)
NOT_SPOKEN = (501, 505)
"""What isn't understood of HTTP is no failure."""
PIECES = (
    b"host: pod\r\n",
    b"content-encoding: gzip\r\n",
    b"expect: 100-continue\r\n",
    b"gzip, ",
    b"\r\n\r\n",
    b"\x00",
    b": ",
    b"0\r\n\r\n",
    b"chunked",
    b"Upgrade: x\r\n",
    b"HTTP/1.0",
)
FEW = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    store: Path = tmp_path_factory.mktemp("store")
    pipeline = fitted(ordinal(), DecisionTreeClassifier(max_depth=4), classes=(False, True))
    package = packaged(pipeline, store)
    with server_process(package, store, REQUEST_SECONDS="0.3", MAX_BODY_BYTES="5000") as process:
        yield process


def conversation(server: ServerProcess, pieces: list[bytes]) -> list[WireAnswer]:
    """What is answered to bytes sent in pieces, by a client that then says no more."""
    with wire(server.port) as client:
        for piece in pieces:
            client.send(piece)
        client.socket.shutdown(1)
        return client.answers()


@given(
    which=some.lists(some.integers(0, len(REQUESTS) - 1), min_size=1, max_size=5),
    cuts=some.lists(some.integers(0, 3000), max_size=6),
)
@FEW
def test_requests_are_answered_in_order_however_they_are_cut(
    server: ServerProcess, which: list[int], cuts: list[int]
) -> None:
    sent = b"".join(REQUESTS[index] for index in which)
    edges = sorted({0, len(sent), *(cut for cut in cuts if cut < len(sent))})

    with wire(server.port) as client:
        for start, end in pairwise(edges):
            client.send(sent[start:end])
        answers = [client.answer() for _ in which]

    assert [answer.status for answer in answers if answer] == [STATUSES[index] for index in which]


@given(sizes=some.lists(some.integers(1, 200), max_size=20))
@FEW
def test_chunks_of_any_size_are_one_body(server: ServerProcess, sizes: list[int]) -> None:
    chunks, rest = [], ROWS
    for size in [*sizes, len(ROWS)]:
        chunks.append(rest[:size])
        rest = rest[size:]
    body = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks if chunk)
    head = b"POST /predict HTTP/1.1\r\nhost: pod\r\ntransfer-encoding: chunked\r\n\r\n"

    answers = conversation(server, [head, body, b"0\r\n\r\n"])

    assert [len(answer.json["predictions"]) for answer in answers] == [3]


@some.composite
def damaged(draw: some.DrawFn) -> bytes:
    """A request of which a part is missing, twice there, or something else."""
    sent = draw(some.sampled_from(REQUESTS))
    for _ in range(draw(some.integers(1, 4))):
        start = draw(some.integers(0, len(sent)))
        end = draw(some.integers(start, min(len(sent), start + 40)))
        other = draw(
            some.binary(max_size=8)
            | some.sampled_from(PIECES)
            | some.just(sent[start:end] * 2)
            | some.just(b"")
        )
        sent = sent[:start] + other + sent[end:]
    return sent


@given(sent=damaged() | some.binary(max_size=200))
@example(sent=request("/predict", ROWS[:10], length=len(ROWS)))
@settings(FEW, max_examples=300)
def test_no_bytes_make_the_server_fail(server: ServerProcess, sent: bytes) -> None:
    answers = [] if sent.startswith(b"HEAD") else conversation(server, [sent])

    assert all(one.status < 500 or one.status in NOT_SPOKEN for one in answers), answers
    assert server.process.poll() is None
    assert not [line for line in server.lines() if line["level"] == "error"]
