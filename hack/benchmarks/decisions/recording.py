"""Samples of a simulated rollout, as a metrics provider has them: counters of pods by scrape."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np

from benchmarks.decisions.case import Case, Disturbance, Replacement, SimulatedMetric
from benchmarks.decisions.labels import ByCohort, DrawnLabels
from benchmarks.decisions.traffic import Counted, Drawn, Numbers, Traffic
from serinus.analysis.promql import (
    DURATION_BUCKET,
    DURATION_COUNT,
    LABEL_LOSS,
    LABELS,
    REQUESTS,
)
from serinus.analysis.samples import Query, RangeVector
from serinus.api.enums import MetricTemplate

START = 1_700_000_100
"""Unix time at which every rollout begins; a whole number of cohorts."""
CANARY, STABLE = "c0ffee0000", "5ab1e00000"

_RANGE = re.compile(r"\[(\d+)ms\]$")
_SUMMED = re.compile(r"^sum by .*\[(\d+)ms:\d+ms\]$")
_MINUTE_MS = 60_000
_OLD_COHORT = str(START - 3600)


def moment(seconds: float) -> datetime:
    """The moment that many seconds after the start of the rollout."""
    return datetime.fromtimestamp(START + seconds, tz=UTC)


@dataclass(frozen=True, slots=True)
class RecordedSeries:
    """One series: labels, and samples by Unix time."""

    labels: Mapping[str, str]
    samples: tuple[tuple[float, float], ...]
    times: tuple[float, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "times", tuple(at for at, _ in self.samples))

    def value(self, at: float) -> float:
        """Its newest value at a moment; 0 before the first."""
        index = bisect_right(self.times, at)
        return self.samples[index - 1][1] if index else 0.0

    def between(self, after: float, until: float) -> RangeVector | None:
        """Samples after one moment and up to another; None without any."""
        found = self.samples[bisect_right(self.times, after) : bisect_right(self.times, until)]
        return RangeVector(self.labels, found) if found else None


@dataclass(frozen=True, slots=True)
class Recording:
    """All series of one metric."""

    series: tuple[RecordedSeries, ...]

    def answer(self, query: Query) -> tuple[RangeVector, ...]:
        """What the provider answers: the range is in the query, its end is the query's time."""
        summed = _SUMMED.search(query.promql)
        if summed:
            return self._stable_labels_by_minute(minutes=int(summed[1]) // _MINUTE_MS)
        matched = _RANGE.search(query.promql)
        assert matched, f"not a raw range vector: {query.promql}"
        until = query.evaluated_at.timestamp()
        after = until - int(matched[1]) / 1000
        vectors = (one.between(after, until) for one in self.series)
        return tuple(vector for vector in vectors if vector is not None)

    def _stable_labels_by_minute(self, *, minutes: int) -> tuple[RangeVector, ...]:
        """What each series of stable grew by in each whole minute before the rollout."""
        return tuple(
            RangeVector(
                one.labels,
                tuple(
                    (at, max(0.0, one.value(at) - one.value(at - 60)))
                    for at in range(START - 60 * (minutes - 1), START + 1, 60)
                ),
            )
            for one in self.series
            if one.labels["revision"] == STABLE and one.labels["__name__"] != REQUESTS
        )


@dataclass(frozen=True, slots=True)
class PodCounters:
    """What each counter of a pod grew by in each scrape interval from `first` on.

    The pod was scraped once before, with all counters at 0; those of labels don't exist until
    they count something.
    """

    name: str
    number: int
    first: int
    increments: Mapping[tuple[tuple[str, str], ...], Numbers]


def recorded(
    case: Case,
    metric: SimulatedMetric,
    drawn: Drawn | DrawnLabels,
    rollout: int,
    rng: np.random.Generator,
) -> Recording:
    """The series that one metric's rule reads in one rollout."""
    pods = (
        list(_label_pods(case.traffic, drawn, rollout))
        if isinstance(drawn, DrawnLabels)
        else list(_pods(case, metric, drawn, rollout))
    )
    disturbance = case.disturbance or Disturbance()
    last = max(pod.number for pod in pods) + 1
    return Recording(
        tuple(
            series
            for pod in pods
            for series in _recorded_pod(
                pod, disturbance, rng, interval=case.traffic.scrape_seconds, pods=last
            )
        )
    )


def _pods(case: Case, metric: SimulatedMetric, drawn: Drawn, rollout: int) -> Iterator[PodCounters]:
    disturbance = case.disturbance or Disturbance()
    before = -case.traffic.scrapes_before
    of_stable = _joined(drawn.before, drawn.stable)
    arms = (
        ("canary", CANARY, 0, drawn.canary, disturbance.canary_replaced),
        ("stable", STABLE, before, of_stable, disturbance.stable_replaced),
    )
    number = 0
    for arm, revision, first, counted, replaced in arms:
        for pod in range(counted.total.shape[2]):
            total = counted.total[rollout, :, pod].astype(np.float64)
            bad = counted.bad[rollout, :, pod]
            lives = _lives(replaced, pod, case.traffic, first, len(total))
            for life, (begin, end) in enumerate(lives):
                name = f"{arm}-{pod}-{life}"
                own = {"pod": name, "revision": revision}
                part = slice(begin - first, end - first)
                increments = _increments(metric, own, total[part], bad[part], begin)
                yield PodCounters(name, number, begin, increments)
            number += 1


def _joined(first: Counted, second: Counted) -> Counted:
    return Counted(
        np.concatenate((first.total, second.total), axis=1),
        np.concatenate((first.bad, second.bad), axis=1),
    )


def _lives(
    replaced: tuple[Replacement, ...], pod: int, traffic: Traffic, first: int, length: int
) -> Iterator[tuple[int, int]]:
    """Intervals, from and until, in which the pod and its replacements served."""
    begin = first
    for one in replaced:
        if one.pod == pod:
            yield begin, round(one.gone_at / traffic.scrape_seconds)
            begin = round(one.replaced_at / traffic.scrape_seconds)
    yield begin, first + length


def _increments(
    metric: SimulatedMetric, own: dict[str, str], total: Numbers, bad: Numbers, begin: int
) -> dict[tuple[tuple[str, str], ...], Numbers]:
    match metric.rule.template:
        case MetricTemplate.ERROR_RATE:
            return {
                _labels(REQUESTS, **own, code="200"): total - bad,
                _labels(REQUESTS, **own, code="500"): bad,
            }
        case MetricTemplate.SLOW_REQUESTS:
            bound = f"{metric.rule.latency_seconds:g}"
            return {
                _labels(DURATION_COUNT, **own): total,
                _labels(DURATION_BUCKET, **own, le=bound): total - bad,
            }
        case _:
            return _scored(metric, own, total, bad, begin)


def _scored(
    metric: SimulatedMetric, own: dict[str, str], total: Numbers, bad: Numbers, begin: int
) -> dict[tuple[tuple[str, str], ...], Numbers]:
    """Losses whose labels come at once: one cohort before the rollout and one since."""
    old = np.arange(begin, begin + len(total)) < 0
    heartbeat = {_labels(REQUESTS, **own, code="200"): total}
    for cohort, mine in ((_OLD_COHORT, old), (str(START), ~old)):
        of_cohort = {**own, "cohort": cohort}
        loss = _labels(LABEL_LOSS, **of_cohort, score=metric.rule.score or "")
        heartbeat[_labels(LABELS, **of_cohort, outcome="right")] = np.where(mine, total, 0)
        heartbeat[loss] = np.where(mine, bad, 0)
    return heartbeat


def _label_pods(traffic: Traffic, drawn: DrawnLabels, rollout: int) -> Iterator[PodCounters]:
    """One pod of the canary, and stable's; the first of stable counts all labels of cohorts."""
    before = drawn.metric.before
    yield PodCounters("canary-0", 0, 0, _of_cohorts("canary-0", CANARY, drawn.canary, rollout))
    for pod in range(before.total.shape[2]):
        name = f"stable-{pod}"
        own = {"pod": name, "revision": STABLE, "cohort": _OLD_COHORT}
        rest = np.zeros(traffic.scrapes)
        wrong = np.concatenate((before.bad[rollout, :, pod], rest))
        right = np.concatenate((before.total[rollout, :, pod], rest)) - wrong
        increments = {
            _labels(REQUESTS, pod=name, revision=STABLE, code="200"): np.ones(len(wrong)),
            _labels(LABELS, **own, outcome="wrong"): wrong,
            _labels(LABELS, **own, outcome="right"): right,
        }
        if pod == 0:
            zeros = np.zeros(traffic.scrapes_before)
            since = _of_cohorts(name, STABLE, drawn.stable, rollout)
            increments |= {
                labels: np.concatenate((zeros, values))
                for labels, values in since.items()
                if labels not in increments
            }
        yield PodCounters(name, pod + 1, -traffic.scrapes_before, increments)


def _of_cohorts(
    pod: str, revision: str, counted: ByCohort, rollout: int
) -> dict[tuple[tuple[str, str], ...], Numbers]:
    own = {"pod": pod, "revision": revision}
    scrapes, cohorts = counted.right.shape[1:]
    increments = {_labels(REQUESTS, **own, code="200"): np.ones(scrapes)}
    for number in range(cohorts):
        cohort = str(START + round(counted.cohort_seconds * number))
        for outcome, values in (("right", counted.right), ("wrong", counted.wrong)):
            key = _labels(LABELS, **own, cohort=cohort, outcome=outcome)
            increments[key] = values[rollout, :, number].astype(np.float64)
    return increments


def _labels(name: str, **own: str) -> tuple[tuple[str, str], ...]:
    return tuple({"__name__": name, **own}.items())


def _recorded_pod(
    pod: PodCounters,
    disturbance: Disturbance,
    rng: np.random.Generator,
    *,
    interval: float,
    pods: int,
) -> Iterator[RecordedSeries]:
    """A pod's series; all of them miss the same scrapes and start over at the same moments."""
    length = len(next(iter(pod.increments.values())))
    offset = round(interval * (pod.number + 1) / (pods + 1), 3)
    at = np.round(np.arange(pod.first - 1, pod.first + length) * interval + offset, 3)
    seen = rng.random(length + 1) >= disturbance.missed_share
    seen[0] = True
    if disturbance.provider_away:
        since, until = disturbance.provider_away
        seen &= (at < since) | (at >= until)
    restarts = np.flatnonzero(rng.random(length) < disturbance.restart_share)
    kept_shares = rng.random(len(restarts))
    for labels, grown in pod.increments.items():
        values = _counter(grown, restarts, kept_shares, rng)
        visible = seen & ((values > 0) | (labels[0][1] not in (LABELS, LABEL_LOSS)))
        samples = zip((START + at[visible]).tolist(), values[visible].tolist(), strict=True)
        if visible.any():
            yield RecordedSeries(dict(labels), tuple(samples))


def _counter(
    grown: Numbers, restarts: Numbers, kept_shares: Numbers, rng: np.random.Generator
) -> Numbers:
    """Values at each scrape; at a restart only what came after it is kept."""
    values = np.concatenate(([0.0], np.cumsum(grown)))
    for restart, share in zip(restarts, kept_shares, strict=True):
        kept = float(rng.binomial(int(grown[restart]), share))
        values[restart + 1 :] -= values[restart + 1] - kept
    return values
