"""`report NAME`: what served when, decided by what evidence, by whom, as a document to keep."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from serinus.cli.errors import ExitCode
from serinus.cli.figures import in_utc, share
from serinus.cli.history import as_data, notes
from serinus.cli.objects import Arm, Metric
from serinus.cli.output import print_data
from serinus.cli.past import Past, moment_of, past_of
from serinus.cli.records import Decision, Served, missing_numbers
from serinus.cli.session import Session
from serinus.cli.why_then import in_words, served_data


@dataclass(frozen=True, slots=True)
class Period:
    """What served from one moment until another; `until` is None where it serves still."""

    since: datetime
    until: datetime | None
    served: tuple[Served, ...] | None
    record: int


def run(arguments: argparse.Namespace, session: Session) -> ExitCode:
    """Write it."""
    past, now = past_of(arguments, session), session.clock.now()
    since, until = moment_of(arguments.since, now), moment_of(arguments.until, now)
    if arguments.output == "json":
        print_data(session.console, as_document(past, since, until), "json")
        return ExitCode.OK
    text = "\n".join(markdown(past, since, until, written_at=now))
    session.console.print(text, soft_wrap=True, style=None)
    return ExitCode.OK


def periods(decisions: Sequence[Decision]) -> Iterator[Period]:
    """What served when, oldest first; a decision that leaves it as it was begins no new one."""
    begun: Period | None = None
    for one in decisions:
        if one.at is None or (begun is not None and begun.served == one.served):
            continue
        if begun is not None:
            yield Period(begun.since, one.at, begun.served, begun.record)
        begun = Period(one.at, None, one.served, one.number)
    if begun is not None:
        yield begun


def as_document(past: Past, since: datetime | None, until: datetime | None) -> dict[str, Any]:
    """Everything, for another program."""
    return {
        "deployment": past.name,
        "exists": None if past.files else past.resource is not None,
        "missingRecords": list(missing_numbers(past.record_numbers)),
        "served": [
            {
                "from": one.since.isoformat(),
                "until": one.until.isoformat() if one.until else None,
                "record": one.record or None,
                "served": [served_data(role) for role in one.served]
                if one.served is not None
                else None,
            }
            for one in _periods_within(past, since, until)
        ],
        "decisions": [
            dict(one.raw) if one.number else as_data(one)
            for one in _decisions_within(past, since, until)
        ],
    }


def markdown(
    past: Past, since: datetime | None, until: datetime | None, *, written_at: datetime
) -> Iterator[str]:
    """Everything, for people, line by line."""
    yield f"# Deployment {past.name}: what served, and why"
    yield ""
    yield f"Written {in_utc(written_at)}. Times are UTC."
    for note in notes(past):
        yield f"\n{note}"
    if missing := missing_numbers(past.record_numbers):
        numbers = ", ".join(str(one) for one in missing)
        yield f"\nRecords that aren't there: {numbers}."
    yield "\n## What served\n"
    yield "| from | until | served | by record |"
    yield "|---|---|---|---|"
    for period in _periods_within(past, since, until):
        ended = in_utc(period.until) if period.until else _last_end(past)
        by = str(period.record or "-")
        yield f"| {in_utc(period.since)} | {ended} | {in_words(period.served)} | {by} |"
    yield "\n## Decisions"
    for one in _decisions_within(past, since, until):
        yield from _decision(one)


def _last_end(past: Past) -> str:
    if past.files:
        return "the last record"
    return "its end" if past.is_gone else "now"


def _decision(one: Decision) -> Iterator[str]:
    number = f"{one.number}. " if one.number else ""
    at = in_utc(one.at) if one.at else "-"
    yield f"\n### {number}{at} {one.action} of revision {one.revision} ({one.model_version})\n"
    yield f"- because: {one.because}"
    if one.reason:
        yield f"- reason: {one.reason}"
    yield f"- by: {_actor(one)}"
    if one.model_digest:
        yield f"- model: {one.model_digest}"
    if one.served is not None:
        yield f"- served from then on: {in_words(one.served)}"
    if one.rollout:
        yield (
            f"- rollout: begun {one.rollout['startedAt']}, step {one.rollout['step'] + 1}, weight "
            f"{one.rollout['weight']} %, by rules {one.rollout['rulesHash'] or '-'}"
        )
    if rules := one.raw.get("rules"):
        yield f"\n```json\n{json.dumps(rules, ensure_ascii=False)}\n```"
    if one.evidence:
        yield "\n| metric | verdict | canary | stable | harm | safe |"
        yield "|---|---|---|---|---|---|"
        yield from map(_metric, one.evidence)


def _actor(one: Decision) -> str:
    if not one.actor:
        return "Serinus"
    return f"{one.actor} ({'verified' if one.actor_verified else 'not verified'})"


def _metric(one: Metric) -> str:
    cells = (
        one.name,
        one.verdict,
        one.value or _arm(one.canary),
        _arm(one.stable),
        one.harm or "-",
        one.safety or "-",
    )
    return f"| {' | '.join(cells)} |"


def _arm(arm: Arm | None) -> str:
    return share(arm.bad, arm.total) if arm else "-"


def _periods_within(past: Past, since: datetime | None, until: datetime | None) -> Iterator[Period]:
    for one in periods(past.decisions):
        ended = since is not None and one.until is not None and one.until <= since
        if not ended and (until is None or one.since <= until):
            yield one


def _decisions_within(
    past: Past, since: datetime | None, until: datetime | None
) -> Iterator[Decision]:
    for one in past.decisions:
        if one.at is None:
            continue
        if (since is None or one.at >= since) and (until is None or one.at <= until):
            yield one
