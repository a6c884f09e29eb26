"""What a pass decided, with its inputs, on the way to records that are kept for ever.

::

    decision ──► status.record.pending ──► ConfigMap `<name>-record-<n>` ──► no longer pending

The text of a record is made once, in the pass that decides, and stands in the status until the
ConfigMap is there. So a crash in between loses nothing, and what is written afterwards is what was
decided then. The name is made of a number that is in the status first, so nothing is doubled.

Recorded are the lines of the history, what people asked for and got, and each change of what
serves.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from serinus import __version__
from serinus.api.conditions import format_micro_time
from serinus.api.deployment_status import (
    PENDING_RECORDS_MAX,
    RECORD_MAX_LENGTH,
    CanaryStatus,
    DeploymentStatus,
    HistoryEntry,
    PendingRecord,
    RecordStatus,
)
from serinus.api.enums import Action, Reason, Verb
from serinus.api.metadata import HandledRequest
from serinus.api.record_contract import record_name
from serinus.manifests.decision_record import make_decision_record
from serinus.reconcile.decision import (
    ApplyPolicy,
    DesiredObject,
    Event,
    EventType,
    Ownership,
)
from serinus.reconcile.deployment_picture import Picture
from serinus.reconcile.deployment_serving import digest_of, in_words, serving
from serinus.reconcile.requests import RequestOutcome

_Json = dict[str, Any]
_LAYOUT = 1
_TOLD_IN_HISTORY = (Verb.PROMOTE, Verb.ABORT)


@dataclass(frozen=True, slots=True)
class Recorded:
    """The status with the decision among its pending records, and what there is to tell."""

    status: DeploymentStatus
    events: tuple[Event, ...] = ()


def recorded(picture: Picture, status: DeploymentStatus, now: datetime) -> Recorded:
    """`status`, to which the pass came, with what it decided on its way to a record."""
    known = picture.stored.record or RecordStatus(number=picture.records.newest)
    kept = [one for one in known.pending if one.number not in picture.records.written]
    pending, events = _renumbered(picture, kept, known.number)
    number = max([known.number, *(one.number for one in pending)])
    for told in _decisions(picture, status, now):
        number += 1
        pending.append(_pending(number, told))
    given_up, pending = pending[:-PENDING_RECORDS_MAX], pending[-PENDING_RECORDS_MAX:]
    record = RecordStatus(
        number=number, serving=in_words(serving(picture, status)), pending=pending
    )
    events += tuple(_given_up(picture, one) for one in given_up)
    return Recorded(status.model_copy(update={"record": record}), events)


def _given_up(picture: Picture, one: PendingRecord) -> Event:
    message = (
        f"{PENDING_RECORDS_MAX} decisions wait for their records, so that the oldest is given up: "
        f"`{record_name(picture.name, one.number)}`, {one.action} of revision {one.revision}"
    )
    return Event(EventType.WARNING, Reason.WRITE_REFUSED, message)


def record_objects(picture: Picture, status: DeploymentStatus) -> tuple[DesiredObject, ...]:
    """The ConfigMaps of all pending records, oldest first."""
    return tuple(
        DesiredObject(
            make_decision_record(picture.name, picture.metadata.namespace, one),
            ApplyPolicy.CREATE_ONLY,
            Ownership.KEPT,
        )
        for one in (status.record.pending if status.record else ())
    )


def _renumbered(
    picture: Picture, pending: list[PendingRecord], newest: int
) -> tuple[list[PendingRecord], tuple[Event, ...]]:
    """The pending records, those from a taken name on with the next numbers."""
    taken = [index for index, one in enumerate(pending) if one.number in picture.records.taken]
    if not taken:
        return pending, ()
    first = taken[0]
    moved = [
        one.model_copy(update={"number": newest + offset})
        for offset, one in enumerate(pending[first:], start=1)
    ]
    name = record_name(picture.name, pending[first].number)
    message = (
        f"ConfigMap `{name}` exists and isn't ours; it is left untouched, and the decision is "
        f"recorded as `{record_name(picture.name, newest + 1)}`"
    )
    return [*pending[:first], *moved], (Event(EventType.WARNING, Reason.NAME_CONFLICT, message),)


def _pending(number: int, decision: _Json) -> PendingRecord:
    text = _as_text(decision)
    if len(text) > RECORD_MAX_LENGTH:  # their hash stays, and the rollout names them elsewhere
        text = _as_text({**decision, "rules": None, "evidence": _verdicts(decision)})
    return PendingRecord(
        number=number,
        action=decision["action"],
        revision=decision["revision"],
        decision=text[:RECORD_MAX_LENGTH],
    )


def _as_text(decision: _Json) -> str:
    given = {key: value for key, value in decision.items() if value is not None}
    return json.dumps(given, ensure_ascii=False, separators=(",", ":"))


def _verdicts(decision: _Json) -> list[_Json]:
    return [{key: one[key] for key in ("metric", "verdict")} for one in decision["evidence"]]


# What was decided


def _decisions(picture: Picture, status: DeploymentStatus, now: datetime) -> Iterator[_Json]:
    """What this pass decided; what serves is, in each, what serves after the pass."""
    told = [*_asked_for(picture.stored, status), *_new_lines(picture.stored, status)]
    before = picture.stored.record.serving if picture.stored.record else ""
    if not told and in_words(serving(picture, status)) != before:
        told = [_served_otherwise(picture, status)]
    for words in told:
        yield {**words, **_inputs(picture, status, words, now)}


def _new_lines(stored: DeploymentStatus, status: DeploymentStatus) -> Iterator[_Json]:
    """Lines of the history that weren't there before, with who asked for what they tell."""
    if status.history == stored.history:
        return
    request = _granted(stored, status)
    before = Counter(_as_line(one) for one in stored.history)
    for entry in status.history:
        line = _as_line(entry)
        if before[line] > 0:
            before[line] -= 1
            continue
        words = entry.model_dump(mode="json", by_alias=True, exclude={"at"})
        if request is not None and request.verb in _TOLD_IN_HISTORY:
            words |= _who(request)
        yield words


def _as_line(entry: HistoryEntry) -> str:
    return entry.model_dump_json()


def _asked_for(stored: DeploymentStatus, status: DeploymentStatus) -> Iterator[_Json]:
    """What a person asked for and got, where no line of the history tells it."""
    request = _granted(stored, status)
    if request is not None and request.verb not in _TOLD_IN_HISTORY:
        role = status.canary or status.stable
        yield {
            "action": request.verb[:16],
            "revision": role.revision if role else "",
            "modelVersion": role.model_version if role else "",
            "reason": Reason.REQUEST_HANDLED.value,
            "because": request.message,
            **_who(request),
        }


def _granted(stored: DeploymentStatus, status: DeploymentStatus) -> HandledRequest | None:
    """The request of a person that this pass granted."""
    request = status.last_handled_request
    if request is None or request == stored.last_handled_request:
        return None
    return request if request.outcome == RequestOutcome.DONE else None


def _who(request: HandledRequest) -> _Json:
    return {"actor": request.actor, "actorVerified": request.actor_verified}


def _served_otherwise(picture: Picture, status: DeploymentStatus) -> _Json:
    """What serves changed as it was decided before: pods are there, or have gone."""
    words, role = in_words(serving(picture, status)), status.canary or status.stable
    return {
        "action": Action.SERVE.value,
        "revision": role.revision if role else "",
        "modelVersion": role.model_version if role else "",
        "reason": "",
        "because": f"from now on {words}" if words else "from now on nothing",
        "actor": "",
    }


def _inputs(picture: Picture, status: DeploymentStatus, words: _Json, now: datetime) -> _Json:
    """What the decision rests on, and what comes of it."""
    canary = picture.status.canary or status.canary
    begins = words["action"] == Action.START and status.canary is not None
    if begins:
        canary = status.canary
    return {
        "layout": _LAYOUT,
        "at": format_micro_time(now),
        "deployment": {
            "name": picture.name,
            "namespace": picture.metadata.namespace,
            "uid": picture.metadata.uid,
            "generation": picture.metadata.generation,
        },
        "operatorVersion": __version__,
        "modelDigest": digest_of(picture, words["revision"]),
        "rollout": _rollout(canary) if canary else None,
        "rules": canary.rules if canary and begins else None,
        "evidence": [
            one.model_dump(mode="json", by_alias=True, exclude={"state"}, exclude_none=True)
            for one in status.analysis
        ],
        "serving": serving(picture, status),
    }


def _rollout(canary: CanaryStatus) -> _Json:
    """Which rollout, and where it stood when it was decided; `startedAt` tells rollouts apart."""
    return {
        "startedAt": canary.started_at,
        "rulesHash": canary.rules_hash,
        "step": canary.step,
        "weight": canary.weight,
        "actualWeight": canary.actual_weight,
    }
