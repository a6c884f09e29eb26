"""All decisions about a Deployment, in the cluster or in files, and what `--at` names."""

from __future__ import annotations

import argparse
import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from serinus.api.enums import Kind
from serinus.api.record_contract import DecisionRecord
from serinus.cli.errors import ClusterError, CommandError, NotFoundError, RefusedError
from serinus.cli.objects import RESOURCES, Resource
from serinus.cli.reading import resource_of, time_of
from serinus.cli.record_files import records_in_files
from serinus.cli.records import Decision, decisions_of, records_among, selector_of
from serinus.cli.session import Session
from serinus.cli.targets import target

_AGO = re.compile(r"(\d+)([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


@dataclass(frozen=True, slots=True)
class Past:
    """A Deployment and all that was decided about it, oldest first.

    Attributes
    ----------
    resource
        None where it isn't there any more, or where nobody looked.
    out_of_reach
        Why its records couldn't be read; empty where they could.
    files
        Where its records were read instead of in the cluster; empty where they weren't.
    """

    name: str
    resource: Resource | None
    decisions: tuple[Decision, ...]
    out_of_reach: str = ""
    files: tuple[str, ...] = ()

    @property
    def is_gone(self) -> bool:
        """Whether the Deployment was looked for and isn't there any more."""
        return self.resource is None and not self.files

    @property
    def record_numbers(self) -> tuple[int, ...]:
        """Numbers of the records among the decisions."""
        return tuple(one.number for one in self.decisions if one.number)


def past_of(arguments: argparse.Namespace, session: Session) -> Past:
    """What the command is about.

    Raises
    ------
    CommandError
        If there is neither such a Deployment nor a record of one.
    """
    name = deployment_named(arguments, session)
    if arguments.source:
        decisions = decisions_of(records_from_files(arguments, name), None)
        return Past(name, None, decisions, files=tuple(arguments.source))
    missing: NotFoundError | None = None
    body = None
    try:
        body = session.cluster.get(RESOURCES[Kind.DEPLOYMENT], name)
    except NotFoundError as error:
        missing = error
    records: tuple[DecisionRecord, ...] = ()
    out_of_reach = ""
    try:
        found = session.cluster.list(("configmaps",), selector=selector_of(name))
        records = tuple(records_among(found))
    except ClusterError as error:
        out_of_reach = error.message
    decisions = decisions_of(records, body)
    if missing is not None and not decisions:
        raise missing
    return Past(name, resource_of(body) if body is not None else None, decisions, out_of_reach)


def deployment_named(arguments: argparse.Namespace, session: Session) -> str:
    """The Deployment that the command is about.

    Raises
    ------
    CommandError
        If it is about an object of another kind.
    """
    kind, name = target(arguments.target, default=Kind.DEPLOYMENT)
    if kind is not Kind.DEPLOYMENT:
        session.find(kind, name)
        raise RefusedError(f"a {kind} has no history; Deployments have")
    return name


def records_from_files(arguments: argparse.Namespace, name: str) -> tuple[DecisionRecord, ...]:
    """The records of the Deployment `name` in the files that `--from` names.

    Raises
    ------
    CommandError
        If there is none, or where nobody says in which of several namespaces the Deployment is.
    """
    wanted = arguments.namespace
    found = [
        one
        for one in records_in_files(arguments.source)
        if one.deployment == name and wanted in (None, one.namespace)
    ]
    namespaces = sorted({one.namespace for one in found})
    if len(namespaces) > 1:
        there = ", ".join(namespaces)
        raise CommandError(f"Deployment `{name}` is in several namespaces: {there}", "say -n")
    if not found:
        where = f" in namespace `{wanted}`" if wanted else ""
        files = ", ".join(arguments.source)
        raise NotFoundError(f"no record of Deployment `{name}`{where} is in {files}")
    return tuple(found)


def moment_of(text: str | None, now: datetime) -> datetime | None:
    """The moment that `--at` names: RFC 3339, or how long ago, such as `90m` or `3d`.

    Raises
    ------
    CommandError
        If it names none.
    """
    if not text:
        return None
    ago = _AGO.fullmatch(text)
    try:
        if ago is not None:
            return now - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        return time_of(text)
    except (ValueError, OverflowError) as error:
        raise CommandError(
            f"`{text}` is no moment", "write 2026-11-21T14:00:00Z, or how long ago: 90m, 3d"
        ) from error
