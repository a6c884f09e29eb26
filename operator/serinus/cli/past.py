"""All decisions about a Deployment, asked of the cluster, and the moment that `--at` names."""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from serinus.api.enums import Kind
from serinus.cli.errors import ClusterError, CommandError, NotFoundError, RefusedError
from serinus.cli.objects import RESOURCES, Resource
from serinus.cli.reading import resource_of, time_of
from serinus.cli.records import Decision, decisions_of, selector_of
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
        None where it isn't there any more.
    out_of_reach
        Why its records couldn't be read; empty where they could.
    """

    name: str
    resource: Resource | None
    decisions: tuple[Decision, ...]
    out_of_reach: str = ""


def past_of(arguments: argparse.Namespace, session: Session) -> Past:
    """What the command is about.

    Raises
    ------
    CommandError
        If there is neither such a Deployment nor a record of one.
    """
    kind, name = target(arguments.target, default=Kind.DEPLOYMENT)
    if kind is not Kind.DEPLOYMENT:
        session.find(kind, name)
        raise RefusedError(f"a {kind} has no history; Deployments have")
    missing: NotFoundError | None = None
    body = None
    try:
        body = session.cluster.get(RESOURCES[kind], name)
    except NotFoundError as error:
        missing = error
    records: tuple[Mapping[str, Any], ...] = ()
    out_of_reach = ""
    try:
        records = session.cluster.list(("configmaps",), selector=selector_of(name))
    except ClusterError as error:
        out_of_reach = error.message
    decisions = decisions_of(records, body)
    if missing is not None and not decisions:
        raise missing
    return Past(name, resource_of(body) if body is not None else None, decisions, out_of_reach)


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
