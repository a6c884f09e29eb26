"""A revision's workload: golden, because a changed template would restart pods."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from serinus.api.feedback import Feedback
from serinus.api.server import Server
from serinus.api.tracing import TraceCollector
from serinus.manifests.settings import Settings, StoreSettings
from serinus.manifests.workload import (
    ServingRevision,
    cohort_length_seconds,
    make_server_pod_template,
    make_workload,
    revision_labels,
    selector_labels,
)

SETTINGS = Settings("serinus-jobs:1", "serinus-server:1")
SHARED = Settings(
    "serinus-jobs:1", "serinus-server:1", store=StoreSettings(access_mode="ReadWriteMany")
)
FULL: dict[str, Any] = {
    "runtimeVersion": "2",
    "resources": {"requests": {"cpu": "500m", "memory": "256Mi"}, "limits": {"memory": "512Mi"}},
    "env": [
        {"name": "LOG_LEVEL", "value": "debug"},
        {"name": "TOKEN", "secretKeyRef": {"name": "delay-token", "key": "token"}},
    ],
    "limits": {"rows": 50000, "bodyBytes": 33554432, "concurrency": 64, "timeout": "1500ms"},
    "feedback": {
        "cohortLength": "2s",
        "maturity": "90s",
        "wrongBeyond": "030.0",
        "scores": [
            {"score": "pinball", "bound": "60", "quantile": "0.90"},
            {"score": "absoluteError", "bound": "1200.50"},
        ],
    },
    "onlineFeatures": [{"featureSetRef": {"name": "airports"}}],
    "podTemplate": {
        "metadata": {"labels": {"team": "a", "serinus.dev/revision": "mine"}},
        "spec": {"nodeSelector": {"disk": "fast"}, "imagePullSecrets": [{"name": "pull"}]},
    },
}


def template(server: dict[str, Any] | None = None, settings: Settings = SETTINGS) -> dict[str, Any]:
    serving = ServingRevision(
        deployment="delay",
        namespace="flights",
        revision="c0ffee0000",
        model_uri="file:///store/models/delay/" + "a" * 64,
        model_digest="sha256:" + "a" * 64,
        image="serinus-server:1",
        server=Server.model_validate(server or {}),
    )
    return make_server_pod_template(serving, settings)


def workload(**changes: Any) -> dict[str, Any]:
    return make_workload(
        "delay",
        "flights",
        revision="c0ffee0000",
        replicas=3,
        template=template(**changes),
        progress_deadline_seconds=600,
    )


@pytest.mark.parametrize(
    ("name", "changes"),
    [("plain", {"settings": SHARED}), ("full", {"server": FULL})],
)
def test_the_workload_is_what_was_reviewed(
    name: str, changes: dict[str, Any], golden: Callable[[str, str], None]
) -> None:
    text = json.dumps(workload(**changes), indent=2, sort_keys=True) + "\n"

    golden(f"manifests/workload-{name}.json", text)


def test_the_pull_secrets_of_the_chart_reach_the_pods() -> None:
    made = template(settings=replace(SETTINGS, image_pull_secrets=("registry-key",)))

    assert made["spec"]["imagePullSecrets"] == [{"name": "registry-key"}]


def test_the_pods_know_no_role_and_bear_the_labels_that_find_them() -> None:
    labels = workload()["spec"]["template"]["metadata"]["labels"]

    assert selector_labels("delay", "c0ffee0000").items() <= labels.items()
    assert labels.keys() == {*revision_labels("delay", "c0ffee0000"), "serinus.dev/store"}


def test_a_line_for_each_request_is_written_where_it_is_asked_for() -> None:
    def told(server: dict[str, Any]) -> list[str]:
        (container,) = template(server)["spec"]["containers"]
        return [one["value"] for one in container["env"] if one["name"] == "SERINUS_ACCESS_LOG"]

    assert told({"accessLog": {}}) == ["true"]
    assert told({}) == []


@pytest.mark.parametrize(
    ("tracing", "told"),
    [
        ({"collector": "all"}, {"URL": "http://all:4318", "SAMPLE_RATIO": "0.1"}),
        ({"collector": "all", "sampleRatio": "0"}, {"URL": "http://all:4318", "SAMPLE_RATIO": "0"}),
        ({"collector": "others"}, {}),
        ({"collector": "nobody-s"}, {}),
        (None, {}),
    ],
)
def test_spans_go_where_the_platform_lets_the_namespace_send_them(
    tracing: dict[str, Any] | None, told: dict[str, str]
) -> None:
    collectors = (
        TraceCollector(name="all", url="http://all:4318"),
        TraceCollector(name="others", url="http://others:4318", namespaces=("other",)),
    )
    made = template({"tracing": tracing}, replace(SETTINGS, trace_collectors=collectors))
    (container,) = made["spec"]["containers"]

    found = {one["name"]: one["value"] for one in container["env"] if "TRACES" in one["name"]}
    assert found == {f"SERINUS_TRACES_{name}": value for name, value in told.items()}


@pytest.mark.parametrize(
    ("server", "workers", "assigns"),
    [({}, [], 1), ({"workers": 1}, [], 1), ({"workers": 3}, ["3"], 0)],
)
def test_several_workers_are_told_so_and_assign_no_units(
    server: dict[str, Any], workers: list[str], assigns: int
) -> None:
    (container,) = template(server)["spec"]["containers"]

    assert [v["value"] for v in container["env"] if v["name"] == "SERINUS_WORKERS"] == workers
    assert len([v for v in container["env"] if v["name"] == "SERINUS_AB_TEST"]) == assigns


def test_the_pods_are_told_whose_newest_values_complete_requests() -> None:
    def told(server: dict[str, Any]) -> list[str]:
        (container,) = template(server)["spec"]["containers"]
        return [e["value"] for e in container["env"] if e["name"] == "SERINUS_ONLINE_FEATURES"]

    names = [{"featureSetRef": {"name": name}} for name in ("flights", "airports")]
    assert told({"onlineFeatures": names}) == ["flights,airports"]
    assert told({}) == []


def test_who_reads_on_a_server_is_told_by_the_place_of_its_featureset() -> None:
    secret = {"name": "cache", "key": "password"}
    (container,) = template(
        {
            "onlineFeatures": [
                {"featureSetRef": {"name": "flights"}},
                {
                    "featureSetRef": {"name": "airports"},
                    "credentials": {"username": "reader", "passwordSecretRef": secret},
                },
            ]
        }
    )["spec"]["containers"]

    told = [e for e in container["env"] if e["name"].startswith("SERINUS_ONLINE_")]
    assert told[1:] == [
        {"name": "SERINUS_ONLINE_USERNAME_1", "value": "reader"},
        {"name": "SERINUS_ONLINE_PASSWORD_1", "valueFrom": {"secretKeyRef": secret}},
    ]


def test_no_pod_goes_before_another_is_ready() -> None:
    assert workload()["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0


def test_a_label_of_ours_can_t_be_set_by_a_pod_template() -> None:
    labels = template(FULL)["metadata"]["labels"]

    assert labels["serinus.dev/revision"] == "c0ffee0000"
    assert labels["team"] == "a"


def test_a_secret_is_referred_to_and_never_copied() -> None:
    (container,) = template(FULL)["spec"]["containers"]
    (token,) = [one for one in container["env"] if one["name"] == "TOKEN"]

    assert token == {
        "name": "TOKEN",
        "valueFrom": {"secretKeyRef": {"name": "delay-token", "key": "token"}},
    }


@pytest.mark.parametrize(
    ("given", "seconds"),
    [(None, 300), (Feedback(), 300), (Feedback(cohort_length="2s"), 2)],
)
def test_cohorts_last_five_minutes_unless_told(given: Feedback | None, seconds: int) -> None:
    assert cohort_length_seconds(given) == seconds


def test_grpc_is_a_port_and_a_variable_more_and_nothing_else() -> None:
    plain, with_grpc = template({}), template({"grpc": {}})

    (container,) = with_grpc["spec"]["containers"]
    assert container["ports"].pop() == {"name": "grpc", "containerPort": 8001, "protocol": "TCP"}
    container["env"].remove({"name": "SERINUS_GRPC_PORT", "value": "8001"})
    assert with_grpc == plain
