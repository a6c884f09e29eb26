"""Labels that come later: when they are counted, by the cohort of the request that they belong to.

Requests arrive independently, so the labels of one cohort that are counted in one scrape interval
are a Poisson number of their own, with a mean that follows from the distribution of the delay.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.decisions.traffic import (
    SECONDS_BEFORE,
    Counted,
    Drawn,
    Integers,
    Numbers,
    RateAt,
    Traffic,
)

PODS_BEFORE = 2
"""Pods of stable between which its labels' variance is measured; later labels go to one pod."""


@dataclass(frozen=True, slots=True)
class LabelDelay:
    """How long a label takes: exponential, with a mean that may depend on what it will say.

    Attributes
    ----------
    maturity_seconds
        `server.feedback.maturity`: no label counts before its request is this old.
    """

    wrong_seconds: float
    right_seconds: float
    maturity_seconds: float = 0.0
    cohort_seconds: float = 300.0

    def counted_by(self, age: Numbers, mean_seconds: float) -> Numbers:
        """Share of labels that are counted when their requests have this age."""
        come = 1 - np.exp(-np.maximum(age, 0) / mean_seconds)
        return np.where(age >= self.maturity_seconds, come, 0.0)


@dataclass(frozen=True, slots=True)
class ByCohort:
    """Labels of one arm: arrays (rollouts, scrapes, cohorts)."""

    right: Integers
    wrong: Integers
    cohort_seconds: float

    def counted(self) -> Counted:
        """Sum over the cohorts, as of one pod."""
        wrong = self.wrong.sum(axis=-1, keepdims=True)
        return Counted(
            self.right.sum(axis=-1, keepdims=True) + wrong,
            wrong.astype(np.float64),
        )


@dataclass(frozen=True, slots=True)
class DrawnLabels:
    """Labels of both arms by cohort, and what follows from them for one metric."""

    canary: ByCohort
    stable: ByCohort
    metric: Drawn


def of_metric(drawn: Drawn | DrawnLabels) -> Drawn:
    """The sums over all cohorts, where there are cohorts."""
    return drawn.metric if isinstance(drawn, DrawnLabels) else drawn


def drawn_labels(
    traffic: Traffic,
    delay: LabelDelay,
    rng: np.random.Generator,
    rollouts: int,
    *,
    stable: RateAt,
    canary: RateAt,
) -> DrawnLabels:
    """Labels of many rollouts; only requests since the rollout began belong to a cohort."""
    issued = traffic.slices()[traffic.scrapes_before :] + traffic.scrape_seconds / 2
    share = traffic.canary_share(issued)
    per_scrape = traffic.requests_per_second * traffic.scrape_seconds
    of_canary = _by_cohort(traffic, delay, rng, rollouts, per_scrape * share, canary(issued))
    of_stable = _by_cohort(traffic, delay, rng, rollouts, per_scrape * (1 - share), stable(issued))
    old_rate = float(stable(np.array([-1.0]))[0])
    backlog = _backlog(traffic, delay, rng, rollouts, old_rate)
    counted = of_stable.counted()
    return DrawnLabels(
        canary=of_canary,
        stable=of_stable,
        metric=Drawn(
            canary=of_canary.counted(),
            stable=counted,
            before=_before(traffic, rng, rollouts, old_rate),
            stable_at_arrival=Counted(counted.total + backlog.total, counted.bad + backlog.bad),
        ),
    )


def _by_cohort(
    traffic: Traffic,
    delay: LabelDelay,
    rng: np.random.Generator,
    rollouts: int,
    issued: Numbers,
    rate: Numbers,
) -> ByCohort:
    """`issued` requests of each scrape interval, `rate` of them answered wrong."""
    wrong = _arrivals(traffic, delay, issued * rate, delay.wrong_seconds)
    right = _arrivals(traffic, delay, issued * (1 - rate), delay.right_seconds)
    shape = (rollouts, *wrong.shape)
    return ByCohort(
        right=rng.poisson(right, size=shape),
        wrong=rng.poisson(wrong, size=shape),
        cohort_seconds=delay.cohort_seconds,
    )


def _arrivals(traffic: Traffic, delay: LabelDelay, issued: Numbers, mean_seconds: float) -> Numbers:
    """Expected labels (scrapes, cohorts) of the requests that were issued in each scrape."""
    starts = np.arange(traffic.scrapes) * traffic.scrape_seconds
    middles = starts + traffic.scrape_seconds / 2
    age = (starts + traffic.scrape_seconds)[:, np.newaxis] - middles[np.newaxis, :]
    counted = delay.counted_by(age, mean_seconds)
    fresh = np.diff(counted, axis=0, prepend=np.zeros((1, len(middles))))
    cohort_of = (middles // delay.cohort_seconds).astype(int)
    cohorts: NDArray[np.float64] = np.zeros((traffic.scrapes, cohort_of[-1] + 1))
    for number in range(cohorts.shape[1]):
        cohorts[:, number] = (fresh * issued)[:, cohort_of == number].sum(axis=1)
    return cohorts


def _before(traffic: Traffic, rng: np.random.Generator, rollouts: int, rate: float) -> Counted:
    """Labels of the hour before: as many as were issued, as in a river that flows evenly."""
    mean = traffic.requests_per_second * traffic.scrape_seconds / PODS_BEFORE
    shape = (rollouts, traffic.scrapes_before, PODS_BEFORE)
    wrong = rng.poisson(mean * rate, size=shape)
    right = rng.poisson(mean * (1 - rate), size=shape)
    return Counted(wrong + right, wrong.astype(np.float64))


def _backlog(
    traffic: Traffic, delay: LabelDelay, rng: np.random.Generator, rollouts: int, rate: float
) -> Counted:
    """Labels that stable's requests from before the rollout still get."""
    ends = np.arange(traffic.scrapes + 1) * traffic.scrape_seconds
    back = np.arange(0.5, 12 * SECONDS_BEFORE / traffic.scrape_seconds) * traffic.scrape_seconds

    def waiting(mean_seconds: float, share: float) -> Integers:
        per_issue = traffic.requests_per_second * traffic.scrape_seconds * share
        age = ends[:, np.newaxis] + back[np.newaxis, :]
        counted = delay.counted_by(age, mean_seconds).sum(axis=1) * per_issue
        return rng.poisson(np.diff(counted), size=(rollouts, traffic.scrapes))[:, :, np.newaxis]

    wrong = waiting(delay.wrong_seconds, rate)
    right = waiting(delay.right_seconds, 1 - rate)
    return Counted(wrong + right, wrong.astype(np.float64))
