"""What a round counted: for each version, pod and cohort by itself, so that it can be compared."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from serinus.analysis.samples import Contradiction
from serinus.api.verdicts import Counts


class Arm(StrEnum):
    """Whose events a series counts; a label's events belong to the revision that answered."""

    CANARY = "canary"
    STABLE = "stable"


class Cell(NamedTuple):
    """What is counted by itself.

    `cohort` is when the labelled requests were answered, in Unix seconds; 0 for requests, which
    are counted as they are answered.
    """

    arm: Arm
    pod: str
    cohort: float = 0.0


PodCounts = Mapping[Cell, Counts]


@dataclass(frozen=True, slots=True)
class Rejected:
    """A round that can't be counted, and the pod that shows why."""

    why: Contradiction
    pod: str


def by_arm(counts: PodCounts, arm: Arm) -> Counts:
    """Sum over the pods and cohorts."""
    return total_of([one for cell, one in counts.items() if cell.arm is arm])


def total_of(counts: list[Counts]) -> Counts:
    """The sum; exact where the bad ones are whole."""
    return Counts(math.fsum([one.bad for one in counts]), sum([one.total for one in counts]))
