"""What others' rules would have decided on the same traffic.

Written after the sources of Argo Rollouts 1.9 (`analysis.go`, `evaluate.go`) and Flagger 1.44
(`scheduler.go`). They are given more than they would have: every scrape,
limits at twice the base rate that is true, and conditions that let an interval without traffic
pass where their language can say so. A z test is what one would write by hand.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import accumulate
from statistics import NormalDist
from typing import Protocol

ERROR_RETRY_SECONDS = 10.0
"""Argo Rollouts measures again after this, whatever the interval, where it got no answer."""


class PeerEnd(StrEnum):
    """How a rollout ends."""

    ROLLED_BACK = "rolled back"
    PAUSED = "paused"
    PROMOTED = "promoted"


@dataclass(frozen=True, slots=True)
class PeerEnding:
    """End of a rollout and its second."""

    end: PeerEnd
    at: float


@dataclass(frozen=True, slots=True)
class Window:
    """Requests and bad ones in the range of a query."""

    canary_total: float
    canary_bad: float
    stable_total: float
    stable_bad: float


@dataclass(frozen=True, slots=True)
class Observed:
    """One metric as a query sees it: totals since the start at the end of each scrape interval.

    Attributes
    ----------
    limit
        The rate that thresholds allow.
    away
        From one second to another the provider doesn't answer.
    """

    scrape_seconds: float
    canary_total: Sequence[float]
    canary_bad: Sequence[float]
    stable_total: Sequence[float]
    stable_bad: Sequence[float]
    limit: float
    away: tuple[float, float] | None = None

    @property
    def duration_seconds(self) -> float:
        return (len(self.canary_total) - 1) * self.scrape_seconds

    def last(self, seconds: float, at: float) -> Window | None:
        """The last seconds up to a moment; None where the provider doesn't answer."""
        if self.away and self.away[0] <= at < self.away[1]:
            return None
        end = int(at / self.scrape_seconds + 1e-9)
        start = max(0, end - round(seconds / self.scrape_seconds))
        totals = (self.canary_total, self.canary_bad, self.stable_total, self.stable_bad)
        return Window(*(total[end] - total[start] for total in totals))


def observed(
    rounds: tuple[Sequence[float], Sequence[float], Sequence[float], Sequence[float]],
    *,
    scrape_seconds: float,
    limit: float,
    away: tuple[float, float] | None = None,
) -> Observed:
    """From what canary and stable counted in each interval: total and bad, total and bad."""
    totals = [list(accumulate(counts, initial=0.0)) for counts in rounds]
    return Observed(scrape_seconds, *totals, limit=limit, away=away)


class Peer(Protocol):
    """A rule for one rollout with one or several metrics."""

    name: str
    short: str

    def ending(self, metrics: Sequence[Observed]) -> PeerEnding:
        """How the rollout ends; promoted when its time is over."""
        ...


class Measurement(StrEnum):
    """Argo Rollouts' words for one measurement."""

    SUCCESSFUL = "Successful"
    FAILED = "Failed"
    INCONCLUSIVE = "Inconclusive"
    ERROR = "Error"


@dataclass(frozen=True, slots=True)
class ArgoRollouts:
    """An AnalysisRun in the background of timed steps.

    Attributes
    ----------
    window_seconds
        Range of the query, `rate(…[5m])`.
    times_stable
        Compare with stable's rate times this; None: with the limit.
    without_traffic
        What the conditions make of an interval without requests.
    """

    name: str
    short: str
    interval_seconds: float
    window_seconds: float
    failure_limit: int = 0
    inconclusive_limit: int = 0
    consecutive_error_limit: int = 4
    times_stable: float | None = None
    without_traffic: Measurement = Measurement.SUCCESSFUL

    def ending(self, metrics: Sequence[Observed]) -> PeerEnding:
        """The first metric that ends the run ends the rollout."""
        ends = [self._of_metric(metric) for metric in metrics]
        return min(ends, key=lambda one: (one.at, one.end is PeerEnd.PROMOTED))

    def _of_metric(self, metric: Observed) -> PeerEnding:
        failed = inconclusive = errors = 0
        at = self.interval_seconds
        while at <= metric.duration_seconds:
            measurement = self.measurement(metric, at)
            errors = errors + 1 if measurement is Measurement.ERROR else 0
            failed += measurement is Measurement.FAILED
            inconclusive += measurement is Measurement.INCONCLUSIVE
            if failed > self.failure_limit or errors > self.consecutive_error_limit:
                return PeerEnding(PeerEnd.ROLLED_BACK, at)
            if inconclusive > self.inconclusive_limit:
                return PeerEnding(PeerEnd.PAUSED, at)
            at += ERROR_RETRY_SECONDS if errors else self.interval_seconds
        return PeerEnding(PeerEnd.PROMOTED, metric.duration_seconds)

    def measurement(self, metric: Observed, at: float) -> Measurement:
        """What one measurement says."""
        seen = metric.last(self.window_seconds, at)
        if seen is None:
            return Measurement.ERROR
        if seen.canary_total == 0 or (self.times_stable and seen.stable_total == 0):
            return self.without_traffic
        limit = metric.limit
        if self.times_stable is not None:
            limit = self.times_stable * seen.stable_bad / seen.stable_total
        within = seen.canary_bad / seen.canary_total <= limit
        return Measurement.SUCCESSFUL if within else Measurement.FAILED


@dataclass(frozen=True, slots=True)
class Flagger:
    """Checks at each interval; a failed one is never forgotten, nor is one without an answer.

    The moment is that of the check that reaches the threshold; traffic moves at the next one.
    """

    name: str
    short: str
    interval_seconds: float
    threshold: int

    def ending(self, metrics: Sequence[Observed]) -> PeerEnding:
        """Rolled back when `threshold` checks have failed."""
        duration, failed = metrics[0].duration_seconds, 0
        for number in range(1, int(duration / self.interval_seconds) + 1):
            at = number * self.interval_seconds
            failed += not all(self._passes(metric, at) for metric in metrics)
            if failed >= self.threshold:
                return PeerEnding(PeerEnd.ROLLED_BACK, at)
        return PeerEnding(PeerEnd.PROMOTED, duration)

    def _passes(self, metric: Observed, at: float) -> bool:
        seen = metric.last(self.interval_seconds, at)
        if seen is None or seen.canary_total == 0:
            return False
        return seen.canary_bad / seen.canary_total <= metric.limit


@dataclass(frozen=True, slots=True)
class ZTest:
    """Two proportions of the whole rollout so far, one-sided, tested at each look.

    `look_seconds` None: once, at the end. Metrics share alpha in equal parts.
    """

    name: str
    short: str
    look_seconds: float | None
    alpha: float = 0.01

    def ending(self, metrics: Sequence[Observed]) -> PeerEnding:
        """Rolled back at the first look with a significant difference."""
        duration = metrics[0].duration_seconds
        step = self.look_seconds or duration
        critical = NormalDist().inv_cdf(1 - self.alpha / len(metrics))
        for number in range(1, int(duration / step + 1e-9) + 1):
            at = number * step
            if any(self._z(metric.last(at, at)) > critical for metric in metrics):
                return PeerEnding(PeerEnd.ROLLED_BACK, at)
        return PeerEnding(PeerEnd.PROMOTED, duration)

    @staticmethod
    def _z(seen: Window | None) -> float:
        if seen is None or not seen.canary_total or not seen.stable_total:
            return 0.0
        pooled = (seen.canary_bad + seen.stable_bad) / (seen.canary_total + seen.stable_total)
        variance = pooled * (1 - pooled) * (1 / seen.canary_total + 1 / seen.stable_total)
        if variance <= 0:
            return 0.0
        difference = seen.canary_bad / seen.canary_total - seen.stable_bad / seen.stable_total
        return difference / math.sqrt(variance)


def peers(scrape_seconds: float) -> tuple[Peer, ...]:
    """The rules that every case is played against, with settings that their users write."""
    argo = "Argo Rollouts, "
    return (
        ArgoRollouts(argo + "interval 1m, failureLimit 0", "Argo 1m/0", 60, 60),
        ArgoRollouts(argo + "interval 1m, failureLimit 3", "Argo 1m/3", 60, 60, failure_limit=3),
        ArgoRollouts(argo + "interval 5m, failureLimit 3", "Argo 5m/3", 300, 300, failure_limit=3),
        ArgoRollouts(
            argo + "`rate[5m]` each minute, failureLimit 3",
            "Argo [5m]/3",
            60,
            300,
            failure_limit=3,
        ),
        ArgoRollouts(
            argo + "`rate[5m]` at most twice that of stable, each minute, failureLimit 3",
            "Argo 2x/3",
            60,
            300,
            failure_limit=3,
            times_stable=2,
        ),
        ArgoRollouts(
            argo + "interval 1m, failureLimit 3; no traffic is inconclusive, inconclusiveLimit 3 "
            "(the fourth pauses the rollout)",
            "Argo 1m/3/3",
            60,
            60,
            failure_limit=3,
            inconclusive_limit=3,
            without_traffic=Measurement.INCONCLUSIVE,
        ),
        Flagger("Flagger, interval 1m, threshold 5", "Flagger 1m/5", 60, 5),
        ZTest("z test of two proportions, 1 %, at each scrape", "z peeking", scrape_seconds),
        ZTest("z test of two proportions, 1 %, once at the end", "z once", None),
    )
