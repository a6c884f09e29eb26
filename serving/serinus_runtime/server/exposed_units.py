"""How many units of each arm a pod has met, each counted once, in memory that doesn't grow.

A bit stands for a unit, found by bits of its hash that say nothing of its arm. A unit whose bit is
set already, its own or another's, isn't counted. So what is counted is fewer than there are, the
more the fuller it gets, but for both arms alike: each count is an independent draw of the planned
split, which is what a check of that split needs.
"""

from __future__ import annotations

from serinus_runtime.server.unit_assignment import Arm, Assigned

BITS = 1 << 20
"""Units that a pod tells apart at most; 128 KiB."""


class ExposedUnits:
    """The units met in one test."""

    def __init__(self) -> None:
        self._bits = bytearray(BITS // 8)
        self.counts = dict.fromkeys(Arm, 0)

    def meet(self, unit: Assigned) -> None:
        """A unit's request was given to its arm."""
        index, bit = (unit.mark % BITS) >> 3, 1 << (unit.mark & 7)
        if not self._bits[index] & bit:
            self._bits[index] |= bit
            self.counts[unit.arm] += 1
