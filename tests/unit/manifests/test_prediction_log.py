"""Where pods write their log, what they may write, and what tells them how much."""

import json
from typing import Any

import pytest

from serinus.api.prediction_log import PredictionLog
from serinus.api.server import Server
from serinus.manifests.prediction_log import make_log_policy
from serinus.manifests.settings import Settings
from serinus.manifests.workload import ServingRevision, make_server_pod_template


@pytest.mark.parametrize(
    ("given", "policy"),
    [
        ({}, {"samplePercent": 10, "maxAgeSeconds": 2_592_000, "maxSizeBytes": 2 << 30}),
        (
            {"samplePercent": 0, "retention": {"maxAge": "36h", "maxSize": "100M"}},
            {"samplePercent": 0, "maxAgeSeconds": 129_600, "maxSizeBytes": 100_000_000},
        ),
    ],
)
def test_the_policy_says_all_in_plain_numbers(
    given: dict[str, Any], policy: dict[str, float]
) -> None:
    body = make_log_policy("delay", "flights", PredictionLog.model_validate(given))

    assert body["metadata"] == {
        "name": "delay-prediction-log",
        "namespace": "flights",
        "labels": {
            "app.kubernetes.io/managed-by": "serinus",
            "serinus.dev/deployment": "delay",
        },
    }
    assert json.loads(body["data"]["policy.json"]) == policy


def pod_spec(server: dict[str, Any]) -> dict[str, Any]:
    serving = ServingRevision(
        deployment="delay",
        namespace="flights",
        revision="c0ffee0000",
        model_uri="file:///store/models/delay/a",
        model_digest="sha256:a",
        image="serinus-server:1",
        server=Server.model_validate(server),
    )
    template = make_server_pod_template(serving, Settings("serinus-jobs:1", "serinus-server:1"))
    spec: dict[str, Any] = template["spec"]
    return spec


def mounts(spec: dict[str, Any]) -> dict[str, dict[str, Any]]:
    (container,) = spec["containers"]
    return {mount["mountPath"]: mount for mount in container["volumeMounts"]}


def test_a_pod_that_logs_may_write_its_deployment_s_folder_and_no_other() -> None:
    found = mounts(pod_spec({"predictionLog": {}}))

    writable = {path for path, mount in found.items() if not mount.get("readOnly")}
    assert writable == {"/predictions", "/tmp"}
    assert found["/predictions"] == {
        "name": "store",
        "mountPath": "/predictions",
        "subPath": "predictions/delay",
    }
    assert found["/store"]["readOnly"] is True


def test_it_starts_without_a_policy_and_finds_it_where_it_looks() -> None:
    spec = pod_spec({"predictionLog": {}})

    (volume,) = [one for one in spec["volumes"] if one["name"] == "prediction-log"]
    environment = {one["name"]: one.get("value") for one in spec["containers"][0]["env"]}
    assert volume["configMap"] == {"name": "delay-prediction-log", "optional": True}
    assert environment["SERINUS_PREDICTION_LOG"] == "/predictions"
    assert environment["SERINUS_PREDICTION_LOG_POLICY"] == (
        f"{mounts(spec)['/etc/serinus/prediction-log']['mountPath']}/policy.json"
    )


def test_a_pod_that_doesn_t_log_writes_nowhere_in_the_store() -> None:
    spec = pod_spec({})

    assert "/predictions" not in mounts(spec)
    assert "SERINUS_PREDICTION_LOG" not in {one["name"] for one in spec["containers"][0]["env"]}


def test_how_much_is_logged_isn_t_in_the_template() -> None:
    assert pod_spec({"predictionLog": {"samplePercent": 7}}) == pod_spec({"predictionLog": {}})
