"""Files that the daemons read."""

import json
import tomllib
from pathlib import Path

import pytest

from native_cluster import components, configuration, health, kind, layout, objects


def test_containerd_is_our_own_beside_the_machine_s() -> None:
    parsed = tomllib.loads(configuration.containerd_config())

    assert Path(parsed["root"]).is_relative_to(layout.STATE)
    assert Path(parsed["state"]).is_relative_to(layout.RUN)
    assert Path(parsed["grpc"]["address"]).is_relative_to(layout.RUN)


def test_pods_get_addresses_of_the_pod_range_and_no_host_ports() -> None:
    parsed = json.loads(configuration.cni_config())

    (plugin,) = parsed["plugins"]
    assert plugin["ipam"]["ranges"] == [
        [{"subnet": layout.POD_RANGE, "gateway": layout.POD_GATEWAY}]
    ]


@pytest.mark.parametrize(
    "path", [path for path in configuration.all_texts() if path.suffix in (".json", ".conflist")]
)
def test_each_json_file_parses(path: Path) -> None:
    json.loads(configuration.all_texts()[path])


def test_the_kubelet_leaves_iptables_and_images_alone() -> None:
    parsed = json.loads(configuration.kubelet_config())

    assert parsed["makeIPTablesUtilChains"] is False
    assert parsed["imageGCHighThresholdPercent"] == 100  # no registry could give them back


def test_names_outside_the_cluster_are_denied_at_once() -> None:
    text = configuration.corefile()

    assert "kubernetes cluster.local" in text
    assert "rcode NXDOMAIN" in text
    assert "forward" not in text


def test_writes_are_audited_for_everybody() -> None:
    rules = configuration.audit_policy().split("- level: ")[1:]

    silent = [rule for rule in rules if rule.startswith("None")]
    assert all("verbs: [get, list, watch]" in rule or "nonResourceURLs" in rule for rule in silent)
    assert rules[-1].strip() == "Metadata"


def test_daemons_have_names_of_their_own_and_read_what_is_written() -> None:
    daemons = components.every()
    written = {*configuration.all_texts()}

    assert len({daemon.name for daemon in daemons}) == len(daemons)
    ours = [path for daemon in daemons for path in daemon.reads if path.parent == layout.CONFIG]
    assert all(path in written or path.suffix == ".kubeconfig" for path in ours)


def test_nobody_gets_more_than_a_role_that_is_made_for_it() -> None:
    bindings = [it for it in objects.all_objects() if it["kind"] == "ClusterRoleBinding"]

    assert {it["roleRef"]["name"] for it in bindings} == {
        "serinus:coredns",
        "system:persistent-volume-provisioner",
    }


@pytest.mark.parametrize(
    ("plugins", "problem"),
    [
        ("TYPE ID PLATFORMS STATUS\nio.containerd.grpc.v1 cri linux/amd64 ok\n", None),
        (
            "io.containerd.grpc.v1 cri linux/amd64 error\n",
            "its CRI plugin: error",
        ),
        ("io.containerd.content.v1 content - ok\n", "it has no CRI plugin"),
    ],
)
def test_containerd_is_well_when_its_part_for_kubernetes_is(
    plugins: str, problem: str | None
) -> None:
    assert health.cri_problem(plugins) == problem


def test_kind_writes_its_audit_log_where_env_says() -> None:
    (node,) = json.loads(kind.cluster_config())["nodes"]
    logs, policy = node["extraMounts"]
    (patch,) = (json.loads(text) for text in node["kubeadmConfigPatches"])
    arguments = {it["name"]: it["value"] for it in patch["apiServer"]["extraArgs"]}

    inside = Path(arguments["audit-log-path"])
    assert Path(logs["hostPath"]) / inside.relative_to(logs["containerPath"]) == kind.AUDIT_LOG
    assert policy["containerPath"] == arguments["audit-policy-file"]


def test_kind_s_gateway_is_the_one_that_is_built_elsewhere() -> None:
    version = kind.GATEWAY.rpartition(":")[2]
    module = (layout.TOOL_MODULES / "traefik" / "go.mod").read_text()

    assert f"github.com/traefik/traefik/v3 {version}" in module
    assert kind.GATEWAY_IMAGE.rpartition(":")[2] == version


def test_kind_s_prometheus_bears_a_name_that_the_chart_takes() -> None:
    image = kind.env()["SERINUS_PROMETHEUS_IMAGE"]

    assert image.startswith("localhost/")
    assert image.rpartition(":")[2] == kind.PROMETHEUS.rpartition(":")[2]
