"""The frame of a pass over an object that works through runs; its kind fills it.

What is the same for FeatureSet, TrainingJob and ModelVersion stands here: what is done about an
object that can't be read, the conditions and their times, the answer to a person's request, what is
left over of earlier runs, and the order in which all of it is told. A kind says which run it wants,
what came of it, and what people read of that.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeVar

from pydantic import ValidationError

from serinus.api.conditions import Condition, format_time
from serinus.api.enums import Outcome, Phase
from serinus.api.featureset import FeatureSet, FeatureSetRunStatus
from serinus.api.metadata import CommonStatus, HandledRequest
from serinus.api.modelversion import ModelVersion, VerificationStatus
from serinus.api.trainingjob import TrainingJob, TrainingRunStatus
from serinus.reconcile.decision import Decision, DesiredObject, Event, JsonObject
from serinus.reconcile.readiness import Readiness, all_conditions, bounded, trouble_events
from serinus.reconcile.run_execution import Continues, leftovers
from serinus.reconcile.snapshot import Children
from serinus.reconcile.unreadable_spec import unreadable_spec

Owner = TypeVar("Owner", FeatureSet, TrainingJob, ModelVersion)
_AnyOwner = FeatureSet | TrainingJob | ModelVersion
RunStatus = TypeVar("RunStatus", FeatureSetRunStatus, TrainingRunStatus, VerificationStatus)

_REASON_MAX_LENGTH = 64


class Progress(Protocol):
    """The run as it is after the pass, and what is made for it."""

    @property
    def run(self) -> FeatureSetRunStatus | TrainingRunStatus | VerificationStatus | None:
        """None where none is wanted."""
        ...

    @property
    def waiting(self) -> Continues | None:
        """What the run waits for or needs; None when nothing is left to do."""
        ...

    @property
    def desired(self) -> tuple[DesiredObject, ...]:
        """What should exist for it."""
        ...


@dataclass(frozen=True, slots=True)
class Findings:
    """What a kind found in a pass.

    Attributes
    ----------
    status
        The kind's own fields; those that all kinds have are filled in here.
    settled
        Whether nothing is left to do for the run.
    record
        The last request of a person and what came of it.
    events
        Those of the kind; what holds the object up is told here.
    again_after_seconds
        When another run may be due though nothing changes; None: when something does.
    """

    status: CommonStatus
    progress: Progress
    settled: bool
    readiness: Readiness
    phase: Phase
    observations: tuple[Condition, ...]
    record: HandledRequest | None
    events: tuple[Event, ...]
    again_after_seconds: float | None = None


def reconciled(
    kind: type[Owner],
    resource: JsonObject,
    children: Children,
    find: Callable[[Owner], Findings],
    now: datetime,
) -> Decision:
    """The next state of `resource`, by what its kind finds. Never raises if `find` doesn't."""
    try:
        owner = kind.model_validate(resource)
    except ValidationError as error:
        return unreadable_spec(resource, error, now)
    return _decision(owner, find(owner), children, now)


def closed(run: RunStatus, outcome: Outcome, reason: str, message: str, now: datetime) -> RunStatus:
    """The run with how it ended, once and for all."""
    return run.model_copy(
        update={
            "finished_at": run.finished_at or format_time(now),
            "outcome": outcome.value,
            "reason": bounded(str(reason), _REASON_MAX_LENGTH),
            "message": bounded(message),
        }
    )


def _decision(owner: _AnyOwner, found: Findings, children: Children, now: datetime) -> Decision:
    run, waiting = found.progress.run, found.progress.waiting
    left = leftovers(
        owner.metadata.uid, children, current=run.name if run else None, settled=found.settled
    )
    return Decision(
        status=_status(owner, found, now).model_dump(mode="json", by_alias=True, exclude_none=True),
        desired=found.progress.desired,
        prune=(*(waiting.prune if waiting else ()), *left),
        requeue_after_seconds=(
            waiting.requeue_after_seconds if waiting else found.again_after_seconds
        ),
        events=(*found.events, *trouble_events(owner.status.conditions, found.readiness)),
    )


def _status(owner: _AnyOwner, found: Findings, now: datetime) -> CommonStatus:
    generation = owner.metadata.generation
    conditions = all_conditions(
        owner.status.conditions,
        found.readiness,
        *found.observations,
        generation=generation,
        now=now,
    )
    return found.status.model_copy(
        update={
            "observed_generation": generation,
            "phase": found.phase.value,
            "message": found.readiness.headline,
            "last_handled_request": found.record,
            "conditions": conditions,
        }
    )
