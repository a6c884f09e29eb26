"""Several workers are one pod: for its clients, in its counts, and in how it ends."""

import os
import signal
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from sklearn.neighbors import KNeighborsClassifier

from serinus_runtime.artifact.packaging import Packaged
from serinus_runtime.prediction_log.files import files_in
from serinus_runtime.server.inference_service import SERVICE
from serinus_runtime.server.main import EXIT_REFUSED
from serinus_runtime.server.worker_lives import SHORT_LIVES_MAX
from tests.support.flight_requests import ROW
from tests.support.inference_calls import typed
from tests.support.model_servers import (
    DEADLINE_SECONDS,
    ServerProcess,
    environment,
    free_port,
    logged,
    metric,
    server_process,
    started,
)
from tests.support.parquet_readers import by_pyarrow
from tests.support.steady_clients import ROWS, Balancer, Seen, load, wait_for
from tests.support.trained_models import fitted, flights, one_hot, packaged

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

REQUESTS = 1500
MANY_CLIENTS = 24
LABELLED = 60
CHANNELS = 40


def awaited(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def worker_pids(server: ServerProcess) -> dict[int, int]:
    """The newest process of each worker."""
    found = [line for line in server.lines() if line["message"] == "worker started"]
    return {line["worker"]: line["pid"] for line in found}


def scraped(server: ServerProcess) -> str:
    return httpx.get(f"{server.url}/metrics").text


def final_counts(server: ServerProcess) -> dict[str, Any]:
    assert server.exit_code() == 0
    return next(line for line in server.lines() if line["message"] == "model server ended")


def summed(seen: list[Seen]) -> Counter[str]:
    answered: Counter[int] = sum((one.statuses for one in seen), Counter())
    return Counter({str(code): count for code, count in answered.items()})


@pytest.mark.parametrize("workers", [2, 4])
def test_all_workers_answer_and_what_they_answered_is_what_the_pod_counts(
    two_classes: Packaged, store: Path, workers: int
) -> None:
    settings = {
        "WORKERS": str(workers),
        "DRAIN_SECONDS": "1",
        "CONNECTION_MAX_REQUESTS": "5",  # so many connections that each worker has some
    }
    with server_process(two_classes, store, **settings) as server:
        with load(Balancer(server.port), MANY_CLIENTS) as seen:
            wait_for(seen, REQUESTS)
        told = scraped(server)
        server.told_to_end()
        counts = final_counts(server)
        each = [line for line in server.lines() if line["message"] == "worker ended"]

    assert [failure for one in seen for failure in one.failures] == []
    answered = summed(seen)
    assert +Counter(counts["requests"]) == answered
    for code, count in answered.items():
        assert metric(told, "serinus_requests_total", code=code) == count
    assert metric(told, "serinus_request_duration_seconds_count") == answered.total()
    rows = sum(rows for one in seen for _, rows in one.ids)
    assert metric(told, "serinus_predictions_total") == rows == counts["predictions"]
    assert len(each) == workers
    assert all(one["requests"]["200"] > 0 for one in each)
    ids = [identity for one in seen for identity, _ in one.ids]
    assert len(ids) == len(set(ids)) == answered["200"]


def killed_under_load(
    package: Packaged, store: Path, folder: Path, workers: int
) -> tuple[list[Seen], list[float], dict[str, Any]]:
    """One worker killed: what clients saw, the scraped counts on the way, the pod's last ones."""
    folder.mkdir()
    policy = folder.with_name("policy.json")
    policy.write_text('{"samplePercent": 100, "maxAgeSeconds": 864000, "maxSizeBytes": 1073741824}')
    settings = {
        "WORKERS": str(workers),
        "DRAIN_SECONDS": "1",
        "POD_NAME": "a-pod",
        "PREDICTION_LOG": str(folder),
        "PREDICTION_LOG_POLICY": str(policy),
        "PREDICTION_LOG_SECONDS": "1",
    }
    counted = []
    with server_process(package, store, **settings) as server:
        with load(Balancer(server.port), MANY_CLIENTS) as seen:
            wait_for(seen, REQUESTS)
            counted.append(metric(scraped(server), "serinus_requests_total", code="200") or 0)
            victim = worker_pids(server)[1]
            os.kill(victim, signal.SIGKILL)
            awaited(lambda: worker_pids(server)[1] != victim)
            counted.append(metric(scraped(server), "serinus_requests_total", code="200") or 0)
            wait_for(seen, REQUESTS)
        told = scraped(server)
        counted.append(metric(told, "serinus_requests_total", code="200") or 0)
        assert metric(told, "serinus_worker_deaths_total") == 1
        server.told_to_end()
        return seen, counted, final_counts(server)


@pytest.mark.parametrize("workers", [2, 4])
def test_a_killed_worker_takes_its_open_requests_along_and_no_count(
    two_classes: Packaged, store: Path, tmp_path: Path, workers: int
) -> None:
    folder = tmp_path / "log"

    seen, counted, counts = killed_under_load(two_classes, store, folder, workers)

    failures = [len(one.failures) for one in seen]
    assert max(failures) <= 1
    assert sum(failures) < MANY_CLIENTS
    answered, in_all = summed(seen), Counter(counts["requests"])
    for code in ("200", "400"):
        assert answered[code] <= in_all[code] <= answered[code] + sum(failures)
    assert counted == sorted(counted)
    assert counted[0] > 0
    assert counts["worker_deaths"] == 1
    rows = counts["prediction_log_rows"]
    # The one request that was being counted may have been so in part.
    assert 0 <= counts["predictions"] - rows["written"] - rows["dropped"] <= max(ROWS)
    in_log = [one for file in files_in(folder) for one in by_pyarrow(file.path.read_bytes())["row"]]
    assert rows["written"] <= len(in_log) <= counts["predictions"]


def test_labels_count_once_whichever_worker_gets_them_also_after_a_death(
    two_classes: Packaged, store: Path
) -> None:
    with server_process(two_classes, store, WORKERS="4", POD_IP="127.0.0.1") as server:
        ids = [
            httpx.post(f"{server.url}/predict", json={"rows": flights(1, seed=n)}).json()["id"]
            for n in range(LABELLED)
        ]

        def told(identity: str) -> dict[str, int]:
            said: dict[str, int] = httpx.post(
                f"{server.url}/feedback", json={"id": identity, "labels": [True]}
            ).json()
            return said

        first = [told(identity) for identity in ids]
        victim = worker_pids(server)[0]
        os.kill(victim, signal.SIGKILL)
        awaited(lambda: worker_pids(server)[0] != victim)
        again = [told(identity) for identity in ids]
        text = scraped(server)

    assert sum(one["counted"] for one in first) == LABELLED
    assert sum(one["repeated"] for one in again) == LABELLED
    labels = [
        float(line.rsplit(" ", 1)[1])
        for line in text.splitlines()
        if line.startswith("serinus_labels_total{")
    ]
    assert sum(labels) == LABELLED
    assert metric(text, "serinus_labels_repeated_total") == LABELLED


def test_a_pod_of_several_workers_is_replaced_under_load_without_a_failure(
    two_classes: Packaged, store: Path
) -> None:
    settings = {"WORKERS": "2", "DRAIN_SECONDS": "1", "CONNECTION_MAX_AGE_SECONDS": "1"}
    with (
        server_process(two_classes, store, **settings) as before,
        server_process(two_classes, store, **settings) as after,
    ):
        balancer = Balancer(before.port)
        with load(balancer) as seen:
            wait_for(seen, REQUESTS)
            balancer.port = after.port
            before.told_to_end()
            counts = [final_counts(before)]
            wait_for(seen, REQUESTS)
        after.told_to_end()
        counts.append(final_counts(after))

    assert [failure for one in seen for failure in one.failures] == []
    in_all = sum((Counter(one["requests"]) for one in counts), Counter())
    assert in_all == summed(seen)


def test_the_pod_isnt_ready_from_the_moment_it_is_told_to_end(
    two_classes: Packaged, store: Path
) -> None:
    with server_process(two_classes, store, WORKERS="2", DRAIN_SECONDS="60") as server:
        ready = httpx.get(f"{server.url}/readyz").status_code
        server.told_to_end()
        awaited(lambda: httpx.get(f"{server.url}/readyz").status_code == 503)
        still = httpx.post(f"{server.url}/predict", json={"rows": flights(1, seed=1)})
        server.told_to_end()
        code = server.exit_code()

    assert (ready, still.status_code, code) == (200, 200, 0)


def test_a_worker_that_keeps_dying_ends_the_pod(two_classes: Packaged, store: Path) -> None:
    with server_process(two_classes, store, WORKERS="2", DRAIN_SECONDS="0") as server:
        for lives in range(1, SHORT_LIVES_MAX + 1):
            awaited(lambda n=lives: times(server, "worker started", 0) == n)  # type: ignore[misc]
            os.kill(worker_pids(server)[0], signal.SIGKILL)
            awaited(lambda n=lives: times(server, "worker died", 0) == n)  # type: ignore[misc]
        code = server.exit_code()

    assert code == 1
    assert "worker 0 can't stay up; the pod ends" in [one["message"] for one in server.lines()]


def times(server: ServerProcess, message: str, worker: int) -> int:
    """How often it was said of a worker."""
    said = [one for one in server.lines() if one["message"] == message]
    return len([one for one in said if one["worker"] == worker])


def test_without_the_process_that_counts_labels_the_pod_ends(
    two_classes: Packaged, store: Path
) -> None:
    with server_process(two_classes, store, WORKERS="2", DRAIN_SECONDS="0") as server:
        parent = server.process.pid
        children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
        (books,) = {int(one) for one in children} - set(worker_pids(server).values())
        os.kill(books, signal.SIGKILL)
        code = server.exit_code()

    assert code == 1


def test_no_process_outlives_a_supervisor_that_was_killed(
    two_classes: Packaged, store: Path
) -> None:
    with server_process(two_classes, store, WORKERS="2", DRAIN_SECONDS="0") as server:
        parent = server.process.pid
        children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
        server.process.kill()
        server.process.wait()
        awaited(lambda: not any(_runs(int(one)) for one in children))

    assert len(children) == 3


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_calls_over_grpc_are_answered_by_all_workers_and_counted_by_the_pod(
    two_classes: Packaged, store: Path
) -> None:
    port = free_port()
    message = typed([ROW]).SerializeToString()
    settings = {"WORKERS": "2", "GRPC_PORT": str(port), "DRAIN_SECONDS": "0"}
    with server_process(two_classes, store, **settings) as server:
        for _ in range(CHANNELS):
            alone = [("grpc.use_local_subchannel_pool", 1)]
            with grpc.insecure_channel(f"127.0.0.1:{port}", options=alone) as channel:
                channel.unary_unary(f"/{SERVICE}/ModelInfer")(message, timeout=DEADLINE_SECONDS)
        told = scraped(server)
        server.told_to_end()
        counts = final_counts(server)
        each = [line for line in server.lines() if line["message"] == "worker ended"]

    assert server.grpc_port == port
    assert metric(told, "serinus_requests_total", code="200") == CHANNELS
    assert counts["requests"]["200"] == CHANNELS
    assert all(one["requests"]["200"] > 0 for one in each)


def test_a_model_that_isnt_compiled_is_loaded_by_each_worker(store: Path) -> None:
    model = packaged(fitted(one_hot(), KNeighborsClassifier(), classes=(False, True)), store)
    with server_process(model, store, WORKERS="2", DRAIN_SECONDS="0") as server:
        with load(Balancer(server.port)) as seen:
            wait_for(seen, CHANNELS)
        server.told_to_end()
        counts = final_counts(server)

    assert model.kind == "native"
    assert [failure for one in seen for failure in one.failures] == []
    assert +Counter(counts["requests"]) == summed(seen)


def private_kib(pid: int) -> int:
    """Memory that a process shares with nobody."""
    rows = [line.split() for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()]
    return sum(int(row[1]) for row in rows if row[0].startswith("Private_"))


def test_a_worker_shares_what_was_loaded_before_it(two_classes: Packaged, store: Path) -> None:
    with server_process(two_classes, store, DRAIN_SECONDS="0") as alone:
        httpx.post(f"{alone.url}/predict", json={"rows": flights(1, seed=1)})
        whole = private_kib(alone.process.pid)
    with server_process(two_classes, store, WORKERS="2", DRAIN_SECONDS="0") as server:
        for _ in range(LABELLED):
            httpx.post(f"{server.url}/predict", json={"rows": flights(1, seed=1)})
        parts = [private_kib(pid) for pid in worker_pids(server).values()]

    assert max(parts) < 0.7 * whole, (whole, parts)


def test_a_port_that_is_taken_is_refused_by_name(
    two_classes: Packaged, store: Path, tmp_path: Path
) -> None:
    with server_process(two_classes, store) as server:
        variables = environment(two_classes, store, WORKERS="2", PORT=str(server.port))
        code = started(tmp_path / "log", variables).wait(DEADLINE_SECONDS)

    assert code == EXIT_REFUSED
    assert f"SERINUS_PORT: {server.port} can't be had" in logged(tmp_path / "log")[-1]["message"]
