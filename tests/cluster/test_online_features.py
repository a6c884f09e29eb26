"""Newest values in real pods: a request by an entity's id, before and after a newer snapshot."""

import json
from typing import Any

from tests.cluster.conftest import image
from tests.support import small_model
from tests.support.live_cluster import Namespace, condition

RUN_SECONDS = 120
ENTITY = 7
ASK = """
import sys, urllib.request
request = urllib.request.Request("http://127.0.0.1:8080/predict", sys.argv[1].encode())
print(urllib.request.urlopen(request, timeout=10).read().decode())
"""


def rows(seed: int) -> list[list[str]]:
    """Lines of a file, each with the id of its entity behind."""
    header, *lines = small_model.csv(600, seed=seed).splitlines()
    found = [line.split(",") for line in (f"{header},id", *lines)]
    return [found[0], *([*line, f"p{number}"] for number, line in enumerate(found[1:]))]


def text(lines: list[list[str]]) -> str:
    return "\n".join(map(",".join, lines)) + "\n"


def features(file: str) -> dict[str, Any]:
    """The FeatureSet over a file; its rows are old, and may be."""
    made = small_model.feature_set(file=file)
    made["spec"] |= {
        "entities": [{"name": "id", "type": "string"}],
        "online": {"maxStaleness": "36500d"},
    }
    return made


def predicted(namespace: Namespace, pod: str, row: dict[str, Any]) -> Any:
    document = json.dumps({"rows": [row]})
    said = namespace.kubectl("exec", pod, "--", "python", "-c", ASK, document)
    return json.loads(said)["predictions"]


def values_in(lines: list[list[str]]) -> dict[str, float]:
    _, x1, x2, _, _ = lines[1 + ENTITY]
    return {"x1": float(x1), "x2": float(x2)}


def test_an_id_is_answered_by_its_newest_values_and_by_newer_ones_without_a_restart(
    namespace: Namespace,
) -> None:
    first, second = rows(seed=1), rows(seed=2)
    namespace.create(
        *small_model.data_server(
            image("jobs"), {"first.csv": text(first), "second.csv": text(second)}
        )
    )
    namespace.kubectl("wait", "--for=condition=Ready", "pod/data", "--timeout=60s")
    server = {
        "resources": {"requests": {"cpu": "20m", "memory": "96Mi"}},
        "onlineFeatures": [{"featureSetRef": {"name": "points"}}],
    }
    namespace.apply(
        features("first.csv"),
        small_model.training_job("first"),
        small_model.deployment("points", "first-1", replicas=1, server=server),
    )
    namespace.wait_for(
        "mdep",
        "points",
        "healthy",
        lambda it: it.get("status", {}).get("phase") == "Healthy",
        RUN_SECONDS,
    )
    before = namespace.get("fset", "points")
    assert condition(before, "OnlineSynced")[0] == "True"
    assert before["status"]["latestSnapshot"]["onlineEntities"] == len(first) - 1
    (pod,) = namespace.pods_of("points")
    by_id = {"id": f"p{ENTITY}"}
    assert predicted(namespace, pod, by_id) == predicted(namespace, pod, values_in(first))

    namespace.apply(features("second.csv"))

    digest = before["status"]["latestSnapshot"]["digest"]
    namespace.wait_for(
        "fset",
        "points",
        "newer",
        lambda it: it["status"]["latestSnapshot"]["digest"] != digest,
        RUN_SECONDS,
    )
    wanted = predicted(namespace, pod, values_in(second))
    namespace.wait_until("the pod follows", lambda: predicted(namespace, pod, by_id) == wanted, 60)
    assert list(namespace.pods_of("points")) == [pod]
    (status,) = namespace.get("pod", pod)["status"]["containerStatuses"]
    assert status["restartCount"] == 0
