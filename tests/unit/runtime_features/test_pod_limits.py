"""Limits as the kernel shows them, of both versions of control groups."""

import os
import shutil
from pathlib import Path

import pytest

from serinus_runtime.features.pod_limits import PodLimits, pod_limits

PROCESSORS = len(os.sched_getaffinity(0))


def limits(tmp_path: Path, files: dict[str, str], **environment: str) -> PodLimits:
    for name, content in files.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(content)
    return pod_limits(environment, tmp_path, tmp_path)


@pytest.mark.parametrize(
    ("files", "memory_bytes"),
    [
        ({"memory.max": "4294967296\n"}, 4 << 30),
        ({"memory.max": "max\n"}, None),
        ({"memory/memory.limit_in_bytes": "4294967296\n"}, 4 << 30),
        ({"memory/memory.limit_in_bytes": "9223372036854771712\n"}, None),
        ({}, None),
    ],
    ids=["v2", "v2 without", "v1", "v1 without", "no control group"],
)
def test_memory(tmp_path: Path, files: dict[str, str], memory_bytes: int | None) -> None:
    assert limits(tmp_path, files).memory_bytes == memory_bytes


@pytest.mark.parametrize(
    ("files", "processors"),
    [
        ({"cpu.max": "50000 100000\n"}, 1),
        ({"cpu.max": "6400000 100000\n"}, PROCESSORS),
        ({"cpu.max": "max 100000\n"}, PROCESSORS),
        ({"cpu/cpu.cfs_quota_us": "100000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 1),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, PROCESSORS),
        ({}, PROCESSORS),
    ],
    ids=["v2 half", "v2 more than there are", "v2 without", "v1", "v1 without", "none"],
)
def test_processors(tmp_path: Path, files: dict[str, str], processors: int) -> None:
    assert limits(tmp_path, files).processors == processors


def test_disk_is_what_the_operator_told_without_a_part_for_logs(tmp_path: Path) -> None:
    assert limits(tmp_path, {}, SERINUS_SCRATCH_BYTES="1600").scratch_bytes == 1500


def test_without_a_word_disk_is_what_is_free(tmp_path: Path) -> None:
    free_bytes = shutil.disk_usage(tmp_path).free

    assert limits(tmp_path, {}).scratch_bytes == pytest.approx(free_bytes * 15 / 16, rel=0.1)
