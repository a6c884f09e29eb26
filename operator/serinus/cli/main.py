"""`serinus`, and `kubectl serinus`: parse, import the verb's module, carry it out.

Help and errors of usage answer without importing anything heavy; a test holds that.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from serinus.cli.arguments import kubectl_flags, parser
from serinus.cli.errors import CommandError, ExitCode

if TYPE_CHECKING:
    from serinus.cli.session import Session

INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Carry out the command line; gives the exit code."""
    program, *words = sys.argv if argv is None else argv
    arguments = parser(program_name(program)).parse_args(words)

    from serinus.cli.kubectl import Kubectl
    from serinus.cli.session import Session
    from serinus.cli.terminal import SystemClock, standard_output

    cluster = Kubectl(arguments.namespace or "", kubectl_flags(arguments))
    session = Session(cluster, standard_output(color=not arguments.no_color), SystemClock())
    try:
        return carry_out(arguments, session)
    except CommandError as error:
        print(f"error: {error.message}", file=sys.stderr)
        if error.hint:
            print(f"hint: {error.hint}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return INTERRUPTED


def carry_out(arguments: argparse.Namespace, session: Session) -> ExitCode:
    """Let the verb's module do it.

    Raises
    ------
    CommandError
        If it can't.
    """
    code: ExitCode = import_module(f"serinus.cli.{arguments.module}").run(arguments, session)
    return code


def program_name(path: str) -> str:
    """What usage texts call this program: kubectl's plugins are called through it."""
    name = Path(path).name
    return "kubectl serinus" if name.startswith("kubectl-") else "serinus"


if __name__ == "__main__":
    sys.exit(main())
