"""Weights by the number of pods: what whole replicas can express.

Stable keeps all its pods while a canary runs, so the canary comes on top: with S pods of stable
and c of the canary, a client meets the canary in c of S + c cases.
"""

from __future__ import annotations

import math


def canary_replicas(stable_replicas: int, weight_percent: int) -> int:
    """Pods that bring the canary nearest to `weight_percent`: at least one, at most S.

    `weight_percent` is 0 to 50. A canary without weight has no pods, nor has one beside no stable.
    """
    if stable_replicas <= 0 or weight_percent <= 0:
        return 0
    wanted = stable_replicas * weight_percent / (100 - weight_percent)
    return min(max(math.floor(wanted + 0.5), 1), stable_replicas)


def actual_weight_percent(stable_replicas: int, canary_pods: int) -> int:
    """Percent of requests that `canary_pods` of all pods get, rounded."""
    total = stable_replicas + canary_pods
    return math.floor(100 * canary_pods / total + 0.5) if total else 0


def replicas_for_exact_weight(weight_percent: int) -> int:
    """The smallest number of stable pods beside which whole pods give exactly this weight."""
    return (100 - weight_percent) // math.gcd(weight_percent, 100 - weight_percent)
