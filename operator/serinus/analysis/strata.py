"""Which events of a round are compared with each other: those of requests of the same time.

Labels of one round belong to requests of many cohorts. Where wrong answers are known sooner than
right ones, the labels of young requests are mostly wrong in both versions; and while the canary's
share of the traffic grows, more of its labels belong to young requests than of stable's. Their
sums would show a difference that isn't there (Simpson's paradox). So cohort is compared with
cohort, and the evidence of a round is the sum over the cohorts.

With few labels most cohorts have some of one version only, which says nothing. From the newest on,
as few as possible are therefore taken together until both versions are in them.
"""

from __future__ import annotations

from collections import defaultdict

from serinus.analysis.cells import Arm, Cell, PodCounts, by_arm, total_of
from serinus.analysis.eprocess import Increment
from serinus.api.verdicts import Counts


def strata(counts: PodCounts) -> tuple[Increment, ...]:
    """The comparisons of a round, newest cohorts first; requests have no cohort and are one."""
    if len({cell.cohort for cell in counts}) <= 1:
        return (_increment(counts),)
    by_cohort: defaultdict[float, dict[Cell, Counts]] = defaultdict(dict)
    for cell, one in counts.items():
        by_cohort[cell.cohort][cell] = one
    found: list[Increment] = []
    waiting: dict[Cell, Counts] = {}
    for cohort in sorted(by_cohort, reverse=True):
        waiting |= by_cohort[cohort]
        increment = _increment(waiting)
        if increment.canary.total and increment.stable.total:
            found.append(increment)
            waiting = {}
    if waiting:  # the oldest ones go with those before them
        found[-1:] = [_joined(*found[-1:], _increment(waiting))]
    return tuple(found)


def _increment(counts: PodCounts) -> Increment:
    return Increment(by_arm(counts, Arm.CANARY), by_arm(counts, Arm.STABLE))


def _joined(*increments: Increment) -> Increment:
    return Increment(
        total_of([one.canary for one in increments]), total_of([one.stable for one in increments])
    )
