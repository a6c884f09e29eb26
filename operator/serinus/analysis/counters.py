"""Samples of counters to exact increments, per pod and round.

A counter only grows, except that it starts again at 0 with its pod. So an increment is the
difference from the sample before; after a restart it is the sample itself. The sample before a
round's start is the baseline. A series without one began in sight and at 0 if its pod was scraped
before, or started in sight; otherwise its first sample is the baseline, and what was before stays
uncounted: to count too little costs time, to count twice would cost validity.

A round whose numbers contradict each other is rejected as a whole, never repaired.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from serinus.analysis.cells import Arm, Cell, PodCounts, Rejected
from serinus.analysis.promql import Role, series_identity, series_role
from serinus.analysis.rounds import Round
from serinus.analysis.samples import Contradiction, RangeVector
from serinus.analysis.spec import AnalysisContext, RateRule
from serinus.api.verdicts import Counts


@dataclass(frozen=True, slots=True)
class Sample:
    """One sample; `source` tells series apart that have the same identity."""

    at_ms: int
    value: float
    source: int


@dataclass(frozen=True, slots=True)
class CounterSeries:
    """All samples of one counter, by time, and where its increments are counted."""

    cell: Cell
    role: Role
    samples: tuple[Sample, ...]

    @property
    def pod(self) -> str:
        """The pod that counts."""
        return self.cell.pod

    @property
    def arm(self) -> Arm:
        """The version that answered."""
        return self.cell.arm


def counter_series(
    vectors: Iterable[RangeVector],
    rule: RateRule,
    context: AnalysisContext,
    *,
    first_cohort_seconds: float,
) -> tuple[CounterSeries, ...]:
    """The counters in `vectors` that `rule` counts; labels of earlier cohorts are left out."""
    arms = {context.stable_revision: Arm.STABLE, context.canary_revision: Arm.CANARY}
    kinds: dict[tuple[str, ...], tuple[Cell, Role]] = {}
    samples: defaultdict[tuple[str, ...], list[Sample]] = defaultdict(list)
    for source, vector in enumerate(vectors):
        labels = vector.labels
        role = series_role(rule, labels)
        revision = _served_by(labels, context) if rule.counters else labels.get("revision")
        arm = None if revision is None else arms.get(revision)
        if role is None or arm is None or not vector.samples:
            continue
        if context.exposed_only and labels.get("exposed") != "true":
            continue
        if role.by_cohort and arm is Arm.STABLE and rule.name in context.incomparable:
            continue
        cohort = _cohort(labels.get("cohort", "")) if role.by_cohort else 0.0
        if role.by_cohort and cohort < first_cohort_seconds:
            continue
        pod = labels.get("pod") or labels.get("instance", "")
        key = (pod, *series_identity(rule, labels))
        kinds[key] = (Cell(arm, pod, cohort), role)
        samples[key].extend(
            Sample(round(at * 1000), float(value), source) for at, value in vector.samples
        )
    return tuple(
        CounterSeries(*kinds[key], tuple(sorted(found, key=lambda item: item.at_ms)))
        for key, found in sorted(samples.items())
    )


def _served_by(labels: Mapping[str, str], context: AnalysisContext) -> str | None:
    """The revision that a pod serves, by its name: workload `<deployment>-<revision>`, and more."""
    pod = labels.get("pod", "")
    for workload in context.workloads:
        if pod.startswith(f"{workload}-"):
            return workload.rpartition("-")[2]
    return None


def scrape_times(series: Iterable[CounterSeries]) -> dict[str, tuple[int, ...]]:
    """For each pod the times at which it was scraped, in milliseconds, ascending."""
    times: defaultdict[str, set[int]] = defaultdict(set)
    for one in series:
        times[one.pod].update(sample.at_ms for sample in one.samples)
    return {pod: tuple(sorted(seen)) for pod, seen in times.items()}


def newest_by_arm(series: Iterable[CounterSeries]) -> dict[Arm, int]:
    """Time of the newest sample of each arm that has any, in milliseconds."""
    newest: dict[Arm, int] = {}
    for one in series:
        newest[one.arm] = max(newest.get(one.arm, 0), one.samples[-1].at_ms)
    return newest


def pod_increments(
    series: Sequence[CounterSeries],
    rounds: Sequence[Round],
    *,
    lookback_ms: int,
    pods_started_ms: Mapping[str, int],
) -> tuple[PodCounts | Rejected, ...]:
    """What each pod counted in each round, for each revision; rounds are adjacent, by time."""
    by_pod: defaultdict[str, list[CounterSeries]] = defaultdict(list)
    for one in series:
        by_pod[one.pod].append(one)
    tallies = [_Tally() for _ in rounds]
    for pod, group in by_pod.items():
        visible = [_VisibleSamples(one, rounds, lookback_ms) for one in group]
        sight = _PodSight(
            scrapes=scrape_times(group)[pod],
            restarts=frozenset(at for each in visible for at in each.restarts()),
            started_ms=pods_started_ms.get(pod),
        )
        for each in visible:
            each.add_to(tallies, sight)
    return tuple(tally.outcome() for tally in tallies)


@dataclass(frozen=True, slots=True)
class _PodSight:
    """What is known about a pod from all of its series."""

    scrapes: tuple[int, ...]
    restarts: frozenset[int]
    started_ms: int | None

    def began_in_sight(self, at_ms: int, horizon_ms: int) -> bool:
        """Whether a series first seen at `at_ms` must have begun at 0 after `horizon_ms`."""
        scraped_before = bisect_left(self.scrapes, at_ms) > bisect_right(self.scrapes, horizon_ms)
        started_since = self.started_ms is not None and self.started_ms > horizon_ms
        return scraped_before or started_since


class _Tally:
    """Collects one round."""

    def __init__(self) -> None:
        self.bad: defaultdict[Cell, list[float]] = defaultdict(list)
        self.total: defaultdict[Cell, list[float]] = defaultdict(list)
        self.companions: set[Cell] = set()
        self.missed: dict[Cell, Contradiction] = {}
        self.rejected: Rejected | None = None

    def add(self, one: CounterSeries, increment: float) -> None:
        key = one.cell
        if one.role.companion:
            self.companions.add(key)
        if one.role.needs and increment:
            self.missed[key] = one.role.needs
        if one.role.bad:
            self.bad[key].append(one.role.bad * increment)
        if one.role.total:
            self.total[key].append(increment)

    def reject(self, why: Contradiction, pod: str) -> None:
        self.rejected = self.rejected or Rejected(why, pod)

    def outcome(self) -> PodCounts | Rejected:
        if self.rejected:
            return self.rejected
        counts = {}
        for key in sorted(self.total.keys() | self.bad.keys()):
            total, bad = math.fsum(self.total[key]), math.fsum(self.bad[key])
            if key in self.missed and key not in self.companions:
                return Rejected(self.missed[key], key.pod)
            if not -_ROUNDING <= bad <= total + _ROUNDING:
                return Rejected(Contradiction.BAD_EXCEEDS_TOTAL, key.pod)
            counts[key] = Counts(bad=round(min(max(bad, 0.0), total), 9), total=int(total))
        return counts


class _VisibleSamples:
    """The samples of one series that lie in a round, each with the one before it.

    A sample further back than the lookback of its round is out of sight, also when the answer
    happens to hold it: otherwise the counts would depend on how much was asked for at once.
    """

    def __init__(self, series: CounterSeries, rounds: Sequence[Round], lookback_ms: int) -> None:
        self.series = series
        self.found: list[tuple[int, int, Sample, Sample | None]] = []
        ends = [each.end_ms for each in rounds]
        previous: Sample | None = None
        for sample in series.samples:
            index = bisect_left(ends, sample.at_ms)
            if index < len(rounds) and sample.at_ms > rounds[index].start_ms:
                horizon = rounds[index].start_ms - lookback_ms
                known = previous if previous and previous.at_ms > horizon else None
                self.found.append((index, horizon, sample, known))
            if _is_count(sample.value, whole=series.role.whole):
                previous = sample

    def restarts(self) -> Iterable[int]:
        """When the pod must have restarted; the counter of one cohort alone shows nothing."""
        if self.series.role.by_cohort:
            return ()
        return (
            sample.at_ms
            for _, _, sample, before in self.found
            if before and sample.value < before.value
        )

    def add_to(self, tallies: Sequence[_Tally], sight: _PodSight) -> None:
        """Add each sample's increment to its round."""
        one = self.series
        sources: dict[int, int] = {}
        for index, horizon, sample, before in self.found:
            if sources.setdefault(index, sample.source) != sample.source:
                tallies[index].reject(Contradiction.DUPLICATE_SERIES, one.pod)
            if not _is_count(sample.value, whole=one.role.whole):
                tallies[index].reject(Contradiction.NOT_A_COUNT, one.pod)
                continue
            if before is None:
                began = sight.began_in_sight(sample.at_ms, horizon)
                increment = sample.value if began else 0.0
            elif sample.value < before.value or sample.at_ms in sight.restarts:
                increment = sample.value
            else:
                increment = sample.value - before.value
            tallies[index].add(one, increment)


# Sums of losses differ from their exact value by rounding.
_ROUNDING = 1e-6
# Beyond this a float skips integers.
_LARGEST_EXACT = 2.0**53


def _is_count(value: float, *, whole: bool) -> bool:
    return 0 <= value <= _LARGEST_EXACT and (not whole or value.is_integer())


def _cohort(text: str) -> float:
    """Start of a cohort in Unix seconds; a label that isn't a number belongs to none."""
    try:
        start = float(text)
    except ValueError:
        return -math.inf
    return start if math.isfinite(start) else -math.inf
