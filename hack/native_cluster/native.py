"""The native cluster: up, down, status, env."""

from __future__ import annotations

import fcntl
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from native_cluster import (
    components,
    configuration,
    debian,
    images,
    layout,
    network,
    objects,
    pki,
    processes,
    tools,
)
from native_cluster.commands import run, succeeds
from native_cluster.terminal import ClusterError, phase, say

_OWNER = layout.STATE / "owner"
_UNMOUNT_TIMEOUT_SECONDS = 20.0


def up() -> None:
    """Bring the cluster up; what runs already is left alone, what is missing is mended."""
    _require_root()
    with _lock():
        debian.ensure()
        tools.ensure(tools.CLUSTER_MODULES)
        if _is_up():
            objects.replenish_volumes()
            say(f"the cluster is up (started by {_OWNER.read_text().strip()})")
            return
        _claim()
        with phase("certificates and configuration"):
            pki.make_all()
            configuration.write_all()
        with phase("network"):
            network.set_up()
        _mount_shared_run()
        for daemon in components.control_plane():
            with phase(daemon.name):
                processes.start(daemon)
        with phase("rights, storage"):
            objects.apply_all()
        _start(components.containerd())
        with phase("images"):
            images.load_own_images()
        for daemon in components.node_and_controllers():
            _start(daemon)
        with phase("node ready"):
            objects.wait_for_node()


def down() -> None:
    """End the cluster and remove all that it left on the machine; built programs are kept."""
    _require_root()
    with _lock():
        if not layout.STATE.exists():
            say("there is no cluster")
            return
        with phase("stopping pods"):
            _stop_pods()
        for daemon in reversed((*components.control_plane(), *components.node_and_controllers())):
            processes.stop(daemon)
        with phase("mounts, interfaces, routes and rules"):
            _end_shims()
            _unmount_all()
            network.tear_down()
            _remove_cgroups()
        shutil.rmtree(layout.RUN, ignore_errors=True)
        shutil.rmtree(layout.STATE)


def status() -> bool:
    """Tell how each component does; whether all is well."""
    if not layout.STATE.exists():
        say("there is no cluster; start one with `hack/cluster up`")
        return False
    tell_network = "up" if network.is_set_up() else "incomplete; `hack/cluster up` mends it"
    say(f"network                  {tell_network}")
    well = network.is_set_up()
    for daemon in _daemons():
        pid = processes.running_pid(daemon)
        healthy = pid is not None and daemon.healthy()
        well = well and healthy
        word = f"healthy, pid {pid}" if healthy else "not healthy" if pid else "not running"
        say(f"{daemon.name:24} {word}" + ("" if healthy else f"; log: {daemon.log}"))
    return well


def env() -> dict[str, str]:
    """Environment for those who use the cluster."""
    folders = [tools.folder_of(module) for module in (tools.KUBERNETES, tools.ETCD, tools.HELM)]
    return {
        "KUBECONFIG": str(layout.KUBECONFIG),
        "PATH": os.pathsep.join([*map(str, folders), os.environ.get("PATH", "")]),
        "SERINUS_AUDIT_LOG": str(layout.AUDIT_LOG),
        "SERINUS_PROMETHEUS_IMAGE": images.prometheus_image(),
        "SERINUS_CLUSTER": "native",
    }


def load(archives: list[Path]) -> None:
    """Give the node images from archives."""
    images.load(archives)


def _daemons() -> tuple[processes.Daemon, ...]:
    return (*components.control_plane(), *components.node_and_controllers())


def _is_up() -> bool:
    if not _OWNER.exists() or not network.is_set_up():
        return False
    return all(processes.running_pid(item) is not None and item.healthy() for item in _daemons())


def _start(daemon: processes.Daemon) -> None:
    if processes.running_pid(daemon) is None or not daemon.healthy():
        with phase(daemon.name):
            processes.start(daemon)


def _require_root() -> None:
    if os.geteuid() != 0:
        raise ClusterError(
            "native cluster",
            "needs root; or start a container engine for kind, or name a cluster in "
            "SERINUS_KUBECONFIG",
        )


@contextmanager
def _lock() -> Iterator[None]:
    layout.LOCK_FILE.parent.mkdir(parents=True, exist_ok=True)
    with layout.LOCK_FILE.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("  waiting for another hack/cluster on this machine …")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _claim() -> None:
    for folder in (layout.STATE, layout.LOGS, layout.PIDS, layout.VOLUMES, layout.RUN):
        folder.mkdir(parents=True, exist_ok=True)
    _OWNER.write_text(f"{layout.CHECKOUT}\n")


def _mount_shared_run() -> None:
    """Mounts of pods are passed on between namespaces only where the mount is shared."""
    if not os.path.ismount(layout.STATE):
        run("mounts", ["mount", "--bind", layout.STATE, layout.STATE])
    run("mounts", ["mount", "--make-rshared", layout.STATE])


def _stop_pods() -> None:
    """Let the kubelet end first, so that it starts nothing again; then end the containers."""
    processes.stop(components.kubelet())
    if processes.running_pid(components.containerd()) is None:
        return
    ctr = ["ctr", "--address", str(layout.CONTAINERD_SOCKET), "--namespace", "k8s.io"]
    for task in run("containerd", [*ctr, "tasks", "list", "--quiet"]).split():
        succeeds([*ctr, "tasks", "kill", "--signal", "SIGKILL", "--all", task])
    for task in run("containerd", [*ctr, "tasks", "list", "--quiet"]).split():
        succeeds([*ctr, "tasks", "delete", "--force", task])


def _end_shims() -> None:
    """End shims of our containerd that are left; they are known by its socket."""
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            words = (folder / "cmdline").read_bytes().decode(errors="replace").split("\0")
        except (FileNotFoundError, ProcessLookupError):
            continue
        ours = str(layout.CONTAINERD_SOCKET) in words
        if ours and words[0].endswith("containerd-shim-runc-v2"):
            os.kill(int(folder.name), 9)


def _mounts_below(*roots: Path) -> list[str]:
    points = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
    inside = [
        point
        for point in points
        if any(point == str(root) or point.startswith(f"{root}/") for root in roots)
    ]
    inside += [point for point in points if point.startswith("/run/netns/cni-")]
    return sorted(inside, key=len, reverse=True)


def _unmount_all() -> None:
    deadline = time.monotonic() + _UNMOUNT_TIMEOUT_SECONDS
    while points := _mounts_below(layout.STATE, layout.RUN):
        for point in points:
            succeeds(["umount", "--lazy", point])
        if time.monotonic() > deadline:
            raise ClusterError("mounts", f"can't unmount {points[0]}")
    for name in Path("/run/netns").glob("cni-*"):
        name.unlink(missing_ok=True)


def _remove_cgroups() -> None:
    """Remove the empty groups that containerd made for our pods."""
    for root in Path("/sys/fs/cgroup").glob("*/k8s.io"):
        for folder in sorted(root.rglob("*"), key=lambda path: len(path.parts), reverse=True):
            if folder.is_dir():
                _remove_empty(folder)
        _remove_empty(root)


def _remove_empty(folder: Path) -> None:
    try:
        folder.rmdir()
    except OSError:
        return
