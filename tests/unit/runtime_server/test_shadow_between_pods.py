"""Real pods: stable's answers stay stable's, whatever the shadow makes of the same requests."""

import gzip
import json
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from serinus_runtime.artifact.packaging import Packaged
from tests.support.flight_requests import INFER, ROW, tensors
from tests.support.model_servers import REVISION, ServerProcess, metric, server_process

pytestmark = pytest.mark.slow

STABLE, SHADOW = "127.0.0.1", "127.0.0.2"
SHADOW_REVISION = "aaaaaaaaaa"
REQUESTS = 20
DEADLINE_SECONDS = 20


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind((STABLE, 0))
        return int(sock.getsockname()[1])


@contextmanager
def pod(
    package: Packaged, store: Path, address: str, port: int, revision: str
) -> Iterator[ServerProcess]:
    with server_process(
        package,
        store,
        HOST=address,
        POD_IP=address,
        PORT=str(port),
        REVISION=revision,
        SHADOW=SHADOW,
        DRAIN_SECONDS="0",
    ) as process:
        yield process


def metrics_of(address: str, port: int) -> str:
    return httpx.get(f"http://{address}:{port}/metrics").text


def mirrored(port: int, outcome: str) -> float:
    text = metrics_of(STABLE, port)
    name = "serinus_shadow_requests_total"
    return metric(text, name, revision=SHADOW_REVISION, outcome=outcome) or 0


def awaited(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it didn't come about in time"
        time.sleep(0.05)


def test_the_shadow_answers_the_same_requests_and_clients_get_stables_answers(
    two_classes: Packaged, store: Path
) -> None:
    port = free_port()
    versioned = INFER.replace("/infer", f"/versions/{two_classes.digest[7:19]}/infer")
    with (
        pod(two_classes, store, SHADOW, port, SHADOW_REVISION),
        pod(two_classes, store, STABLE, port, REVISION),
        httpx.Client(base_url=f"http://{STABLE}:{port}") as client,
    ):
        told = [client.post("/predict", json={"rows": [ROW]}) for _ in range(REQUESTS)]
        told.append(client.post(INFER, json={"inputs": tensors([ROW])}))
        told.append(client.post(versioned, json={"inputs": tensors([ROW])}))
        told.append(client.post("/predict", json={"rows": [{"distance": "far"}]}))
        gzipped = gzip.compress(json.dumps({"rows": [ROW]}).encode())
        told.append(client.post("/predict", content=gzipped, headers={"content-encoding": "gzip"}))
        awaited(lambda: mirrored(port, "same") == len(told))
        text = metrics_of(SHADOW, port)

    assert {answer.headers["serinus-revision"] for answer in told} == {REVISION}
    assert [answer.status_code for answer in told] == [
        *[200] * (REQUESTS + 2),
        400,
        200,
    ]
    assert metric(text, "serinus_requests_total", code="200") == REQUESTS + 3
    assert metric(text, "serinus_requests_total", code="400") == 1
    assert "serinus_shadow_requests_total{" not in text


def test_a_shadow_that_accepts_and_never_answers_changes_no_answer(
    two_classes: Packaged, store: Path
) -> None:
    port = free_port()
    with (
        socket.create_server((SHADOW, port), backlog=64),
        pod(two_classes, store, STABLE, port, REVISION),
        httpx.Client(base_url=f"http://{STABLE}:{port}", timeout=3) as client,
    ):
        codes = {
            client.post("/predict", json={"rows": [ROW]}).status_code for _ in range(10 * REQUESTS)
        }
        text = metrics_of(STABLE, port)

    assert codes == {200}
    assert metric(text, "serinus_requests_total", code="200") == 10 * REQUESTS
