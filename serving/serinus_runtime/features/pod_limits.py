"""What a pod may use: memory and processors from its control group, disk from its environment."""

from __future__ import annotations

import math
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from serinus.api.job_contract import SCRATCH_BYTES_VARIABLE

CONTROL_GROUP = Path("/sys/fs/cgroup")
_UNLIMITED_BYTES = 1 << 60
"""Version 1 says "no limit" with a number just below 2**63."""
_LEFT_FOR_LOGS = 16


@dataclass(frozen=True, slots=True)
class PodLimits:
    """Bounds of a run.

    Attributes
    ----------
    memory_bytes
        None: no limit is set.
    scratch_bytes
        Disk for files that are gone when the run ends.
    """

    memory_bytes: int | None
    processors: int
    scratch_bytes: int


def pod_limits(
    environment: Mapping[str, str], scratch: Path, control_group: Path = CONTROL_GROUP
) -> PodLimits:
    """The limits of the container; outside of one, what the machine has."""
    return PodLimits(
        memory_bytes=_memory_bytes(control_group),
        processors=_processors(control_group),
        scratch_bytes=_scratch_bytes(environment, scratch),
    )


def _memory_bytes(control_group: Path) -> int | None:
    for name in ("memory.max", "memory/memory.limit_in_bytes"):
        limit = _number(control_group / name)
        if limit is not None and limit < _UNLIMITED_BYTES:
            return limit
    return None


def _processors(control_group: Path) -> int:
    """As many as may run at once; a limit of a half still runs one."""
    available = len(os.sched_getaffinity(0))
    quota, period = _quota(control_group)
    if quota is None or quota <= 0 or not period:
        return available
    return max(1, min(available, math.ceil(quota / period)))


def _quota(control_group: Path) -> tuple[int | None, int | None]:
    words = _words(control_group / "cpu.max")
    if len(words) == 2:
        return (int(words[0]) if words[0].isdecimal() else None), int(words[1])
    return (
        _number(control_group / "cpu/cpu.cfs_quota_us"),
        _number(control_group / "cpu/cpu.cfs_period_us"),
    )


def _scratch_bytes(environment: Mapping[str, str], scratch: Path) -> int:
    """A part is left for logs: over the limit, Kubernetes ends the pod without a word of ours."""
    told = environment.get(SCRATCH_BYTES_VARIABLE, "")
    limit = int(told) if told.isdecimal() else shutil.disk_usage(scratch).free
    return limit - limit // _LEFT_FOR_LOGS


def _number(path: Path) -> int | None:
    words = _words(path)
    return int(words[0]) if len(words) == 1 and words[0].lstrip("-").isdecimal() else None


def _words(path: Path) -> list[str]:
    try:
        return path.read_text().split()
    except OSError:
        return []
