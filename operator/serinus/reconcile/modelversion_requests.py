"""What people ask of a ModelVersion: to approve it, or to verify it once more."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from serinus.api.conditions import format_time
from serinus.api.enums import Phase, Reason, Verb
from serinus.api.metadata import HandledRequest
from serinus.api.modelversion import ModelVersion
from serinus.reconcile.decision import Event, EventType
from serinus.reconcile.modelversion_rules import refusal
from serinus.reconcile.readiness import bounded
from serinus.reconcile.requests import RequestOutcome, handled, pending_request, why_refused

VERBS = (Verb.APPROVE.value, Verb.RETRY.value)


@dataclass(frozen=True, slots=True)
class Asked:
    """What a person asks for in this pass, and who approved so far."""

    approved_by: str | None
    approved_at: str | None
    verify_again: bool = False
    record: HandledRequest | None = None
    events: tuple[Event, ...] = ()


def asked_for(version: ModelVersion, now: datetime, *, vouched_since: datetime | None) -> Asked:
    """What is asked for, granted or refused, and the record of it."""
    metadata, old = version.metadata, version.status
    approved = (old.approved_by, old.approved_at)
    request = pending_request(metadata, old.last_handled_request)
    if request is None:
        return Asked(*approved, record=old.last_handled_request)
    obstacle = why_refused(request, metadata, revisions=(), verbs=VERBS, now=now)
    obstacle = obstacle or _obstacle(version, request.verb)
    approves = request.verb == Verb.APPROVE
    message = obstacle or ("approved" if approves else "it is verified again")
    outcome = RequestOutcome.REFUSED if obstacle else RequestOutcome.DONE
    record = handled(request, outcome, message, vouched_since=vouched_since, now=now)
    actor = record.actor or "unknown"
    text = bounded(f"`{record.verb}` by {actor}: {message}")
    if obstacle:
        event = Event(EventType.WARNING, Reason.REQUEST_REFUSED.value, text)
        return Asked(*approved, record=record, events=(event,))
    if approves:
        approved = (actor, format_time(now))
    event = Event(EventType.NORMAL, Reason.REQUEST_HANDLED.value, text)
    return Asked(*approved, verify_again=not approves, record=record, events=(event,))


def _obstacle(version: ModelVersion, verb: str) -> str | None:
    if note := refusal(version.spec):
        return f"the version is rejected for good: {note.message}"
    verification = version.status.verification
    ended = verification is not None and verification.outcome is not None
    if verb == Verb.RETRY and not ended:
        return "the verification is underway"
    if verb == Verb.APPROVE and version.status.phase == Phase.REJECTED:
        return f"the version is rejected: {version.status.message}"
    return None
