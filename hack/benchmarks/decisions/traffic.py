"""What pods count, drawn for many rollouts at once: requests by rate and split, bad ones by rate.

Time is virtual, in seconds since the canary was given traffic. The hour before belongs to stable
alone: from it come its baseline and the variance inflation.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.decisions.spread import Independent, Spread

Numbers = NDArray[np.float64]
Integers = NDArray[np.int64]
RateAt = Callable[[Numbers], Numbers]
"""Share of bad answers at each of the moments given."""

STEPS = ((0.0, 0.05), (600.0, 0.25), (1200.0, 0.50))
"""From this second on the canary has this share of the requests."""
SECONDS_BEFORE = 3600.0


@dataclass(frozen=True, slots=True)
class Traffic:
    """Requests of one rollout, which runs its steps by time.

    Attributes
    ----------
    slices_per_scrape
        Rates and split may change within a scrape interval at this many places.
    """

    requests_per_second: float
    steps: tuple[tuple[float, float], ...] = STEPS
    duration_seconds: float = 1800
    scrape_seconds: float = 15
    slices_per_scrape: int = 1
    canary_pods: int = 3
    stable_pods: int = 4

    @property
    def scrapes(self) -> int:
        """Scrape intervals of the rollout."""
        return round(self.duration_seconds / self.scrape_seconds)

    @property
    def scrapes_before(self) -> int:
        """Scrape intervals of the hour before."""
        return round(SECONDS_BEFORE / self.scrape_seconds)

    @property
    def slice_seconds(self) -> float:
        """Time in which rates and split are constant."""
        return self.scrape_seconds / self.slices_per_scrape

    def slices(self) -> Numbers:
        """Start of each slice, from an hour before the rollout to its end."""
        first = -self.scrapes_before * self.slices_per_scrape
        last = self.scrapes * self.slices_per_scrape
        return np.arange(first, last) * self.slice_seconds

    def canary_share(self, at: Numbers) -> Numbers:
        """The canary's share of the requests at each moment."""
        starts = np.array([start for start, _ in self.steps])
        shares = np.array([0.0, *(share for _, share in self.steps)])
        return shares[np.searchsorted(starts, at + 1e-6, side="right")]


def always(rate: float) -> RateAt:
    """The same rate at all times."""
    return lambda at: np.full(at.shape, rate)


def from_second(start: float, rate: float, *, before: float) -> RateAt:
    """A fault that begins late."""
    return lambda at: np.where(at >= start - 1e-6, rate, before)


def during(start: float, end: float, rate: float, *, otherwise: float) -> RateAt:
    """An incident with an end."""
    return lambda at: np.where((at >= start - 1e-6) & (at < end - 1e-6), rate, otherwise)


@dataclass(frozen=True, slots=True)
class Counted:
    """Events of one arm: arrays (rollouts, scrapes, pods); `bad` is fractional for scores."""

    total: Integers
    bad: Numbers

    def of_arm(self) -> Counted:
        """Sum over the pods, (rollouts, scrapes)."""
        return Counted(self.total.sum(axis=-1), self.bad.sum(axis=-1))


@dataclass(frozen=True, slots=True)
class Drawn:
    """What one metric counts in many rollouts.

    Attributes
    ----------
    before
        Stable in the hour before.
    stable_at_arrival
        For labels: stable's, those of requests from before the rollout included, as a query
        without cohorts would see them.
    """

    canary: Counted
    stable: Counted
    before: Counted
    stable_at_arrival: Counted | None = None


@dataclass(frozen=True, slots=True)
class Requests:
    """Requests of each slice and pod, (rollouts, slices, pods), from the hour before on."""

    canary: Integers
    stable: Integers


def drawn_requests(
    traffic: Traffic, rng: np.random.Generator, rollouts: int, *, share: float = 1.0
) -> Requests:
    """Independent arrivals; `share` of them is counted, as in a slice of the users."""
    at = traffic.slices()
    mean = traffic.requests_per_second * traffic.slice_seconds * share
    of_canary = traffic.canary_share(at)

    def arrivals(arm_share: Numbers, pods: int) -> Integers:
        means = (mean * arm_share / pods)[:, np.newaxis]
        return rng.poisson(means, size=(rollouts, len(at), pods))

    return Requests(
        canary=arrivals(of_canary, traffic.canary_pods),
        stable=arrivals(1 - of_canary, traffic.stable_pods),
    )


def drawn_answers(
    traffic: Traffic,
    requests: Requests,
    rng: np.random.Generator,
    *,
    stable: RateAt,
    canary: RateAt,
    spread: Spread | None = None,
) -> Drawn:
    """Which of the requests are answered badly."""
    spread = spread or Independent()
    at = traffic.slices()

    def answered(total: Integers, rate: Numbers) -> Counted:
        factors = spread.pod_factors(total.shape[0], total.shape[2], rng)
        rates = np.clip(rate[np.newaxis, :, np.newaxis] * factors[:, np.newaxis, :], 0, 1)
        return _by_scrape(Counted(*spread.bad(total, rates, rng)), traffic.slices_per_scrape)

    of_canary, of_stable = (
        answered(requests.canary, canary(at)),
        answered(requests.stable, stable(at)),
    )
    start = traffic.scrapes_before
    return Drawn(
        canary=Counted(of_canary.total[:, start:], of_canary.bad[:, start:]),
        stable=Counted(of_stable.total[:, start:], of_stable.bad[:, start:]),
        before=Counted(of_stable.total[:, :start], of_stable.bad[:, :start]),
    )


def _by_scrape(counted: Counted, slices: int) -> Counted:
    if slices == 1:
        return counted
    rollouts, length, pods = counted.total.shape
    shape = (rollouts, length // slices, slices, pods)
    return Counted(counted.total.reshape(shape).sum(axis=2), counted.bad.reshape(shape).sum(axis=2))
