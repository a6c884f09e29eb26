"""Deployment: what serves, and how a new revision takes its place.

The way of a pass: `deployment_picture` (what was seen) → `deployment_course` (what happens, by the
rules in `rollout/`) → `deployment_children` (what should exist) → `deployment_conditions` (what
people read).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from serinus.analysis.samples import Query, QueryResult
from serinus.api.conditions import merge_conditions, parse_time
from serinus.api.deployment_status import DeploymentStatus
from serinus.api.enums import ConditionType, Reason
from serinus.manifests.naming import feedback_secret_name
from serinus.manifests.service import service_url
from serinus.reconcile.decision import Decision, Event, EventType, JsonObject
from serinus.reconcile.deployment_ab_test import ab_test_waits, exposures_queries
from serinus.reconcile.deployment_analysis import next_look_seconds, provider_probe
from serinus.reconcile.deployment_children import (
    desired_objects,
    feedback_secret_exists,
    pruned_objects,
)
from serinus.reconcile.deployment_conditions import conditions, standing
from serinus.reconcile.deployment_course import (
    Course,
    course,
    ends_whatever_metrics_say,
    with_actual_weight,
    would_start,
)
from serinus.reconcile.deployment_facts import CREATED_WITHIN
from serinus.reconcile.deployment_mirror import mirror_waits
from serinus.reconcile.deployment_picture import Picture, pictured
from serinus.reconcile.deployment_preview import with_kept
from serinus.reconcile.deployment_record import record_objects, recorded
from serinus.reconcile.deployment_rollout_facts import step_seconds
from serinus.reconcile.deployment_router import router_waits
from serinus.reconcile.deployment_stable_floor import with_stable_floor
from serinus.reconcile.snapshot import DeploymentSnapshot
from serinus.rollout.promotion_window import closed_at
from serinus.rollout.steps import Analyze, Pause

MESSAGE_MAX = 1024
_NOT_ACTED_ON = ("analysis", "message", "record")
_EVIDENCE = ("servedWeight", "exposures", "answersSince", "answeredAt")
TAKEN_NAME_RETRY_SECONDS = 30.0
TEMPLATES_RETRY_SECONDS = 15.0
"""The library of metrics isn't watched."""
PROVIDER_RETRY_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class Look:
    """A Deployment as it was at one moment, and what the metrics provider is asked first.

    Attributes
    ----------
    queries
        Empty where the answers would change nothing.
    """

    snapshot: DeploymentSnapshot
    now: datetime
    picture: Picture
    queries: tuple[Query, ...]


def look_at(snapshot: DeploymentSnapshot, now: datetime) -> Look:
    """What is seen at `now`, before any sample is known. Pure and total."""
    picture = pictured(snapshot, now)
    return Look(snapshot, now, picture, _queries(picture, now))


def _queries(picture: Picture, now: datetime) -> tuple[Query, ...]:
    """What to ask the metrics provider for.

    A canary with traffic has the queries of its metrics, unless it ends anyway. Where one would
    begin, only whether the provider answers is asked: without it, not even the first pod starts.
    """
    if ends_whatever_metrics_say(picture, now):
        return ()
    analysis = picture.analysis()
    asked = analysis.queries(now) if analysis is not None else ()
    asked = (*asked, *exposures_queries(picture, now))
    return (*asked, provider_probe(now)) if would_start(picture, now) else asked


def reconcile(snapshot: DeploymentSnapshot, now: datetime) -> Decision:
    """Decide the next state of one Deployment. Pure and total: never raises, never waits."""
    return decided(look_at(snapshot, now), snapshot.samples)


def decided(look: Look, samples: Mapping[Query, QueryResult]) -> Decision:
    """Decide on what was seen, with an answer to each of its queries."""
    picture, now = replace(look.picture, samples=samples), look.now
    found = with_actual_weight(picture, course(picture, now), now)
    found = replace(found, status=with_stable_floor(picture, found.status, now))
    found = replace(found, status=with_kept(picture, found.status, now))
    kept = recorded(picture, _with_summary(picture, found, now), now)
    status = kept.status
    new = _as_json(status)
    return Decision(
        status=new,
        desired=desired_objects(picture, status, now),
        prune=pruned_objects(picture, status),
        records=record_objects(picture, status),
        requeue_after_seconds=_requeue_after_seconds(picture, found, now),
        events=found.events + _standing_events(picture.stored, status) + kept.events,
        status_precedes_action=found.moved or _acts(_as_json(picture.stored)) != _acts(new),
    )


def _with_summary(picture: Picture, found: Course, now: datetime) -> DeploymentStatus:
    """The next status with all that people read of it."""
    status, generation = found.status, picture.metadata.generation
    how = standing(picture, found)
    stable, wanted = status.stable, picture.wanted
    secret = status.feedback_key_secret
    if secret is None and feedback_secret_exists(picture):
        secret = feedback_secret_name(picture.name)
    return status.model_copy(
        update={
            "observed_generation": generation,
            "phase": how.phase.value,
            "message": how.message[:MESSAGE_MAX],
            "replicas": picture.seen.available(stable.revision) if stable else 0,
            "url": service_url(picture.name, picture.metadata.namespace),
            "update_revision": wanted.revision if wanted else status.update_revision,
            "feedback_key_secret": secret,
            "conditions": merge_conditions(
                status.conditions,
                conditions(picture, found, how),
                generation=generation,
                now=now,
            ),
        }
    )


def _requeue_after_seconds(picture: Picture, found: Course, now: datetime) -> float | None:
    """When to look again though nothing changed; None: only on a change."""
    if found.moved:
        return 0.0
    waits = [*_deadlines(picture, found, now)]
    if any(pod.creating for pod in picture.seen.pods):
        waits.append(CREATED_WITHIN.total_seconds())
    if picture.children.taken:
        waits.append(TAKEN_NAME_RETRY_SECONDS)
    if found.hold and found.hold.because.reason is Reason.METRIC_TEMPLATE_UNUSABLE:
        waits.append(TEMPLATES_RETRY_SECONDS)
    if found.hold and found.hold.because.reason is Reason.METRICS_UNAVAILABLE:
        waits.append(PROVIDER_RETRY_SECONDS)
    waits.extend(router_waits(picture, found.status, now))
    waits.extend(ab_test_waits(found.status, now))
    waits.extend(mirror_waits(picture, found.status))
    analysis = picture.analysis()
    if analysis is not None:
        waits.append(next_look_seconds(analysis, picture.samples, now))
    return max(0.0, min(waits)) if waits else None


def _deadlines(picture: Picture, found: Course, now: datetime) -> Iterator[float]:
    canary, rules = found.status.canary, picture.rules
    floor = found.status.stable_floor
    if floor is not None and floor.until is not None:
        yield (parse_time(floor.until) - now).total_seconds()
    kept = found.status.kept
    if kept is not None and kept.going_back is None:
        yield (parse_time(kept.until) - now).total_seconds()
    check = found.status.first_check
    if check is not None and check.harm is None:
        yield (parse_time(check.until) - now).total_seconds()
    if canary is None:
        return
    if canary.pods_missing_since:
        waited = (now - parse_time(canary.pods_missing_since)).total_seconds()
        if waited < picture.progress_deadline_seconds:
            yield picture.progress_deadline_seconds - waited
    closed = closed_at(rules.windows, now) if rules else None
    if closed is not None and closed.opens_at is not None:
        yield (closed.opens_at - now).total_seconds()
    step = rules.steps[canary.step] if rules and canary.step < len(rules.steps) else None
    lasted = step_seconds(canary, now)
    ends: tuple[float, ...] = ()
    if isinstance(step, Pause) and step.duration_seconds is not None:
        ends = (step.duration_seconds,)
    if isinstance(step, Analyze):
        ends = (step.min_duration_seconds, step.max_duration_seconds)
    yield from (end - lasted for end in ends if end > lasted)


def _standing_events(stored: DeploymentStatus, status: DeploymentStatus) -> tuple[Event, ...]:
    """An event for each change of what stalls and of where the model reference leads."""
    told = {one.type: (one.status, one.reason) for one in stored.conditions}
    return tuple(
        Event(_event_type(one.type), one.reason, one.message)
        for one in status.conditions
        if one.type in (ConditionType.STALLED, ConditionType.MODEL_RESOLVED)
        and told.get(one.type) != (one.status, one.reason)
    )


def _event_type(condition_type: str) -> EventType:
    stalled = condition_type == ConditionType.STALLED
    return EventType.WARNING if stalled else EventType.NORMAL


def _acts(status: JsonObject) -> JsonObject:
    """The part of a status that something is done about; the rest is evidence and words."""
    intents = {key: value for key, value in status.items() if key not in _NOT_ACTED_ON}
    intents["conditions"] = [
        (one["type"], one["status"], one["reason"]) for one in status["conditions"]
    ]
    if canary := status.get("canary"):
        intents["canary"] = {key: one for key, one in canary.items() if key not in _EVIDENCE}
        intents["canary"]["hooks"] = [
            (one["type"], one["name"], one["askedSince"], one.get("answer"))
            for one in canary.get("hooks", ())
        ]
    intents["record"] = (status.get("record") or {}).get("number")
    return intents


def _as_json(status: DeploymentStatus) -> JsonObject:
    return status.model_dump(mode="json", by_alias=True, exclude_none=True)
