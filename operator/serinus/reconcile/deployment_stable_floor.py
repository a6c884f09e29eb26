"""The number of pods that an autoscaler may not go below, from status to status."""

from __future__ import annotations

from datetime import datetime

from serinus.api.conditions import format_micro_time, parse_time
from serinus.api.deployment_status import CanaryStatus, DeploymentStatus, StableFloor
from serinus.reconcile.deployment_picture import Picture
from serinus.rollout.stable_floor import (
    Floor,
    StableLoad,
    floor_after_rollout,
    floor_in_rollout,
    floor_with_handed_back,
)

MAX_WEIGHT_PERCENT = 95
"""Beyond it so little is left of stable's load that nothing follows from it."""


def with_stable_floor(
    picture: Picture, status: DeploymentStatus, now: datetime
) -> DeploymentStatus:
    """The next status with the floor that goes with it; none without an autoscaler."""
    following = _following(picture, status, now)
    if following == _stored(status):
        return status
    return status.model_copy(update={"stable_floor": _told(following) if following else None})


def _following(picture: Picture, status: DeploymentStatus, now: datetime) -> Floor | None:
    autoscaling, canary, floor = picture.spec.autoscaling, status.canary, _stored(status)
    if autoscaling is None or picture.status.stable is None:
        return None
    if handed_back := _handed_back(picture, status):
        return floor_with_handed_back(
            floor,
            pods=picture.replicas,
            handed_back=handed_back,
            pods_max=autoscaling.max_replicas,
            now=now,
        )
    if canary is None or status.stable is None:
        return floor_after_rollout(floor, now)
    load = _stable_load(picture, canary)
    return floor_in_rollout(floor, load, pods_max=autoscaling.max_replicas, now=now)


def _handed_back(picture: Picture, status: DeploymentStatus) -> int:
    """Pods that answered units of an A/B test until this pass, which takes them away from it."""
    before, canary = picture.status.canary, status.canary
    if before is None or before.ab_test is None or before.traffic_started_at is None:
        return 0
    goes_on = canary is not None and canary.traffic_started_at is not None
    is_promoted = status.stable is not None and status.stable.revision == before.revision
    return 0 if goes_on or is_promoted else picture.seen.ready(before.revision)


def _stable_load(picture: Picture, canary: CanaryStatus) -> StableLoad:
    autoscaler = picture.seen.autoscaler
    changed = max(canary.step_started_at, canary.traffic_started_at or "")
    return StableLoad(
        pods=picture.replicas,
        load_ratio=autoscaler.load_ratio if autoscaler else None,
        request_share=1 - min(canary.actual_weight, MAX_WEIGHT_PERCENT) / 100,
        share_since=parse_time(changed),
    )


def _stored(status: DeploymentStatus) -> Floor | None:
    stored = status.stable_floor
    if stored is None:
        return None
    until = parse_time(stored.until) if stored.until else None
    return Floor(stored.pods, parse_time(stored.since), until)


def _told(floor: Floor) -> StableFloor:
    until = format_micro_time(floor.until) if floor.until else None
    return StableFloor(pods=floor.pods, since=format_micro_time(floor.since), until=until)
