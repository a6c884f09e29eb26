"""Weights: how many pods they take, and what whole pods can express.

Stable keeps all its pods while a canary runs, so the canary comes on top. By the number of pods,
with S of stable and c of the canary, a client meets the canary in c of S + c cases. A gateway gives
each weight exactly, and the canary needs pods for its share of the requests.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from enum import StrEnum

from serinus.api.strategy import REPLICA_WEIGHT_MAX_PERCENT

COLD_WEIGHT_PERCENT = 5
"""What a gateway sends at first to pods that never answered: caches fill, and a start that goes
wrong meets few."""
COLD_SECONDS = 10.0
"""For how long."""


class Router(StrEnum):
    """What splits the requests."""

    REPLICAS = "replicas"
    GATEWAY_API = "gatewayAPI"


def canary_replicas(stable_replicas: int, weight_percent: int) -> int:
    """Pods that bring the canary nearest to `weight_percent`: at least one, at most S.

    A canary without weight has no pods, nor has one beside no stable. Weights above 50 are for
    gateways; here they come to as many pods as stable has.
    """
    if stable_replicas <= 0 or weight_percent <= 0:
        return 0
    weight_percent = min(weight_percent, REPLICA_WEIGHT_MAX_PERCENT)
    wanted = stable_replicas * weight_percent / (100 - weight_percent)
    return min(max(math.floor(wanted + 0.5), 1), stable_replicas)


def actual_weight_percent(stable_replicas: int, canary_pods: int) -> int:
    """Percent of requests that `canary_pods` of all pods get, rounded."""
    total = stable_replicas + canary_pods
    return math.floor(100 * canary_pods / total + 0.5) if total else 0


def pods_for_weight(router: Router, stable_replicas: int, weight_percent: int) -> int:
    """Pods of the canary at this weight.

    With a gateway they are to stable's pods as the weight is to all requests, rounded up: at most
    as many as stable has, which answers all requests alone.
    """
    if router is Router.REPLICAS:
        return canary_replicas(stable_replicas, weight_percent)
    if stable_replicas <= 0 or weight_percent <= 0:
        return 0
    return min(max(math.ceil(stable_replicas * weight_percent / 100), 1), stable_replicas)


def effect_of_weight(router: Router, stable_replicas: int, weight_percent: int) -> int:
    """What tells two weights apart: pods, or with a gateway the weight itself."""
    if router is Router.GATEWAY_API:
        return weight_percent
    return canary_replicas(stable_replicas, weight_percent)


def first_above(
    limit_percent: int, weights: Iterable[int], stable_replicas: Iterable[int]
) -> tuple[int, int] | None:
    """A number of stable's pods beside which whole pods give more than the limit, and the weight.

    None where none of `stable_replicas` does so at any of `weights`.
    """
    percents = sorted(set(weights))
    for stable in stable_replicas:
        for weight in percents:
            pods = canary_replicas(stable, weight)
            if 100 * pods > limit_percent * (stable + pods):
                return stable, weight
    return None


def stable_within(limit_percent: int, weight_percent: int, at_least: int) -> int:
    """The fewest pods of stable, `at_least` so many, beside which whole pods keep to the limit.

    There are such: beside `replicas_for_exact_weight` pods, or a multiple, the weight is exact.
    """
    if weight_percent > limit_percent:
        return at_least
    stable = at_least
    while first_above(limit_percent, (weight_percent,), (stable,)) is not None:
        stable += 1
    return stable


def stable_always_within(
    limit_percent: int, weight_percent: int, at_least: int, at_most: int
) -> int:
    """The fewest pods of stable from which on each number, up to `at_most`, keeps to the limit.

    An autoscaler takes any of them. Where none up to `at_most` does, it is the first beyond.
    """
    if weight_percent > limit_percent:
        return at_least
    counts = range(at_least, at_most + 1)
    above = [one for one in counts if first_above(limit_percent, (weight_percent,), (one,))]
    return stable_within(limit_percent, weight_percent, above[-1] + 1) if above else at_least


def warmed_weight_percent(weight_percent: int, seconds_with_traffic: float) -> int:
    """The weight that a gateway gives for a step's `weight_percent`: at first a small one."""
    if seconds_with_traffic < COLD_SECONDS:
        return min(weight_percent, COLD_WEIGHT_PERCENT)
    return weight_percent


def replicas_for_exact_weight(weight_percent: int) -> int:
    """The smallest number of stable pods beside which whole pods give exactly this weight."""
    return (100 - weight_percent) // math.gcd(weight_percent, 100 - weight_percent)
