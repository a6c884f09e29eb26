"""`history NAME --export FILE`: the records of a Deployment as lines of JSON, to be kept."""

from __future__ import annotations

import argparse
import sys

from serinus.api.record_contract import DecisionRecord, RecordError, each_once, line_of, record_in
from serinus.cli.errors import CommandError, ExitCode
from serinus.cli.past import deployment_named, records_from_files
from serinus.cli.record_files import STANDARD, add_to_file
from serinus.cli.records import missing_numbers, selector_of
from serinus.cli.session import Session


def run(arguments: argparse.Namespace, session: Session) -> ExitCode:
    """Write all of them, in order, and tell which numbers aren't there.

    Raises
    ------
    CommandError
        If there is none, one can't be read, or the file has one of them with another content.
    """
    if arguments.at:
        raise CommandError("an export has all records", "leave `--at` out")
    name = deployment_named(arguments, session)
    records = _records(arguments, session, name)
    if not records:
        raise CommandError(f"Deployment `{name}` has no records", "`kubectl serinus list -A`")
    if arguments.export == STANDARD:
        for one in records:
            session.console.print(line_of(one), soft_wrap=True, style=None)
    else:
        added = add_to_file(arguments.export, records)
        session.console.print(
            f"Deployment `{name}`: {added} of {len(records)} records are new in {arguments.export}"
        )
    if missing := missing_numbers(one.number for one in records):
        numbers = ", ".join(str(one) for one in missing)
        print(f"Records that aren't there: {numbers}.", file=sys.stderr)
    return ExitCode.OK


def _records(
    arguments: argparse.Namespace, session: Session, name: str
) -> tuple[DecisionRecord, ...]:
    if arguments.source:
        return records_from_files(arguments, name)
    found = session.cluster.list(("configmaps",), selector=selector_of(name))
    try:
        return each_once(record_in(body) for body in found)
    except RecordError as error:
        raise CommandError(str(error), "take its labels off, and export again") from error
