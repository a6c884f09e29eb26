"""`runbook REASON`: what a reason means and what to do, from the documents that are packaged."""

from __future__ import annotations

import argparse
import difflib
import sysconfig
from collections.abc import Sequence
from pathlib import Path

from serinus.cli.errors import CommandError, ExitCode
from serinus.cli.session import Session


def run(arguments: argparse.Namespace, session: Session) -> ExitCode:
    """Print the page; without a reason, what pages there are."""
    pages = _pages(places())
    if arguments.reason is None:
        session.console.print("\n".join(sorted(pages)))
        return ExitCode.OK
    page = {name.lower(): path for name, path in pages.items()}.get(arguments.reason.lower())
    if page is None:
        close = difflib.get_close_matches(arguments.reason, pages, n=1)
        hint = f"is it `{close[0]}`?" if close else "`kubectl serinus runbook` lists all"
        raise CommandError(f"there is no runbook for `{arguments.reason}`", hint)
    session.console.print(page.read_text(encoding="utf-8").rstrip(), soft_wrap=True)
    return ExitCode.OK


def places() -> tuple[Path, ...]:
    """Folders in which the documents may be: beside the code in a checkout, else installed."""
    checkout = Path(__file__).parents[2] / "docs"
    return checkout, Path(sysconfig.get_path("data")) / "share" / "serinus" / "docs"


def _pages(folders: Sequence[Path]) -> dict[str, Path]:
    for folder in folders:
        if found := {page.stem: page for page in (folder / "runbooks").glob("*.md")}:
            return found
    raise CommandError("the documents aren't installed", "they are in operator/docs/runbooks")
