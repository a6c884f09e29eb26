"""How much is done at once."""

import pytest

from serinus_runtime.features.pod_limits import PodLimits
from serinus_runtime.features.transformed_rows import pasts_at_once

MIB_BYTES = 1 << 20


@pytest.mark.parametrize(
    ("memory_mib", "processors", "result_mib", "at_once"),
    [
        (None, 4, 1000, 4),
        (4096, 4, 10, 4),
        (4096, 4, 300, 1),
        (4096, 4, 250, 2),
        (512, 4, 400, 1),
        (4096, 1, 10, 1),
        (4096, 4, 0, 4),
    ],
    ids=[
        "no limit: by processors",
        "small results: by processors",
        "large results: one by one",
        "by memory",
        "never less than one",
        "one processor",
        "an empty result",
    ],
)
def test_pasts_at_once(
    memory_mib: int | None, processors: int, result_mib: int, at_once: int
) -> None:
    memory_bytes = None if memory_mib is None else memory_mib * MIB_BYTES
    limits = PodLimits(memory_bytes, processors, scratch_bytes=0)

    assert pasts_at_once(limits, result_mib * MIB_BYTES) == at_once
