"""`status NAME [--watch] [--timeout 10m]`: is it well? For scripts, by exit code."""

from __future__ import annotations

import argparse

from serinus.api.enums import Kind
from serinus.cli.errors import CommandError, ExitCode
from serinus.cli.health import EXIT_CODES, health, status_word
from serinus.cli.list_objects import as_data
from serinus.cli.objects import DeploymentDetails, Resource
from serinus.cli.output import print_data
from serinus.cli.session import Session
from serinus.cli.targets import target
from serinus.cli.tree_view import STYLES

TICK_SECONDS = 1.0


def run(arguments: argparse.Namespace, session: Session) -> ExitCode:
    """Tell how the object is, with `--watch` when it is decided."""
    kind, name = target(arguments.target, default=Kind.DEPLOYMENT)
    resource = session.find(kind, name)
    if arguments.watch or arguments.timeout:
        resource = _settled(session, resource, timeout_seconds(arguments.timeout))
    if arguments.output:
        print_data(session.console, as_data(resource), arguments.output)
    else:
        _tell(session, resource)
    return EXIT_CODES[health(resource)]


def timeout_seconds(text: str | None) -> float:
    """Seconds that `--timeout` stands for; without it there is no limit.

    Raises
    ------
    CommandError
        If it is no duration.
    """
    if text is None:
        return float("inf")
    from serinus.api.quantities import duration_seconds

    try:
        return duration_seconds(text)
    except ValueError as error:
        raise CommandError(f"--timeout: {error}") from error


def _settled(session: Session, resource: Resource, timeout: float) -> Resource:
    """The object once it is good or bad, or as it is when the time is over."""
    began = session.clock.elapsed_seconds()
    told: tuple[str, str] | None = None
    while EXIT_CODES[health(resource)] is ExitCode.UNSETTLED:
        if session.clock.elapsed_seconds() - began >= timeout:
            break
        if told != (told := (status_word(resource), resource.message)):
            _tell(session, resource)
        session.clock.wait(TICK_SECONDS)
        resource = session.find(resource.kind, resource.name)
    return resource


def _tell(session: Session, resource: Resource) -> None:
    console = session.console
    console.print(f"{resource.kind} {resource.name}: ", end="")
    console.print(status_word(resource), style=STYLES[health(resource)], end="")
    message = f"  {resource.message}" if resource.message else ""
    console.print(f"{message}{_record(resource)}", soft_wrap=True)


def _record(resource: Resource) -> str:
    """Under which number the newest decision is recorded."""
    details = resource.details
    if not isinstance(details, DeploymentDetails) or not details.record:
        return ""
    return f" (record {details.record})"
