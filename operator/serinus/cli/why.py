"""`why NAME`: the last decision, the figures it rests on, and the rule that made it."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

from rich.table import Table

from serinus.api.enums import Kind, Outcome
from serinus.cli import why_then
from serinus.cli.errors import ExitCode
from serinus.cli.figures import age
from serinus.cli.health import health, status_word
from serinus.cli.objects import DeploymentDetails, Resource, Run
from serinus.cli.output import print_data
from serinus.cli.session import Session
from serinus.cli.targets import target
from serinus.cli.terminal import show
from serinus.cli.tree_view import columns, metrics_table
from serinus.cli.why_view import decision_rows, entry_data, facts


def run(arguments: argparse.Namespace, session: Session) -> ExitCode:
    """Tell it."""
    if arguments.at or arguments.source:
        return why_then.run(arguments, session)
    kind, name = target(arguments.target, default=Kind.DEPLOYMENT)
    resource = session.find(kind, name)
    if arguments.output:
        print_data(session.console, as_data(resource), arguments.output)
        return ExitCode.OK
    show(session.console, facts(list(_rows(resource, session))))
    for table in _tables(resource):
        session.console.print("")
        show(session.console, table)
    return ExitCode.OK


def as_data(resource: Resource) -> dict[str, Any]:
    """The same for another program."""
    data: dict[str, Any] = {
        "kind": resource.kind.value,
        "name": resource.name,
        "status": status_word(resource),
        "health": health(resource).value,
        "message": resource.message,
    }
    if isinstance(resource.details, DeploymentDetails):
        history = resource.details.history
        data["decision"] = entry_data(history[-1]) if history else None
        data["analysis"] = [
            {
                "metric": one.name,
                "verdict": one.verdict,
                "message": one.message,
                "warning": one.warning,
            }
            for one in resource.details.metrics
        ]
    return data


def _rows(resource: Resource, session: Session) -> Iterator[tuple[str, str]]:
    yield f"{resource.kind}:", f"{resource.name}, namespace {resource.namespace}"
    yield "Now:", f"{status_word(resource)}  {resource.message}".rstrip()
    match resource.details:
        case DeploymentDetails(history=()):
            yield "Decided:", "nothing yet"
        case DeploymentDetails(history=history, metrics=metrics):
            yield from decision_rows(history[-1], session.clock.now())
            for metric in metrics:
                if metric.warning:
                    yield "Careful:", f"{metric.name}: {metric.warning}"
        case details:
            if details.run:
                yield from _run_rows(details.run, session, told=resource.message)
            yield from _condition_rows(resource)


def _run_rows(run: Run, session: Session, *, told: str) -> Iterator[tuple[str, str]]:
    ended = f", {age(run.finished_at, session.clock.now())} ago" if run.finished_at else ""
    name = f"{run.name}: " if run.name else ""
    yield "Last run:", f"{name}{run.outcome or 'on its way'}{ended}"
    if run.reason:
        yield "Reason:", run.reason
    if run.message and run.message != told:
        yield "Because:", run.message
    if run.outcome in (Outcome.REJECTED, Outcome.FAILED) and run.reason:
        yield "Read:", f"kubectl serinus runbook {run.reason}"


def _condition_rows(resource: Resource) -> Iterator[tuple[str, str]]:
    for one in resource.conditions:
        if one.status != "True" or one.type in ("Stalled", "Reconciling"):
            message = "" if one.message == resource.message else one.message
            yield f"{one.type}={one.status}:", f"{one.reason}  {message}".rstrip()


def _tables(resource: Resource) -> Iterator[Table]:
    details = resource.details
    if isinstance(details, DeploymentDetails):
        if details.metrics:
            yield metrics_table(details.metrics)
    elif details.run and details.run.gates:
        table = columns("GATE", "VALUE", "LIMIT", "PASSED")
        for gate in details.run.gates:
            table.add_row(gate.metric, gate.value, gate.limits, "yes" if gate.passed else "no")
        yield table
