"""The command line: verbs, flags and help. Nothing heavy is imported here."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from typing import Any, NoReturn

from serinus import __version__
from serinus.cli.errors import ExitCode

_EXIT_CODES = """\
exit codes:
  0  done; the object is healthy
  1  refused; the object is degraded, failed or stalled
  2  not decided yet, or not in time
  3  the command couldn't do its work: usage, cluster, rights, no such object
"""
_MOMENTS = "2026-11-21T14:00:00Z, or how long ago, 90m or 3d"


@dataclass(frozen=True, slots=True)
class Command:
    """One verb: where it is carried out, and what it says of itself."""

    verb: str
    module: str
    help: str


SEE = (
    Command("get", "get", "an object with all it came from and all that came of it, as a tree"),
    Command("list", "list_objects", "all objects of Serinus, a line each"),
    Command(
        "status", "status", "is it well? tells by exit code; --watch waits until it is decided"
    ),
    Command("why", "why", "the last decision: figures, evidence, rule, time, actor"),
    Command("history", "history", "all decisions about a Deployment, newest last"),
    Command("report", "report", "what served when, decided by what evidence, by whom: a document"),
    Command(
        "runbook", "runbook", "what a reason means and what to do; without one, which there are"
    ),
)
ACT = (
    Command("promote", "act", "make the canary stable, or end a `pause` step"),
    Command("abort", "act", "take the canary away; its revision is rejected"),
    Command("retry", "act", "try a rejected revision again, or repeat a run"),
    Command("pause", "act", "stop at this step; harm is judged all the same"),
    Command("resume", "act", "go on after `pause`"),
    Command("approve", "act", "let a ModelVersion serve that waits for approval"),
)
OFFLINE = (
    Command("plan", "plan", "before a release: how long it takes, what it finds, what to change"),
    Command("lint", "lint", "check manifests without a cluster: unknown fields, wrong types"),
)


class Parser(argparse.ArgumentParser):
    """Ends with the exit code of wrong usage, which is not the one of `status`."""

    def error(self, message: str) -> NoReturn:
        """Tell what was wrong, and where help is."""
        self.exit(ExitCode.FAILED, f"error: {message}\nhint: {self.prog} --help\n")


def parser(program: str) -> argparse.ArgumentParser:
    """The parser; `program` is what usage texts call it."""
    top = Parser(
        prog=program,
        description="See and steer machine-learning releases that Serinus carries out.",
        epilog=_EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action="version", version=f"serinus {__version__}")
    _add_cluster_flags(top, default=None)
    verbs = top.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in (*SEE, *ACT, *OFFLINE):
        FLAGS_OF_MODULES[command.module](_added(verbs, command))
    return top


def kubectl_flags(arguments: argparse.Namespace) -> tuple[str, ...]:
    """The flags that each call of kubectl gets."""
    given = {
        "--kubeconfig": arguments.kubeconfig,
        "--context": arguments.context,
        "--as": arguments.impersonate,
    }
    return tuple(f"{flag}={value}" for flag, value in given.items() if value)


def _added(verbs: Any, command: Command) -> argparse.ArgumentParser:
    added: argparse.ArgumentParser = verbs.add_parser(
        command.verb,
        help=command.help,
        description=f"{command.help[0].upper()}{command.help[1:]}.",
    )
    added.set_defaults(verb=command.verb, module=command.module)
    _add_cluster_flags(added, default=argparse.SUPPRESS)  # what stood before the verb counts
    return added


def _add_cluster_flags(to: argparse.ArgumentParser, *, default: str | None) -> None:
    group = to.add_argument_group("cluster and terminal")
    group.add_argument("-n", "--namespace", default=default, help="default: that of the context")
    group.add_argument("--context", default=default, help="context of the kubeconfig")
    group.add_argument("--kubeconfig", default=default, metavar="FILE", help="kubeconfig")
    group.add_argument("--as", dest="impersonate", default=default, metavar="USER", help="act as")
    group.add_argument(
        "--no-color",
        action="store_true",
        default=default if default == argparse.SUPPRESS else False,
        help="plain text; NO_COLOR does the same",
    )


def _get(to: argparse.ArgumentParser) -> None:
    _add_target(to)
    _add_output(to)
    to.add_argument("-w", "--watch", action="store_true", help="go on showing it")


def _list(to: argparse.ArgumentParser) -> None:
    to.add_argument("kind", nargs="?", metavar="KIND", help="only this kind")
    to.add_argument("-A", "--all-namespaces", action="store_true", help="of all namespaces")
    _add_output(to)


def _status(to: argparse.ArgumentParser) -> None:
    _add_target(to)
    _add_output(to)
    to.add_argument("-w", "--watch", action="store_true", help="wait until it is good or bad")
    to.add_argument("--timeout", metavar="DURATION", help="wait at most this long: 90s, 10m")


def _why(to: argparse.ArgumentParser) -> None:
    _add_target(to)
    _add_output(to)
    to.add_argument("--at", metavar="TIME", help=f"what was so then: {_MOMENTS}")
    _add_source(to)


def _history(to: argparse.ArgumentParser) -> None:
    _add_target(to)
    form = to.add_mutually_exclusive_group()
    _add_output(form)
    form.add_argument(
        "--export",
        metavar="FILE",
        help="add the records to this file, a line of JSON each, in order; `-` is stdout",
    )
    to.add_argument("--at", metavar="TIME", help=f"what was decided by then: {_MOMENTS}")
    _add_source(to)


def _report(to: argparse.ArgumentParser) -> None:
    _add_target(to)
    to.add_argument(
        "-o",
        "--output",
        choices=("markdown", "json"),
        default="markdown",
        help="for people or for another program; default: %(default)s",
    )
    to.add_argument("--since", metavar="TIME", help=f"only what was so from then on: {_MOMENTS}")
    to.add_argument("--until", metavar="TIME", help="only what was so until then")
    _add_source(to)


def _runbook(to: argparse.ArgumentParser) -> None:
    to.add_argument("reason", nargs="?", metavar="REASON", help="such as EvidenceOfHarm")


def _act(to: argparse.ArgumentParser) -> None:
    _add_target(to)
    to.add_argument("--reason", default="", help="why; kept with the decision")
    to.add_argument(
        "--dry-run",
        nargs="?",
        const="client",
        choices=("client", "server"),
        help="client: only print the patch; server: ask whether it would be accepted",
    )
    to.add_argument(
        "--wait",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="wait up to 15 s for the operator's answer (default)",
    )


def _lint(to: argparse.ArgumentParser) -> None:
    to.add_argument(
        "-f",
        "--filename",
        action="append",
        required=True,
        metavar="FILE",
        help="a file or a folder; `-` is stdin; repeat for several",
    )


def _plan(to: argparse.ArgumentParser) -> None:
    _lint(to)
    to.add_argument(
        "--prometheus",
        default="serinus-system/serinus-prometheus:9090",
        metavar="NAMESPACE/SERVICE:PORT",
        help="where Prometheus is in the cluster; default: %(default)s",
    )
    to.add_argument(
        "--requests-per-second", type=float, metavar="N", help="instead of asking Prometheus"
    )
    to.add_argument(
        "--rate",
        action="append",
        default=[],
        metavar="METRIC=FRACTION",
        help="with it: stable's rate in a metric, such as errors=0.01",
    )


FLAGS_OF_MODULES = {
    "plan": _plan,
    "get": _get,
    "list_objects": _list,
    "status": _status,
    "why": _why,
    "history": _history,
    "report": _report,
    "runbook": _runbook,
    "act": _act,
    "lint": _lint,
}
"""What a verb takes, by the module that carries it out."""


def _add_target(to: argparse.ArgumentParser) -> None:
    to.usage = f"{to.prog} [KIND] NAME [flags]"
    to.add_argument(
        "target",
        nargs="+",
        metavar="[KIND] NAME",
        help="KIND NAME or KIND/NAME; KIND is featureset (fset), trainingjob (tjob), "
        "modelversion (mver) or deployment (mdep)",
    )


def _add_source(to: argparse.ArgumentParser) -> None:
    to.add_argument(
        "--from",
        dest="source",
        action="append",
        metavar="FILE",
        help="exported records instead of the cluster's: a file or a folder; `-` is stdin; "
        "repeat for several",
    )


def _add_output(to: argparse._ActionsContainer) -> None:
    to.add_argument("-o", "--output", choices=("json", "yaml"), help="for another program")
