"""`history NAME`: every decision about a Deployment, newest last, also of one that is gone."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from serinus.cli import record_export
from serinus.cli.errors import ExitCode
from serinus.cli.figures import age
from serinus.cli.output import print_data
from serinus.cli.past import Past, moment_of, past_of
from serinus.cli.records import Decision
from serinus.cli.session import Session
from serinus.cli.terminal import show
from serinus.cli.tree_view import columns
from serinus.cli.why_view import entry_data


def run(arguments: argparse.Namespace, session: Session) -> ExitCode:
    """Show it, or keep it in a file."""
    if arguments.export:
        return record_export.run(arguments, session)
    past = past_of(arguments, session)
    until = moment_of(arguments.at, session.clock.now())
    decisions = [
        one for one in past.decisions if until is None or (one.at is not None and one.at <= until)
    ]
    if arguments.output:
        print_data(session.console, [as_data(one) for one in decisions], arguments.output)
        return ExitCode.OK
    table = columns(
        "AGE", "RECORD", "ACTION", "REVISION", "MODELVERSION", "REASON", "ACTOR", "BECAUSE"
    )
    for one in decisions:
        table.add_row(
            age(one.at, session.clock.now()),
            str(one.number or "-"),
            one.action,
            one.revision,
            one.model_version,
            one.reason or "-",
            one.actor or "Serinus",
            one.because,
        )
    show(session.console, table)
    for note in notes(past):
        session.console.print(f"\n{note}")
    return ExitCode.OK


def as_data(decision: Decision) -> dict[str, object]:
    """The decision for another program."""
    return {"record": decision.number or None, **entry_data(decision)}


def notes(past: Past) -> Iterator[str]:
    """What to know of where the decisions come from."""
    if past.files:
        yield f"These are the records in {', '.join(past.files)}."
    if past.is_gone:
        yield f"Deployment `{past.name}` isn't there any more; these are its records."
    if past.out_of_reach:
        yield f"Its records can't be read, so this is what the status has: {past.out_of_reach}"
