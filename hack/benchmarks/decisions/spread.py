"""How bad answers spread over requests: independently, in bursts, by the minute or by the pod."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
Integers = NDArray[np.int64]


class Spread(Protocol):
    """Draws bad answers at given mean rates."""

    def pod_factors(self, rollouts: int, pods: int, rng: np.random.Generator) -> Numbers:
        """What each pod's rate is multiplied with for as long as it lives, (rollouts, pods)."""
        ...

    def bad(
        self, total: Integers, rates: Numbers, rng: np.random.Generator
    ) -> tuple[Integers, Numbers]:
        """Requests and bad ones of each pod and scrape; a spread may bring requests of its own."""
        ...


class AlikePods:
    """Pods that don't differ."""

    __slots__ = ()

    def pod_factors(self, rollouts: int, pods: int, rng: np.random.Generator) -> Numbers:
        """One for each."""
        del rng
        return np.ones((rollouts, pods))


@dataclass(frozen=True, slots=True)
class Independent(AlikePods):
    """Each request for itself."""

    def bad(
        self, total: Integers, rates: Numbers, rng: np.random.Generator
    ) -> tuple[Integers, Numbers]:
        return total, rng.binomial(total, rates).astype(np.float64)


@dataclass(frozen=True, slots=True)
class Bursts(AlikePods):
    """Bad answers come in bursts of geometric length, each in one pod and one scrape interval.

    A burst longer than the interval's requests brings its own, as retries of failures do.
    Variance is (2 mean - 1) times that of independent answers.
    """

    mean_length: float

    def bad(
        self, total: Integers, rates: Numbers, rng: np.random.Generator
    ) -> tuple[Integers, Numbers]:
        bursts = rng.poisson(total * rates / self.mean_length)
        more = rng.negative_binomial(np.maximum(bursts, 1), 1 / self.mean_length)
        bad = np.where(bursts > 0, bursts + more, 0)
        return np.maximum(total, bad), bad.astype(np.float64)


@dataclass(frozen=True, slots=True)
class RateOfScrape(AlikePods):
    """Each pod has another rate in each scrape interval: Beta, with this intra-class correlation.

    Variance is 1 + (requests - 1) correlation times that of independent answers.
    """

    correlation: float

    def bad(
        self, total: Integers, rates: Numbers, rng: np.random.Generator
    ) -> tuple[Integers, Numbers]:
        weight = (1 - self.correlation) / self.correlation
        mixed = rng.beta(rates * weight, (1 - rates) * weight, size=total.shape)
        return total, rng.binomial(total, mixed).astype(np.float64)


@dataclass(frozen=True, slots=True)
class RateOfPod(Independent):
    """Pods differ for as long as they live: log-normal around the mean, with this variation."""

    coefficient: float

    def pod_factors(self, rollouts: int, pods: int, rng: np.random.Generator) -> Numbers:
        variance = np.log1p(self.coefficient**2)
        return np.exp(rng.normal(-variance / 2, np.sqrt(variance), size=(rollouts, pods)))


@dataclass(frozen=True, slots=True)
class Scores(AlikePods):
    """No answer is bad or good: each has a loss, Beta(shape, .) with the rate as its mean.

    Losses are whole multiples of 1/256, so that their sums are exact in any order.
    """

    shape: float

    def bad(
        self, total: Integers, rates: Numbers, rng: np.random.Generator
    ) -> tuple[Integers, Numbers]:
        flat = total.ravel()
        means = np.repeat(np.broadcast_to(rates, total.shape).ravel(), flat)
        # Stochastic rounding keeps the mean.
        scaled = rng.beta(self.shape, self.shape * (1 / means - 1)) * 256
        losses = np.minimum(np.floor(scaled + rng.random(scaled.shape)), 256)
        ends = np.concatenate(([0.0], np.cumsum(losses)))[np.concatenate(([0], np.cumsum(flat)))]
        return total, (np.diff(ends) / 256).reshape(total.shape)
