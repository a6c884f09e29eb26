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

from serinus.api.conditions import format_micro_time
from serinus.api.enums import Kind, Outcome, Phase, Reason
from serinus.api.job_contract import VerificationRunInput, VerificationRunResult
from serinus.api.modelversion import ModelVersion, ModelVersionStatus, VerificationStatus
from serinus.manifests.job import Run, StoreAccess
from serinus.manifests.naming import verification_run_name
from serinus.reconcile.decision import Decision, Event, EventType
from serinus.reconcile.modelversion_conditions import (
    Standing,
    Verification,
    observations,
    phase,
    readiness,
)
from serinus.reconcile.modelversion_requests import asked_for
from serinus.reconcile.modelversion_rules import refusal
from serinus.reconcile.readiness import Note, bounded
from serinus.reconcile.run_execution import (
    Continues,
    Ended,
    execution,
    expiring_job,
    key_of,
)
from serinus.reconcile.run_pass import Findings, closed, reconciled
from serinus.reconcile.runs import hash_of
from serinus.reconcile.serving_roles import serving_roles
from serinus.reconcile.snapshot import ModelVersionSnapshot


def reconcile(snapshot: ModelVersionSnapshot, now: datetime) -> Decision:
    """Decide the next state of one ModelVersion. Pure and total: never raises, never waits."""
    return reconciled(
        ModelVersion,
        snapshot.resource,
        snapshot.children,
        lambda version: _Pass(version, snapshot, now).findings(),
        now,
    )


@dataclass(frozen=True, slots=True)
class _Pass:
    """One look at one ModelVersion."""

    version: ModelVersion
    snapshot: ModelVersionSnapshot
    now: datetime

    def findings(self) -> Findings:
        asked = asked_for(self.version, self.now, vouched_since=self.snapshot.vouched_since)
        verification = self._verification(verify_again=asked.verify_again)
        standing = Standing(self.version, verification, asked.approved_by, asked.approved_at)
        ready, run = readiness(standing), verification.run
        return Findings(
            status=ModelVersionStatus(
                verification=run,
                predictor=verification.predictor,
                approved_by=asked.approved_by,
                approved_at=asked.approved_at,
                served_by=list(
                    serving_roles(self.version.metadata.name, self.snapshot.deployments)
                ),
            ),
            progress=verification,
            settled=bool(run and run.outcome),
            readiness=ready,
            phase=phase(standing, ready),
            observations=tuple(observations(standing)),
            record=asked.record,
            events=(
                *asked.events,
                *verification.events,
                *self._rejection_events(standing.rejection),
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
            run = closed(stored, Outcome.FAILED, Reason.JOB_FAILED, end.message, self.now)
            event = Event(EventType.WARNING, Reason.JOB_FAILED.value, bounded(end.message))
            return Verification(run, None, events=(event,))
        run = closed(stored, result.outcome, result.reason, result.message, self.now)
        if result.outcome is not Outcome.SUCCEEDED:
            return Verification(run, result.predictor)
        event = Event(EventType.NORMAL, Reason.VERIFIED.value, bounded(result.message))
        return Verification(run, result.predictor, events=(event,))

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

    def _rejection_events(self, rejection: Note | None) -> tuple[Event, ...]:
        if rejection is None or self.version.status.phase == Phase.REJECTED:
            return ()
        return (Event(EventType.WARNING, str(rejection.reason), bounded(rejection.message)),)
