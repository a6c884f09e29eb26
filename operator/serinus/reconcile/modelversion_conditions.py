"""What people and tools read of a ModelVersion: conditions as kstatus has them, and one phase."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from serinus.api.conditions import Condition
from serinus.api.enums import ConditionType, Outcome, Phase, Reason
from serinus.api.modelversion import ModelVersion, PredictorStatus, VerificationStatus
from serinus.reconcile.decision import DesiredObject, Event
from serinus.reconcile.modelversion_rules import missed_gates, refusal
from serinus.reconcile.readiness import Note, Readiness, noted
from serinus.reconcile.run_execution import Continues


@dataclass(frozen=True, slots=True)
class Verification:
    """The verification as it is after this pass, and what is made for it.

    Attributes
    ----------
    waiting
        What it waits for or needs; None when it is over, or never begins.
    """

    run: VerificationStatus | None
    predictor: PredictorStatus | None
    waiting: Continues | None = None
    desired: tuple[DesiredObject, ...] = ()
    events: tuple[Event, ...] = ()


@dataclass(frozen=True, slots=True)
class Standing:
    """All that decides whether a version may serve.

    Attributes
    ----------
    approved_by, approved_at
        Who approved and when; None before anybody did.
    """

    version: ModelVersion
    verification: Verification
    approved_by: str | None
    approved_at: str | None

    @property
    def rejection(self) -> Note | None:
        """Why it is never served; a Job that broke says nothing about the artifact."""
        if note := refusal(self.version.spec):
            return note
        run = self.verification.run
        if run is None or run.outcome in (None, Outcome.SUCCEEDED):
            return None
        if run.reason == Reason.JOB_FAILED:
            return None
        return Note(run.reason or Reason.ARTIFACT_CHANGED, run.message or "")

    @property
    def needs_approval(self) -> bool:
        """Whether a person has to approve and none did."""
        approval = self.version.spec.approval
        return bool(approval and approval.required and self.approved_by is None)


def readiness(standing: Standing) -> Readiness:
    """Whether it may serve, what is waited for, and who has to act."""
    run, waiting = standing.verification.run, standing.verification.waiting
    if rejection := standing.rejection:
        return Readiness(False, rejection, stalled=rejection)
    if waiting and waiting.needs_a_person:
        return Readiness(None, waiting.note, stalled=waiting.note)
    if waiting:
        return Readiness(None, waiting.note, reconciling=waiting.note)
    if run and run.outcome == Outcome.FAILED:
        note = Note(run.reason or Reason.JOB_FAILED, run.message or "")
        return Readiness(False, note, stalled=note)
    if standing.needs_approval:
        name = standing.version.metadata.name
        message = f"waits for a person: `kubectl serinus approve {name}`"
        note = Note(Reason.WAITING_FOR_APPROVAL, message)
        return Readiness(False, note, reconciling=note)
    message = run.message if run and run.message else "verified"
    return Readiness(True, Note(Reason.SUCCEEDED, message))


def phase(standing: Standing, readiness: Readiness) -> Phase:
    """One word for people."""
    if standing.rejection:
        return Phase.REJECTED
    waiting = standing.verification.waiting
    if waiting and not waiting.needs_a_person:
        return Phase.VERIFYING
    return Phase.READY if readiness.ready else Phase.PENDING


def observations(standing: Standing) -> Iterator[Condition]:
    """The conditions that `Ready` sums up."""
    yield _verified(standing)
    yield _evaluated(standing.version)
    yield _approved(standing)


def _verified(standing: Standing) -> Condition:
    run, waiting = standing.verification.run, standing.verification.waiting
    if run and run.outcome == Outcome.SUCCEEDED:
        note = Note(Reason.VERIFIED, run.message or "")
        return noted(ConditionType.ARTIFACT_VERIFIED, True, note)
    if rejection := standing.rejection:
        known = None if rejection.reason == Reason.GATE_FAILED else False
        return noted(ConditionType.ARTIFACT_VERIFIED, known, rejection)
    if run and run.outcome:
        note = Note(run.reason or Reason.JOB_FAILED, run.message or "")
        return noted(ConditionType.ARTIFACT_VERIFIED, None, note)
    note = waiting.note if waiting else Note(Reason.VERIFYING, "the verification begins")
    return noted(ConditionType.ARTIFACT_VERIFIED, None, note)


def _evaluated(version: ModelVersion) -> Condition:
    evaluation = version.spec.evaluation
    if evaluation is None:
        note = Note(Reason.NOT_REQUIRED, "spec.evaluation is not set")
        return noted(ConditionType.EVALUATED, True, note)
    if missed := missed_gates(version.spec):
        note = Note(Reason.GATE_FAILED, missed)
        return noted(ConditionType.EVALUATED, False, note)
    note = Note(Reason.SUCCEEDED, f"{len(evaluation.gates)} gates were passed")
    return noted(ConditionType.EVALUATED, True, note)


def _approved(standing: Standing) -> Condition:
    if standing.approved_by is not None:
        message = f"by {standing.approved_by} at {standing.approved_at}"
        return noted(ConditionType.APPROVED, True, Note(Reason.APPROVED, message))
    if standing.needs_approval:
        note = Note(Reason.WAITING_FOR_APPROVAL, "spec.approval.required is true")
        return noted(ConditionType.APPROVED, False, note)
    note = Note(Reason.NOT_REQUIRED, "nobody has to approve")
    return noted(ConditionType.APPROVED, True, note)
