"""What people ask for through the annotation `serinus.dev/request`, and what came of it.

A request is carried out at most once: its nonce is in status before anything is done about it. One
that was meant for another object or revision, or is too old, is refused, so that a restored or
copied object replays nothing.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from datetime import datetime, timedelta
from enum import StrEnum

from pydantic import ValidationError

from serinus.api.conditions import format_time, parse_time
from serinus.api.metadata import (
    REQUEST_ANNOTATION,
    ActionRequest,
    HandledRequest,
    ObjectMeta,
)
from serinus.reconcile.decision import JsonObject

VALID_FOR = timedelta(minutes=10)
POLICY_DELAY = timedelta(seconds=10)
"""An admission policy that was just made isn't in force at once."""
_NONCE_MAX, _VERB_MAX, _ACTOR_MAX, _MESSAGE_MAX = 64, 32, 256, 1024


class RequestOutcome(StrEnum):
    """What came of a request."""

    DONE = "done"
    REFUSED = "refused"


def has_pending_request(resource: JsonObject) -> bool:
    """Whether a person asks the object, of whatever kind, for something that wasn't handled."""
    if not (resource["metadata"].get("annotations") or {}).get(REQUEST_ANNOTATION):
        return False
    try:
        metadata = ObjectMeta.model_validate(resource["metadata"])
        stored = (resource.get("status") or {}).get("lastHandledRequest")
        last = HandledRequest.model_validate(stored) if stored else None
    except (ValidationError, AttributeError):
        return True
    return pending_request(metadata, last) is not None


def pending_request(
    metadata: ObjectMeta, last_handled: HandledRequest | None
) -> ActionRequest | None:
    """The request that wasn't handled yet; None if there is none that can be read."""
    text = metadata.annotations.get(REQUEST_ANNOTATION)
    if not text:
        return None
    try:
        request = ActionRequest.model_validate(json.loads(text))
    except (ValueError, ValidationError, RecursionError):
        return None
    if last_handled and last_handled.nonce == request.nonce[:_NONCE_MAX]:
        return None
    return request


def why_refused(
    request: ActionRequest,
    metadata: ObjectMeta,
    *,
    revisions: Collection[str],
    verbs: Collection[str],
    now: datetime,
) -> str | None:
    """Why the request isn't for this object as it is now; None when it is.

    `revisions` are those that it may name; an object without revisions gives none.
    """
    try:
        age = now - parse_time(request.issued_at)
    except ValueError:
        return f"`issuedAt` is `{request.issued_at[:40]}`, which is no time"
    if request.verb not in verbs:
        return f"`{request.verb[:_VERB_MAX]}` is none of {', '.join(sorted(verbs))}"
    if request.uid != metadata.uid:
        return "the request was meant for another object of this name"
    if abs(age) > VALID_FOR:
        return (
            f"the request was issued at {request.issued_at[:40]}; requests last 10 minutes, and by "
            f"the operator's clock it is {format_time(now)}"
        )
    if revisions and request.revision not in revisions:
        named = request.revision[:16] or "no revision"
        return f"the request names {named}; it would have to name {' or '.join(sorted(revisions))}"
    return None


def handled(
    request: ActionRequest,
    outcome: RequestOutcome,
    message: str,
    *,
    vouched_since: datetime | None,
    now: datetime,
) -> HandledRequest:
    """The record that goes into status."""
    return HandledRequest(
        nonce=request.nonce[:_NONCE_MAX],
        verb=request.verb[:_VERB_MAX],
        outcome=outcome.value,
        message=message[:_MESSAGE_MAX],
        actor=request.actor[:_ACTOR_MAX],
        actor_verified=_is_vouched_for(request, vouched_since),
        at=format_time(now),
    )


def _is_vouched_for(request: ActionRequest, vouched_since: datetime | None) -> bool:
    """Whether the policy was in force when the request was written; not if that is no time."""
    if vouched_since is None:
        return False
    try:
        return parse_time(request.issued_at) >= vouched_since + POLICY_DELAY
    except ValueError:
        return False
