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

from serinus.api.conditions import format_micro_time, format_time
from serinus.api.enums import Kind, Outcome, Phase, Reason
from serinus.api.job_contract import VerificationRunInput, VerificationRunResult
from serinus.api.modelversion import ModelVersion, ModelVersionStatus, VerificationStatus
from serinus.manifests.job import Run, StoreAccess
from serinus.manifests.naming import verification_run_name
from serinus.reconcile.decision import Decision, Event, EventType, PrunedObject
from serinus.reconcile.modelversion_conditions import (
    Standing,
    Verification,
    observations,
    phase,
    readiness,
)
from serinus.reconcile.modelversion_requests import asked_for
from serinus.reconcile.modelversion_rules import refusal
from serinus.reconcile.readiness import Note, all_conditions, bounded, trouble_events
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


def reconcile(snapshot: ModelVersionSnapshot, now: datetime) -> Decision:
    """Decide the next state of one ModelVersion. Pure and total: never raises, never waits."""
    try:
        version = ModelVersion.model_validate(snapshot.resource)
    except ValidationError as error:
        return unreadable_spec(snapshot.resource, error, now)
    if version.metadata.deletion_timestamp:
        return Decision()
    return _Pass(version, snapshot, now).decision()


@dataclass(frozen=True, slots=True)
class _Pass:
    """One look at one ModelVersion."""

    version: ModelVersion
    snapshot: ModelVersionSnapshot
    now: datetime

    def decision(self) -> Decision:
        metadata, old = self.version.metadata, self.version.status
        asked = asked_for(self.version, self.now, vouched_since=self.snapshot.vouched_since)
        verification = self._verification(verify_again=asked.verify_again)
        standing = Standing(self.version, verification, asked.approved_by, asked.approved_at)
        ready = readiness(standing)
        going_on = verification.execution
        status = ModelVersionStatus(
            observed_generation=metadata.generation,
            phase=phase(standing, ready),
            message=ready.headline,
            last_handled_request=asked.record,
            verification=verification.status,
            predictor=verification.predictor,
            approved_by=asked.approved_by,
            approved_at=asked.approved_at,
            served_by=list(serving_roles(metadata.name, self.snapshot.deployments)),
            conditions=all_conditions(
                old.conditions,
                ready,
                *observations(standing),
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
                *self._rejection_events(standing.rejection),
                *trouble_events(old.conditions, ready),
            ),
        )

    def _verification(self, *, verify_again: bool) -> Verification:
        stored, predictor = self.version.status.verification, self.version.status.predictor
        if refusal(self.version.spec):
            return Verification(stored, predictor)
        if stored is None or verify_again:
            stored, predictor = self._new_verification(), None
        run = self._run(stored)
        key = key_of(run, self.version.metadata.uid)
        if stored.outcome is not None:
            expiring = tuple(expiring_job(key, self.snapshot.children, None))
            return Verification(stored, predictor, desired=expiring)
        found = execution(
            run,
            self._run_input(run),
            self.version.metadata.uid,
            self.snapshot.children,
            self.snapshot.settings,
        )
        match found:
            case Continues():
                return Verification(stored, predictor, found, desired=found.desired)
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

    def _ended(self, stored: VerificationStatus, end: Ended) -> Verification:
        result = end.result
        if not isinstance(result, VerificationRunResult):
            closed = self._closed(stored, Outcome.FAILED, Reason.JOB_FAILED, end.message)
            event = Event(EventType.WARNING, Reason.JOB_FAILED.value, bounded(end.message))
            return Verification(closed, None, events=(event,))
        closed = self._closed(stored, result.outcome, result.reason, result.message)
        if result.outcome is not Outcome.SUCCEEDED:
            return Verification(closed, result.predictor)
        event = Event(EventType.NORMAL, Reason.VERIFIED.value, bounded(result.message))
        return Verification(closed, result.predictor, events=(event,))

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

    def _leftovers(self, verification: Verification) -> tuple[PrunedObject, ...]:
        run = verification.status
        return tuple(
            leftovers(
                self.version.metadata.uid,
                self.snapshot.children,
                current=run.name if run else None,
                settled=bool(run and run.outcome),
            )
        )

    def _rejection_events(self, rejection: Note | None) -> tuple[Event, ...]:
        if rejection is None or self.version.status.phase == Phase.REJECTED:
            return ()
        return (Event(EventType.WARNING, str(rejection.reason), bounded(rejection.message)),)
