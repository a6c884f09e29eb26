"""What users say to the chart, and what Helm makes of it."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from serinus.api.tracing import collectors_of
from serinus.hooks.declared import hooks_of
from serinus.notices.sinks import sinks_of
from tests.support.api_server import ROOT
from tests.support.chart import NAMESPACE, REGISTRY, Body, helm_template, rendered

TEMPLATES = ROOT / "charts" / "serinus" / "metric-templates"


def pods(manifests: list[Body]) -> dict[str, Body]:
    """Specs of the pods that the chart itself makes, by name."""
    return {
        one["metadata"]["name"]: one["spec"]["template"]["spec"]
        for one in manifests
        if one["kind"] == "Deployment"
    }


def image(pod: Body) -> str:
    return str(pod["containers"][0]["image"])


def told(pod: Body) -> dict[str, str]:
    """What a pod's environment says."""
    return {one["name"]: one["value"] for one in pod["containers"][0]["env"] if "value" in one}


def test_without_a_registry_nothing_is_installed_and_the_value_is_named() -> None:
    answer = helm_template()

    assert answer.returncode != 0
    assert "names no registry. Set image.registry" in answer.stderr


def test_all_images_come_from_the_registry_that_the_user_names() -> None:
    made = pods(rendered())
    operator = told(made["serinus"])

    assert image(made["serinus"]) == f"{REGISTRY}/serinus/operator:0.1.0"
    assert operator["SERINUS_JOBS_IMAGE"] == f"{REGISTRY}/serinus/jobs:0.1.0"
    assert operator["SERINUS_SERVER_IMAGE"] == f"{REGISTRY}/serinus/server:0.1.0"
    assert image(made["serinus-prometheus"]).startswith(f"{REGISTRY}/prometheus/prometheus:")


@pytest.mark.parametrize(
    ("named", "used"),
    [
        ("other.example.com/operator:2", "other.example.com/operator:2"),
        ("registry:5000/operator:2", "registry:5000/operator:2"),
        ("localhost/serinus/operator:2", "localhost/serinus/operator:2"),
        ("operator:2", f"{REGISTRY}/operator:2"),
        ("mine/operator@sha256:1234", f"{REGISTRY}/mine/operator@sha256:1234"),
    ],
)
def test_an_image_may_name_a_registry_of_its_own(named: str, used: str) -> None:
    assert image(pods(rendered(f"image.operator={named}"))["serinus"]) == used


def test_pull_secrets_reach_all_pods() -> None:
    secrets = [{"name": "registry-key"}, {"name": "mirror-key"}]
    made = pods(
        rendered(*(f"imagePullSecrets[{n}].name={s['name']}" for n, s in enumerate(secrets)))
    )

    assert all(pod["imagePullSecrets"] == secrets for pod in made.values())
    assert told(made["serinus"])["SERINUS_IMAGE_PULL_SECRETS"] == "registry-key,mirror-key"


@pytest.mark.parametrize(
    ("setting", "field"),
    [
        ("imagePullSecrets[0]=registry-key", "imagePullSecrets"),
        ("prometheus.url=http://ada:secret@prometheus:9090", "prometheus"),
        ("image.regsitry=registry.example.com", "regsitry"),
        ("store.accessMode=ReadWriteSome", "accessMode"),
        ("recordExport.schedule=daily", "recordExport"),
        ("notices[0].name=ops", "notices"),
        ("hooks[0].name=board", "hooks"),
        ("traceCollectors[0].name=platform", "traceCollectors"),
    ],
)
def test_a_value_that_can_t_be_meant_is_refused_by_name(setting: str, field: str) -> None:
    answer = helm_template(setting)

    assert answer.returncode != 0
    assert field in answer.stderr


def test_addresses_of_notices_come_from_secrets_that_only_the_pod_mounts() -> None:
    settings = ("name=ops", "type=slack", "secret.name=hooks", "secret.key=ops", "actions={hold}")
    pod = pods(rendered(*(f"notices[0].{one}" for one in settings)))["serinus"]

    (sink,) = sinks_of(told(pod)["SERINUS_NOTICES"])
    (volume,) = [one for one in pod["volumes"] if one["name"] == "notices-ops"]
    (mount,) = [one for one in pod["containers"][0]["volumeMounts"] if one["name"] == "notices-ops"]
    assert (sink.name, sink.type, sink.actions) == ("ops", "slack", ("hold",))
    assert volume["secret"] == {
        "secretName": "hooks",
        "items": [{"key": "ops", "path": "url"}],
        "optional": True,
    }
    assert str(sink.url_file) == f"{mount['mountPath']}/url"
    assert "SERINUS_NOTICES" not in told(pods(rendered())["serinus"])


def test_collectors_of_spans_are_told_to_the_operator() -> None:
    settings = ("name=platform", "url=http://collector:4318", "namespaces={team-a}")
    pod = pods(rendered(*(f"traceCollectors[0].{one}" for one in settings)))["serinus"]

    (collector,) = collectors_of(told(pod)["SERINUS_TRACE_COLLECTORS"])
    assert (collector.url, collector.namespaces) == ("http://collector:4318", ("team-a",))
    assert "SERINUS_TRACE_COLLECTORS" not in told(pods(rendered())["serinus"])


def test_addresses_and_headers_of_hooks_come_from_secrets_that_only_the_pod_mounts() -> None:
    settings = (
        "name=board",
        "secret.name=hooks",
        "secret.key=board",
        "headersSecret.name=hooks",
        "headersSecret.key=board-headers",
        "types={confirm-promotion}",
        "metadata.type=gate",
        "intervalSeconds=60",
    )
    pod = pods(rendered(*(f"hooks[0].{one}" for one in settings)))["serinus"]

    (hook,) = hooks_of(told(pod)["SERINUS_HOOKS"])
    (volume,) = [one for one in pod["volumes"] if one["name"] == "hooks-board"]
    (mount,) = [one for one in pod["containers"][0]["volumeMounts"] if one["name"] == "hooks-board"]
    sources = [one["secret"] for one in volume["projected"]["sources"]]
    assert (hook.types, hook.interval_seconds) == (("confirm-promotion",), 60)
    assert hook.metadata == {"type": "gate"}
    assert [(one["name"], one["items"], one["optional"]) for one in sources] == [
        ("hooks", [{"key": "board", "path": "url"}], True),
        ("hooks", [{"key": "board-headers", "path": "headers"}], True),
    ]
    assert str(hook.url_file) == f"{mount['mountPath']}/url"
    assert str(hook.headers_file) == f"{mount['mountPath']}/headers"
    assert "SERINUS_HOOKS" not in told(pods(rendered())["serinus"])


def scrape_jobs(manifests: list[Body]) -> dict[str, Body]:
    [config] = [
        yaml.safe_load(one["data"]["prometheus.yaml"])
        for one in manifests
        if one["kind"] == "ConfigMap" and "prometheus.yaml" in one["data"]
    ]
    return {job["job_name"]: job for job in config["scrape_configs"]}


def labels_of(manifests: list[Body], name: str) -> dict[str, str]:
    [one] = [it for it in manifests if (it["kind"], it["metadata"]["name"]) == ("Deployment", name)]
    return dict(one["spec"]["template"]["metadata"]["labels"])


def test_its_prometheus_scrapes_the_model_servers_and_the_operator() -> None:
    manifests = rendered()
    jobs = scrape_jobs(manifests)
    [operator] = jobs["serinus-operator"]["kubernetes_sd_configs"]
    wanted = dict(one.split("=") for one in operator["selectors"][0]["label"].split(","))

    assert "namespaces" not in jobs["serinus-model-servers"]["kubernetes_sd_configs"][0]
    assert operator["namespaces"] == {"names": [NAMESPACE]}
    assert wanted.items() <= labels_of(manifests, "serinus").items()
    assert not wanted.items() <= labels_of(manifests, "serinus-prometheus").items()
    assert jobs["serinus-operator"]["honor_labels"] is True


def test_a_server_that_isn_t_ours_is_scraped_where_it_says() -> None:
    keep, path, *_ = scrape_jobs(rendered())["serinus-model-servers"]["relabel_configs"]

    def kept(annotation: str, port: str) -> bool:
        return re.fullmatch(keep["regex"], f"{annotation};{port}") is not None

    assert [one.rpartition("_annotation_")[2] for one in keep["source_labels"]] == [
        "serinus_dev_metrics_port", "__meta_kubernetes_pod_container_port_name",
    ]  # fmt: skip
    assert kept("", "http")
    assert kept("http", "http")
    assert kept("metrics", "metrics")
    assert not kept("metrics", "http")
    assert not kept("none", "http")
    assert path["target_label"] == "__metrics_path__"


def granted(manifests: list[Body], service_account: str) -> Iterator[tuple[str, Any]]:
    """Where a service account has rights, with the rules; the whole cluster is no namespace."""
    rules = {
        (one["metadata"].get("namespace", ""), one["metadata"]["name"]): one["rules"]
        for one in manifests
        if one["kind"] in ("Role", "ClusterRole")
    }
    for one in manifests:
        subjects = [subject["name"] for subject in one.get("subjects", ())]
        if service_account in subjects:
            namespace = one["metadata"].get("namespace", "")
            place = namespace if one["roleRef"]["kind"] == "Role" else ""
            yield namespace, rules[place, one["roleRef"]["name"]]


def test_with_named_namespaces_rights_are_given_there_only() -> None:
    manifests = rendered("watchNamespaces={team-a,team-b}")
    prometheus = [place for place, _ in granted(manifests, "serinus-prometheus")]

    assert sorted(prometheus) == [NAMESPACE, "team-a", "team-b"]
    [servers] = scrape_jobs(manifests)["serinus-model-servers"]["kubernetes_sd_configs"]
    assert servers["namespaces"] == {"names": ["team-a", "team-b"]}


def test_the_library_of_metrics_comes_along_as_it_is_written() -> None:
    [library] = rendered(only=("metric-templates",))
    written = {one.stem: one.read_text() for one in TEMPLATES.glob("*.yaml")}

    assert library["metadata"]["labels"]["serinus.dev/metric-templates"] == "true"
    assert library["data"] == written


@pytest.mark.parametrize(
    ("namespaces", "named"), [("team-a", True), (f"team-a,{NAMESPACE}", False), ("", False)]
)
def test_the_shared_library_may_be_read_also_where_the_operator_watches_elsewhere(
    namespaces: str, named: bool
) -> None:
    settings = [f"watchNamespaces={{{namespaces}}}"] if namespaces else []
    roles = {
        one["metadata"]["name"]: one["rules"]
        for one in rendered(*settings, only=("rbac",))
        if one["kind"] == "Role" and one["metadata"]["namespace"] == NAMESPACE
    }
    reading = {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list"]}

    assert roles.get("serinus-metric-templates") == ([reading] if named else None)


def test_another_scrape_interval_restarts_prometheus() -> None:
    def checksum(*settings: str) -> str:
        [one] = [
            it["spec"]["template"]["metadata"]["annotations"]["checksum/config"]
            for it in rendered(*settings, only=["prometheus"])
            if it["kind"] == "Deployment"
        ]
        return str(one)

    assert checksum() == checksum()
    assert checksum() != checksum("prometheus.scrapeInterval=30s")
    assert checksum() != checksum("watchNamespaces={team-a}")


def exports(*settings: str) -> list[Body]:
    return [one for one in rendered(*settings) if one["metadata"]["name"].endswith("record-export")]


def test_records_are_exported_where_the_user_says_and_nowhere_else() -> None:
    made = exports("recordExport.namespaces={flights,trains}")

    assert exports() == []
    assert sorted((one["kind"], one["metadata"]["namespace"]) for one in made) == [
        (kind, namespace)
        for kind in ("CronJob", "Role", "RoleBinding", "ServiceAccount")
        for namespace in ("flights", "trains")
    ]


def test_an_export_may_list_config_maps_and_nothing_else() -> None:
    [role] = [one for one in exports("recordExport.namespaces={flights}") if one["kind"] == "Role"]

    assert role["rules"] == [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["list"]}]


@pytest.mark.parametrize(("mode", "beside"), [("ReadWriteOnce", True), ("ReadWriteMany", False)])
def test_an_export_goes_where_the_store_can_be_mounted(mode: str, beside: bool) -> None:
    made = exports("recordExport.namespaces={flights}", f"store.accessMode={mode}")
    [job] = [one for one in made if one["kind"] == "CronJob"]

    template = job["spec"]["jobTemplate"]["spec"]["template"]
    assert ("affinity" in template["spec"]) is beside
    assert template["metadata"]["labels"]["serinus.dev/store"] == "serinus-store"
