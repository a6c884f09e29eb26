"""Status in which something has happened: what the rules answered, written down.

Each function gives the next status, the line in the history and the events. Texts are cut to the
bounds of the CRD here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from serinus.api.conditions import format_micro_time, format_time, parse_time
from serinus.api.deployment_status import (
    CanaryStatus,
    DeploymentStatus,
    FirstCheckStatus,
    HistoryEntry,
    KeptRevision,
    RejectedRevision,
    RevisionStatus,
    Withdrawal,
)
from serinus.api.enums import Action, Reason
from serinus.manifests.revision import RevisionRecord
from serinus.reconcile.decision import Event, EventType
from serinus.reconcile.deployment_ab_test import ab_test_at_start, called_off
from serinus.reconcile.deployment_analysis import without_states
from serinus.reconcile.deployment_picture import FIRST_REVISION_WEIGHT_PERCENT
from serinus.reconcile.deployment_post_promotion import kept_after_promotion
from serinus.reconcile.deployment_rules import FrozenRules, parsed_rules, rules_hash
from serinus.reconcile.deployment_shadow import out_of_the_shadow, shadow_at_start
from serinus.rollout.advance import Hold
from serinus.rollout.facts import Finding, PodFacts
from serinus.rollout.revision import with_former, with_rejected
from serinus.rollout.steps import Step, weight_percent_at

HISTORY_MAX = 50
MESSAGE_MAX = 1024
ACTOR_MAX = 256
WOULD_HAVE_ROLLED_BACK = "`analysis.mode` is observe; it would have been rolled back"
HOLD_EVENT_EVERY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Changed:
    """The next status and the events that tell of it."""

    status: DeploymentStatus
    events: tuple[Event, ...] = ()


def first_revision_started(
    status: DeploymentStatus, record: RevisionRecord, model_version: str, now: datetime
) -> Changed:
    """Nothing serves: the revision becomes stable as soon as all its pods are ready."""
    canary = _new_canary(record, model_version, now, weight=FIRST_REVISION_WEIGHT_PERCENT)
    because = Finding(
        Reason.FIRST_REVISION,
        f"revision {record.revision} ({model_version}) is the first; it becomes stable when all "
        "its pods are ready",
    )
    return _started(status, canary, because, now, update={"stable": None, "first_check": None})


def canary_started(
    status: DeploymentStatus,
    record: RevisionRecord,
    model_version: str,
    rules: FrozenRules,
    now: datetime,
) -> Changed:
    """A canary beside stable begins, by rules that are frozen from here on."""
    parsed = parsed_rules(rules)
    steps = parsed.steps
    canary = _new_canary(
        record,
        model_version,
        now,
        steps_total=len(steps),
        weight=weight_percent_at(steps, 0),
        preview=parsed.preview,
        shadow=shadow_at_start(steps),
        ab_test=ab_test_at_start(parsed.ab_test),
        rules=rules,
        rules_hash=rules_hash(rules),
    )
    stable = f" against {status.stable.revision}" if status.stable else ""
    how = "by a switch" if canary.preview else f"in {len(steps)} steps"
    how = "by an A/B test" if canary.ab_test else how
    because = Finding(
        Reason.ROLLOUT_STARTED,
        f"revision {record.revision} ({model_version}) is released{stable} {how}",
    )
    return _started(status, canary, because, now, update={})


def return_started(
    status: DeploymentStatus,
    record: RevisionRecord,
    model_version: str,
    rules: FrozenRules,
    now: datetime,
) -> Changed:
    """The way back to a revision that was stable lately begins: no steps, so no weight."""
    canary = _new_canary(
        record, model_version, now, returning=True, rules=rules, rules_hash=rules_hash(rules)
    )
    because = Finding(
        Reason.WITHIN_ROLLBACK_WINDOW,
        f"back to revision {record.revision} ({model_version}), which was stable lately: "
        "without steps and analysis",
    )
    return _started(status, canary, because, now, update={})


def moved_on(
    status: DeploymentStatus,
    canary: CanaryStatus,
    index: int,
    because: Finding,
    *,
    steps: tuple[Step, ...],
    requests: int,
    now: datetime,
) -> Changed:
    """The step `index` begins; `requests` of the canary were counted before."""
    weight = weight_percent_at(steps, index)
    stepped = canary.model_copy(
        update={
            "step": index,
            "weight": weight,
            "step_started_at": format_micro_time(now),
            "ready_at": canary.ready_at if weight == canary.weight else None,
            "frozen_since": None,
            "frozen_seconds": 0,
            "samples_before": requests,
            "served_weight": None,
            **out_of_the_shadow(canary),
        }
    )
    changed = status.model_copy(update={"canary": stepped})
    return _told(changed, Action.STEP, canary, because, now)


def promoting(
    status: DeploymentStatus, canary: CanaryStatus, because: Finding, actor: str, now: datetime
) -> Changed:
    """It is decided to promote; the canary is brought to full size beside stable."""
    decided = canary.model_copy(
        update={
            "promoting": True,
            "paused_by": None,
            "frozen_since": None,
            "ready_at": None,
            **out_of_the_shadow(canary),
        }
    )
    changed = status.model_copy(update={"canary": decided})
    return _told(changed, Action.PROMOTE, canary, because, now, actor=actor)


def promoted(
    status: DeploymentStatus,
    canary: CanaryStatus,
    because: Finding,
    now: datetime,
    *,
    first_check: FirstCheckStatus | None = None,
) -> Changed:
    """The canary is stable; its pods go on, only the pointer moved.

    `first_check` is how a first revision is judged from now on: what is to be shown isn't yet.
    """
    stable = RevisionStatus(
        revision=canary.revision, model_version=canary.model_version, since=format_time(now)
    )
    changed = status.model_copy(
        update={
            "stable": stable,
            "kept": kept_after_promotion(status, canary, now),
            "former_stable": with_former(status.former_stable, status.stable, canary.revision),
            "canary": None,
            "first_check": first_check,
            "analysis": without_states(status.analysis),
        }
    )
    if because.reason is Reason.FIRST_REVISION:
        action = Action.PROMOTE if first_check is None else Action.SERVE
        return _told(changed, action, canary, because, now)
    return Changed(changed, (_event(EventType.NORMAL, because),))


def rolled_back(
    status: DeploymentStatus, canary: CanaryStatus, because: Finding, actor: str, now: datetime
) -> Changed:
    """All traffic to stable; the canary's revision is rejected."""
    changed = status.model_copy(
        update={
            "canary": None,
            **_rejection(status, canary, because, now),
            "analysis": without_states(status.analysis),
        }
    )
    by_user = because.reason is Reason.ABORTED_BY_USER
    action = Action.ABORT if by_user else Action.ROLLBACK
    return _told(changed, action, canary, because, now, actor=actor, type_=EventType.WARNING)


def switched_back(
    status: DeploymentStatus,
    stable: RevisionStatus,
    kept: KeptRevision,
    why: str,
    actor: str,
    now: datetime,
) -> Changed:
    """What was `stable` since a switch is rejected; what was before it, and has its pods, is."""
    because = Finding(
        Reason.ABORTED_BY_USER,
        f"revision {stable.revision} ({stable.model_version}) was aborted after its switch; "
        f"revision {kept.revision} ({kept.model_version}) is stable again{why}",
    )
    changed = status.model_copy(
        update={**_stable_again(status, kept, now), **_rejection(status, stable, because, now)}
    )
    return _told(changed, Action.ABORT, stable, because, now, actor=actor, type_=EventType.WARNING)


def going_back(
    status: DeploymentStatus,
    stable: RevisionStatus,
    kept: KeptRevision,
    because: Finding,
    actor: str,
    now: datetime,
) -> Changed:
    """It is decided that what is kept becomes stable again; what was promoted is rejected."""
    decided = Withdrawal(
        reason=because.reason, message=because.message[:MESSAGE_MAX], at=format_time(now)
    )
    assert kept.analysis is not None
    analysis = kept.analysis.model_copy(update={"going_back": decided})
    changed = status.model_copy(
        update={
            "kept": kept.model_copy(update={"analysis": analysis}),
            **_rejection(status, stable, because, now),
            "analysis": without_states(status.analysis),
        }
    )
    by_user = because.reason is Reason.ABORTED_BY_USER
    action = Action.ABORT if by_user else Action.ROLLBACK
    return _told(changed, action, stable, because, now, actor=actor, type_=EventType.WARNING)


def restored(
    status: DeploymentStatus, kept: KeptRevision, because: Finding, now: datetime
) -> Changed:
    """What was kept has its pods and is stable again; only the pointer moved."""
    changed = status.model_copy(update=_stable_again(status, kept, now))
    message = f"revision {kept.revision} ({kept.model_version}) is stable again"
    return Changed(changed, (_event(EventType.NORMAL, Finding(because.reason, message)),))


def first_harmful(
    status: DeploymentStatus,
    stable: RevisionStatus,
    check: FirstCheckStatus,
    because: Finding,
    now: datetime,
) -> Changed:
    """The first revision does harm: it waits for a person, and serves meanwhile."""
    changed = status.model_copy(
        update={"first_check": check, "analysis": without_states(status.analysis)}
    )
    return _told(changed, Action.HOLD, stable, because, now, type_=EventType.WARNING)


def first_ended(
    status: DeploymentStatus, stable: RevisionStatus, because: Finding, actor: str, now: datetime
) -> Changed:
    """The first revision isn't judged any more; what was shown of it is on record."""
    changed = status.model_copy(
        update={"first_check": None, "analysis": without_states(status.analysis)}
    )
    return _told(changed, Action.PROMOTE, stable, because, now, actor=actor)


def harm_told(
    status: DeploymentStatus, promoted: CanaryStatus, told: Finding, now: datetime
) -> Changed:
    """Harm after a promotion that is left to a person: told once."""
    if any(_is_same(one, Action.OBSERVE, promoted, told.reason) for one in status.history):
        return Changed(status)
    return _told(status, Action.OBSERVE, promoted, told, now, type_=EventType.WARNING)


def withdrawn(
    status: DeploymentStatus, canary: CanaryStatus, because: Finding, now: datetime
) -> Changed:
    """All traffic to stable; the canary keeps its pods and waits for a person."""
    withdrawal = Withdrawal(
        reason=because.reason, message=because.message[:MESSAGE_MAX], at=format_time(now)
    )
    waiting = canary.model_copy(
        update={
            "withdrawn": withdrawal,
            "traffic_started_at": None,
            "promoting": False,
            **called_off(canary),
        }
    )
    changed = status.model_copy(
        update={"canary": waiting, "analysis": without_states(status.analysis)}
    )
    return _told(changed, Action.WITHDRAW, canary, because, now, type_=EventType.WARNING)


def observed(
    status: DeploymentStatus, canary: CanaryStatus, because: Finding, now: datetime
) -> Changed:
    """What evidence that only observes would have rolled back for: told once a rollout."""
    if any(_is_same(one, Action.OBSERVE, canary, because.reason) for one in status.history):
        return Changed(status)
    told = Finding(because.reason, f"{WOULD_HAVE_ROLLED_BACK}: {because.message}")
    return _told(status, Action.OBSERVE, canary, told, now, type_=EventType.WARNING)


def rollout_ended(
    status: DeploymentStatus, canary: CanaryStatus, because: Finding, now: datetime
) -> Changed:
    """Nobody wants the revision any more; nothing is rejected."""
    changed = status.model_copy(
        update={"canary": None, "analysis": without_states(status.analysis)}
    )
    taken_away = because.reason in (Reason.BACK_TO_STABLE, Reason.MODEL_VERSION_REJECTED)
    action = Action.ABORT if taken_away else Action.SUPERSEDE
    return _told(changed, action, canary, because, now)


def held(status: DeploymentStatus, canary: CanaryStatus, hold: Hold, *, now: datetime) -> Changed:
    """The step goes on; its clock stands still, or runs again."""
    kept = _with_clock(canary, now, stands_still=hold.clock_stands_still)
    if hold.paused_by:
        kept = kept.model_copy(update={"paused_by": hold.paused_by})
    changed = status.model_copy(update={"canary": kept})
    if not hold.waits_without_end or _was_told(status, canary, hold, now):
        return Changed(changed)
    others = [
        entry
        for entry in changed.history
        if not _is_same(entry, Action.HOLD, canary, hold.because.reason)
    ]
    changed = changed.model_copy(update={"history": others})
    return _told(changed, Action.HOLD, canary, hold.because, now)


def with_pods_seen(canary: CanaryStatus, pods: PodFacts, now: datetime) -> CanaryStatus:
    """The canary with the times since which its pods are there, or missing."""
    moment = format_micro_time(now)
    if pods.ready:
        update = {"pods_missing_since": None, "ready_at": canary.ready_at or moment}
    else:
        update = {"pods_missing_since": canary.pods_missing_since or moment}
    return canary.model_copy(update=update)


def _new_canary(
    record: RevisionRecord, model_version: str, now: datetime, **more: Any
) -> CanaryStatus:
    """A revision whose release begins now: its pods are missing, its first step starts."""
    moment = format_micro_time(now)
    return CanaryStatus(
        revision=record.revision,
        model_version=model_version,
        started_at=moment,
        step_started_at=moment,
        pods_missing_since=moment,
        **more,
    )


def _stable_again(status: DeploymentStatus, kept: KeptRevision, now: datetime) -> Mapping[str, Any]:
    """The fields of a status in which what was kept is stable again; only the pointer moves."""
    again = RevisionStatus(
        revision=kept.revision, model_version=kept.model_version, since=format_time(now)
    )
    return {
        "stable": again,
        "kept": None,
        "former_stable": with_former(status.former_stable, None, kept.revision),
    }


def _rejection(
    status: DeploymentStatus,
    one: CanaryStatus | RevisionStatus,
    because: Finding,
    now: datetime,
) -> Mapping[str, Any]:
    """The fields of a status in which the revision is rejected, and no longer being retried."""
    rejected = RejectedRevision(
        revision=one.revision,
        model_version=one.model_version,
        reason=because.reason,
        message=because.message[:MESSAGE_MAX],
        at=format_time(now),
    )
    return {
        "rejected_revisions": with_rejected(status.rejected_revisions, rejected),
        "retried_revisions": [other for other in status.retried_revisions if other != one.revision],
    }


def _with_clock(canary: CanaryStatus, now: datetime, *, stands_still: bool) -> CanaryStatus:
    if stands_still:
        since = canary.frozen_since or format_micro_time(now)
        return canary.model_copy(update={"frozen_since": since})
    if canary.frozen_since is None:
        return canary
    stood = (now - parse_time(canary.frozen_since)).total_seconds()
    frozen = canary.frozen_seconds + math.ceil(max(0.0, stood))
    return canary.model_copy(update={"frozen_since": None, "frozen_seconds": frozen})


def _was_told(status: DeploymentStatus, canary: CanaryStatus, hold: Hold, now: datetime) -> bool:
    reason = hold.because.reason
    told = [entry for entry in status.history if _is_same(entry, Action.HOLD, canary, reason)]
    return bool(told) and now - parse_time(told[-1].at) < HOLD_EVENT_EVERY


def _is_same(entry: HistoryEntry, action: Action, canary: CanaryStatus, reason: Reason) -> bool:
    """Whether the entry says the same of this rollout."""
    return (
        entry.action == action
        and entry.revision == canary.revision
        and entry.reason == reason
        and parse_time(entry.at) >= parse_time(canary.started_at) - timedelta(seconds=1)
    )


def _started(
    status: DeploymentStatus,
    canary: CanaryStatus,
    because: Finding,
    now: datetime,
    *,
    update: Mapping[str, Any],
) -> Changed:
    check = status.first_check
    found = {"first_check": check if check and check.harm else None}
    changed = status.model_copy(update={**found, **update, "canary": canary, "analysis": []})
    return _told(changed, Action.START, canary, because, now)


def _told(
    status: DeploymentStatus,
    action: Action,
    canary: CanaryStatus | RevisionStatus,
    because: Finding,
    now: datetime,
    *,
    actor: str = "",
    type_: EventType = EventType.NORMAL,
) -> Changed:
    entry = HistoryEntry(
        at=format_time(now),
        action=action.value,
        revision=canary.revision,
        model_version=canary.model_version,
        reason=because.reason.value,
        because=because.message[:MESSAGE_MAX],
        actor=actor[:ACTOR_MAX],
    )
    history = [*status.history, entry][-HISTORY_MAX:]
    told = status.model_copy(update={"history": history})
    return Changed(told, (_event(type_, because),))


def _event(type_: EventType, because: Finding) -> Event:
    return Event(type_, because.reason, because.message[:MESSAGE_MAX])
