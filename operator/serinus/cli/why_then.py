"""`why NAME --at TIME`: what served then, and the decision, evidence and person behind it."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from datetime import datetime

from serinus.cli.errors import ExitCode, RefusedError
from serinus.cli.figures import in_utc
from serinus.cli.output import print_data
from serinus.cli.past import Past, moment_of, past_of
from serinus.cli.records import Decision, Served, decided_at
from serinus.cli.session import Session
from serinus.cli.terminal import show
from serinus.cli.tree_view import metrics_table
from serinus.cli.why_view import decision_rows, facts


def run(arguments: argparse.Namespace, session: Session) -> ExitCode:
    """Tell it.

    Raises
    ------
    RefusedError
        If nothing was decided by then.
    """
    past, now = past_of(arguments, session), session.clock.now()
    moment = moment_of(arguments.at, now) or now
    decision = decided_at(past.decisions, moment)
    if decision is None:
        raise RefusedError(
            f"nothing is recorded of Deployment `{past.name}` by {in_utc(moment)}",
            _beginning(past),
        )
    if arguments.output:
        print_data(session.console, as_data(past.name, moment, decision), arguments.output)
        return ExitCode.OK
    show(session.console, facts(list(_rows(past, moment, decision, now))))
    if decision.evidence:
        session.console.print("")
        show(session.console, metrics_table(decision.evidence))
    return ExitCode.OK


def as_data(name: str, moment: datetime, decision: Decision) -> dict[str, object]:
    """The same for another program."""
    return {
        "kind": "Deployment",
        "name": name,
        "at": moment.isoformat(),
        "served": [served_data(one) for one in decision.served]
        if decision.served is not None
        else None,
        "decision": dict(decision.raw),
    }


def served_data(one: Served) -> dict[str, object]:
    """A revision that served, for another program."""
    return {
        "role": one.role,
        "revision": one.revision,
        "modelVersion": one.model_version,
        "modelDigest": one.model_digest,
        "weight": one.weight_percent,
    }


def in_words(served: tuple[Served, ...] | None) -> str:
    """`stable 9f2c1d03aa (schedule-1), canary b1ffc0de22 (boosted-1) at 20 %`."""
    if served is None:
        return "not recorded: the decision is older than the first record"
    words = [
        f"{one.role} {one.revision} ({one.model_version})"
        + ("" if one.weight_percent is None else f" at {one.weight_percent} %")
        for one in served
    ]
    return ", ".join(words) or "nothing"


def _rows(
    past: Past, moment: datetime, decision: Decision, now: datetime
) -> Iterator[tuple[str, str]]:
    gone = ", which isn't there any more" if past.is_gone else ""
    yield "Deployment:", f"{past.name}{gone}"
    yield "At:", in_utc(moment)
    yield "Served:", in_words(decision.served)
    for one in decision.served or ():
        if one.model_digest:
            yield f"{one.role.capitalize()} model:", one.model_digest
    yield from decision_rows(decision, now)
    if decision.actor:
        vouched = "verified by the admission policy" if decision.actor_verified else "not verified"
        yield "Actor:", f"{decision.actor}, {vouched}"
    if decision.number:
        yield "Record:", f"{past.name}-record-{decision.number}"


def _beginning(past: Past) -> str:
    first = past.decisions[0].at if past.decisions else None
    return f"the first decision is of {in_utc(first)}" if first else "nothing was decided yet"
