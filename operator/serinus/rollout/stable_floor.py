"""Under an autoscaler: the fewest pods of stable while a canary takes a part of its requests.

An autoscaler sees what stable's pods do, and stable does less beside a canary. Left alone, it
would take pods away, and a rollback would bring all requests back to too few. So stable keeps what
it had when the rollout began, and grows when it would be too small for all requests at once, the
canary's included. Some time after the rollout the autoscaler has seen the whole load again and
decides alone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timedelta

SETTLING = timedelta(minutes=5)
"""How long after a rollout: as long as an autoscaler looks back by default before it shrinks."""
TOLERANCE = 0.1
"""Load beyond the target by less than this changes nothing, as the autoscaler itself has it."""
IDLE_RATIO = 0.05
"""Load over the target that a pod may have without any request: probes, scrapes, rounding."""


LOAD_SETTLES = timedelta(minutes=2)
"""How long what an autoscaler shows may still be from before a change of weight or of pods."""


@dataclass(frozen=True, slots=True)
class Floor:
    """Fewest pods of stable, as it is since then; `until` is None while the rollout runs."""

    pods: int
    since: datetime
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class StableLoad:
    """What stable does beside a canary.

    Attributes
    ----------
    pods
        Pods of stable now.
    load_ratio
        Load of a pod over what the autoscaler aims at, the highest of its metrics; None: unknown.
    request_share
        Part of all requests that stable gets, above 0 and at most 1.
    share_since
        Since when.
    """

    pods: int
    load_ratio: float | None
    request_share: float
    share_since: datetime


def floor_in_rollout(
    floor: Floor | None, load: StableLoad, *, pods_max: int, now: datetime
) -> Floor:
    """The floor while a rollout runs: it only rises, and never above `pods_max`."""
    if floor is None or floor.until is not None:
        before = floor.pods if floor else 0
        return Floor(min(max(before, load.pods), pods_max), now)
    settled = now - max(floor.since, load.share_since) >= LOAD_SETTLES
    pods = min(_pods_for_all_requests(load), pods_max) if settled else 0
    return Floor(pods, now) if pods > floor.pods else floor


def floor_with_handed_back(
    floor: Floor | None, *, pods: int, handed_back: int, pods_max: int, now: datetime
) -> Floor:
    """The floor when the `handed_back` pods of an A/B test answer for stable's `pods` no more.

    In a test stable's pods hand requests on, and what that costs them isn't known: by their load
    nobody can tell what all requests would ask for. So the pods that answered are made good for.
    """
    before = floor.pods if floor else 0
    return Floor(min(max(before, pods + handed_back), pods_max), now)


def floor_after_rollout(floor: Floor | None, now: datetime) -> Floor | None:
    """The floor when no rollout runs: kept for `SETTLING`, then none."""
    if floor is None or floor.until is None:
        return Floor(floor.pods, floor.since, now + SETTLING) if floor else None
    return floor if now < floor.until else None


def _pods_for_all_requests(load: StableLoad) -> int:
    """What the autoscaler would ask for if stable got all requests; 0 where it isn't known.

    The rule of Kubernetes, ceil(pods * load / target), for the load without a canary. What pods do
    without requests doesn't grow with them: of a tenth of the requests it would be taken tenfold.
    """
    if load.load_ratio is None:
        return 0
    by_requests = load.load_ratio - IDLE_RATIO * (1 - load.request_share)
    pods = load.pods * by_requests / load.request_share
    return math.ceil(pods) if pods > load.pods * (1 + TOLERANCE) else 0
