"""The native cluster: up, down, status, env.

`up` brings everything to what this checkout describes and starts only what isn't so already; that
is also how it mends. `down` takes everything away again.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

from native_cluster import (
    components,
    configuration,
    debian,
    health,
    images,
    layout,
    network,
    objects,
    pki,
    processes,
    sharing,
    tools,
    traces,
)
from native_cluster.commands import run, succeeds
from native_cluster.processes import Daemon
from native_cluster.terminal import ClusterError, log_tail, phase, say

CHECKOUT = str(layout.CHECKOUT)
STOP_ROUNDS = 20


def up() -> None:
    """Bring the cluster up; what runs as described is left alone, what is missing is mended."""
    _require_root()
    tools.ensure(tools.CLUSTER_MODULES)
    with sharing.exclusive(layout.LOCK_FILE, CHECKOUT):
        debian.ensure()
        shared = sharing.read()
        match sharing.decide_up(shared, CHECKOUT, _fingerprint()):
            case sharing.Up.JOIN:
                assert shared is not None
                _join(shared)
            case sharing.Up.MAKE:
                _make(shared)


def down(*, force: bool) -> None:
    """End the cluster and remove all that it left on the machine; built programs are kept."""
    _require_root()
    with sharing.exclusive(layout.LOCK_FILE, CHECKOUT):
        if not layout.STATE.exists():
            say("there is no cluster")
            return
        shared = sharing.read()
        if shared and sharing.decide_down(shared, CHECKOUT) is sharing.Down.LEAVE and not force:
            sharing.write(shared.left_by(CHECKOUT))
            others = ", ".join(shared.others(CHECKOUT))
            say(f"left it running: {others} uses it. `hack/cluster down --force` ends it")
            return
        _stop()


def status() -> bool:
    """Tell how each component does; whether all is well."""
    if not layout.STATE.exists():
        say("there is no cluster; start one with `hack/cluster up`")
        return False
    well = network.is_set_up()
    say(f"{'network':24} {'well' if well else 'incomplete; `hack/cluster up` mends it'}")
    for daemon in components.every():
        wrong = processes.problem(daemon)
        record = processes.running(daemon)
        pid = f", pid {record.process.pid}" if record else ""
        say(f"{daemon.name:24} {wrong or 'well'}{pid}")
        if wrong:
            well = False
            say(log_tail(daemon.log))
    for user in _users():
        say(f"used by {user}")
    return well


def env() -> dict[str, str]:
    """Environment for those who use the cluster."""
    if not layout.KUBECONFIG.exists():
        raise ClusterError("native cluster", "isn't up; start it with `hack/cluster up`")
    folders = [tools.folder_of(module) for module in (tools.KUBERNETES, tools.ETCD, tools.HELM)]
    return {
        "KUBECONFIG": str(layout.KUBECONFIG),
        "PATH": os.pathsep.join([*map(str, folders), os.environ.get("PATH", "")]),
        "SERINUS_AUDIT_LOG": str(layout.AUDIT_LOG),
        "SERINUS_PROMETHEUS_IMAGE": images.image_of(tools.PROMETHEUS),
        "SERINUS_CLUSTER": "native",
    }


def gateway() -> str:
    """Build a gateway, give its image to the node, and tell the image's reference."""
    _require_root()
    tools.ensure((tools.TRAEFIK,))
    reference = images.image_of(tools.TRAEFIK)
    with sharing.exclusive(layout.LOCK_FILE, CHECKOUT):
        images.load_program(reference, tools.path_of(tools.TRAEFIK))
    return reference


def load(archives: list[Path]) -> None:
    """Give the node images from archives."""
    _require_root()
    with sharing.exclusive(layout.LOCK_FILE, CHECKOUT):
        wrong = health.containerd_is_well()
        if wrong:
            raise ClusterError("containerd", f"{wrong}; `hack/cluster up` mends it")
        images.load(archives)


def _join(shared: sharing.Sharing) -> None:
    others = ", ".join(shared.others(CHECKOUT))
    for daemon in components.every():
        # Which programs it was started from is the others' business; that it is well is ours.
        wrong = processes.problem(daemon)
        if wrong:
            raise ClusterError(
                daemon.name,
                f"{wrong}. {others} made the cluster from other programs or settings: mend it "
                "there with `hack/cluster up`, or replace it: `hack/cluster down --force`, then up",
                daemon.log,
            )
    sharing.write(shared.joined_by(CHECKOUT))
    say(f"the cluster is up as {others} made it, from other programs or settings than here")


def _make(shared: sharing.Sharing | None) -> None:
    if _is_as_described(shared):
        assert shared is not None
        sharing.write(shared.joined_by(CHECKOUT))
        say("the cluster is up")
        return
    for folder in (layout.STATE, layout.LOGS, layout.PIDS, layout.VOLUMES, layout.RUN):
        folder.mkdir(parents=True, exist_ok=True)
    traces.note()
    with phase("certificates and configuration"):
        pki.make_all()
        configuration.write_all()
    made = sharing.Sharing(shared.users if shared else (), _fingerprint())
    sharing.write(made.joined_by(CHECKOUT))
    with phase("network"):
        _load_kernel_modules()
        network.set_up()
    traces.share_mounts()
    _start_all()


def _start_all() -> None:
    _start(components.before_objects())
    with phase("images"):
        images.load_own_images()
    with phase("rights, storage"):
        objects.apply_all()
    _start(components.after_objects())
    with phase("node ready"):
        objects.wait_for_node()


def _start(daemons: tuple[Daemon, ...]) -> None:
    """Start daemons at the same time; they wait for each other themselves."""
    started = [daemon for daemon in daemons if processes.begin(daemon)]
    for daemon in started:
        with phase(daemon.name):
            processes.wait(daemon)


def _is_as_described(shared: sharing.Sharing | None) -> bool:
    if shared is None or not network.is_set_up():
        return False
    return all(processes.is_as_described(daemon) for daemon in components.every())


def _fingerprint() -> str:
    """Hash of what the daemons are started from, but for keys: those are the cluster's own."""
    commands = ["\0".join(daemon.command) for daemon in components.every()]
    texts = [*commands, *configuration.all_texts().values(), network.NFT_RULES]
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:16]


def _users() -> tuple[str, ...]:
    shared = sharing.read()
    return shared.users if shared else ()


def _require_root() -> None:
    if os.geteuid() != 0:
        raise ClusterError(
            "native cluster",
            "needs root; or start a container engine for kind, or name a cluster in "
            "SERINUS_KUBECONFIG",
        )


def _load_kernel_modules() -> None:
    """Where a kernel has them as modules; elsewhere they are compiled in."""
    for module in ("overlay", "nf_conntrack", "bridge"):
        succeeds(["modprobe", "--quiet", module])


def _stop() -> None:
    daemons = components.every()
    with phase("stopping pods"):
        for daemon in components.after_objects():  # first who would start pods again
            processes.stop(daemon)
        if processes.running(components.containerd()):
            _end_containers()
    with phase("stopping the rest"):
        for daemon in reversed(daemons):
            processes.stop(daemon)
        processes.end(processes.with_argument(str(layout.CONTAINERD_SOCKET)))
    with phase("removing mounts, interfaces, routes, rules, folders"):
        traces.unmount_all()
        network.tear_down()
        traces.remove()
        left = [*network.left_over(), *traces.left_over()]
        if left:
            raise ClusterError("down", f"this is still there: {', '.join(left)}; try once more")
        shutil.rmtree(layout.RUN, ignore_errors=True)
        shutil.rmtree(layout.STATE)


def _end_containers() -> None:
    """Kill all containers, sandboxes included; containerd then ends their shims."""
    ctr = ["ctr", "--address", str(layout.CONTAINERD_SOCKET), "--namespace", "k8s.io"]
    for _ in range(STOP_ROUNDS):
        tasks = run("containerd", [*ctr, "tasks", "list", "--quiet"]).split()
        if not tasks:
            return
        for task in tasks:
            succeeds([*ctr, "tasks", "kill", "--signal", "SIGKILL", "--all", task])
        for task in tasks:
            succeeds([*ctr, "tasks", "delete", "--force", task])
