"""`history NAME`: every decision about a Deployment that its status still has, newest last."""

from __future__ import annotations

import argparse

from serinus.api.enums import Kind
from serinus.cli.errors import ExitCode, RefusedError
from serinus.cli.figures import age
from serinus.cli.objects import DeploymentDetails
from serinus.cli.output import print_data
from serinus.cli.session import Session
from serinus.cli.targets import target
from serinus.cli.terminal import show
from serinus.cli.tree_view import columns


def run(arguments: argparse.Namespace, session: Session) -> ExitCode:
    """Show it."""
    kind, name = target(arguments.target, default=Kind.DEPLOYMENT)
    details = session.find(kind, name).details
    if not isinstance(details, DeploymentDetails):
        raise RefusedError(f"a {kind} has no history; Deployments have")
    if arguments.output:
        rows = [
            {
                "at": one.at.isoformat() if one.at else "",
                "action": one.action,
                "revision": one.revision,
                "modelVersion": one.model_version,
                "reason": one.reason,
                "because": one.because,
                "actor": one.actor,
            }
            for one in details.history
        ]
        print_data(session.console, rows, arguments.output)
        return ExitCode.OK
    table = columns("AGE", "ACTION", "REVISION", "MODELVERSION", "REASON", "ACTOR", "BECAUSE")
    for one in details.history:
        since = age(one.at, session.clock.now())
        actor = one.actor or "Serinus"
        table.add_row(
            since, one.action, one.revision, one.model_version, one.reason, actor, one.because
        )
    show(session.console, table)
    return ExitCode.OK
