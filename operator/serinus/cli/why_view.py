"""A decision as people read it: what, when, by whom, why, by which rule, and what to read."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from rich.table import Table

from serinus.api.enums import Action, Reason
from serinus.cli.figures import age
from serinus.cli.objects import HistoryEntry

RULES = "operator/serinus/rollout"
_MODULES = {
    Action.HOLD: "hold.py",
    Action.PROMOTE: "promotion.py",
    Action.ROLLBACK: "rollback.py",
    Action.ABORT: "rollback.py",
    Action.WITHDRAW: "rollback.py",
    Action.OBSERVE: "rollback.py",
    Action.SUPERSEDE: "ending.py",
}
_RULES_OF_REASONS = {
    Reason.FIRST_REVISION: ("launch", "launch.py"),
    Reason.FIRST_REVISION_SAFE: ("first_revision_safe", "first_check.py"),
    Reason.FIRST_REVISION_UNPROVEN: ("first_revision_unproven", "first_check.py"),
    Reason.FIRST_REVISION_HARMFUL: ("first_revision_harmful", "first_check.py"),
    Reason.WITHIN_ROLLBACK_WINDOW: ("within_rollback_window", "promotion.py"),
    Reason.ROLLOUT_STARTED: ("why_not_started", "start.py"),
    Reason.STEP_STARTED: ("advance", "advance.py"),
    Reason.BACK_TO_STABLE: ("back_to_stable", "ending.py"),
}
"""Reasons that aren't the name of a rule in the module of their action."""
_HAS_RUNBOOK = (Action.HOLD, Action.ROLLBACK, Action.ABORT, Action.WITHDRAW, Action.OBSERVE)
_KNOWN_REASONS = frozenset(reason.value for reason in Reason)


def rule_of(entry: HistoryEntry) -> str:
    """Function and file of the rule that decided."""
    action, reason = Action(entry.action), Reason(entry.reason)
    function, module = _RULES_OF_REASONS.get(
        reason, (reason.name.lower(), _MODULES.get(action, "advance.py"))
    )
    return f"{function} in {RULES}/{module}"


def facts(rows: list[tuple[str, str]]) -> Table:
    """Titles and texts, a row each."""
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for title, text in rows:
        table.add_row(title, text)
    return table


def entry_data(entry: HistoryEntry) -> dict[str, str]:
    """A decision for another program."""
    return {
        "at": entry.at.isoformat() if entry.at else "",
        "action": entry.action,
        "revision": entry.revision,
        "modelVersion": entry.model_version,
        "reason": entry.reason,
        "because": entry.because,
        "actor": entry.actor,
    }


def decision_rows(entry: HistoryEntry, now: datetime) -> Iterator[tuple[str, str]]:
    """What was decided, and why."""
    ago = age(entry.at, now)
    revision = (
        f"{entry.revision} ({entry.model_version})" if entry.model_version else entry.revision
    )
    yield (
        "Decided:",
        f"{entry.action} of revision {revision}, {ago} ago, by {entry.actor or 'Serinus'}",
    )
    if entry.reason:
        yield "Reason:", entry.reason
    yield "Because:", entry.because
    if entry.reason in _KNOWN_REASONS:
        yield "Rule:", rule_of(entry)
    if entry.action in _HAS_RUNBOOK:
        yield "Read:", f"kubectl serinus runbook {entry.reason}"
