"""What people and tools read of a TrainingJob: conditions as kstatus has them, and one phase."""

from __future__ import annotations

from dataclasses import dataclass

from serinus.api.conditions import Condition
from serinus.api.enums import ConditionType, Outcome, Phase, Reason
from serinus.api.trainingjob import TrainingRunStatus
from serinus.reconcile.decision import DesiredObject, Event
from serinus.reconcile.readiness import Note, Readiness, noted
from serinus.reconcile.run_execution import Continues

_WAITS_FOR_DATA = (Reason.FEATURE_SET_NOT_FOUND, Reason.WAITING_FOR_SNAPSHOT)


@dataclass(frozen=True, slots=True)
class Progress:
    """The run as it is after this pass, what it waits for, and what is made for it.

    Attributes
    ----------
    waiting
        What the run, or its beginning, waits for; None when nothing is left to do.
    """

    run: TrainingRunStatus | None
    waiting: Continues | None = None
    desired: tuple[DesiredObject, ...] = ()
    events: tuple[Event, ...] = ()


def readiness(progress: Progress) -> Readiness:
    """Whether the last run led to a model that passed its gates, and who has to act."""
    run, waiting = progress.run, progress.waiting
    if waiting and waiting.needs_a_person:
        return Readiness(False, waiting.note, stalled=waiting.note)
    if waiting:
        return Readiness(None, waiting.note, reconciling=waiting.note)
    if run is None or run.outcome is None:
        note = Note(Reason.SUSPENDED, "spec.suspend is true, so no run begins")
        return Readiness(False, note)
    note = _note_of(run)
    if run.outcome == Outcome.SUCCEEDED:
        return Readiness(True, note)
    return Readiness(False, note, stalled=note)


def succeeded(progress: Progress) -> Condition:
    """Whether the last run succeeded; unknown while it works."""
    run = progress.run
    if run is None or run.outcome is None:
        note = progress.waiting.note if progress.waiting else Note(Reason.SUSPENDED, "")
        return noted(ConditionType.SUCCEEDED, None, note)
    return noted(ConditionType.SUCCEEDED, run.outcome == Outcome.SUCCEEDED, _note_of(run))


def phase(progress: Progress) -> Phase:
    """One word for people."""
    run, waiting = progress.run, progress.waiting
    if run is None or (waiting and waiting.note.reason in _WAITS_FOR_DATA):
        return Phase.PENDING
    if waiting and waiting.needs_a_person:
        return Phase.FAILED
    if waiting or run.outcome is None:
        return Phase.RUNNING
    return Phase.SUCCEEDED if run.outcome == Outcome.SUCCEEDED else Phase.FAILED


def _note_of(run: TrainingRunStatus) -> Note:
    return Note(run.reason or Reason.SUCCEEDED, run.message or "")
