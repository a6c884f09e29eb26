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
from native_cluster.commands import run

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


def unmount_all() -> None:
    """Unmount everything of the cluster; lazily, since a dying process may still look at it."""
    mounts = Path("/proc/self/mountinfo").read_text()
    for point in mounts_below(mounts, (layout.STATE, layout.RUN)):
        run("mounts", ["umount", "--lazy", point])


def left_over() -> list[str]:
    """Mounts and cgroups of the cluster that are still there, in words."""
    mounts = Path("/proc/self/mountinfo").read_text()
    found = [f"mount {point}" for point in mounts_below(mounts, (layout.STATE, layout.RUN))]
    return found + [f"cgroup {cgroup}" for cgroup in _cgroups()]


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
