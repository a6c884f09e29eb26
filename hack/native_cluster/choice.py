"""Which cluster is used: one that is named, kind, or the native one."""

from __future__ import annotations

import json
import os
import shutil
from enum import StrEnum
from pathlib import Path

from native_cluster import layout, native, tools
from native_cluster.commands import run, succeeds
from native_cluster.terminal import ClusterError, phase, say

KIND_NAME = "serinus"
KIND_KUBECONFIG = layout.CACHE / "kind.kubeconfig"


class Provider(StrEnum):
    """Who runs the cluster."""

    GIVEN = "given"
    """A cluster that the person names in SERINUS_KUBECONFIG; it is never started or ended."""
    KIND = "kind"
    NATIVE = "native"


def provider() -> Provider:
    """Choose the cluster's provider."""
    if os.environ.get("SERINUS_KUBECONFIG"):
        return Provider.GIVEN
    engine = any(shutil.which(name) and succeeds([name, "info"]) for name in ("docker", "podman"))
    return Provider.KIND if engine and shutil.which("kind") else Provider.NATIVE


def up() -> None:
    """Bring the chosen cluster up."""
    chosen = provider()
    if chosen is Provider.NATIVE:
        native.up()
        return
    tools.ensure(tools.CLIENT_MODULES)
    if (
        chosen is Provider.KIND
        and KIND_NAME not in run("kind", ["kind", "get", "clusters"]).split()
    ):
        KIND_KUBECONFIG.parent.mkdir(parents=True, exist_ok=True)
        with phase("kind create cluster"):
            run(
                "kind",
                [
                    "kind",
                    "create",
                    "cluster",
                    "--name",
                    KIND_NAME,
                    "--wait",
                    "120s",
                    "--kubeconfig",
                    KIND_KUBECONFIG,
                ],
                timeout_seconds=600,
            )
    _check_reachable()


def down() -> None:
    """End the chosen cluster, unless it is somebody else's."""
    chosen = provider()
    if chosen is Provider.GIVEN:
        say("the cluster of SERINUS_KUBECONFIG isn't ours; it is left as it is")
    elif chosen is Provider.KIND:
        run("kind", ["kind", "delete", "cluster", "--name", KIND_NAME], timeout_seconds=300)
    else:
        native.down()


def status() -> bool:
    """Tell how the chosen cluster does; whether all is well."""
    if provider() is Provider.NATIVE:
        return native.status()
    _check_reachable()
    say(f"the API server of {env()['KUBECONFIG']} answers")
    return True


def env() -> dict[str, str]:
    """Environment for those who use the chosen cluster."""
    chosen = provider()
    if chosen is Provider.NATIVE:
        return native.env()
    kubeconfig = os.environ.get("SERINUS_KUBECONFIG") or str(KIND_KUBECONFIG)
    path = os.pathsep.join([str(tools.folder_of(tools.HELM)), os.environ.get("PATH", "")])
    return {"KUBECONFIG": kubeconfig, "PATH": path, "SERINUS_CLUSTER": chosen.value}


def load(archives: list[Path]) -> None:
    """Give the chosen cluster's nodes images from archives."""
    chosen = provider()
    if chosen is Provider.NATIVE:
        native.load(archives)
    elif chosen is Provider.KIND:
        for archive in archives:
            run(
                "kind",
                ["kind", "load", "image-archive", archive, "--name", KIND_NAME],
                timeout_seconds=600,
            )
    else:
        raise ClusterError(
            "load",
            "push the images to a registry that the cluster reads, and name them in "
            "SERINUS_OPERATOR_IMAGE, SERINUS_JOBS_IMAGE and SERINUS_SERVER_IMAGE",
        )


def _check_reachable() -> None:
    answer = run(
        "cluster", ["kubectl", f"--kubeconfig={env()['KUBECONFIG']}", "version", "-o", "json"]
    )
    version = json.loads(answer).get("serverVersion", {}).get("gitVersion")
    say(f"the cluster is up: Kubernetes {version}")
