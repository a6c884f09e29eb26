"""Under load and through its end nothing is lost: what clients sent is what they got, what the pod
counted, and what stands in its log.
"""

import json
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from serinus_runtime.artifact.packaging import Packaged
from serinus_runtime.prediction_log.files import files_in
from serinus_runtime.prediction_log.logged import is_sampled
from tests.support.model_servers import ServerProcess, server_process
from tests.support.parquet_readers import by_pyarrow
from tests.support.steady_clients import Balancer, Seen, load, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

REQUESTS = 1500


def logging_settings(folder: Path, pod: str, percent: int = 100) -> dict[str, str]:
    folder.mkdir(exist_ok=True)
    policy = folder.with_name("policy.json")
    said = {"samplePercent": percent, "maxAgeSeconds": 86400 * 9, "maxSizeBytes": 1 << 30}
    policy.write_text(json.dumps(said))
    return {
        "PREDICTION_LOG": str(folder),
        "PREDICTION_LOG_POLICY": str(policy),
        "PREDICTION_LOG_SECONDS": "1",
        "POD_NAME": pod,
        "POD_UID": pod,
        "DRAIN_SECONDS": "1",
        "CONNECTION_MAX_AGE_SECONDS": "1",
    }


def final_counts(server: ServerProcess) -> dict[str, Any]:
    assert server.exit_code() == 0
    return next(line for line in server.lines() if line["message"] == "model server ended")


def rolled(
    package: Packaged, store: Path, folder: Path, *, percent: int = 100
) -> tuple[list[Seen], list[dict[str, Any]]]:
    """Three pods, one after the other, under load: what clients saw, and the pods' last lines."""
    counts = []
    with ExitStack() as pods:

        def pod(number: int) -> ServerProcess:
            settings = logging_settings(folder, f"pod-{number}", percent)
            return pods.enter_context(server_process(package, store, **settings))

        serving = pod(0)
        balancer = Balancer(serving.port)
        with load(balancer) as seen:
            for number in (1, 2):
                wait_for(seen, REQUESTS)
                following = pod(number)
                balancer.port = following.port
                serving.told_to_end()
                counts.append(final_counts(serving))
                serving = following
            wait_for(seen, REQUESTS)
        serving.told_to_end()
        counts.append(final_counts(serving))
    return seen, counts


def summed(counts: list[dict[str, Any]], field_name: str) -> Counter[str]:
    found: Counter[str] = Counter()
    for one in counts:
        found.update(one[field_name])
    return found


def test_a_rolling_restart_under_load_fails_no_request_and_loses_no_count(
    two_classes: Packaged, store: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "log"

    seen, counts = rolled(two_classes, store, folder)

    assert [failure for one in seen for failure in one.failures] == []
    statuses = sum((one.statuses for one in seen), Counter())
    assert sum(one.sent for one in seen) == statuses.total() >= 3 * REQUESTS
    assert set(statuses) == {200, 400}
    answered = Counter({str(code): count for code, count in statuses.items()})
    assert +summed(counts, "requests") == answered
    assert sum(one["requests_unread"] for one in counts) == 0
    assert all(sum(one["requests"].values()) > 0 for one in counts)
    got = Counter(dict(one for client in seen for one in client.ids))
    assert len(got) == statuses[200]
    assert sum(one["predictions"] for one in counts) == got.total()
    assert +summed(counts, "prediction_log_rows") == Counter(written=got.total())
    assert rows_by_id(folder) == got


def rows_by_id(folder: Path) -> Counter[str]:
    """How many rows stand in the log under each prediction id; none of them twice."""
    found = [
        one
        for file in files_in(folder)
        for table in [by_pyarrow(file.path.read_bytes())]
        for one in zip(table["prediction_id"], table["row"], strict=True)
    ]
    assert len(found) == len(set(found))
    return Counter(one for one, _ in found)


def test_of_a_sample_each_row_is_where_its_id_says(
    two_classes: Packaged, store: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "log"

    seen, counts = rolled(two_classes, store, folder, percent=30)

    got = dict(one for client in seen for one in client.ids)
    sampled = Counter({one: rows for one, rows in got.items() if is_sampled(one, 30)})
    assert rows_by_id(folder) == sampled
    assert +summed(counts, "prediction_log_rows") == Counter(
        written=sampled.total(), unsampled=sum(got.values()) - sampled.total()
    )
