"""Verbs of people for a Deployment: promote, abort, retry, pause, resume."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from serinus.api.conditions import format_micro_time
from serinus.api.deployment_status import (
    CanaryStatus,
    DeploymentStatus,
    KeptRevision,
    RevisionStatus,
)
from serinus.api.enums import Reason, Verb
from serinus.api.metadata import ActionRequest
from serinus.reconcile.decision import Event, EventType
from serinus.reconcile.deployment_picture import Picture
from serinus.reconcile.deployment_rejections import rejection_of, with_retried
from serinus.reconcile.deployment_transition import first_ended, going_back, switched_back
from serinus.reconcile.requests import RequestOutcome, handled, pending_request, why_refused
from serinus.rollout.advance import Promote, RollBack, StartStep, Transition
from serinus.rollout.facts import Finding, Request

VERBS = frozenset({Verb.PROMOTE, Verb.ABORT, Verb.RETRY, Verb.PAUSE, Verb.RESUME})
_PAUSED_BY_MAX = 256


@dataclass(frozen=True, slots=True)
class AskedFor:
    """What a person asks for, and what of it is done already.

    Attributes
    ----------
    status
        The stored status, with `pause`, `resume` and `retry` carried out.
    pending
        The request as it came; None when there is none.
    rollout
        `promote` or `abort`, for the rules of the rollout to carry out.
    done
        What was carried out here, in a sentence; empty when nothing was.
    refused
        Why it isn't carried out; empty when it may be.
    """

    status: DeploymentStatus
    pending: ActionRequest | None = None
    rollout: Request | None = None
    done: str = ""
    refused: str = ""


def asked_for(picture: Picture, now: datetime) -> AskedFor:
    """What a person asks for in this pass."""
    status = picture.status
    request = pending_request(picture.metadata, status.last_handled_request)
    if request is None:
        return AskedFor(status)
    refused = why_refused(
        request, picture.metadata, revisions=_revisions(picture), verbs=VERBS, now=now
    )
    if refused is None and picture.status_lost:
        refused = "the status was lost, and with it whether this was done already; ask again"
    if refused:
        return AskedFor(status, request, refused=refused)
    match Verb(request.verb):
        case Verb.RETRY:
            return _retried(picture, request)
        case Verb.PAUSE:
            return _paused(status, request)
        case Verb.RESUME:
            return _resumed(status, request, now)
        case verb:
            return _for_the_rollout(picture, request, verb, now)


def answered(
    asked: AskedFor,
    status: DeploymentStatus,
    transition: Transition | None,
    *,
    vouched_since: datetime | None,
    overtaken_by: str,
    now: datetime,
) -> tuple[DeploymentStatus, tuple[Event, ...]]:
    """The status with the request's outcome, and the event that tells it."""
    if asked.pending is None:
        return status, ()
    message = asked.refused or asked.done or _carried_out(asked.rollout, transition)
    done = not asked.refused and bool(message)
    outcome = RequestOutcome.DONE if done else RequestOutcome.REFUSED
    message = message or overtaken_by
    record = handled(asked.pending, outcome, message, vouched_since=vouched_since, now=now)
    by = f" by {record.actor}" if record.actor else ""
    event = Event(
        EventType.NORMAL if done else EventType.WARNING,
        Reason.REQUEST_HANDLED if done else Reason.REQUEST_REFUSED,
        f"`{record.verb}`{by}: {record.message}",
    )
    return status.model_copy(update={"last_handled_request": record}), (event,)


def _revisions(picture: Picture) -> frozenset[str]:
    """Revisions that a request may name: of the rollout that runs, else of the spec."""
    canary = picture.status.canary
    if canary is not None:
        return frozenset({canary.revision})
    status, wanted = picture.status, picture.wanted
    about_stable = status.kept is not None or status.first_check is not None
    serving = {status.stable.revision} if about_stable and status.stable else set()
    return frozenset(serving | ({wanted.revision} if wanted else {"(none)"}))


def _retried(picture: Picture, request: ActionRequest) -> AskedFor:
    status = picture.status
    if rejection_of(request.revision, status, picture.seen) is None:
        return AskedFor(status, request, refused=f"revision {request.revision} isn't rejected")
    return AskedFor(
        with_retried(status, request.revision),
        request,
        done=f"revision {request.revision} may be tried again",
    )


def _paused(status: DeploymentStatus, request: ActionRequest) -> AskedFor:
    canary = status.canary
    if canary is None or status.stable is None:
        return AskedFor(status, request, refused="no rollout runs that could be paused")
    if canary.withdrawn:
        return AskedFor(status, request, refused="it is paused already, by `analysis.mode`")
    if canary.paused_by:
        return AskedFor(status, request, refused=f"it is paused already, by {canary.paused_by}")
    by = (request.actor or "somebody")[:_PAUSED_BY_MAX]
    paused = canary.model_copy(update={"paused_by": by})
    return AskedFor(
        status.model_copy(update={"canary": paused}),
        request,
        done=f"the rollout of revision {canary.revision} is paused; harm is judged all the same",
    )


def _resumed(status: DeploymentStatus, request: ActionRequest, now: datetime) -> AskedFor:
    canary = status.canary
    if canary is not None and canary.withdrawn:
        return AskedFor(
            status.model_copy(update={"canary": _judged_anew(canary, now), "analysis": []}),
            request,
            done=f"revision {canary.revision} gets requests again, and is judged anew",
        )
    if canary is None or not canary.paused_by:
        return AskedFor(status, request, refused="no rollout is paused by a person")
    resumed = canary.model_copy(update={"paused_by": None})
    return AskedFor(
        status.model_copy(update={"canary": resumed}),
        request,
        done=f"the rollout of revision {canary.revision} goes on",
    )


def _judged_anew(canary: CanaryStatus, now: datetime) -> CanaryStatus:
    """The canary at the beginning of its step, before its first request.

    The evidence that took its requests away would do so again at once, so a person's `resume`
    discards it. The stated error rate is then that of the new attempt alone.
    """
    return canary.model_copy(
        update={
            "withdrawn": None,
            "paused_by": None,
            "step_started_at": format_micro_time(now),
            "frozen_since": None,
            "frozen_seconds": 0,
            "samples_before": 0,
            "stable_samples_before": 0,
        }
    )


def _for_the_rollout(
    picture: Picture, request: ActionRequest, verb: Verb, now: datetime
) -> AskedFor:
    status = picture.status
    if verb is Verb.ABORT and status.canary is None and status.kept is not None:
        return _switched_back(picture, request, status.kept, now)
    if verb is Verb.PROMOTE and status.canary is None and status.first_check is not None:
        return _first_accepted(status, request, now)
    if status.canary is None:
        return AskedFor(status, request, refused=f"no rollout runs; there is nothing to {verb}")
    if status.stable is None:
        refused = "nothing serves yet: the first revision becomes stable when its pods are ready"
        return AskedFor(status, request, refused=refused)
    if verb is Verb.ABORT and status.canary.returning:
        return _way_back_stopped(status, status.canary, request)
    asked = Request(verb, request.actor, request.reason)
    return AskedFor(status, request, rollout=asked)


def _way_back_stopped(
    status: DeploymentStatus, canary: CanaryStatus, request: ActionRequest
) -> AskedFor:
    """What was stable lately isn't rejected for a change of mind; the spec still asks for it."""
    by = (request.actor or "somebody")[:_PAUSED_BY_MAX]
    paused = canary.model_copy(update={"paused_by": by})
    done = (
        f"the way back to revision {canary.revision} is stopped; it was stable lately and isn't "
        "rejected. Ask for another revision in the spec, or `kubectl serinus resume` goes on"
    )
    return AskedFor(status.model_copy(update={"canary": paused}), request, done=done)


def _first_accepted(status: DeploymentStatus, request: ActionRequest, now: datetime) -> AskedFor:
    """The first revision is good enough for a person, whatever was or will be found."""
    stable = status.stable
    if stable is None or stable.revision != request.revision:
        refused = f"revision {request.revision} isn't the one that serves"
        return AskedFor(status, request, refused=refused)
    why = f": {request.reason}" if request.reason else ""
    name = f"revision {stable.revision} ({stable.model_version})"
    because = Finding(Reason.PROMOTED_BY_USER, f"{name}, the first, was accepted{why}")
    changed = first_ended(status, stable, because, request.actor, now)
    return AskedFor(changed.status, request, done=because.message)


def _switched_back(
    picture: Picture, request: ActionRequest, kept: KeptRevision, now: datetime
) -> AskedFor:
    """After a switch, while the old pods are there: the way back needs no rollout."""
    status, stable = picture.status, picture.status.stable
    if stable is None or stable.revision != request.revision:
        refused = f"revision {request.revision} isn't the one that serves since the switch"
        return AskedFor(status, request, refused=refused)
    why = f": {request.reason}" if request.reason else ""
    available = picture.seen.available(kept.revision)
    if kept.analysis is not None and kept.going_back is None and available < picture.replicas:
        return _going_back(status, stable, kept, request, why, now)
    if not available and kept.going_back is not None:
        refused = f"no pod of revision {kept.revision} is ready yet to take over"
        return AskedFor(status, request, refused=refused)
    if not available:
        refused = f"no pod of revision {kept.revision} is ready any more; change the spec instead"
        return AskedFor(status, request, refused=refused)
    changed = switched_back(status, stable, kept, why, request.actor, now)
    return AskedFor(changed.status, request, done=f"revision {kept.revision} is stable again{why}")


def _going_back(
    status: DeploymentStatus,
    stable: RevisionStatus,
    kept: KeptRevision,
    request: ActionRequest,
    why: str,
    now: datetime,
) -> AskedFor:
    """The old revision has too few pods to take over at once; it gets them first."""
    because = Finding(
        Reason.ABORTED_BY_USER,
        f"revision {stable.revision} ({stable.model_version}) was aborted after its promotion{why}",
    )
    changed = going_back(status, stable, kept, because, request.actor, now)
    done = f"revision {kept.revision} becomes stable again when its pods are ready{why}"
    return AskedFor(changed.status, request, done=done)


def _carried_out(request: Request | None, transition: Transition | None) -> str:
    match request, transition:
        case Request(verb=Verb.ABORT), RollBack(because=because):
            return because.message if because.reason is Reason.ABORTED_BY_USER else ""
        case Request(verb=Verb.PROMOTE), Promote(because=because) | StartStep(because=because):
            return because.message
        case _:
            return ""
