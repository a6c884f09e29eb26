"""Clients that are slow, silent, endless or talk nonsense, against a real process.

Each gets an answer that says what is wrong, or a closed connection; nobody else notices, the
revision's errors don't grow, and neither does the process.
"""

import contextlib
import json
import select
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from serinus_runtime.artifact.packaging import Packaged
from tests.support.flight_requests import ROW
from tests.support.model_servers import ServerProcess, metric, server_process
from tests.support.trained_models import flights
from tests.support.wire import DEADLINE_SECONDS, Wire, request, wire

pytestmark = pytest.mark.slow

BODY = json.dumps({"rows": flights(1, seed=3)}).encode()
PREDICT = request("/predict", BODY)
HEAD = b"POST /predict HTTP/1.1\r\nhost: pod\r\n"
CHUNKED = HEAD + b"transfer-encoding: chunked\r\n\r\n"
LIMITS = {
    "REQUEST_SECONDS": "0.4",
    "MAX_CONCURRENCY": "4",
    "MAX_CONNECTIONS": "24",
    "MAX_BODY_BYTES": "200000",
    "MAX_HELD_BYTES": "1000000",
}


@pytest.fixture(scope="module")
def server(two_classes: Packaged, store: Path) -> Iterator[ServerProcess]:
    with server_process(two_classes, store, **LIMITS) as process:
        yield process


def number(server: ServerProcess, name: str, **labels: str) -> float:
    value = metric(httpx.get(f"{server.url}/metrics").text, name, **labels)
    assert value is not None
    return value


def errors(server: ServerProcess) -> float:
    """What counts against the revision: 5xx and 400."""
    return sum(
        number(server, "serinus_requests_total", code=code) for code in ("400", "500", "503")
    )


def awaited(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "the condition never held"
        time.sleep(0.01)


# Slow


SLOW = {
    "a head that stops": HEAD,
    "a request line that stops": b"POST /pred",
    "a body that never comes": request("/predict", length=500),
    "a body that stops": request("/predict", BODY[:20], length=500),
    "chunks that stop": CHUNKED + b'5\r\n{"row\r\n',
    "a chunk that stops": CHUNKED + b"ff\r\n{",
    "labels that stop": request("/feedback", b"{", length=500),
    "trailers that stop": CHUNKED + b"2\r\n{}\r\n0\r\nx: y\r\n",
    "somebody who waits for 100": request("/predict", b"", b"expect: 100-continue", length=500),
}


@pytest.mark.parametrize("sent", SLOW.values(), ids=SLOW)
def test_a_request_that_doesnt_come_whole_is_408_and_no_error_of_ours(
    server: ServerProcess, sent: bytes
) -> None:
    before = errors(server)
    with wire(server.port) as client:
        client.send(sent)
        answers = client.answers()

    if answers[0].status == 100:
        del answers[0]
    assert [answer.status for answer in answers] == [408]
    assert answers[0].headers["connection"] == "close"
    assert answers[0].error == "the request didn't come whole within 0.4 s"
    assert errors(server) == before


def test_one_byte_at_a_time_doesnt_buy_time(server: ServerProcess) -> None:
    started = time.monotonic()
    with wire(server.port) as client:
        client.socket.settimeout(0.02)
        for byte in PREDICT:
            client.send(bytes([byte]))
            with contextlib.suppress(TimeoutError):
                if client.socket.recv(1, 2):  # MSG_PEEK: something was told
                    break
        client.socket.settimeout(DEADLINE_SECONDS)
        answer = client.answer()

    assert answer is not None
    assert answer.status == 408
    assert time.monotonic() - started < DEADLINE_SECONDS / 2


def test_unread_requests_are_counted_apart(server: ServerProcess) -> None:
    before = number(server, "serinus_requests_unread_total")
    with wire(server.port) as client:
        client.send(request("/predict", BODY[:20], length=500))  # and leaves
    awaited(lambda: number(server, "serinus_requests_unread_total") == before + 1)


@contextlib.contextmanager
def crowd(server: ServerProcess, count: int, sent: bytes) -> Iterator[list[Wire]]:
    """So many clients that have sent that much and stopped."""
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(wire(server.port)) for _ in range(count)]
        for client in clients:
            client.send(sent)
        yield clients


@pytest.mark.parametrize("sent", [b"", HEAD, request("/predict", b"{", length=9)])
def test_slow_clients_in_any_number_cost_the_others_nothing(
    two_classes: Packaged, store: Path, sent: bytes
) -> None:
    patient = LIMITS | {"REQUEST_SECONDS": "60"}
    with server_process(two_classes, store, **patient) as server, crowd(server, 60, sent):
        answers = [httpx.post(f"{server.url}/predict", content=BODY) for _ in range(20)]
        connections = number(server, "serinus_connections")
        in_time = number(server, "serinus_requests_total", code="200")
        failed = errors(server)

    assert {answer.status_code for answer in answers} == {200}
    assert connections <= 24
    assert (in_time, failed) == (20, 0)


def test_a_client_that_is_at_work_keeps_its_connection_in_a_crowd(
    two_classes: Packaged, store: Path
) -> None:
    patient = LIMITS | {"REQUEST_SECONDS": "60"}
    with server_process(two_classes, store, **patient) as server, wire(server.port) as client:
        statuses = []
        for _ in range(10):
            with crowd(server, 12, HEAD):
                client.send(PREDICT)
                answer = client.answer()
                statuses.append(answer.status if answer else None)

    assert statuses == [200] * 10


def told(clients: list[Wire]) -> list[Wire]:
    """Those to whom something was said."""
    readable, _, _ = select.select([client.socket for client in clients], [], [], 0)
    return [client for client in clients if client.socket in readable]


def test_slow_bodies_hold_no_more_than_allowed(two_classes: Packaged, store: Path) -> None:
    patient = LIMITS | {"REQUEST_SECONDS": "60", "MAX_HELD_BYTES": "400000"}
    most_of_a_body = request("/predict", b" " * 90_000, length=100_000)
    with (
        server_process(two_classes, store, **patient) as server,
        crowd(server, 6, most_of_a_body) as clients,
    ):
        awaited(lambda: len(told(clients)) == 2)
        slowest = told(clients)
        refused = [client.answer() for client in slowest]
        others = [client for client in clients if client not in slowest]
        for client in others:
            client.send(b" " * (10_000 - len(BODY)) + BODY)
        answers = [client.answer() for client in others]

    assert [one.status for one in answers if one] == [200] * 4
    assert [(one.status, one.error) for one in refused if one] == [
        (408, "the server holds too many bodies and this came slowest")
    ] * 2


def test_an_answer_that_nobody_takes_is_given_up(two_classes: Packaged, store: Path) -> None:
    rows = request("/predict", json.dumps({"rows": [ROW] * 5000}).encode())
    with (
        server_process(two_classes, store, REQUEST_SECONDS="0.4") as server,
        crowd(server, 2, b"") as clients,
    ):
        for client in clients:
            client.socket.settimeout(1)
            with contextlib.suppress(TimeoutError):  # it stops reading where its answers pile up
                client.send(rows * 20)
        other = httpx.post(f"{server.url}/predict", content=BODY)
        awaited(lambda: number(server, "serinus_connections") == 1)

    assert other.status_code == 200


# Too much


def test_a_body_without_end_is_413_and_the_connection_ends(server: ServerProcess) -> None:
    before = errors(server)
    with wire(server.port) as client:
        client.send(CHUNKED)
        sender = threading.Thread(target=send_for_ever, args=(client,), daemon=True)
        sender.start()
        answer = client.answer()
        client.socket.close()
        sender.join(DEADLINE_SECONDS)

    assert answer is not None
    assert (answer.status, answer.headers["connection"]) == (413, "close")
    assert errors(server) == before


def send_for_ever(client: Wire) -> None:
    piece = b"8000\r\n" + b"x" * 0x8000 + b"\r\n"
    with contextlib.suppress(OSError):
        while True:
            client.socket.sendall(piece)


ENDLESS_HEADS = {
    "a path": b"GET /" + b"a" * 200_000,
    "one header": HEAD + b"x: " + b"a" * 200_000,
    "many headers": HEAD + b"x: y\r\n" * 50_000,
    "trailers": CHUNKED + b"2\r\n{}\r\n0\r\n" + b"x: y\r\n" * 50_000,
    "an extension of a chunk": CHUNKED + b"2;" + b"a" * 200_000,
}


@pytest.mark.parametrize("sent", ENDLESS_HEADS.values(), ids=ENDLESS_HEADS)
def test_a_head_without_end_is_refused(server: ServerProcess, sent: bytes) -> None:
    with wire(server.port) as client:
        client.send(sent)
        answer = client.answer()

    assert answer is None or answer.status in (400, 431)


def test_pipelined_requests_are_answered_in_order(server: ServerProcess) -> None:
    bodies = [json.dumps({"rows": [ROW] * (1 + index)}).encode() for index in range(8)]
    with wire(server.port) as client:
        client.send(b"".join(request("/predict", body) for body in bodies))
        answers = [client.answer() for _ in bodies]

    told = [len(answer.json["predictions"]) for answer in answers if answer]
    assert told == list(range(1, 9))


def test_pipelined_requests_that_need_not_wait_are_all_answered(server: ServerProcess) -> None:
    with wire(server.port) as client:
        client.send(PREDICT * 200)
        answers = [client.answer() for _ in range(200)]

    assert {answer and answer.status for answer in answers} == {200}


def test_more_pipelined_requests_than_may_wait_end_the_connection(server: ServerProcess) -> None:
    # So many cells are encoded on a thread: each request waits for the one before it.
    slow = request("/predict", json.dumps({"rows": flights(400, seed=3)}).encode())
    with wire(server.port) as client:
        client.send(slow * 100)
        answers = client.answers()

    assert 1 <= len(answers) < 100
    assert {answer.status for answer in answers} == {200}
    assert [one.headers["connection"] for one in answers if "connection" in one.headers] == [
        "close"
    ]
    assert "connection" in answers[-1].headers


# Nonsense


NONSENSE = {
    "no HTTP at all": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 50,
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "an unknown method": b"BREW /pot HTTP/1.1\r\nhost: pod\r\n\r\n",
    "a tunnel": b"CONNECT pod:443 HTTP/1.1\r\nhost: pod\r\n\r\n",
    "two lengths": HEAD + b"content-length: 3\r\ncontent-length: 5\r\n\r\nabcde",
    "length and chunks": HEAD + b"content-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "a length that is no number": HEAD + b"content-length: many\r\n\r\n",
    "a length below zero": HEAD + b"content-length: -1\r\n\r\n",
    "a length beyond all": HEAD + b"content-length: 99999999999999999999\r\n\r\n",
    "a chunk that is no number": CHUNKED + b"xyz\r\n",
    "a header without a name": HEAD + b": x\r\n\r\n",
    "a header with a zero": HEAD + b"x: a\x00b\r\n\r\n",
    "a path that is no text": b"GET /\xff\xfe HTTP/1.1\r\nhost: pod\r\n\r\n",
    "a path with a percent": b"GET /%ff%00%zz HTTP/1.1\r\nhost: pod\r\n\r\n",
    "a whole address": b"GET http://pod/nothing HTTP/1.1\r\nhost: pod\r\n\r\n",
    "an address without a path": b"DELETE http://pod HTTP/1.1\r\nhost: pod\r\n\r\n",
    "options of all": b"OPTIONS * HTTP/1.1\r\nhost: pod\r\n\r\n",
    "another method": b"DELETE /predict HTTP/1.1\r\nhost: pod\r\n\r\n",
    "a head without a body": b"HEAD /metrics HTTP/1.1\r\nhost: pod\r\nconnection: close\r\n\r\n",
    "a body in gzip": request("/predict", b"\x1f\x8b\x08", b"content-encoding: gzip"),
    "a body of another kind": request("/predict", b"<a/>", b"content-type: application/xml"),
    "nothing": request("/predict"),
}


@pytest.mark.parametrize("sent", NONSENSE.values(), ids=NONSENSE)
def test_nonsense_is_told_or_hung_up_on_and_never_fails(server: ServerProcess, sent: bytes) -> None:
    with wire(server.port) as client:
        client.send(sent)
        client.socket.shutdown(1)
        head_only = sent.startswith(b"HEAD")
        statuses = [405] if head_only else [answer.status for answer in client.answers()]

    assert all(400 <= status < 500 or status == 505 for status in statuses), statuses
    assert number(server, "serinus_requests_total", code="500") == 0
    assert not [line for line in server.lines() if line["level"] == "error"]


def test_what_isnt_http_is_told_as_json(server: ServerProcess) -> None:
    with wire(server.port) as client:
        client.send(b"nonsense\r\n\r\n")
        answer = client.answer()

    assert answer is not None
    assert (answer.status, answer.headers["connection"]) == (400, "close")
    assert answer.error == "Invalid HTTP request received: expected HTTP/1.1"


def test_nonsense_behind_a_request_doesnt_cost_its_answer(server: ServerProcess) -> None:
    with wire(server.port) as client:
        client.send(PREDICT + b"nonsense\r\n\r\n")
        answers = client.answers()

    assert [answer.status for answer in answers] == [200, 400]


UPGRADE = (b"Connection: Upgrade, HTTP2-Settings", b"HTTP2-Settings: AAEAAEAA", b"Upgrade: h2c")


def test_an_upgrade_is_answered_as_if_it_werent_asked_for(server: ServerProcess) -> None:
    with wire(server.port) as client:
        client.send(request("/predict", BODY, *UPGRADE) + PREDICT)
        answers = [client.answer(), client.answer()]

    assert [answer.status for answer in answers if answer] == [200, 200]


def test_an_upgrade_that_cant_be_overlooked_is_told(two_classes: Packaged, store: Path) -> None:
    asked = request("/predict", BODY, *UPGRADE)
    with server_process(two_classes, store) as server, wire(server.port) as client:
        client.send(asked[:40])
        awaited(lambda: number(server, "serinus_requests_coming") == 1)
        client.send(asked[40:])
        answers = client.answers()

    assert [answer.status for answer in answers] == [400]
    assert "`upgrade` is the text 'h2c': leave it out" in answers[0].error


def test_a_client_that_has_said_all_still_gets_its_answer(server: ServerProcess) -> None:
    with wire(server.port) as client:
        client.send(PREDICT)
        client.socket.shutdown(1)
        answers = client.answers()

    assert [answer.status for answer in answers] == [200]


def test_expecting_100_is_told_to_go_on(server: ServerProcess) -> None:
    with wire(server.port) as client:
        client.send(request("/predict", b"", b"expect: 100-continue", length=len(BODY)))
        go_on = client.answer()
        client.send(BODY)
        answer = client.answer()

    assert go_on is not None
    assert answer is not None
    assert (go_on.status, answer.status) == (100, 200)


# Memory


def resident_bytes(server: ServerProcess) -> int:
    lines = Path(f"/proc/{server.process.pid}/status").read_text().splitlines()
    line = next(line for line in lines if line.startswith("VmRSS"))
    return int(line.split()[1]) * 1024


@pytest.mark.timeout(180)
def test_it_doesnt_grow_whatever_is_thrown_at_it(server: ServerProcess) -> None:
    attacks = [*SLOW.values(), *ENDLESS_HEADS.values(), *NONSENSE.values(), PREDICT * 200]

    def attacked() -> None:
        for sent in attacks:
            with wire(server.port) as client:
                client.send(sent)
        awaited(lambda: number(server, "serinus_connections") == 1)

    for _ in range(5):
        attacked()
    before = resident_bytes(server)
    for _ in range(20):
        attacked()

    assert resident_bytes(server) - before < 8 << 20
    assert httpx.post(f"{server.url}/predict", content=BODY).status_code == 200
    assert number(server, "serinus_requests_coming") == 0
    assert number(server, "serinus_requests_in_flight") == 0
