"""What people and tools read of a FeatureSet: conditions as kstatus has them, and one phase.

`Ready` speaks of the snapshot that may be used, `DataValid` of the newest run: the data can be bad
while the FeatureSet is ready with what was good before.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from serinus.api.conditions import Condition, format_time
from serinus.api.enums import ConditionType, Outcome, Phase, Reason
from serinus.api.featureset import FeatureSetRunStatus, Online, Snapshot
from serinus.reconcile.decision import DesiredObject, Event
from serinus.reconcile.featureset_online import next_write_at
from serinus.reconcile.readiness import Note, Readiness, noted
from serinus.reconcile.run_execution import Continues


@dataclass(frozen=True, slots=True)
class Progress:
    """The run as it is after this pass, and what is made for it.

    Attributes
    ----------
    waiting
        What the run waits for or needs; None when there is no run or it is over.
    """

    run: FeatureSetRunStatus | None
    latest: Snapshot | None
    waiting: Continues | None = None
    desired: tuple[DesiredObject, ...] = ()
    events: tuple[Event, ...] = ()


def readiness(progress: Progress, *, suspended: bool) -> Readiness:
    """Whether there is a snapshot to use, and whether somebody has to act."""
    run, waiting = progress.run, progress.waiting
    ready, note = _usable(progress, suspended=suspended)
    if waiting and waiting.needs_a_person:
        return Readiness(ready, note, stalled=waiting.note)
    if waiting:
        return Readiness(ready, note, reconciling=waiting.note)
    failed = run and run.outcome == Outcome.FAILED
    nothing_to_use = run and run.outcome == Outcome.REJECTED and progress.latest is None
    if run and (failed or nothing_to_use):
        return Readiness(ready, note, stalled=_note_of(run))
    return Readiness(ready, note)


def data_valid(progress: Progress, old: Iterable[Condition]) -> Condition:
    """Whether the newest run's data kept its promises; while a run works, what was so before."""
    run = progress.run
    if run is None or run.outcome is None:
        for stored in old:
            if stored.type == ConditionType.DATA_VALID:
                return stored
        note = Note(Reason.PROGRESSING, "no run has looked at the data yet")
        return noted(ConditionType.DATA_VALID, None, note)
    known = {Outcome.SUCCEEDED.value: True, Outcome.REJECTED.value: False}
    return noted(ConditionType.DATA_VALID, known.get(run.outcome), _note_of(run))


def online_synced(
    progress: Progress, online: Online | None, old: Iterable[Condition]
) -> tuple[Condition, ...]:
    """Whether the newest values of what may be used can be looked up; none where none is wanted.

    They are where pods look before the run's result is in the store. While a run works, what
    failed before is still so.
    """
    if online is None or not online.enabled:
        return ()
    run, latest = progress.run, progress.latest
    if run is not None and run.online_problem is not None:
        return (noted(ConditionType.ONLINE_SYNCED, False, _write_failed(run)),)
    if run is not None and run.outcome is None and run.online_failures:
        return tuple(one for one in old if one.type == ConditionType.ONLINE_SYNCED)
    if latest is not None and latest.online_entities is not None:
        shown = f"{latest.online_entities} entities of snapshot {latest.digest[:19]}"
        return (noted(ConditionType.ONLINE_SYNCED, True, Note(Reason.SUCCEEDED, shown)),)
    if run is not None and run.outcome is not None:
        return (noted(ConditionType.ONLINE_SYNCED, False, _note_of(run)),)
    note = Note(Reason.PROGRESSING, "no snapshot has an online table yet")
    return (noted(ConditionType.ONLINE_SYNCED, None, note),)


def phase(progress: Progress) -> Phase:
    """One word for people."""
    run, waiting = progress.run, progress.waiting
    if run is None:
        return Phase.READY if progress.latest else Phase.PENDING
    if run.outcome is None and not (waiting and waiting.needs_a_person):
        return Phase.RUNNING
    return Phase.READY if progress.latest else Phase.FAILED


def _usable(progress: Progress, *, suspended: bool) -> tuple[bool | None, Note]:
    run, latest = progress.run, progress.latest
    if latest is not None:
        shown = f"snapshot {latest.digest[:19]} with {latest.rows} rows"
        if run and run.outcome in (Outcome.REJECTED, Outcome.FAILED):
            return True, Note(run.reason or "", f"keeps using {shown}: {run.message}")
        return True, Note(Reason.SUCCEEDED, shown)
    if run and run.outcome:
        return False, _note_of(run)
    if suspended and run is None:
        return False, Note(Reason.SUSPENDED, "spec.suspend is true, so no run begins")
    return None, Note(Reason.PROGRESSING, "there is no snapshot yet")


def _write_failed(run: FeatureSetRunStatus) -> Note:
    at = next_write_at(run)
    again = f"; it is tried again at {format_time(at)}" if at else ""
    return Note(Reason.ONLINE_WRITE_FAILED, f"{run.online_problem}{again}")


def _note_of(run: FeatureSetRunStatus) -> Note:
    return Note(run.reason or Reason.PROGRESSING, run.message or "")
