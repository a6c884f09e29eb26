"""`list [-A]`: all objects of the four kinds, a line each."""

from __future__ import annotations

import argparse

from rich.table import Table
from rich.text import Text

from serinus.api.enums import Kind
from serinus.cli.errors import ExitCode
from serinus.cli.figures import age
from serinus.cli.health import health, status_word
from serinus.cli.objects import RESOURCES, Resource
from serinus.cli.output import print_data
from serinus.cli.reading import resources_of
from serinus.cli.session import Session
from serinus.cli.targets import kind_named
from serinus.cli.terminal import show
from serinus.cli.tree_view import STYLES, columns

_ORDER = {kind: position for position, kind in enumerate(Kind)}


def run(arguments: argparse.Namespace, session: Session) -> ExitCode:
    """Show them."""
    kinds = [kind_named(arguments.kind)] if arguments.kind else list(Kind)
    found = session.cluster.list(
        [RESOURCES[kind] for kind in kinds], all_namespaces=arguments.all_namespaces
    )
    resources = sorted(
        resources_of(found), key=lambda one: (one.namespace, _ORDER[one.kind], one.name)
    )
    if arguments.output:
        print_data(session.console, [as_data(one) for one in resources], arguments.output)
    elif not resources:
        where = "in the cluster" if arguments.all_namespaces else "in this namespace (-A: in all)"
        session.console.print(f"Serinus has no objects {where}.")
    else:
        show(session.console, _table(resources, session, with_namespace=arguments.all_namespaces))
    return ExitCode.OK


def as_data(resource: Resource) -> dict[str, str]:
    """An object in a few words, for another program."""
    return {
        "kind": resource.kind.value,
        "namespace": resource.namespace,
        "name": resource.name,
        "status": status_word(resource),
        "health": health(resource).value,
        "message": resource.message,
    }


def _table(resources: list[Resource], session: Session, *, with_namespace: bool) -> Table:
    first = ("NAMESPACE",) if with_namespace else ()
    table = columns(*first, "KIND", "NAME", "STATUS", "AGE", "MESSAGE")
    now = session.clock.now()
    for one in resources:
        status = Text(status_word(one), style=STYLES[health(one)])
        cells = (one.kind.value, one.name, status, age(one.created_at, now), one.message)
        table.add_row(*((one.namespace,) if with_namespace else ()), *cells)
    return table
