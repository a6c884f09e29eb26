"""The information bound: canary requests before which no test with this alpha can know."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy.optimize import minimize_scalar

from benchmarks.decisions.case import Case, SimulatedMetric
from serinus.analysis.evidence import boundaries

_SMALLEST = 1e-12


@dataclass(frozen=True, slots=True)
class Bound:
    """Canary requests and seconds since the fault began."""

    requests: float
    seconds: float


def information_bound(case: Case) -> Bound | None:
    """Where expected evidence against every rate of stable reaches log(1/alpha).

    None without a fault, where labels come late, and where the rollout ends before. Errors that
    come in bursts carry less information each, by the factor with which they inflate the variance.

    References
    ----------
    .. [1] A. Wald (1945), Sequential Tests of Statistical Hypotheses, section 4.
    """
    if case.fault_at is None or any(metric.delay for metric in case.metrics):
        return None
    metric = _faulty(case)
    needed = math.log(1 / case.rules.alpha) * case.true_inflation
    traffic, requests = case.traffic, 0.0
    length = traffic.slice_seconds
    for at, share in zip(traffic.slices(), traffic.canary_share(traffic.slices()), strict=True):
        if at < case.fault_at - 1e-6:
            continue
        moment = np.array([at])
        arrivals = traffic.requests_per_second * length * metric.share_of_requests
        gained = arrivals * information(
            metric, float(share), float(metric.canary(moment)[0]), float(metric.stable(moment)[0])
        )
        if gained >= needed:
            part = needed / gained
            seconds = float(at) - case.fault_at + part * length
            return Bound(requests + part * arrivals * float(share), seconds)
        needed -= gained
        requests += arrivals * float(share)
    return None


def information(
    metric: SimulatedMetric, share: float, canary_rate: float, stable_rate: float
) -> float:
    """Expected log-evidence of one request that goes to the canary with probability `share`."""
    harm = boundaries(metric.rule.comparisons[0]).harm
    return _least_divergence(harm.ratio, harm.increase, share, canary_rate, stable_rate)


@cache
def _least_divergence(
    ratio: float, increase: float, share: float, canary_rate: float, stable_rate: float
) -> float:
    """Against the rate of stable that explains a canary on the line best."""

    def divergence(rate: float) -> float:
        of_canary = share * kullback_leibler(canary_rate, ratio * rate + increase)
        return of_canary + (1 - share) * kullback_leibler(stable_rate, rate) * (ratio > 0)

    highest = min(1.0, (1 - increase) / ratio) if ratio > 0 else 1.0
    if canary_rate <= ratio * stable_rate + increase:
        return 0.0
    found = minimize_scalar(
        divergence,
        bounds=(_SMALLEST, highest - _SMALLEST),
        method="bounded",
        options={"xatol": 1e-12},
    )
    return float(found.fun)


def kullback_leibler(rate: float, other: float) -> float:
    """Divergence of two coins, in nats."""
    other = min(max(other, _SMALLEST), 1 - _SMALLEST)
    bad = rate * math.log(rate / other) if rate > 0 else 0.0
    good = (1 - rate) * math.log((1 - rate) / (1 - other)) if rate < 1 else 0.0
    return bad + good


def _faulty(case: Case) -> SimulatedMetric:
    at = np.array([case.fault_at or 0.0])
    return max(
        case.metrics,
        key=lambda metric: float(metric.canary(at)[0] - metric.stable(at)[0]),
    )
