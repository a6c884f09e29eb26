"""The one verb of the kinds that work through runs: do the last run once more."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from serinus.api.enums import Reason, Verb
from serinus.api.metadata import HandledRequest, ObjectMeta
from serinus.reconcile.decision import Event, EventType
from serinus.reconcile.requests import RequestOutcome, handled, pending_request, why_refused


@dataclass(frozen=True, slots=True)
class RetryRequest:
    """What a person asks for in this pass, and what is to be recorded of it.

    Attributes
    ----------
    granted
        Whether another run is to begin.
    """

    granted: bool = False
    record: HandledRequest | None = None
    events: tuple[Event, ...] = ()


def retry_request(
    metadata: ObjectMeta,
    last_handled: HandledRequest | None,
    *,
    obstacle: str | None,
    vouched_since: datetime | None,
    now: datetime,
) -> RetryRequest:
    """The request to retry, refused where `obstacle` says why no run can begin."""
    request = pending_request(metadata, last_handled)
    if request is None:
        return RetryRequest(record=last_handled)
    refusal = why_refused(request, metadata, revisions=(), verbs=(Verb.RETRY.value,), now=now)
    refusal = refusal or obstacle
    outcome = RequestOutcome.REFUSED if refusal else RequestOutcome.DONE
    message = refusal or "another run begins"
    record = handled(request, outcome, message, vouched_since=vouched_since, now=now)
    reason = Reason.REQUEST_REFUSED if refusal else Reason.REQUEST_HANDLED
    type_ = EventType.WARNING if refusal else EventType.NORMAL
    event = Event(type_, reason.value, f"`{record.verb}` by {record.actor or 'unknown'}: {message}")
    return RetryRequest(refusal is None, record, (event,))
