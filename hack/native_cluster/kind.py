"""kind: a cluster in a container, where a container engine runs. Checkouts share it by its name."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path

from native_cluster import configuration, layout, tools
from native_cluster.commands import run, succeeds
from native_cluster.sharing import exclusive
from native_cluster.terminal import phase

CLUSTER = "serinus"
HOME = layout.CACHE / "kind"
KUBECONFIG = HOME / "kubeconfig"
AUDIT_LOG = HOME / "logs" / "audit.json"
AUDIT_POLICY = HOME / "audit-policy.yaml"
LOCK_FILE = HOME / "lock"
NODE_LOGS = "/var/log/kubernetes"
NODE_POLICY = "/etc/kubernetes/audit-policy.yaml"
CREATE_TIMEOUT_SECONDS = 600
ENGINES = ("docker", "podman")
PROMETHEUS = "prom/prometheus:v3.15.0"
"""Pulled as the node's own image is, from where the engine looks first; the chart names none."""
PROMETHEUS_IMAGE = f"localhost/serinus/{PROMETHEUS.rpartition('/')[2]}"
"""The same by a name that the chart takes, on the node."""
GATEWAY = "traefik:v3.6.12"
"""The version that hack/tools/traefik builds."""
GATEWAY_IMAGE = f"localhost/serinus/{GATEWAY}"


def engine_runs() -> bool:
    """Whether a container engine answers."""
    return _engine() is not None


def up() -> None:
    """Make the cluster, unless there is one."""
    with exclusive(LOCK_FILE, str(layout.CHECKOUT)):
        if exists():
            _kind("export", "kubeconfig", "--name", CLUSTER, "--kubeconfig", str(KUBECONFIG))
            return
        AUDIT_LOG.parent.mkdir(parents=True, exist_ok=True)
        AUDIT_POLICY.write_text(configuration.audit_policy())
        with tempfile.NamedTemporaryFile("w", suffix=".json") as config, phase("making kind"):
            config.write(cluster_config())
            config.flush()
            where = ("--config", config.name, "--kubeconfig", str(KUBECONFIG))
            _kind("create", "cluster", "--name", CLUSTER, "--wait", "180s", *where)
        _give(PROMETHEUS, PROMETHEUS_IMAGE)


def down() -> None:
    """Delete the cluster."""
    with exclusive(LOCK_FILE, str(layout.CHECKOUT)), phase("deleting the kind cluster"):
        _kind("delete", "cluster", "--name", CLUSTER)


def exists() -> bool:
    """Whether the cluster was made."""
    return CLUSTER in _kind("get", "clusters").split()


def env() -> dict[str, str]:
    """Environment for those who use the cluster, besides how to reach it."""
    return {"SERINUS_AUDIT_LOG": str(AUDIT_LOG), "SERINUS_PROMETHEUS_IMAGE": PROMETHEUS_IMAGE}


def load(archives: list[Path]) -> None:
    """Give the cluster's node images."""
    for archive in archives:
        with phase(f"loading {archive.name}"):
            _kind("load", "image-archive", str(archive), "--name", CLUSTER)


def _engine() -> str | None:
    """The container engine that answers."""
    found = (name for name in ENGINES if shutil.which(name) and succeeds([name, "info"]))
    return next(found, None)


def gateway() -> str:
    """Give the node a gateway's image, and tell the image's reference."""
    _give(GATEWAY, GATEWAY_IMAGE)
    return GATEWAY_IMAGE


def _give(pulled: str, reference: str) -> None:
    """Pull an image and give it to the node by another name."""
    engine = _engine() or ENGINES[0]
    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder) / "image.tar"
        for words in (
            ["pull", "--quiet", pulled],
            ["tag", pulled, reference],
            ["save", "--output", str(archive), reference],
        ):
            run(pulled, [engine, *words], timeout_seconds=CREATE_TIMEOUT_SECONDS)
        load([archive])


def cluster_config() -> str:
    """Render kind's configuration: one node, and an audit log that this machine can read."""
    arguments = {"audit-policy-file": NODE_POLICY, "audit-log-path": f"{NODE_LOGS}/audit.json"}
    policy = {"name": "audit-policy", "hostPath": NODE_POLICY, "mountPath": NODE_POLICY}
    logs = {"name": "audit-logs", "hostPath": NODE_LOGS, "mountPath": NODE_LOGS}
    kubeadm = {
        "apiVersion": "kubeadm.k8s.io/v1beta4",
        "kind": "ClusterConfiguration",
        "apiServer": {
            "extraArgs": [{"name": name, "value": value} for name, value in arguments.items()],
            "extraVolumes": [
                {**policy, "readOnly": True, "pathType": "File"},
                {**logs, "pathType": "DirectoryOrCreate"},
            ],
        },
    }
    node = {
        "role": "control-plane",
        "extraMounts": [
            {"hostPath": str(AUDIT_LOG.parent), "containerPath": NODE_LOGS},
            {"hostPath": str(AUDIT_POLICY), "containerPath": NODE_POLICY, "readOnly": True},
        ],
        "kubeadmConfigPatches": [json.dumps(kubeadm)],
    }
    cluster = {"apiVersion": "kind.x-k8s.io/v1alpha4", "kind": "Cluster", "nodes": [node]}
    return json.dumps(cluster, indent=1)


def _kind(*words: str) -> str:
    program = shutil.which("kind")
    if program is None:
        tools.ensure((tools.KIND,))
        program = str(tools.path_of(tools.KIND))
    return run("kind", [program, *words], timeout_seconds=CREATE_TIMEOUT_SECONDS)
