"""TrainingJob: which run is wanted, what came of it, and the ModelVersion that it leads to.

Which run is wanted: see `training_runs`. Number, name and snapshots of a run are in status before
its Job is made, and its result is in status before the ModelVersion `<trainingjob>-<number>` is
made of it, also of one that missed a gate, so that the record is complete. A run whose result was
stored but whose version wasn't made yet has no `modelVersionRef`; its result is asked for again.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import assert_never

from pydantic import ValidationError

from serinus.api.conditions import format_time
from serinus.api.enums import Kind, Outcome, Reason
from serinus.api.job_contract import TrainingRunResult
from serinus.api.modelversion import ModelVersion
from serinus.api.schema_model import API_VERSION, LocalObjectReference
from serinus.api.trainingjob import TrainingJob, TrainingJobStatus, TrainingRunStatus
from serinus.manifests.naming import trained_version_name, training_run_name
from serinus.reconcile.decision import (
    ApplyPolicy,
    Decision,
    DesiredObject,
    Event,
    EventType,
    ObjectRef,
    Ownership,
)
from serinus.reconcile.readiness import Note, bounded
from serinus.reconcile.retry_request import retry_request
from serinus.reconcile.run_execution import (
    SOON_SECONDS,
    Continues,
    Ended,
    execution,
    expiring_job,
    is_worth_another_try,
    key_of,
    settings_hash,
)
from serinus.reconcile.run_pass import Findings, closed, reconciled
from serinus.reconcile.runs import name_taken_message
from serinus.reconcile.snapshot import TrainingJobSnapshot
from serinus.reconcile.trained_version import (
    is_of_run,
    shown_figures,
    shown_gates,
    trained_version,
)
from serinus.reconcile.training_runs import (
    Pinned,
    adopted_run,
    is_current,
    next_number,
    pinned_snapshots,
    run_identity,
)
from serinus.reconcile.trainingjob_conditions import Progress, phase, readiness, succeeded
from serinus.reconcile.trainingjob_run import image_used, run_input_of, run_of

_WARNINGS_MAX, _WARNING_LENGTH = 10, 256


def reconcile(snapshot: TrainingJobSnapshot, now: datetime) -> Decision:
    """Decide the next state of one TrainingJob. Pure and total: never raises, never waits."""
    return reconciled(
        TrainingJob,
        snapshot.resource,
        snapshot.children,
        lambda training_job: _Pass(training_job, snapshot, now).findings(),
        now,
    )


@dataclass(frozen=True, slots=True)
class _Pass:
    """One look at one TrainingJob."""

    training_job: TrainingJob
    snapshot: TrainingJobSnapshot
    now: datetime

    def findings(self) -> Findings:
        metadata, old = self.training_job.metadata, self.training_job.status
        asked = retry_request(
            metadata,
            old.last_handled_request,
            obstacle=self._no_retry(),
            vouched_since=self.snapshot.vouched_since,
            now=self.now,
        )
        progress = self._progress(self._chosen_run(retry=asked.granted))
        run = progress.run
        return Findings(
            status=TrainingJobStatus(last_run=run),
            progress=progress,
            settled=bool(run and _is_settled(run)),
            readiness=readiness(progress),
            phase=phase(progress),
            observations=(succeeded(progress),),
            record=asked.record,
            events=(*asked.events, *_start_events(old.last_run, run), *progress.events),
        )

    def _no_retry(self) -> str | None:
        last = self.training_job.status.last_run
        if self.training_job.spec.suspend:
            return "spec.suspend is true, so no run begins"
        if last and last.outcome is None:
            return f"run `{last.name}` is underway"
        waiting_for = pinned_snapshots(self.training_job.spec, self.snapshot.feature_sets)
        return None if isinstance(waiting_for, Pinned) else waiting_for.message

    def _chosen_run(self, *, retry: bool) -> TrainingRunStatus | Note | None:
        """The run that this pass is about, a new one where one is due; or what is waited for."""
        spec, metadata = self.training_job.spec, self.training_job.metadata
        last = self.training_job.status.last_run
        if spec.suspend:
            return last
        if last and not retry and self._is_still_wanted(last):
            return last
        if not retry:
            versions = self.snapshot.model_versions
            adopted = adopted_run(metadata.name, spec, versions)
            if adopted:
                return adopted
        pinned = pinned_snapshots(spec, self.snapshot.feature_sets)
        if isinstance(pinned, Note):
            return pinned
        number = next_number(metadata.name, last, self.snapshot.model_versions)
        return TrainingRunStatus(
            name=training_run_name(metadata.name, number),
            number=number,
            identity=run_identity(spec, pinned.snapshots),
            settings_hash=settings_hash(spec),
            snapshots=list(pinned.snapshots),
            started_at=format_time(self.now),
        )

    def _is_still_wanted(self, last: TrainingRunStatus) -> bool:
        spec = self.training_job.spec
        current = is_current(spec, last.identity, last.snapshots)
        return current and not is_worth_another_try(last.outcome, last.settings_hash, spec)

    def _progress(self, chosen: TrainingRunStatus | Note | None) -> Progress:
        if chosen is None:
            return Progress(None)
        if isinstance(chosen, Note):
            return Progress(self.training_job.status.last_run, Continues(chosen))
        if _is_settled(chosen):
            return Progress(chosen, desired=tuple(self._expiring(chosen)))
        if (version := self._version(chosen)) is not None:
            return self._with_version(chosen, version)
        run, settings = run_of(self.training_job, chosen), self.snapshot.settings
        found = execution(
            run,
            run_input_of(self.training_job, run, chosen, image=settings.jobs_image),
            self.training_job.metadata.uid,
            self.snapshot.children,
            settings,
        )
        match found:
            case Continues():
                return Progress(chosen, found, desired=found.desired)
            case Ended():
                return self._ended(chosen, found)
            case _:
                assert_never(found)

    def _expiring(self, chosen: TrainingRunStatus) -> tuple[DesiredObject, ...]:
        key = key_of(run_of(self.training_job, chosen), self.training_job.metadata.uid)
        ttl = self.training_job.spec.ttl_seconds_after_finished
        return tuple(expiring_job(key, self.snapshot.children, ttl))

    def _version(self, chosen: TrainingRunStatus) -> ModelVersion | None:
        """The object under the name of the run's ModelVersion, whoever made it."""
        name = trained_version_name(self.training_job.metadata.name, chosen.number)
        versions = self.snapshot.model_versions
        return next((one for one in versions if one.metadata.name == name), None)

    def _with_version(self, chosen: TrainingRunStatus, version: ModelVersion) -> Progress:
        name = version.metadata.name
        if not is_of_run(version, chosen):
            return Progress(chosen, self._version_name_taken(name))
        if chosen.outcome is None:
            # The version was made, then the status was lost or restored from before.
            owner = self.training_job.metadata.name
            adopted = adopted_run(owner, self.training_job.spec, [version])
            return Progress(adopted or chosen)
        run = chosen.model_copy(update={"model_version_ref": LocalObjectReference(name=name)})
        message = f"ModelVersion `{name}` was made of run `{run.name}`"
        event = Event(EventType.NORMAL, Reason.MODEL_VERSION_CREATED.value, message)
        return Progress(run, desired=self._expiring(run), events=(event,))

    def _version_name_taken(self, name: str) -> Continues:
        ref = ObjectRef(
            API_VERSION,
            Kind.MODEL_VERSION.value,
            self.training_job.metadata.namespace,
            name,
        )
        return Continues(Note(Reason.NAME_CONFLICT, name_taken_message(ref)), needs_a_person=True)

    def _ended(self, chosen: TrainingRunStatus, end: Ended) -> Progress:
        result = end.result
        if not isinstance(result, TrainingRunResult):
            return self._failed(chosen, Reason.JOB_FAILED, end.message)
        if result.outcome is Outcome.FAILED:
            return self._failed(chosen, Reason.RUN_FAILED, result.message, word=result.reason)
        try:
            image = image_used(
                run_of(self.training_job, chosen), self.training_job.metadata.uid, self.snapshot
            )
            body = trained_version(self.training_job, chosen, result, image)
        except ValidationError as error:
            problem = error.errors(include_url=False)[0]
            field = ".".join(str(part) for part in problem["loc"])
            message = f"run `{chosen.name}` gave a result without a usable `{field}`"
            return self._failed(chosen, Reason.JOB_FAILED, f"{message}: {problem['msg']}")
        run = closed(chosen, result.outcome, result.reason, result.message, self.now).model_copy(
            update={
                "stop_reason": bounded(result.stop_reason, 64) if result.stop_reason else None,
                "metrics": shown_figures(result.metrics),
                "gates": shown_gates(result.gates),
                "warnings": [bounded(one, _WARNING_LENGTH) for one in result.warnings][
                    :_WARNINGS_MAX
                ],
            }
        )
        made = DesiredObject(body, ApplyPolicy.CREATE_ONLY, Ownership.KEPT)
        if made.ref in self.snapshot.children.taken:
            return Progress(run, self._version_name_taken(made.ref.name))
        name = made.ref.name
        note = Note(Reason.PROGRESSING, f"ModelVersion `{name}` is made of run `{run.name}`")
        waiting = Continues(note, requeue_after_seconds=SOON_SECONDS)
        return Progress(run, waiting, (made,), _result_events(chosen, run))

    def _failed(
        self, chosen: TrainingRunStatus, reason: Reason, message: str, *, word: str | None = None
    ) -> Progress:
        run = closed(chosen, Outcome.FAILED, word or reason, message, self.now)
        event = Event(EventType.WARNING, reason.value, bounded(message))
        return Progress(run, events=(event,))


def _is_settled(run: TrainingRunStatus) -> bool:
    """Whether nothing is left to do for the run."""
    return run.outcome == Outcome.FAILED or run.model_version_ref is not None


def _result_events(old: TrainingRunStatus, new: TrainingRunStatus) -> tuple[Event, ...]:
    """Told once: a result that is read again for its ModelVersion is no news."""
    if old.outcome is not None:
        return ()
    if new.outcome == Outcome.SUCCEEDED:
        return (Event(EventType.NORMAL, Reason.SUCCEEDED.value, new.message or ""),)
    return (Event(EventType.WARNING, Reason.GATE_FAILED.value, new.message or ""),)


def _start_events(
    old: TrainingRunStatus | None, new: TrainingRunStatus | None
) -> tuple[Event, ...]:
    if new is None or (old and old.name == new.name):
        return ()
    if new.started_at is None:
        return (Event(EventType.NORMAL, Reason.MODEL_VERSION_CREATED.value, new.message or ""),)
    digests = ", ".join(f"{one.feature_set} {one.digest[:19]}" for one in new.snapshots)
    message = f"run `{new.name}` begins with snapshot {digests}"
    return (Event(EventType.NORMAL, Reason.RUN_STARTED.value, message),)
