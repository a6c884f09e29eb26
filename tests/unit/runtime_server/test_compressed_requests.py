"""Requests whose bodies come compressed, against a real process: they are as any other."""

import gzip
import json
import struct
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from serinus_runtime.artifact.packaging import Packaged
from tests.support.flight_requests import INFER, ROW, matrix
from tests.support.model_servers import ServerProcess, metric, server_process
from tests.support.trained_models import flights
from tests.support.wire import DEADLINE_SECONDS, request, wire

pytestmark = pytest.mark.slow

LIMIT = 1 << 20
FEW, MANY = flights(2, seed=3), flights(3000, seed=3)
EXPLAIN = INFER.replace("/infer", "/explain")
CODINGS = {"gzip": gzip.compress, "deflate": zlib.compress}


@pytest.fixture(scope="module")
def server(two_classes: Packaged, store: Path) -> Iterator[ServerProcess]:
    limits = {"MAX_BODY_BYTES": str(LIMIT), "MAX_HELD_BYTES": str(4 * LIMIT)}
    with server_process(two_classes, store, **limits) as process:
        yield process


@pytest.fixture(scope="module")
def client(server: ServerProcess) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, timeout=DEADLINE_SECONDS) as client:
        yield client


def as_json(document: object) -> bytes:
    return json.dumps(document).encode()


SENT: dict[str, tuple[str, bytes, dict[str, str]]] = {
    "rows": ("/predict", as_json({"rows": FEW}), {}),
    "many rows": ("/predict", as_json({"rows": MANY}), {}),
    "KServe's first protocol": (
        "/v1/models/flight-delay:predict",
        as_json({"instances": FEW}),
        {},
    ),
    "MLflow's": ("/invocations", as_json({"dataframe_records": FEW}), {}),
    "CSV": (
        "/invocations",
        "\n".join(",".join(map(str, line)) for line in (ROW, ROW.values())).encode(),
        {"content-type": "text/csv"},
    ),
    "tensors": (INFER, as_json({"inputs": [matrix([ROW], nested=True)]}), {}),
    "an explanation": (EXPLAIN, as_json({"inputs": [matrix([ROW], nested=True)]}), {}),
}


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("name", SENT)
def test_the_answer_is_that_to_the_same_body_as_it_was(
    client: httpx.Client, name: str, coding: str
) -> None:
    path, body, headers = SENT[name]
    plain = client.post(path, content=body, headers=headers)
    for _ in range(3):  # once its head is known, too
        answer = client.post(
            path, content=CODINGS[coding](body), headers=headers | {"content-encoding": coding}
        )

        assert (answer.status_code, without_id(answer)) == (200, without_id(plain))


def without_id(answer: httpx.Response) -> object:
    document = answer.json()
    document.pop("id", None)
    document.get("parameters", {}).pop("prediction_id", None)
    return document


def test_headers_of_tensors_in_bytes_count_bytes_as_they_were(client: httpx.Client) -> None:
    tensor = {"name": "distance", "datatype": "FP64", "shape": [2]}
    head = as_json({"inputs": [tensor | {"parameters": {"binary_data_size": 16}}]})
    body = head + struct.pack("<2d", 1.0, 2.0)
    headers = {"inference-header-content-length": str(len(head))}

    plain = client.post(INFER, content=body, headers=headers)
    answer = client.post(
        INFER, content=gzip.compress(body), headers=headers | {"content-encoding": "gzip"}
    )

    assert (answer.status_code, without_id(answer)) == (200, without_id(plain))


def test_labels_may_come_compressed(client: httpx.Client) -> None:
    identity = client.post("/predict", json={"rows": FEW}).json()["id"]
    labels = as_json({"id": identity, "labels": [True, False]})
    answers = [
        client.post(
            "/feedback", content=compress(labels), headers={"content-encoding": coding}
        ).json()
        for coding, compress in CODINGS.items()
    ]

    assert [(one["counted"], one["repeated"]) for one in answers] == [(2, 0), (0, 2)]


def test_they_are_counted_as_any_request(server: ServerProcess, client: httpx.Client) -> None:
    def counts() -> list[float]:
        text = client.get("/metrics").text
        requests = [
            metric(text, "serinus_requests_total", code=code) or 0.0
            for code in ("200", "400", "413", "415")
        ]
        return [*requests, metric(text, "serinus_predictions_total") or 0.0]

    before = counts()
    body = as_json({"rows": FEW})
    for content, coding in (
        (gzip.compress(body), "gzip"),
        (gzip.compress(body)[:-1], "gzip"),
        (gzip.compress(b" " * LIMIT + body), "gzip"),
        (body, "br"),
    ):
        client.post("/predict", content=content, headers={"content-encoding": coding})

    assert [b - a for a, b in zip(before, counts(), strict=True)] == [1, 1, 1, 1, len(FEW)]


REFUSED = {
    "gzip that breaks off": (
        gzip.compress(b"{}")[:-1],
        "gzip",
        400,
        "the body can't be decompressed as gzip: it breaks off",
    ),
    "no gzip": (
        b'{"rows": []}',
        "gzip",
        400,
        "the body can't be decompressed as gzip: incorrect header check",
    ),
    "deflate that is damaged": (
        zlib.compress(b"{}")[:-4] + b"\0\0\0\0",
        "deflate",
        400,
        "the body can't be decompressed as deflate: incorrect data check",
    ),
    "one byte too much": (
        gzip.compress(b" " * (LIMIT + 1)),
        "gzip",
        413,
        f"the body is over the limit of {LIMIT} bytes once it is decompressed; send fewer rows",
    ),
    "another coding": (
        b"{}",
        "br",
        415,
        "`content-encoding`: expected `gzip`, `deflate` or none, got the text 'br'",
    ),
    "two codings": (
        gzip.compress(zlib.compress(b"{}")),
        "deflate, gzip",
        415,
        "`content-encoding`: expected `gzip`, `deflate` or none, got the text 'deflate, gzip'",
    ),
}


@pytest.mark.parametrize("path", ["/predict", INFER, EXPLAIN])
@pytest.mark.parametrize(("content", "coding", "status", "message"), REFUSED.values(), ids=REFUSED)
def test_what_cant_be_read_is_told(
    client: httpx.Client, path: str, content: bytes, coding: str, status: int, message: str
) -> None:
    answer = client.post(path, content=content, headers={"content-encoding": coding})

    assert (answer.status_code, answer.json()["error"]) == (status, message)
    expected = "gzip, deflate" if status == 415 else None
    assert answer.headers.get("accept-encoding") == expected


def test_labels_have_their_own_limit(client: httpx.Client) -> None:
    content = gzip.compress(b" " * (64 << 10) + b"{}")

    answer = client.post("/feedback", content=content, headers={"content-encoding": "gzip"})

    assert answer.status_code == 413
    assert "over the limit of 65536 bytes" in answer.json()["error"]


# What others may cost


def in_crowd(count: int, work: Callable[[], None]) -> None:
    """Do it as often at once, and wait for all."""
    threads = [threading.Thread(target=work) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(2 * DEADLINE_SECONDS)


def peak_bytes(server: ServerProcess) -> int:
    lines = Path(f"/proc/{server.process.pid}/status").read_text().splitlines()
    line = next(line for line in lines if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


def test_bombs_in_any_number_take_no_more_memory_than_bodies_may(
    server: ServerProcess, client: httpx.Client
) -> None:
    largest = gzip.compress(b" " * (LIMIT - 2) + b"{}")
    bomb = gzip.compress(b" " * (32 << 20))
    told: list[int] = []

    def asked(content: bytes) -> None:
        headers = {"content-encoding": "gzip"}
        answer = httpx.post(
            f"{server.url}/predict", content=content, headers=headers, timeout=DEADLINE_SECONDS
        )
        told.append(answer.status_code)

    in_crowd(4, lambda: asked(bomb))
    before = peak_bytes(server)
    in_crowd(24, lambda: asked(largest))
    in_crowd(24, lambda: asked(bomb))

    assert sorted(told) == [400] * 24 + [413] * 28
    assert peak_bytes(server) - before < 16 * LIMIT
    assert client.post("/predict", json={"rows": FEW}).status_code == 200


def test_a_large_one_doesnt_keep_probes_waiting(two_classes: Packaged, store: Path) -> None:
    limit = 64 << 20
    limits = {"MAX_BODY_BYTES": str(limit), "MAX_HELD_BYTES": str(limit)}
    large = request("/predict", gzip.compress(b" " * (limit + 1), 1), b"content-encoding: gzip")
    with (
        server_process(two_classes, store, **limits) as server,
        wire(server.port) as client,
        httpx.Client(base_url=server.url) as prober,
    ):
        assert _in_flight(prober) == 0
        client.send(large)
        awaited(lambda: _in_flight(prober) == 1)
        probes = 0
        while _in_flight(prober) == 1:
            probes += 1
        answer = client.answer()

    assert answer is not None
    assert answer.status == 413
    assert probes >= 3  # while one body was being decompressed


def _in_flight(prober: httpx.Client) -> float | None:
    return metric(prober.get("/metrics").text, "serinus_requests_in_flight")


def awaited(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "the condition never held"
