"""Real pods: a unit gets the same revision whichever pod it asks, and nobody notices a dead canary.

Two pods of stable and one of the canary, each a process of its own under an address of its own.
"""

import gzip
import json
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc
import httpx
import pytest

from serinus.api.ab_test_document import AbTestDocument, UnitSource
from serinus_runtime.artifact.packaging import Packaged
from serinus_runtime.server import open_inference_pb2 as wire
from tests.support.flight_requests import INFER, ROW, tensors
from tests.support.inference_calls import typed
from tests.support.model_servers import REVISION, ServerProcess, metric, server_process

pytestmark = pytest.mark.slow

FIRST, SECOND, CANARY = "127.0.0.1", "127.0.0.3", "127.0.0.2"
CANARY_REVISION = "aaaaaaaaaa"
UNITS = 40
DEADLINE_SECONDS = 20


@dataclass
class Pods:
    """Who there is, and how to ask them; `calls` is where the first takes calls over gRPC."""

    port: int
    file: Path
    canary: ServerProcess
    client: httpx.Client
    calls: str

    def asked(self, address: str, unit: str | None, path: str = "/predict") -> httpx.Response:
        body = {"inputs": tensors([ROW])} if "infer" in path else {"rows": [ROW]}
        headers = {"cookie": f"other=1; session={unit}"} if unit else {}
        url = f"http://{address}:{self.port}{path}"
        return self.client.post(url, json=body, headers=headers)

    def metric(self, address: str, name: str, **labels: str) -> float:
        text = self.client.get(f"http://{address}:{self.port}/metrics").text
        return metric(text, name, **labels) or 0.0

    def exposed(self, address: str) -> float:
        return self.metric(address, "serinus_requests_total", code="200", exposed="true")


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind((FIRST, 0))
        return int(sock.getsockname()[1])


def awaited(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it didn't come about in time"
        time.sleep(0.05)


@pytest.fixture
def pods(two_classes: Packaged, store: Path, tmp_path: Path) -> Iterator[Pods]:
    port, file = free_port(), tmp_path / "test.json"
    document = AbTestDocument(
        test="1234567890",
        stable=REVISION,
        canary=CANARY_REVISION,
        active_from=time.time(),
        unit=UnitSource(cookie="session"),
        canary_percent=50,
        salt="default/flight-delay",
    )
    file.write_text(document.to_json())

    @contextmanager
    def pod(address: str, revision: str) -> Iterator[ServerProcess]:
        with server_process(
            two_classes,
            store,
            HOST=address,
            PORT=str(port),
            REVISION=revision,
            AB_TEST=CANARY,
            AB_TEST_FILE=str(file),
            DRAIN_SECONDS="5",
            GRPC_PORT="0",
        ) as process:
            yield process

    with (
        pod(CANARY, CANARY_REVISION) as canary,
        pod(FIRST, REVISION) as first,
        pod(SECOND, REVISION),
        httpx.Client(timeout=20) as client,
    ):
        yield Pods(port, file, canary, client, f"{FIRST}:{first.grpc_port}")


def test_what_comes_compressed_goes_to_the_canary_as_what_it_became(pods: Pods) -> None:
    body = gzip.compress(json.dumps({"rows": [ROW]}).encode())
    answers = [
        pods.client.post(
            f"http://{FIRST}:{pods.port}/predict",
            content=body,
            headers={"cookie": f"session=unit-{unit}", "content-encoding": "gzip"},
        )
        for unit in range(UNITS)
    ]

    assert {answer.status_code for answer in answers} == {200}
    revisions = {answer.headers["serinus-revision"] for answer in answers}
    assert revisions == {REVISION, CANARY_REVISION}
    assert pods.exposed(FIRST) + pods.exposed(CANARY) == UNITS


def test_a_unit_gets_one_revision_from_all_pods_and_both_arms_are_counted(pods: Pods) -> None:
    answers = {
        (address, unit): pods.asked(address, f"unit-{unit}")
        for address in (FIRST, SECOND)
        for unit in range(UNITS)
    }
    without = pods.asked(FIRST, None)
    tensor = pods.asked(FIRST, "unit-0", INFER)

    assert {one.status_code for one in answers.values()} == {200}
    told = {key: one.headers.get_list("serinus-revision") for key, one in answers.items()}
    assert all(told[FIRST, unit] == told[SECOND, unit] for unit in range(UNITS))
    by_revision = [names for names in told.values() if names == [CANARY_REVISION]]
    assert UNITS // 2 < len(by_revision) < 2 * UNITS * 0.75
    assert all(names in ([CANARY_REVISION], [REVISION]) for names in told.values())
    assert without.headers["serinus-revision"] == REVISION
    assert tensor.status_code == 200
    assert tensor.headers.get_list("serinus-revision") == told[FIRST, 0]

    of_canary = len(by_revision) + (told[FIRST, 0] == [CANARY_REVISION])
    assert pods.exposed(CANARY) == of_canary
    assert pods.exposed(FIRST) + pods.exposed(SECOND) == 2 * UNITS + 1 - of_canary
    units = [
        sum(pods.metric(address, "serinus_exposures_total", arm=arm) for address in (FIRST, SECOND))
        for arm in ("stable", "canary")
    ]
    assert sum(units) == 2 * UNITS, "each pod counts a unit once"
    assert units[1] == len(by_revision)


def test_a_unit_gets_the_same_revision_over_grpc(pods: Pods) -> None:
    units = [f"unit-{unit}" for unit in range(UNITS)]
    over_http = [pods.asked(FIRST, unit).headers["serinus-revision"] for unit in units]
    message = typed([ROW]).SerializeToString()

    with grpc.insecure_channel(pods.calls) as channel:
        call = channel.unary_unary("/inference.GRPCInferenceService/ModelInfer")
        told = []
        for unit in units:
            metadata = [("cookie", f"session={unit}")]
            answer, ended = call.with_call(message, metadata=metadata, timeout=20)
            revision = dict(ended.trailing_metadata())["serinus-revision"]
            told.append(revision)
            parameters = wire.ModelInferResponse.FromString(answer).parameters
            assert parameters["revision"].string_param == revision

    assert told == over_http
    assert pods.exposed(CANARY) == 2 * told.count(CANARY_REVISION)
    assert pods.exposed(FIRST) == 2 * told.count(REVISION)


def test_a_canary_that_dies_costs_no_request_and_ends_the_test(pods: Pods) -> None:
    units = [f"unit-{unit}" for unit in range(UNITS)]
    before = [pods.asked(FIRST, unit).headers["serinus-revision"] for unit in units]
    assert CANARY_REVISION in before

    pods.canary.process.kill()
    pods.canary.process.wait()
    after = [pods.asked(FIRST, unit) for unit in units]

    assert {one.status_code for one in after} == {200}
    assert {one.headers["serinus-revision"] for one in after} == {REVISION}
    assert pods.metric(FIRST, "serinus_ab_test_fallbacks_total", reason="unreached") >= 1


def test_a_canary_that_is_told_to_end_gets_no_request_more(pods: Pods) -> None:
    units = [f"unit-{unit}" for unit in range(UNITS)]
    before = [pods.asked(FIRST, unit).headers["serinus-revision"] for unit in units]
    assert CANARY_REVISION in before

    pods.canary.told_to_end()
    awaited(lambda: any(one["message"] == "drain began" for one in pods.canary.lines()))
    after = [pods.asked(FIRST, unit) for unit in units]

    assert {one.status_code for one in after} == {200}
    assert {one.headers["serinus-revision"] for one in after} == {REVISION}
    failed = pods.metric(FIRST, "serinus_requests_total", revision=CANARY_REVISION, code="502")
    assert failed == 0


def test_all_pods_follow_the_file(pods: Pods) -> None:
    unit = next(
        unit
        for unit in (f"unit-{number}" for number in range(UNITS))
        if pods.asked(FIRST, unit).headers["serinus-revision"] == CANARY_REVISION
    )

    pods.file.unlink()

    for address in (FIRST, SECOND):
        awaited(
            lambda address=address: (  # type: ignore[misc]
                pods.asked(address, unit).headers["serinus-revision"] == REVISION
            )
        )
