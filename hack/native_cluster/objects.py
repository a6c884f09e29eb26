"""Objects that every cluster needs: rights for DNS, the default storage class."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from native_cluster import layout, pki, tools
from native_cluster.commands import run


def apply_all() -> None:
    """Apply the objects."""
    _kubectl(
        "apply",
        "--server-side",
        "--force-conflicts",
        "--field-manager=hack-cluster",
        "-f",
        "-",
        stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": all_objects()}),
    )


def all_objects() -> list[dict[str, Any]]:
    """Render the objects."""
    return [
        _dns_role(),
        _binding(pki.DNS, "serinus:coredns"),
        _binding(pki.VOLUME_PROVISIONER, "system:persistent-volume-provisioner"),
        _storage_class(),
    ]


def wait_for_node(timeout_seconds: int = 90) -> None:
    """Wait until the node is ready."""
    _kubectl("wait", "--for=create", f"node/{layout.NODE_NAME}", f"--timeout={timeout_seconds}s")
    _kubectl(
        "wait", "--for=condition=Ready", f"node/{layout.NODE_NAME}", f"--timeout={timeout_seconds}s"
    )


def _kubectl(*words: str, stdin: str | None = None) -> str:
    kubectl = tools.path_of(tools.KUBERNETES, "kubectl")
    command: list[str | Path] = [kubectl, f"--kubeconfig={pki.kubeconfig_of(pki.ADMIN)}", *words]
    return run("kubectl", command, stdin=stdin, timeout_seconds=180)


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


def _binding(identity: pki.Identity, role: str) -> dict[str, Any]:
    group = "rbac.authorization.k8s.io"
    return {
        "apiVersion": f"{group}/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": identity.common_name},
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": role},
        "subjects": [{"apiGroup": group, "kind": "User", "name": identity.common_name}],
    }


def _storage_class() -> dict[str, Any]:
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {
            "name": layout.STORAGE_CLASS,
            "annotations": {"storageclass.kubernetes.io/is-default-class": "true"},
        },
        "provisioner": layout.PROVISIONER,
        "reclaimPolicy": "Delete",
        "volumeBindingMode": "Immediate",
    }
