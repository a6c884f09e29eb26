"""Objects that every cluster needs: rights for DNS, the default storage class, volumes."""

from __future__ import annotations

import json
import shutil
from typing import Any

from native_cluster import layout, pki, tools
from native_cluster.commands import run

STORAGE_CLASS = "standard"


def apply_all() -> None:
    """Apply the objects and make free volumes up to the wanted number."""
    _kubectl(
        "apply",
        "--server-side",
        "--field-manager=hack-cluster",
        "-f",
        "-",
        stdin=json.dumps(_list([_dns_role(), _dns_binding(), _storage_class()])),
    )
    replenish_volumes()


def replenish_volumes() -> None:
    """Make missing volumes, and new ones in place of those whose claim is gone.

    Local volumes can't be made on demand without a controller; a pool made beforehand is as good
    on one machine.
    """
    listed = json.loads(_kubectl("get", "persistentvolumes", "-o", "json"))["items"]
    phases = {item["metadata"]["name"]: item["status"].get("phase") for item in listed}
    wanted = []
    for number in range(layout.VOLUME_COUNT):
        name = f"local-{number:03d}"
        if phases.get(name) in ("Released", "Failed"):
            _kubectl("delete", "persistentvolume", name)
            shutil.rmtree(layout.VOLUMES / name, ignore_errors=True)
            phases.pop(name)
        if name not in phases:
            folder = layout.VOLUMES / name
            folder.mkdir(parents=True, exist_ok=True)
            folder.chmod(0o2777)
            wanted.append(_volume(name))
    if wanted:
        _kubectl(
            "apply",
            "--server-side",
            "--field-manager=hack-cluster",
            "-f",
            "-",
            stdin=json.dumps(_list(wanted)),
        )


def wait_for_node(timeout_seconds: int = 90) -> None:
    """Wait until the node is ready."""
    _kubectl("wait", "--for=create", f"node/{layout.NODE_NAME}", f"--timeout={timeout_seconds}s")
    _kubectl(
        "wait", "--for=condition=Ready", f"node/{layout.NODE_NAME}", f"--timeout={timeout_seconds}s"
    )


def _kubectl(*words: str, stdin: str | None = None) -> str:
    kubectl = tools.path_of(tools.KUBERNETES, "kubectl")
    command = [kubectl, f"--kubeconfig={pki.kubeconfig_of(pki.ADMIN)}", *words]
    return run("kubectl", command, stdin=stdin, timeout_seconds=180)


def _list(items: list[dict[str, Any]]) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "List", "items": items}


def _dns_role() -> dict[str, Any]:
    readable = ["endpoints", "services", "pods", "namespaces"]
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": "serinus:coredns"},
        "rules": [
            {"apiGroups": [""], "resources": readable, "verbs": ["list", "watch"]},
            {
                "apiGroups": ["discovery.k8s.io"],
                "resources": ["endpointslices"],
                "verbs": ["list", "watch"],
            },
        ],
    }


def _dns_binding() -> dict[str, Any]:
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": "serinus:coredns"},
        "roleRef": {
            "apiGroup": "rbac.authorization.k8s.io",
            "kind": "ClusterRole",
            "name": "serinus:coredns",
        },
        "subjects": [
            {
                "apiGroup": "rbac.authorization.k8s.io",
                "kind": "User",
                "name": pki.DNS.common_name,
            }
        ],
    }


def _storage_class() -> dict[str, Any]:
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {
            "name": STORAGE_CLASS,
            "annotations": {"storageclass.kubernetes.io/is-default-class": "true"},
        },
        "provisioner": "kubernetes.io/no-provisioner",
        "volumeBindingMode": "Immediate",
    }


def _volume(name: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name},
        "spec": {
            "capacity": {"storage": "50Gi"},
            "accessModes": ["ReadWriteOnce", "ReadWriteMany", "ReadOnlyMany"],
            "persistentVolumeReclaimPolicy": "Retain",
            "storageClassName": STORAGE_CLASS,
            "hostPath": {"path": str(layout.VOLUMES / name), "type": "DirectoryOrCreate"},
        },
    }
