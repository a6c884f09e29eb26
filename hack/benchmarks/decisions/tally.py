"""What many rollouts of a case ended with: counted in chunks, added up, measured."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from scipy.stats import binomtest

from benchmarks.decisions.case import Measure


@dataclass(slots=True)
class Decisions:
    """Of one rule in one case.

    Attributes
    ----------
    rolled_back
        At any time until the end, also after a promotion would have ended the rollout.
    promoted
        Before any rollback.
    seconds, requests
        From the fault to the rollback, of each rollout that was rolled back after it.
    """

    rollouts: int = 0
    rolled_back: int = 0
    promoted: int = 0
    seconds: list[float] = field(default_factory=list)
    requests: list[float] = field(default_factory=list)

    def add(self, other: Decisions) -> None:
        """Take in another chunk's."""
        self.rollouts += other.rollouts
        self.rolled_back += other.rolled_back
        self.promoted += other.promoted
        self.seconds += other.seconds
        self.requests += other.requests

    def quantile(self, values: Sequence[float], share: float) -> float:
        """Over all rollouts: those that weren't rolled back come last, at infinity."""
        rank = max(0, math.ceil(share * self.rollouts) - 1)
        return sorted(values)[rank] if rank < len(values) else math.inf


@dataclass(slots=True)
class Tally:
    """All that was seen of a case.

    Attributes
    ----------
    whole_way, whole_way_differs
        Rollouts that also went the way of samples, and those whose evidence wasn't the same.
    replayed, replay_differs
        Rollouts with crashes at random moments, and states that weren't the same.
    product_seconds, metric_rounds
        Time of the product's updates, and their number.
    """

    product: Decisions = field(default_factory=Decisions)
    peers: dict[str, Decisions] = field(default_factory=dict)
    whole_way: int = 0
    whole_way_differs: int = 0
    replayed: int = 0
    replay_differs: int = 0
    product_seconds: float = 0.0
    metric_rounds: int = 0

    def add(self, other: Tally) -> None:
        """Take in another chunk's."""
        self.product.add(other.product)
        for name, decisions in other.peers.items():
            self.peers.setdefault(name, Decisions()).add(decisions)
        self.whole_way += other.whole_way
        self.whole_way_differs += other.whole_way_differs
        self.replayed += other.replayed
        self.replay_differs += other.replay_differs
        self.product_seconds += other.product_seconds
        self.metric_rounds += other.metric_rounds


def measured(tally: Tally, measure: Measure, bound_requests: float | None) -> float:
    """One figure of a case."""
    product = tally.product
    match measure:
        case Measure.ROLLED_BACK:
            return product.rolled_back / product.rollouts
        case Measure.PROMOTED:
            return product.promoted / product.rollouts
        case Measure.MEDIAN_SECONDS:
            return product.quantile(product.seconds, 0.5)
        case Measure.P95_SECONDS:
            return product.quantile(product.seconds, 0.95)
        case Measure.P95_REQUESTS:
            return product.quantile(product.requests, 0.95)
        case Measure.MEAN_OVER_BOUND:
            if not product.requests or not bound_requests:
                return math.inf
            return math.fsum(product.requests) / len(product.requests) / bound_requests
        case Measure.DIFFERENT_STATES:
            return float(tally.replay_differs) if tally.replayed else math.inf
        case Measure.MILLISECONDS:
            return 1000 * tally.product_seconds / tally.metric_rounds


def interval(count: int, of: int) -> tuple[float, float]:
    """Of a share, by Clopper and Pearson: it holds the true share in at least 95 % of cases."""
    found = binomtest(count, of).proportion_ci(0.95, method="exact")
    return float(found.low), float(found.high)
