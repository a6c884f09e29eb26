"""The real process: it starts fast, refuses what it must, and ends without a client noticing."""

import http.client
import json
import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from serinus_runtime.artifact.packaging import Packaged
from serinus_runtime.prediction_log.files import files_in
from serinus_runtime.server import __main__ as program
from serinus_runtime.server.main import EXIT_REFUSED, main
from tests.support.model_servers import (
    DEADLINE_SECONDS,
    REVISION,
    ServerProcess,
    environment,
    logged,
    metric,
    server_process,
    started,
)
from tests.support.parquet_readers import by_pyarrow
from tests.support.trained_models import flights
from tests.support.wire import request, wire

pytestmark = pytest.mark.slow

BODY = json.dumps({"rows": flights(2, seed=3)})
CPU_SECONDS_UNTIL_READY = 1.5


def refusal(log: Path, variables: dict[str, str]) -> tuple[int, str]:
    """Exit code and last message of a server that doesn't start."""
    code = started(log, variables).wait(DEADLINE_SECONDS)
    return code, logged(log)[-1]["message"]


def test_the_package_runs_as_a_program() -> None:
    assert program.main is main


def test_it_is_ready_cheaply_and_answers(two_classes: Packaged, store: Path) -> None:
    with server_process(two_classes, store) as server:
        ready = next(line for line in server.lines() if line["message"] == "model server ready")
        answer = httpx.post(f"{server.url}/predict", content=BODY)

    assert ready["cpu_seconds"] < CPU_SECONDS_UNTIL_READY
    assert (ready["deployment"], ready["revision"]) == ("flight-delay", REVISION)
    assert answer.status_code == 200
    assert answer.headers["serinus-revision"] == REVISION


def test_every_answer_names_the_revision(two_classes: Packaged, store: Path) -> None:
    with server_process(two_classes, store) as server, httpx.Client(base_url=server.url) as client:
        answers = [
            client.get("/metrics"),
            client.get("/v2/health/ready"),
            client.get("/v2/nothing"),
            client.post("/predict", content=b"{"),
            client.post("/feedback", content=b"{}"),
        ]

    assert [answer.status_code for answer in answers] == [200, 200, 404, 400, 400]
    assert {answer.headers["serinus-revision"] for answer in answers} == {REVISION}


@pytest.mark.timeout(120)
def test_bentoml_shows_the_documentation_of_what_we_answer(
    two_classes: Packaged, store: Path
) -> None:
    with (
        server_process(two_classes, store) as server,
        httpx.Client(base_url=server.url, timeout=60) as client,
    ):
        client.get("/anything")
        untouched = [line for line in server.lines() if line["message"] == "BentoML loaded"]
        page, document = client.get("/"), client.get("/docs.json")
        answer = client.post("/predict", content=BODY)

    assert untouched == []
    assert (page.status_code, page.headers["serinus-revision"]) == (200, REVISION)
    assert "post" in document.json()["paths"]["/predict"]
    assert "/bento/predict" not in document.json()["paths"]
    assert len(answer.json()["predictions"]) == 2


def test_changed_bytes_are_refused_by_file(
    two_classes: Packaged, store: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "models" / two_classes.path.name
    shutil.copytree(two_classes.path, copy)
    (copy / "arrays.npz").write_bytes(b"something else")
    variables = environment(two_classes, store) | {
        "SERINUS_STORE": str(tmp_path),
        "SERINUS_MODEL_URI": f"file:///store/models/{copy.name}",
    }

    code, message = refusal(tmp_path / "log", variables)

    assert code == EXIT_REFUSED
    assert message.startswith(
        "model server refused to start: `arrays.npz` has changed since it was written: expected"
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"SERINUS_REVISION": "v1"}, "SERINUS_REVISION: expected 10 hexadecimal digits, got 'v1'"),
        ({"SERINUS_DRAIN_SECONDS": "-1"}, "SERINUS_DRAIN_SECONDS: expected at least 0, got '-1'"),
        ({"SERINUS_PORT": "http"}, "SERINUS_PORT: invalid literal"),
        ({"SERINUS_MAX_ROWS": "0"}, "SERINUS_MAX_ROWS: expected at least 1, got '0'"),
        (
            {"SERINUS_REQUEST_SECONDS": "0"},
            "SERINUS_REQUEST_SECONDS: expected at least 0.1, got '0'",
        ),
        (
            {"SERINUS_FEEDBACK_KEY_FILE": "/nowhere/key"},
            "SERINUS_FEEDBACK_KEY_FILE: /nowhere/key can't be read: No such file or directory",
        ),
        ({"SERINUS_MODEL_URI": "s3://x"}, "storageUri: expected file:///store/…, got s3://x"),
    ],
)
def test_wrong_settings_are_refused_by_name(
    two_classes: Packaged, store: Path, tmp_path: Path, changes: dict[str, str], message: str
) -> None:
    code, told = refusal(tmp_path / "log", environment(two_classes, store) | changes)

    assert code == EXIT_REFUSED
    assert told.startswith(f"model server refused to start: {message}")


@dataclass
class KeepAliveClient(threading.Thread):
    """Sends requests over one connection, without pause, and never retries.

    It connects again only after `Connection: close`, and no more once `out_of_service` is set, as
    a Service has no endpoint of a pod that ends. Anything but an answer is a failure.
    """

    port: int
    out_of_service: threading.Event
    answers: list[int] = field(default_factory=list)
    connections: int = 0
    failures: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(daemon=True)

    def __hash__(self) -> int:
        return id(self)

    def run(self) -> None:
        while not self.out_of_service.is_set() and not self.failures:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
            self.connections += 1
            try:
                self._requests_until_close(connection)
            except (OSError, http.client.HTTPException) as error:
                self.failures.append(f"request {len(self.answers)}: {error!r}")
            finally:
                connection.close()

    def _requests_until_close(self, connection: http.client.HTTPConnection) -> None:
        closes = False
        while not closes:
            connection.request("POST", "/predict", BODY)
            answer = connection.getresponse()
            answer.read()
            self.answers.append(answer.status)
            closes = answer.headers.get("connection") == "close"
            time.sleep(0.002)  # a pace, not a wait


def run_clients(server: ServerProcess, count: int) -> tuple[list[KeepAliveClient], threading.Event]:
    out_of_service = threading.Event()
    clients = [KeepAliveClient(server.port, out_of_service) for _ in range(count)]
    for client in clients:
        client.start()
    return clients, out_of_service


def awaited_answers(clients: list[KeepAliveClient], at_least: int) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while time.monotonic() < deadline:
        if all(len(client.answers) >= at_least or client.failures for client in clients):
            return
        time.sleep(0.01)
    raise AssertionError("the clients got no answers")


def test_no_keep_alive_client_sees_a_failure_when_the_pod_ends(
    two_classes: Packaged, store: Path
) -> None:
    with server_process(two_classes, store, DRAIN_SECONDS="60") as server:
        clients, out_of_service = run_clients(server, 8)
        awaited_answers(clients, 20)

        server.told_to_end()
        readiness = httpx.get(f"{server.url}/v2/health/ready")
        connections = [client.connections for client in clients]
        awaited_answers(clients, 60)
        out_of_service.set()
        for client in clients:
            client.join(DEADLINE_SECONDS)
        server.told_to_end()  # a second time: that is the end of the drain
        code = server.exit_code()

    assert [client.failures for client in clients] == [[]] * len(clients)
    assert {status for client in clients for status in client.answers} == {200}
    assert all(
        client.connections > before for client, before in zip(clients, connections, strict=True)
    )
    assert (readiness.status_code, code) == (503, 0)


def test_a_pod_that_ends_goes_on_answering_for_its_drain_time(
    two_classes: Packaged, store: Path
) -> None:
    with server_process(two_classes, store, DRAIN_SECONDS="0.5") as server:
        started = time.monotonic()
        server.told_to_end()
        code = server.exit_code()

    assert (code, time.monotonic() - started >= 0.5) == (0, True)


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_pod_that_is_told_to_end_again_and_again_loses_nothing_of_its_log(
    two_classes: Packaged, store: Path, tmp_path: Path, workers: str
) -> None:
    policy, log = tmp_path / "policy.json", tmp_path / "log"
    said = {"samplePercent": 100, "maxAgeSeconds": 86400, "maxSizeBytes": 1 << 30}
    policy.write_text(json.dumps(said))
    settings = {"PREDICTION_LOG": str(log), "PREDICTION_LOG_POLICY": str(policy)}
    with server_process(two_classes, store, WORKERS=workers, **settings) as server:
        for _ in range(30):
            httpx.post(f"{server.url}/predict", json={"rows": flights(50, seed=3)})
        while server.process.poll() is None:
            server.told_to_end()
            time.sleep(0.005)
        code, last = server.exit_code(), server.lines()[-1]

    counts = {"written": 1500, "dropped": 0, "unsampled": 0, "waiting": 0}
    assert (code, last["message"]) == (0, "model server ended")
    assert last["prediction_log_rows"] == counts
    files = [by_pyarrow(file.path.read_bytes()) for file in files_in(log)]
    assert sum(len(file["row"]) for file in files) == 1500


def test_no_keep_alive_client_sees_a_failure_when_connections_are_old(
    two_classes: Packaged, store: Path
) -> None:
    with server_process(two_classes, store, CONNECTION_MAX_AGE_SECONDS="0.2") as server:
        clients, out_of_service = run_clients(server, 4)
        awaited_answers(clients, 150)
        out_of_service.set()
        for client in clients:
            client.join(DEADLINE_SECONDS)

    assert [client.failures for client in clients] == [[]] * len(clients)
    assert all(client.connections > 1 for client in clients)


def test_a_connection_carries_no_more_requests_than_allowed(
    two_classes: Packaged, store: Path
) -> None:
    closes = []
    with server_process(two_classes, store, CONNECTION_MAX_REQUESTS="3") as server:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
        for _ in range(6):
            connection.request("POST", "/predict", BODY)
            answer = connection.getresponse()
            answer.read()
            closes.append(answer.headers.get("connection"))

    assert closes == [None, None, "close", None, None, "close"]


def test_a_request_in_flight_is_answered_after_the_drain(
    two_classes: Packaged, store: Path
) -> None:
    with server_process(two_classes, store, DRAIN_SECONDS="0") as server:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
        connection.putrequest("POST", "/predict")
        connection.putheader("content-length", str(len(BODY)))
        connection.endheaders(BODY[:10].encode())
        server_has_headers(server)

        server.told_to_end()
        drained(server)
        connection.send(BODY[10:].encode())
        answer = connection.getresponse()
        predictions = json.loads(answer.read())["predictions"]
        code = server.exit_code()

    assert (answer.status, len(predictions), code) == (200, 2, 0)
    assert answer.headers["connection"] == "close"


def test_a_request_whose_head_has_begun_is_answered_after_the_drain(
    two_classes: Packaged, store: Path
) -> None:
    sent = request("/predict", BODY.encode())
    with server_process(two_classes, store, DRAIN_SECONDS="0") as server, wire(server.port) as one:
        one.send(sent[:30])
        server_has_headers(server)

        server.told_to_end()
        drained(server)
        one.send(sent[30:])
        answer, after = one.answer(), one.answer()
        code = server.exit_code()

    assert answer is not None
    assert (answer.status, answer.headers["connection"], after, code) == (200, "close", None, 0)


def test_pipelined_requests_are_all_answered_in_the_drain(
    two_classes: Packaged, store: Path
) -> None:
    with server_process(two_classes, store, DRAIN_SECONDS="60") as server, wire(server.port) as one:
        server.told_to_end()
        _await(lambda: httpx.get(f"{server.url}/v2/health/ready").status_code == 503)
        one.send(request("/predict", BODY.encode()))
        answers = one.answers()

    assert [answer.status for answer in answers] == [200]
    assert answers[0].headers["connection"] == "close"


def test_clients_that_never_finish_dont_hold_up_the_end(two_classes: Packaged, store: Path) -> None:
    with (
        server_process(two_classes, store, DRAIN_SECONDS="0", REQUEST_SECONDS="4") as server,
        wire(server.port) as silent,
        wire(server.port) as slow,
    ):
        slow.send(request("/predict", BODY[:20].encode(), length=500))
        server_has_headers(server)

        server.told_to_end()
        code = server.exit_code()
        answer, nothing = slow.answer(), silent.answer()

    assert answer is not None
    assert (answer.status, nothing, code) == (408, None, 0)


def server_has_headers(server: ServerProcess) -> None:
    def coming() -> bool:
        text = httpx.get(f"{server.url}/metrics").text
        return metric(text, "serinus_requests_coming") == 1

    _await(coming)


def drained(server: ServerProcess) -> None:
    def refused() -> bool:
        try:
            http.client.HTTPConnection("127.0.0.1", server.port, timeout=1).connect()
        except ConnectionRefusedError:
            return True
        return False

    _await(refused)


def _await(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "the condition never held"
        time.sleep(0.02)


def test_a_body_over_the_limit_gets_its_413_and_no_reset(
    two_classes: Packaged, store: Path
) -> None:
    with server_process(two_classes, store, MAX_BODY_BYTES="1000") as server:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
        connection.request("POST", "/predict", b"x" * 7000)
        too_large = connection.getresponse()
        too_large.read()
        connection.request("POST", "/predict", BODY)
        next_answer = connection.getresponse()

        assert (too_large.status, next_answer.status) == (413, 200)


def test_lines_of_requests_stand_beside_those_of_the_process(
    two_classes: Packaged, store: Path
) -> None:
    with server_process(two_classes, store, ACCESS_LOG="true", DRAIN_SECONDS="0") as server:
        for size in (1, 3, 5000):  # answered in the parser, but for the large one
            body = json.dumps({"rows": flights(size, seed=3)})
            httpx.post(f"{server.url}/predict", content=body)
        httpx.post(f"{server.url}/predict", content=b"{")
        httpx.get(f"{server.url}/nothing")
        server.told_to_end()
        server.exit_code()

        asked = [line for line in server.lines() if line["message"] == "request answered"]
        counted = server.lines()[-1]

    assert [(line["method"], line["path"], line["status"]) for line in asked] == [
        *[("POST", "/predict", 200)] * 3,
        ("POST", "/predict", 400),
        ("GET", "/nothing", 404),
    ]
    assert {(line["revision"], line["client"]) for line in asked} == {(REVISION, "127.0.0.1")}
    assert all(0 < line["duration_seconds"] < 10 for line in asked)
    assert counted["message"] == "model server ended"
    assert (counted["requests"]["200"], counted["requests"]["400"]) == (3, 1)
