"""ModelVersion: whether it may serve, after its gates, its verification and a person's word.

Rules in this order, the first that speaks decides: an unknown format is refused and a missed gate
rejects, both without a Job; the verification Job must find the artifact to be what the spec says;
where `approval.required` is set, a person has to approve. A version is verified once and status
keeps the outcome. What can't be found in status is verified again: the identity of a verification
holds the moment when it began, so that no older result in the store counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import assert_never

from pydantic import ValidationError

from serinus.api.conditions import Condition, format_micro_time, format_time
from serinus.api.enums import ConditionType, Kind, Outcome, Phase, Reason, Verb
from serinus.api.job_contract import VerificationRunInput, VerificationRunResult
from serinus.api.metadata import HandledRequest
from serinus.api.modelversion import (
    ModelVersion,
    ModelVersionSpec,
    ModelVersionStatus,
    PredictorStatus,
    VerificationStatus,
)
from serinus.manifests.job import Run, StoreAccess
from serinus.manifests.naming import verification_run_name
from serinus.reconcile.decision import (
    Decision,
    DesiredObject,
    Event,
    EventType,
    PrunedObject,
)
from serinus.reconcile.readiness import (
    Note,
    Readiness,
    all_conditions,
    bounded,
    noted,
    trouble_events,
)
from serinus.reconcile.requests import RequestOutcome, handled, pending_request, why_refused
from serinus.reconcile.run_execution import (
    Continues,
    Ended,
    execution,
    expiring_job,
    key_of,
    leftovers,
)
from serinus.reconcile.runs import hash_of
from serinus.reconcile.serving_roles import serving_roles
from serinus.reconcile.snapshot import ModelVersionSnapshot
from serinus.reconcile.unreadable_spec import unreadable_spec

KNOWN_FORMATS = {"serinus": ("1",)}
"""Formats that are data and never code, with their versions."""
_CODE_FORMATS = frozenset({"pickle", "joblib", "cloudpickle", "dill", "torchscript", "savedmodel"})


def reconcile(snapshot: ModelVersionSnapshot, now: datetime) -> Decision:
    """Decide the next state of one ModelVersion. Pure and total: never raises, never waits."""
    try:
        version = ModelVersion.model_validate(snapshot.resource)
    except ValidationError as error:
        return unreadable_spec(snapshot.resource, error, now)
    if version.metadata.deletion_timestamp:
        return Decision()
    return _Pass(version, snapshot, now).decision()


def format_problem(spec: ModelVersionSpec) -> str | None:
    """Why the artifact's format isn't accepted; None when it is."""
    name, version = spec.model_format.name, spec.model_format.version
    if name.lower() in _CODE_FORMATS:
        return (
            f"spec.modelFormat.name: `{name}` is refused, because loading it runs code; train it "
            "with a TrainingJob, which writes the format `serinus`"
        )
    if name not in KNOWN_FORMATS:
        known = ", ".join(f"`{one}`" for one in KNOWN_FORMATS)
        return f"spec.modelFormat.name: `{name}` is unknown; expected {known}"
    if version not in KNOWN_FORMATS[name]:
        known = ", ".join(f"`{one}`" for one in KNOWN_FORMATS[name])
        return f"spec.modelFormat.version: `{version}` of `{name}` is unknown; expected {known}"
    return None


def missed_gates(spec: ModelVersionSpec) -> str | None:
    """Which gates were missed, in one line; None when all were passed or none was set."""
    if spec.evaluation is None or spec.evaluation.passed:
        return None
    missed = [
        f"{gate.metric} is {gate.value}, outside "
        + " and ".join(
            f"{bound} {limit}" for bound, limit in (("min", gate.min), ("max", gate.max)) if limit
        )
        for gate in spec.evaluation.gates
        if not gate.passed
    ]
    shown = "; ".join(missed) or "spec.evaluation.passed is false"
    return f"a gate was missed, so it is never served: {shown}"


@dataclass(frozen=True, slots=True)
class _Verification:
    """The verification as it is after this pass, and what is made for it."""

    status: VerificationStatus | None
    predictor: PredictorStatus | None
    execution: Continues | None = None
    desired: tuple[DesiredObject, ...] = ()
    events: tuple[Event, ...] = ()


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a person asks for in this pass, and who approved so far."""

    approved_by: str | None
    approved_at: str | None
    verify_again: bool = False
    record: HandledRequest | None = None
    events: tuple[Event, ...] = ()


@dataclass(frozen=True, slots=True)
class _Pass:
    """One look at one ModelVersion."""

    version: ModelVersion
    snapshot: ModelVersionSnapshot
    now: datetime

    def decision(self) -> Decision:
        metadata, old = self.version.metadata, self.version.status
        refusal = self._refusal()
        asked = self._asked(refusal)
        verification = self._verification(refusal, verify_again=asked.verify_again)
        rejection = refusal or _rejection(verification)
        readiness = self._readiness(rejection, verification, asked)
        going_on = verification.execution
        status = ModelVersionStatus(
            observed_generation=metadata.generation,
            phase=_phase(rejection, readiness, verification),
            message=readiness.headline,
            last_handled_request=asked.record,
            verification=verification.status,
            predictor=verification.predictor,
            approved_by=asked.approved_by,
            approved_at=asked.approved_at,
            served_by=list(serving_roles(metadata.name, self.snapshot.deployments)),
            conditions=all_conditions(
                old.conditions,
                readiness,
                _verified(refusal, verification),
                self._evaluated(),
                self._approved(asked),
                generation=metadata.generation,
                now=self.now,
            ),
        )
        return Decision(
            status=status.model_dump(mode="json", by_alias=True, exclude_none=True),
            desired=verification.desired,
            prune=(*(going_on.prune if going_on else ()), *self._leftovers(verification)),
            requeue_after_seconds=going_on.requeue_after_seconds if going_on else None,
            events=(
                *asked.events,
                *verification.events,
                *self._rejection_events(rejection),
                *trouble_events(old.conditions, readiness),
            ),
        )

    def _refusal(self) -> Note | None:
        """Why the version is rejected without a look at the artifact."""
        if problem := format_problem(self.version.spec):
            return Note(Reason.FORMAT_REFUSED, problem)
        if missed := missed_gates(self.version.spec):
            return Note(Reason.GATE_FAILED, missed)
        return None

    def _asked(self, refusal: Note | None) -> _Asked:
        metadata, old = self.version.metadata, self.version.status
        approved = (old.approved_by, old.approved_at)
        request = pending_request(metadata, old.last_handled_request)
        if request is None:
            return _Asked(*approved, record=old.last_handled_request)
        verbs = (Verb.APPROVE.value, Verb.RETRY.value)
        obstacle = why_refused(request, metadata, revisions=(), verbs=verbs, now=self.now)
        obstacle = obstacle or self._obstacle(request.verb, refusal)
        approves = request.verb == Verb.APPROVE
        message = obstacle or ("approved" if approves else "it is verified again")
        record = handled(
            request,
            RequestOutcome.REFUSED if obstacle else RequestOutcome.DONE,
            message,
            actor_verified=self.snapshot.settings.actors_verified,
            now=self.now,
        )
        actor = record.actor or "unknown"
        text = bounded(f"`{record.verb}` by {actor}: {message}")
        if obstacle:
            event = Event(EventType.WARNING, Reason.REQUEST_REFUSED.value, text)
            return _Asked(*approved, record=record, events=(event,))
        if approves:
            approved = (actor, format_time(self.now))
        event = Event(EventType.NORMAL, Reason.REQUEST_HANDLED.value, text)
        return _Asked(*approved, verify_again=not approves, record=record, events=(event,))

    def _obstacle(self, verb: str, refusal: Note | None) -> str | None:
        if refusal:
            return f"the version is rejected for good: {refusal.message}"
        verification = self.version.status.verification
        ended = verification is not None and verification.outcome is not None
        if verb == Verb.RETRY and not ended:
            return "the verification is underway"
        if verb == Verb.APPROVE and self.version.status.phase == Phase.REJECTED:
            return f"the version is rejected: {self.version.status.message}"
        return None

    def _verification(self, refusal: Note | None, *, verify_again: bool) -> _Verification:
        stored, predictor = self.version.status.verification, self.version.status.predictor
        if refusal:
            return _Verification(stored, predictor)
        if stored is None or verify_again:
            stored, predictor = self._new_verification(), None
        run = self._run(stored)
        key = key_of(run, self.version.metadata.uid)
        if stored.outcome is not None:
            expiring = tuple(expiring_job(key, self.snapshot.children, None))
            return _Verification(stored, predictor, desired=expiring)
        found = execution(
            run,
            self._run_input(run),
            self.version.metadata.uid,
            self.snapshot.children,
            self.snapshot.settings,
        )
        match found:
            case Continues():
                return _Verification(stored, predictor, found, desired=found.desired)
            case Ended():
                return self._ended(stored, found)
            case _:
                assert_never(found)

    def _new_verification(self) -> VerificationStatus:
        metadata, moment = self.version.metadata, format_micro_time(self.now)
        spec = self.version.spec
        parts = {
            "kind": Kind.MODEL_VERSION,
            "uid": metadata.uid,
            "startedAt": moment,
            "storageUri": spec.storage_uri,
            "digest": spec.digest,
        }
        name = verification_run_name(metadata.name)
        return VerificationStatus(name=name, identity=hash_of(parts), started_at=moment)

    def _ended(self, stored: VerificationStatus, end: Ended) -> _Verification:
        result = end.result
        if not isinstance(result, VerificationRunResult):
            closed = self._closed(stored, Outcome.FAILED, Reason.JOB_FAILED, end.message)
            event = Event(EventType.WARNING, Reason.JOB_FAILED.value, bounded(end.message))
            return _Verification(closed, None, events=(event,))
        closed = self._closed(stored, result.outcome, result.reason, result.message)
        if result.outcome is not Outcome.SUCCEEDED:
            return _Verification(closed, result.predictor)
        event = Event(EventType.NORMAL, Reason.VERIFIED.value, bounded(result.message))
        return _Verification(closed, result.predictor, events=(event,))

    def _closed(
        self, stored: VerificationStatus, outcome: Outcome, reason: str, message: str
    ) -> VerificationStatus:
        return stored.model_copy(
            update={
                "finished_at": format_time(self.now),
                "outcome": outcome.value,
                "reason": bounded(str(reason), 64),
                "message": bounded(message),
            }
        )

    def _run(self, verification: VerificationStatus) -> Run:
        metadata = self.version.metadata
        return Run(
            kind=Kind.MODEL_VERSION,
            owner=metadata.name,
            namespace=metadata.namespace,
            name=verification.name,
            identity=verification.identity,
            store_access=StoreAccess.RESULTS_ONLY,
        )

    def _run_input(self, run: Run) -> VerificationRunInput:
        return VerificationRunInput(
            run=run.name,
            identity=run.identity,
            namespace=run.namespace,
            model_version=run.owner,
            spec=self.version.spec,
        )

    def _leftovers(self, verification: _Verification) -> tuple[PrunedObject, ...]:
        run = verification.status
        return tuple(
            leftovers(
                self.version.metadata.uid,
                self.snapshot.children,
                current=run.name if run else None,
                settled=bool(run and run.outcome),
            )
        )

    def _readiness(
        self, rejection: Note | None, verification: _Verification, asked: _Asked
    ) -> Readiness:
        going_on, run = verification.execution, verification.status
        if rejection:
            return Readiness(False, rejection, stalled=rejection)
        if going_on and going_on.needs_a_person:
            return Readiness(None, going_on.note, stalled=going_on.note)
        if going_on:
            return Readiness(None, going_on.note, reconciling=going_on.note)
        if run and run.outcome == Outcome.FAILED:
            note = Note(run.reason or Reason.JOB_FAILED, run.message or "")
            return Readiness(False, note, stalled=note)
        if self._needs_approval(asked):
            note = Note(
                Reason.WAITING_FOR_APPROVAL,
                "waits for a person: `kubectl serinus approve modelversion "
                f"{self.version.metadata.name}`",
            )
            return Readiness(False, note, reconciling=note)
        message = run.message if run and run.message else "verified"
        return Readiness(True, Note(Reason.SUCCEEDED, message))

    def _needs_approval(self, asked: _Asked) -> bool:
        approval = self.version.spec.approval
        return bool(approval and approval.required and asked.approved_by is None)

    def _evaluated(self) -> Condition:
        evaluation = self.version.spec.evaluation
        if evaluation is None:
            note = Note(Reason.NOT_REQUIRED, "spec.evaluation is not set")
            return noted(ConditionType.EVALUATED, True, note)
        if missed := missed_gates(self.version.spec):
            note = Note(Reason.GATE_FAILED, missed)
            return noted(ConditionType.EVALUATED, False, note)
        note = Note(Reason.SUCCEEDED, f"{len(evaluation.gates)} gates were passed")
        return noted(ConditionType.EVALUATED, True, note)

    def _approved(self, asked: _Asked) -> Condition:
        if asked.approved_by is not None:
            note = Note(Reason.APPROVED, f"by {asked.approved_by} at {asked.approved_at}")
            return noted(ConditionType.APPROVED, True, note)
        if self._needs_approval(asked):
            note = Note(Reason.WAITING_FOR_APPROVAL, "spec.approval.required is true")
            return noted(ConditionType.APPROVED, False, note)
        note = Note(Reason.NOT_REQUIRED, "nobody has to approve")
        return noted(ConditionType.APPROVED, True, note)

    def _rejection_events(self, rejection: Note | None) -> tuple[Event, ...]:
        if rejection is None or self.version.status.phase == Phase.REJECTED:
            return ()
        return (Event(EventType.WARNING, str(rejection.reason), bounded(rejection.message)),)


def _rejection(verification: _Verification) -> Note | None:
    """Why verification rejects the version; a Job that broke says nothing about the artifact."""
    run = verification.status
    if run is None or run.outcome in (None, Outcome.SUCCEEDED) or run.reason == Reason.JOB_FAILED:
        return None
    return Note(run.reason or Reason.ARTIFACT_CHANGED, run.message or "")


def _verified(refusal: Note | None, verification: _Verification) -> Condition:
    run, going_on = verification.status, verification.execution
    if run and run.outcome == Outcome.SUCCEEDED:
        note = Note(Reason.VERIFIED, run.message or "")
        return noted(ConditionType.ARTIFACT_VERIFIED, True, note)
    if rejection := refusal or _rejection(verification):
        known = None if refusal and refusal.reason == Reason.GATE_FAILED else False
        return noted(ConditionType.ARTIFACT_VERIFIED, known, rejection)
    if run and run.outcome:
        note = Note(run.reason or Reason.JOB_FAILED, run.message or "")
        return noted(ConditionType.ARTIFACT_VERIFIED, None, note)
    note = going_on.note if going_on else Note(Reason.VERIFYING, "the verification begins")
    return noted(ConditionType.ARTIFACT_VERIFIED, None, note)


def _phase(rejection: Note | None, readiness: Readiness, verification: _Verification) -> str:
    if rejection:
        return Phase.REJECTED
    if verification.execution:
        return Phase.VERIFYING
    return Phase.READY if readiness.ready else Phase.PENDING
