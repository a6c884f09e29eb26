"""Which cluster is used: one that is named, kind, or the native one."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Mapping
from enum import StrEnum
from pathlib import Path

from native_cluster import kind, native, tools
from native_cluster.commands import run
from native_cluster.terminal import ClusterError, say


class Provider(StrEnum):
    """Who runs the cluster."""

    GIVEN = "given"
    """A cluster that the person names in SERINUS_KUBECONFIG; it is never started or ended."""
    KIND = "kind"
    NATIVE = "native"


def choose(environment: Mapping[str, str], container_engine_runs: Callable[[], bool]) -> Provider:
    """Choose the cluster's provider.

    KUBECONFIG isn't read on purpose: it may point at somebody's production.
    SERINUS_CLUSTER_PROVIDER settles what would else be found out.
    """
    if environment.get("SERINUS_KUBECONFIG"):
        return Provider.GIVEN
    told = environment.get("SERINUS_CLUSTER_PROVIDER")
    if told:
        if told not in (Provider.KIND, Provider.NATIVE):
            raise ClusterError("SERINUS_CLUSTER_PROVIDER", f"`{told}` is neither kind nor native")
        return Provider(told)
    return Provider.KIND if container_engine_runs() else Provider.NATIVE


def provider() -> Provider:
    """Return the provider for this environment."""
    return choose(os.environ, kind.engine_runs)


def up() -> None:
    """Bring the chosen cluster up."""
    chosen = provider()
    if chosen is Provider.NATIVE:
        native.up()
        return
    if chosen is Provider.KIND:
        kind.up()
    _check_reachable(_kubeconfig(chosen))


def down(*, force: bool) -> None:
    """End the chosen cluster, unless it is somebody else's."""
    match provider():
        case Provider.GIVEN:
            say("the cluster of SERINUS_KUBECONFIG isn't ours; it is left as it is")
        case Provider.KIND:
            kind.down()
        case Provider.NATIVE:
            native.down(force=force)


def status() -> bool:
    """Tell how the chosen cluster does; whether all is well."""
    chosen = provider()
    if chosen is Provider.NATIVE:
        return native.status()
    if chosen is Provider.KIND and not kind.exists():
        say("there is no cluster; start one with `hack/cluster up`")
        return False
    _check_reachable(_kubeconfig(chosen))
    return True


def env() -> dict[str, str]:
    """Environment for those who use the chosen cluster."""
    chosen = provider()
    if chosen is Provider.NATIVE:
        return native.env()
    named = {
        "KUBECONFIG": str(_kubeconfig(chosen)),
        "PATH": os.pathsep.join([*map(str, _client_folders()), os.environ.get("PATH", "")]),
        "SERINUS_CLUSTER": chosen.value,
    }
    return named | (kind.env() if chosen is Provider.KIND else {})


def gateway() -> str:
    """Give the chosen cluster's nodes the image of a gateway; its reference."""
    match provider():
        case Provider.NATIVE:
            return native.gateway()
        case Provider.KIND:
            return kind.gateway()
        case Provider.GIVEN:
            named = os.environ.get("SERINUS_GATEWAY_IMAGE")
            if not named:
                raise ClusterError(
                    "gateway",
                    "name an image of Traefik that the cluster can pull in SERINUS_GATEWAY_IMAGE",
                )
            return named


def load(archives: list[Path]) -> None:
    """Give the chosen cluster's nodes images from archives."""
    match provider():
        case Provider.NATIVE:
            native.load(archives)
        case Provider.KIND:
            kind.load(archives)
        case Provider.GIVEN:
            raise ClusterError(
                "load",
                "push the images, and one of Prometheus, to a registry that the cluster reads, "
                "and name them in SERINUS_OPERATOR_IMAGE, SERINUS_JOBS_IMAGE, "
                "SERINUS_SERVER_IMAGE and SERINUS_PROMETHEUS_IMAGE",
            )


def _kubeconfig(chosen: Provider) -> Path:
    if chosen is Provider.KIND:
        return kind.KUBECONFIG
    named = Path(os.environ["SERINUS_KUBECONFIG"]).absolute()
    if not named.is_file():
        raise ClusterError("SERINUS_KUBECONFIG", f"there is no file {named}")
    return named


def _client_folders() -> tuple[Path, ...]:
    """Folders of kubectl and helm, built if this machine has none."""
    wanted = {"kubectl": tools.KUBECTL, "helm": tools.HELM}
    missing = tuple(module for name, module in wanted.items() if shutil.which(name) is None)
    if missing:
        tools.ensure(missing)
    return tuple(tools.folder_of(module) for module in missing)


def _check_reachable(kubeconfig: Path) -> None:
    folders = os.pathsep.join([*map(str, _client_folders()), os.environ["PATH"]])
    kubectl = [
        shutil.which("kubectl", path=folders) or "kubectl",
        f"--kubeconfig={kubeconfig}",
        "--request-timeout=10s",
    ]
    answer = json.loads(run("cluster", [*kubectl, "version", "-o", "json"]))
    classes = json.loads(run("cluster", [*kubectl, "get", "storageclasses", "-o", "json"]))
    if not any(map(is_default, classes["items"])):
        say("  it has no default StorageClass: name one in the chart's values, or make one")
    say(f"the cluster is up: Kubernetes {answer['serverVersion']['gitVersion']}")


def is_default(storage_class: dict[str, dict[str, dict[str, str]]]) -> bool:
    """Whether claims that name no class get this one."""
    annotations = storage_class["metadata"].get("annotations", {})
    return annotations.get("storageclass.kubernetes.io/is-default-class") == "true"
