"""What daemons leave in places that can't be configured: noted before the start, put back after.

Kernel settings, folders, cgroups and mounts. What was there before is never removed.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from native_cluster import layout
from native_cluster.commands import run, succeeds

MEMORY = layout.STATE / "before.json"
# Set by the kubelet at its start.
KERNEL_SETTINGS = (
    "kernel/keys/root_maxbytes",
    "kernel/keys/root_maxkeys",
    "kernel/panic",
    "kernel/panic_on_oops",
    "net/ipv4/ip_forward",
    "vm/overcommit_memory",
    "vm/panic_on_oom",
)
# Compiled into the kubelet, containerd's shim and the library of CNI. Inner ones first.
FOLDERS = (
    "/var/lib/kubelet",
    "/var/log/containers",
    "/var/lib/cni/results",
    "/var/lib/cni",
    "/run/containerd/s",
    "/run/containerd",
)
CGROUPS = Path("/sys/fs/cgroup")
UNMOUNT_ROUNDS = 10


def note() -> None:
    """Note how the machine is, once for each life of the cluster."""
    if not MEMORY.exists():
        settings = {name: _setting(name).read_text().strip() for name in KERNEL_SETTINGS}
        there = [str(path) for path in (*map(Path, FOLDERS), *_cgroups()) if path.exists()]
        MEMORY.write_text(json.dumps({"settings": settings, "there": there}, indent=1))


def remove() -> None:
    """Put settings back, remove folders and cgroups that came with the cluster."""
    if not MEMORY.exists():
        return
    before = json.loads(MEMORY.read_text())
    for name, value in before["settings"].items():
        if _setting(name).read_text().strip() != value:
            _setting(name).write_text(value)
    for folder in set(FOLDERS) - set(before["there"]):
        shutil.rmtree(folder, ignore_errors=True)
    for cgroup in _cgroups():
        if str(cgroup) not in before["there"]:
            _remove_cgroup(cgroup)


def share_mounts() -> None:
    """Let a container see it when the kubelet takes a mount away: for that, mounts are shared."""
    if str(layout.STATE) not in _our_mounts():
        run("mounts", ["mount", "--bind", layout.STATE, layout.STATE])
    run("mounts", ["mount", "--make-rshared", layout.STATE])


def unmount_all() -> None:
    """Unmount everything of the cluster; lazily, since a dying process may still look at it.

    Shared mounts come in several copies, and one unmounting may take others along.
    """
    for _ in range(UNMOUNT_ROUNDS):
        points = _our_mounts()
        if not points:
            return
        for point in points:
            succeeds(["umount", "--lazy", point])


def left_over() -> list[str]:
    """Mounts and cgroups that came with the cluster and are still there, in words."""
    before = json.loads(MEMORY.read_text())["there"] if MEMORY.exists() else []
    return [
        *(f"mount {point}" for point in _our_mounts()),
        *(f"cgroup {cgroup}" for cgroup in _cgroups() if str(cgroup) not in before),
    ]


def _our_mounts() -> list[str]:
    mountinfo = Path("/proc/self/mountinfo").read_text()
    return mounts_below(mountinfo, (layout.STATE, layout.RUN))


def mounts_below(mountinfo: str, folders: Iterable[Path]) -> list[str]:
    """Mount points at or below the folders, the last made first.

    Parameters
    ----------
    mountinfo
        Content of /proc/self/mountinfo.
    """
    roots = [str(folder) for folder in folders]
    points = [_unescape(line.split()[4]) for line in mountinfo.splitlines() if line]
    return [
        point
        for point in reversed(points)
        if any(point == root or point.startswith(f"{root}/") for root in roots)
    ]


def _cgroups() -> list[Path]:
    """Where containerd puts pods: one place, or with version 1 one for each controller."""
    return [path for pattern in ("k8s.io", "*/k8s.io") for path in CGROUPS.glob(pattern)]


def _remove_cgroup(cgroup: Path) -> None:
    """Remove a tree of cgroups, the innermost first; one that has processes stays."""
    inner = sorted((path for path in cgroup.rglob("*") if path.is_dir()), reverse=True)
    for path in (*inner, cgroup):
        with suppress(OSError):
            path.rmdir()


def _setting(name: str) -> Path:
    return Path("/proc/sys") / name


def _unescape(point: str) -> str:
    """Mountinfo writes blanks and the like in octal."""
    return point.encode().decode("unicode_escape").encode("latin-1").decode()
