"""`get KIND NAME [-w]`: an object, what it came from, and what came of it."""

from __future__ import annotations

import argparse
from typing import Any

from rich.console import Group
from rich.live import Live

from serinus.api.enums import Kind
from serinus.cli.errors import ExitCode, NotFoundError
from serinus.cli.lineage import Node, lineage
from serinus.cli.objects import Resource
from serinus.cli.output import print_data
from serinus.cli.session import Session
from serinus.cli.targets import target
from serinus.cli.terminal import show
from serinus.cli.tree_view import object_view

TICK_SECONDS = 1.0


def run(arguments: argparse.Namespace, session: Session) -> ExitCode:
    """Show the object, once or for as long as it is watched."""
    kind, name = target(arguments.target, default=Kind.DEPLOYMENT)
    if arguments.watch:
        return _watch(session, kind, name)
    resource, roots = _looked_up(session, kind, name)
    if arguments.output:
        print_data(session.console, {"tree": [as_data(node) for node in roots]}, arguments.output)
    else:
        show(session.console, object_view(resource, roots, session.clock.now()))
    return ExitCode.OK


def as_data(node: Node) -> dict[str, Any]:
    """A node for another program."""
    return {
        "kind": str(node.kind),
        "name": node.name,
        "status": node.status,
        "health": node.health.value,
        "info": node.info,
        "children": [as_data(child) for child in node.children],
    }


def _looked_up(session: Session, kind: Kind, name: str) -> tuple[Resource, tuple[Node, ...]]:
    namespace = session.namespace()
    resource = namespace.find(kind, name)
    if resource is None:
        raise NotFoundError(
            f"there is no {kind} `{name}` here", "`kubectl serinus list -A` shows what there is"
        )
    return resource, lineage(resource, namespace)


def _watch(session: Session, kind: Kind, name: str) -> ExitCode:
    """Redraw in place on a terminal, else print again what has changed, until interrupted."""
    if not session.console.is_terminal:
        return _print_changes(session, kind, name)
    with Live(console=session.console, auto_refresh=False, vertical_overflow="visible") as live:
        while True:
            resource, roots = _looked_up(session, kind, name)
            live.update(object_view(resource, roots, session.clock.now()), refresh=True)
            session.clock.wait(TICK_SECONDS)


def _print_changes(session: Session, kind: Kind, name: str) -> ExitCode:
    shown: tuple[Resource, tuple[Node, ...]] | None = None
    while True:
        seen = _looked_up(session, kind, name)
        if seen != shown:
            show(session.console, Group(object_view(*seen, session.clock.now()), ""))
            shown = seen
        session.clock.wait(TICK_SECONDS)
