"""The log of predictions with real pods and a real volume: through restarts all of it adds up."""

import json
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.conftest import image
from tests.cluster.test_rollouts import change
from tests.support import counting_client, small_model
from tests.support.live_cluster import KubectlError, Namespace, condition

pytestmark = pytest.mark.timeout(480)

SERVING = "serinus.dev/deployment=points,serinus.dev/revision"
LOAD_SECONDS = 60
CONNECTIONS = 6
READ_THE_LOG = """
import json, polars
log = polars.read_parquet("/data/predictions/points/*/*.parquet")
print(json.dumps({
    "rows": len(log),
    "different": log.select("prediction_id", "row").n_unique(),
    "inputs": log.select((polars.col("input_x1").is_between(0, 1)).all()).item(),
    "revisions": log["revision"].unique().to_list(),
}))
"""


class Followed:
    """What the pods of a Deployment log, to their last line."""

    def __init__(self, namespace: Namespace, folder: Path) -> None:
        self._namespace = namespace
        self._folder = folder
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def begin(self) -> None:
        """Follow each pod that isn't followed yet."""
        for name in self._namespace.pods_of("points"):
            if name not in self._processes:
                with (self._folder / name).open("wb") as output:
                    command = ["kubectl", "-n", self._namespace.name, "logs", "-f", name]
                    self._processes[name] = subprocess.Popen(command, stdout=output)

    def last_lines(self) -> list[dict[str, Any]]:
        """The final counts of all pods, which have ended."""
        for process in self._processes.values():
            process.wait(60)
        found = []
        for name in self._processes:
            lines = [
                json.loads(line)
                for line in (self._folder / name).read_text().splitlines()
                if line.startswith("{")
            ]
            found += [line for line in lines if line["message"] == "model server ended"]
        assert len(found) == len(self._processes)
        return found

    def end(self) -> None:
        for process in self._processes.values():
            process.kill()


@contextmanager
def following(namespace: Namespace, folder: Path) -> Iterator[Followed]:
    followed = Followed(namespace, folder)
    followed.begin()
    try:
        yield followed
    finally:
        followed.end()


def logs(namespace: Namespace, pod: str) -> str:
    return namespace.kubectl("logs", pod)


def ended(namespace: Namespace, pod: str, within_seconds: float) -> dict[str, Any]:
    """What a pod that runs to its end said last."""
    namespace.wait_for(
        "pod", pod, "done", lambda it: it["status"].get("phase") == "Succeeded", within_seconds
    )
    said: dict[str, Any] = json.loads(logs(namespace, pod).splitlines()[-1])
    return said


def restarted_one_by_one(namespace: Namespace, followed: Followed) -> None:
    """Delete each pod once; the next only when all are ready again."""
    for name in namespace.pods_of("points"):
        namespace.kubectl("delete", "pod", name, "--wait=false")
        namespace.wait_until(
            f"{name} is replaced", lambda name=name: _is_replaced(namespace, name), 90
        )
        followed.begin()


def _is_replaced(namespace: Namespace, name: str) -> bool:
    """Whether two pods are ready, none of them `name`."""
    pods = [
        pod for pod in namespace.list("pods", SERVING) if "deletionTimestamp" not in pod["metadata"]
    ]
    ready = [pod["metadata"]["name"] for pod in pods if condition(pod, "Ready")[0] == "True"]
    return name not in ready and len(ready) == 2


def policy_in(namespace: Namespace, pod: str) -> dict[str, Any]:
    """The policy as a pod sees it."""
    text = namespace.kubectl("exec", pod, "--", "cat", "/etc/serinus/prediction-log/policy.json")
    said: dict[str, Any] = json.loads(text)
    return said


def test_through_a_rolling_restart_no_request_fails_and_each_row_is_in_the_log(
    data: Namespace, tmp_path: Path
) -> None:
    server = {
        "resources": {"requests": {"cpu": "20m", "memory": "96Mi"}},
        "predictionLog": {"samplePercent": 100},
    }
    data.apply(
        small_model.feature_set(),
        small_model.training_job("first"),
        small_model.deployment("points", "first-1", server=server),
    )
    data.wait_for(
        "mdep", "points", "healthy", lambda it: it.get("status", {}).get("phase") == "Healthy", 180
    )
    for pod in data.pods_of("points"):
        data.wait_until("it knows the sample", lambda pod=pod: "sampled" in logs(data, pod), 120)
    script = Path(counting_client.__file__)
    arguments = ("points", str(LOAD_SECONDS), str(CONNECTIONS))
    with following(data, tmp_path) as followed:
        data.apply(*small_model.script_to_its_end("client", image("jobs"), script, *arguments))
        data.wait_until("it asks", lambda: "asking" in logs_if_any(data, "client"), 60)
        restarted_one_by_one(data, followed)
        got = ended(data, "client", LOAD_SECONDS + 60)
        pods = data.pods_of("points")
        change(data, server={"predictionLog": {"samplePercent": 50}})
        for pod in pods:
            data.wait_until(
                "the sample has come", lambda pod=pod: policy_in(data, pod)["samplePercent"] == 50
            )
        after = data.pods_of("points")
        with pytest.raises(KubectlError, match="Read-only file system"):
            data.kubectl("exec", next(iter(pods)), "--", "touch", "/store/not-mine")
        data.kubectl("delete", "mdep", "points", "--wait=true")
        data.wait_until("all pods are gone", lambda: not data.list("pods", SERVING), 90)
        counts = followed.last_lines()
    data.apply(small_model.store_reader("reader", image("jobs"), READ_THE_LOG))
    log = ended(data, "reader", 60)

    assert {kind for kind in got if kind.startswith("broken")} == set()
    assert got["sent"] == got["200"] > 500
    assert len(counts) == 4
    requests: Counter[str] = Counter()
    rows: Counter[str] = Counter()
    for one in counts:
        requests.update(one["requests"])
        rows.update(one["prediction_log_rows"])
    assert +requests == Counter({"200": got["200"]})
    assert sum(one["predictions"] for one in counts) == got["rows"]
    assert +rows == Counter(written=got["rows"])
    assert (log["rows"], log["different"], log["inputs"]) == (got["rows"], got["rows"], True)
    assert len(log["revisions"]) == 1
    assert after == pods


def logs_if_any(namespace: Namespace, pod: str) -> str:
    """What a pod has logged; nothing before its container runs."""
    try:
        return logs(namespace, pod)
    except KubectlError:
        return ""
