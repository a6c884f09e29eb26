"""Conditions of a kind that works through runs: one summary, and what is being done about it.

`Reconciling` and `Stalled` are there only while they are true, as kstatus wants it. An object can
be ready and stalled at once: what it made before is still good.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from serinus.api.conditions import Condition, condition, merge_conditions
from serinus.api.enums import ConditionType, Reason
from serinus.reconcile.decision import Event, EventType

MESSAGE_MAX_LENGTH = 1024


@dataclass(frozen=True, slots=True)
class Note:
    """Why, in one word and in one line."""

    reason: Reason | str
    message: str


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether the object does what it is for; None: not known yet.

    Attributes
    ----------
    reconciling
        What is being worked on or waited for; None when nothing is.
    stalled
        Why a person has to act; None when nobody has to.
    """

    ready: bool | None
    note: Note
    reconciling: Note | None = None
    stalled: Note | None = None

    @property
    def headline(self) -> str:
        """The one line that people see first: what they have to act on, if there is something."""
        return bounded((self.stalled or self.reconciling or self.note).message)

    def conditions(self) -> Iterator[Condition]:
        """Ready, and Reconciling and Stalled while they are true."""
        yield noted(ConditionType.READY, self.ready, self.note)
        if self.stalled:
            yield noted(ConditionType.STALLED, True, self.stalled)
        elif self.reconciling:
            yield noted(ConditionType.RECONCILING, True, self.reconciling)


def noted(type_: ConditionType, status: bool | None, note: Note) -> Condition:  # noqa: FBT001
    """Condition with the reason and message of `note`."""
    return condition(type_, status, note.reason, note.message)


def all_conditions(
    old: Iterable[Condition],
    readiness: Readiness,
    *others: Condition,
    generation: int,
    now: datetime,
) -> list[Condition]:
    """The complete set, with transition times carried over from `old`."""
    new = [*readiness.conditions(), *others]
    return merge_conditions(old, new, generation=generation, now=now)


def trouble_events(old: Iterable[Condition], readiness: Readiness) -> tuple[Event, ...]:
    """A warning when what holds the object up is something new; progress is no trouble."""
    known = {(one.type, one.reason) for one in old}
    held_up = (
        (ConditionType.STALLED, readiness.stalled),
        (ConditionType.RECONCILING, None if readiness.stalled else readiness.reconciling),
    )
    return tuple(
        Event(EventType.WARNING, str(note.reason), bounded(note.message))
        for type_, note in held_up
        if note and note.reason in TROUBLES and (type_.value, str(note.reason)) not in known
    )


TROUBLES = frozenset(
    {
        Reason.FEATURE_SET_NOT_FOUND,
        Reason.IMAGE_PULL_FAILED,
        Reason.INVALID_SPEC,
        Reason.NAME_CONFLICT,
        Reason.POD_UNSCHEDULABLE,
        Reason.SECRET_MISSING,
        Reason.STORE_NOT_READY,
    }
)
"""Reasons that are told in an event when they come up. How a run ended has its own event."""


def bounded(text: str, longest: int = MESSAGE_MAX_LENGTH) -> str:
    """`text` on one line, cut where a status has no room for more."""
    line = " ".join(text.split())
    return line if len(line) <= longest else f"{line[: longest - 1]}…"
