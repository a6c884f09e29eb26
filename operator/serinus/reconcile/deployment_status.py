"""The status as stored: what can be read of it, and stable found again where it was lost.

A lost stable is never taken for a first deployment: children say who serves.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from serinus.api.conditions import format_time, parse_time
from serinus.api.deployment_status import (
    CanaryStatus,
    DeploymentStatus,
    FirstCheckStatus,
    KeptRevision,
    RevisionStatus,
    StableFloor,
)
from serinus.api.enums import Reason
from serinus.reconcile.decision import JsonObject
from serinus.reconcile.deployment_facts import Observed
from serinus.reconcile.readable_part import readable_part

WEIGHT_MAX_PERCENT = 100


def stored_status(resource: JsonObject) -> DeploymentStatus:
    """The status as stored, without the parts that can't be read.

    Without a stable that was there it is as good as lost: no generation was observed.
    """
    readable = readable_part(DeploymentStatus, resource.get("status"))
    status = readable.value
    canary, stable, floor = status.canary, status.stable, status.stable_floor
    kept, check = status.kept, status.first_check
    return status.model_copy(
        update={
            "observed_generation": 0 if "stable" in readable.lost else status.observed_generation,
            "canary": canary if canary and _is_sound(canary) else None,
            "stable": _with_sound_time(stable) if stable else None,
            "kept": kept if kept and _can_be_kept(kept) else None,
            "first_check": check if check and _can_be_checked(check) else None,
            "stable_floor": floor if floor and _has_sound_times(floor) else None,
            "history": [entry for entry in status.history if _is_time(entry.at)],
        }
    )


def is_lost(status: DeploymentStatus) -> bool:
    """Whether nothing is known from before: no pass over the object left its mark."""
    return status.observed_generation <= 0 and not (status.stable or status.canary)


def active_revisions(status: DeploymentStatus) -> tuple[str, ...]:
    """Stable's revision and the canary's, as far as there are any."""
    return tuple(one.revision for one in (status.stable, status.canary) if one is not None)


def zero_was_wanted(status: DeploymentStatus) -> bool:
    """Whether the last pass saw `spec.replicas` at 0."""
    return any(one.reason == Reason.SCALED_TO_ZERO for one in status.conditions)


def found_again(status: DeploymentStatus, seen: Observed, now: datetime) -> DeploymentStatus:
    """The status with the stable revision that the children show, where it doesn't say one."""
    canary = status.canary
    if status.stable is not None or (canary is not None and canary.rules is None):
        return status  # beside no stable a canary is the first revision, and has no rules
    revision = seen.service.stable_annotation if seen.service else _most_ready(status, seen)
    if revision is None or (revision not in seen.workloads and revision not in seen.records):
        return status
    record = seen.records.get(revision)
    stable = RevisionStatus(
        revision=revision,
        model_version=record.model_version if record else "",
        since=format_time(now),
    )
    is_canary = canary is not None and canary.revision == revision
    return status.model_copy(update={"stable": stable, "canary": None if is_canary else canary})


def _most_ready(status: DeploymentStatus, seen: Observed) -> str | None:
    """Without a Service: the oldest revision with most ready pods, where one must be stable."""
    canary = status.canary.revision if status.canary else None
    if canary is None and not is_lost(status):
        return None
    numbers = {revision: record.number for revision, record in seen.records.items()}
    serving = [
        one
        for one in seen.workloads.values()
        if one.available > 0 and one.revision != canary and one.revision not in seen.rejections
    ]
    best = max(
        serving, key=lambda one: (one.available, -numbers.get(one.revision, 0)), default=None
    )
    return best.revision if best else None


def _is_sound(canary: CanaryStatus) -> bool:
    """Whether times and numbers, which the schema doesn't look into, can be."""
    counts = (canary.step, canary.weight, canary.frozen_seconds, canary.samples_before)
    return (
        min(counts) >= 0
        and canary.weight <= WEIGHT_MAX_PERCENT
        and canary.step < max(canary.steps_total, 1)
        and all(_is_time(moment) for moment in _moments(canary))
    )


def _moments(canary: CanaryStatus) -> Iterator[str]:
    yield canary.started_at
    yield canary.step_started_at
    for moment in (
        canary.traffic_started_at,
        canary.pods_missing_since,
        canary.frozen_since,
        canary.ready_at,
        canary.answers_since,
        canary.answered_at,
    ):
        if moment is not None:
            yield moment


def _with_sound_time(stable: RevisionStatus) -> RevisionStatus:
    if stable.since is None or _is_time(stable.since):
        return stable
    return stable.model_copy(update={"since": None})


def _has_sound_times(floor: StableFloor) -> bool:
    return _is_time(floor.since) and (floor.until is None or _is_time(floor.until))


def _can_be_kept(kept: KeptRevision) -> bool:
    analysis = kept.analysis
    return _is_time(kept.until) and (analysis is None or _is_time(analysis.started_at))


def _can_be_checked(check: FirstCheckStatus) -> bool:
    return _is_time(check.started_at) and _is_time(check.until)


def _is_time(text: str) -> bool:
    try:
        parse_time(text)
    except ValueError:
        return False
    return True
