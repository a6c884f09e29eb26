"""Newest values that couldn't be written to their server: they are tried again by another run.

The snapshot is good all the same. A server that is away for long isn't worth a run every few
minutes, so the pause doubles with each run that failed to reach it.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from serinus.api.conditions import parse_time
from serinus.api.featureset import FeatureSetRunStatus, Snapshot
from serinus.reconcile.readiness import bounded

FIRST_PAUSE = timedelta(minutes=5)
LONGEST_PAUSE = timedelta(hours=1)
_DOUBLINGS_MAX = 8


def with_online_writes(run: FeatureSetRunStatus, problem: str | None) -> FeatureSetRunStatus:
    """The run that ended, with what came of writing its newest values."""
    failures = None if problem is None else (run.online_failures or 0) + 1
    told = None if problem is None else bounded(problem)
    return run.model_copy(update={"online_problem": told, "online_failures": failures})


def with_what_is_there(snapshot: Snapshot, before: Snapshot | None) -> Snapshot:
    """A snapshot whose values couldn't be written; what pods look up is what was there before."""
    there = before.online_entities if before else None
    return snapshot.model_copy(update={"online_entities": there})


def next_write_at(run: FeatureSetRunStatus | None) -> datetime | None:
    """When it is tried again; None where nothing failed."""
    if run is None or run.online_problem is None or run.finished_at is None:
        return None
    doublings = max(0, min(_DOUBLINGS_MAX, (run.online_failures or 1) - 1))
    pause: timedelta = min(LONGEST_PAUSE, FIRST_PAUSE * 2**doublings)
    try:
        return parse_time(run.finished_at) + pause
    except ValueError:  # somebody wrote the status: it is tried again by `retry`
        return None


def seconds_to_next_write(run: FeatureSetRunStatus | None, now: datetime) -> float | None:
    """How long until it is tried again, 0: it is time; None where nothing failed."""
    at = next_write_at(run)
    return None if at is None else max(0.0, (at - now).total_seconds())
