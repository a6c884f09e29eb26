"""Decisions as records keep them, and what served when: for each Deployment, also one that is gone.

A record is a ConfigMap `<deployment>-record-<n>`. Decisions that the operator has stored but not
written yet are in the status; those from before there were records are lines of its history.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from serinus.api.record_contract import RECORD_OF_LABEL, DecisionRecord, RecordError, record_in
from serinus.cli.objects import HistoryEntry, Metric
from serinus.cli.reading import entry_fields, metric_of

SERVE = "serve"


@dataclass(frozen=True, slots=True)
class Served:
    """A revision that got requests from a decision on; `weight` is None for all the rest."""

    role: str
    revision: str
    model_version: str
    model_digest: str
    weight_percent: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision(HistoryEntry):
    """One decision with its inputs.

    Attributes
    ----------
    number
        Of the record; 0 where a line of the history is all that there is.
    served
        What served from then on; None where nobody recorded it.
    actor_verified
        Whether the admission policy vouches for the actor.
    raw
        All that was recorded, for another program.
    """

    number: int
    actor_verified: bool = False
    model_digest: str = ""
    deployment_uid: str = ""
    served: tuple[Served, ...] | None = None
    evidence: tuple[Metric, ...] = ()
    rollout: Mapping[str, Any] = field(default_factory=dict)
    raw: Mapping[str, Any] = field(default_factory=dict)


def selector_of(deployment: str) -> str:
    """By which labels the records of a Deployment are found."""
    return f"{RECORD_OF_LABEL}={deployment}"


def records_among(config_maps: Iterable[Mapping[str, Any]]) -> Iterator[DecisionRecord]:
    """The records among them; what only has their labels is passed over."""
    for body in config_maps:
        with suppress(RecordError):
            yield record_in(body)


def decisions_of(
    records: Iterable[DecisionRecord], resource: Mapping[str, Any] | None
) -> tuple[Decision, ...]:
    """All decisions about a Deployment, oldest first; `resource` is None where it is gone."""
    status = (resource or {}).get("status") or {}
    found = {one.number: one for record in records if (one := _recorded(record)) is not None}
    for pending in (status.get("record") or {}).get("pending", ()):
        found.setdefault(pending["number"], _decision(pending["number"], pending["decision"]))
    numbered = tuple(found[number] for number in sorted(found))
    begun = next((one.at for one in numbered if one.at), None)
    return (*_before_records(status, begun), *numbered)


def decided_at(decisions: Iterable[Decision], moment: datetime) -> Decision | None:
    """The newest decision that was made by `moment`; None where none was."""
    made = [one for one in decisions if one.at is not None and one.at <= moment]
    return made[-1] if made else None


def served_at(decisions: Iterable[Decision], moment: datetime) -> tuple[Served, ...] | None:
    """What served at `moment`; None where nobody recorded it."""
    decision = decided_at(decisions, moment)
    return decision.served if decision is not None else None


def missing_numbers(recorded: Iterable[int]) -> tuple[int, ...]:
    """Numbers without a record below the newest: deleted, never written, or somebody else's."""
    numbers = set(recorded)
    return tuple(one for one in range(1, max(numbers, default=0)) if one not in numbers)


def _before_records(status: Mapping[str, Any], begun: datetime | None) -> tuple[Decision, ...]:
    lines = [
        Decision(**entry_fields(one), revision=one["revision"], number=0, raw=one)
        for one in status.get("history", ())
    ]
    if begun is None:
        return tuple(lines)
    # Lines have whole seconds: one of the same second is that of the first record.
    begun = begun.replace(microsecond=0)
    return tuple(one for one in lines if one.at is not None and one.at < begun)


def _recorded(record: DecisionRecord) -> Decision | None:
    """The decision in a record; None where it can't be read."""
    try:
        return _decision(record.number, record.text)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def _decision(number: int, text: str) -> Decision:
    raw = json.loads(text)
    return Decision(
        **entry_fields(raw),
        revision=raw.get("revision", ""),
        number=number,
        actor_verified=raw.get("actorVerified", False),
        model_digest=raw.get("modelDigest", ""),
        deployment_uid=(raw.get("deployment") or {}).get("uid", ""),
        served=tuple(_served(role, one) for role, one in raw["serving"].items()),
        evidence=tuple(metric_of(one) for one in raw.get("evidence", ())),
        rollout=raw.get("rollout") or {},
        raw={"record": number, **raw},
    )


def _served(role: str, body: Mapping[str, Any]) -> Served:
    return Served(
        role=role,
        revision=body["revision"],
        model_version=body.get("modelVersion", ""),
        model_digest=body.get("modelDigest", ""),
        weight_percent=body.get("weight"),
    )
