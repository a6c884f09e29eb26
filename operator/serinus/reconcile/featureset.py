"""FeatureSet: which run is wanted, what came of it, and which snapshot may be used.

One run for each identity, the hash of the parts of the spec that the snapshot depends on. Another
run begins when

- the identity is a new one: a run of the old one that still works is given up;
- the last run failed and the spec was changed since, be it only its memory;
- a person asks for `retry`.

Number and name of a run are in status before its Job is made. New data in the same files is no
new identity: `retry` takes it up. A snapshot that breaks its promises never becomes the latest
one; what uses the FeatureSet keeps the snapshot before.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import assert_never

from pydantic import ValidationError

from serinus.api.conditions import Condition, format_time
from serinus.api.enums import ConditionType, Kind, Outcome, Phase, Reason
from serinus.api.featureset import (
    FeatureSet,
    FeatureSetRunStatus,
    FeatureSetSpec,
    FeatureSetStatus,
    Sensitivity,
    Snapshot,
)
from serinus.api.job_contract import FeatureSetRunInput, FeatureSetRunResult
from serinus.manifests.job import Run, RunSettings
from serinus.manifests.naming import snapshot_run_name
from serinus.reconcile.decision import Decision, DesiredObject, Event, EventType, PrunedObject
from serinus.reconcile.model_reference import parsed_versions
from serinus.reconcile.readiness import (
    Note,
    Readiness,
    all_conditions,
    bounded,
    noted,
    trouble_events,
)
from serinus.reconcile.retry_request import retry_request
from serinus.reconcile.run_execution import (
    Continues,
    Ended,
    execution,
    expiring_job,
    key_of,
    leftovers,
)
from serinus.reconcile.runs import hash_of, run_identity_for
from serinus.reconcile.snapshot import FeatureSetSnapshot
from serinus.reconcile.unreadable_spec import unreadable_spec

NOT_IN_IDENTITY = frozenset(
    {
        "description",
        "retention",
        "suspend",
        "resources",
        "active_deadline_seconds",
        "backoff_limit",
        "ttl_seconds_after_finished",
        "pod_template",
    }
)
"""Fields of the spec that don't change a snapshot; every other field does."""


def reconcile(snapshot: FeatureSetSnapshot, now: datetime) -> Decision:
    """Decide the next state of one FeatureSet. Pure and total: never raises, never waits."""
    try:
        feature_set = FeatureSet.model_validate(snapshot.resource)
    except ValidationError as error:
        return unreadable_spec(snapshot.resource, error, now)
    if feature_set.metadata.deletion_timestamp:
        return Decision()
    return _Pass(feature_set, snapshot, now).decision()


def run_identity(spec: FeatureSetSpec) -> str:
    """Hash of what a snapshot depends on besides the bytes of its sources."""
    parts = spec.model_dump(
        mode="json",
        by_alias=True,
        exclude=set(NOT_IN_IDENTITY),
        exclude_none=True,
        exclude_defaults=True,
    )
    return hash_of({"kind": Kind.FEATURE_SET, "spec": parts})


@dataclass(frozen=True, slots=True)
class _Progress:
    """The run as it is after this pass, and what is made for it."""

    run: FeatureSetRunStatus | None
    latest: Snapshot | None
    execution: Continues | None = None
    desired: tuple[DesiredObject, ...] = ()
    events: tuple[Event, ...] = ()


@dataclass(frozen=True, slots=True)
class _Pass:
    """One look at one FeatureSet."""

    feature_set: FeatureSet
    snapshot: FeatureSetSnapshot
    now: datetime

    def decision(self) -> Decision:
        metadata, old = self.feature_set.metadata, self.feature_set.status
        asked = retry_request(
            metadata,
            old.last_handled_request,
            obstacle=self._no_retry(),
            actor_verified=self.snapshot.settings.actors_verified,
            now=self.now,
        )
        chosen = self._chosen_run(retry=asked.granted)
        progress = self._progress(chosen)
        readiness = self._readiness(progress)
        status = FeatureSetStatus(
            observed_generation=metadata.generation,
            phase=_phase(progress),
            message=readiness.headline,
            last_handled_request=asked.record,
            latest_snapshot=progress.latest,
            last_run=progress.run,
            conditions=all_conditions(
                old.conditions,
                readiness,
                self._data_valid(progress),
                generation=metadata.generation,
                now=self.now,
            ),
        )
        going_on = progress.execution
        return Decision(
            status=status.model_dump(mode="json", by_alias=True, exclude_none=True),
            desired=progress.desired,
            prune=(*(going_on.prune if going_on else ()), *self._leftovers(progress)),
            requeue_after_seconds=going_on.requeue_after_seconds if going_on else None,
            events=(
                *asked.events,
                *_start_events(old.last_run, progress.run),
                *progress.events,
                *trouble_events(old.conditions, readiness),
            ),
        )

    def _no_retry(self) -> str | None:
        last = self.feature_set.status.last_run
        if self.feature_set.spec.suspend:
            return "spec.suspend is true, so no run begins"
        if last and last.outcome is None:
            return f"run `{last.name}` is underway"
        return None

    def _chosen_run(self, *, retry: bool) -> FeatureSetRunStatus | None:
        """The run that this pass is about; a new one where one is due."""
        last, identity = self.feature_set.status.last_run, run_identity(self.feature_set.spec)
        generation = self.feature_set.metadata.generation
        if self.feature_set.spec.suspend:
            return last
        if last and last.identity == identity and not retry:
            failed = last.outcome == Outcome.FAILED
            if not (failed and last.generation != generation):
                return last
        number = last.number + 1 if last else 1
        return FeatureSetRunStatus(
            name=snapshot_run_name(self.feature_set.metadata.name, number),
            number=number,
            identity=identity,
            generation=generation,
            started_at=format_time(self.now),
        )

    def _progress(self, chosen: FeatureSetRunStatus | None) -> _Progress:
        latest = self.feature_set.status.latest_snapshot
        if chosen is None:
            return _Progress(None, latest)
        run = self._run(chosen)
        if chosen.outcome is not None:
            ttl = self.feature_set.spec.ttl_seconds_after_finished
            key = key_of(run, self.feature_set.metadata.uid)
            expiring = tuple(expiring_job(key, self.snapshot.children, ttl))
            return _Progress(chosen, latest, desired=expiring)
        found = execution(
            run,
            self._run_input(run),
            self.feature_set.metadata.uid,
            self.snapshot.children,
            self.snapshot.settings,
        )
        match found:
            case Continues():
                return _Progress(chosen, latest, found, desired=found.desired)
            case Ended():
                return self._ended(chosen, found)
            case _:
                assert_never(found)

    def _ended(self, chosen: FeatureSetRunStatus, end: Ended) -> _Progress:
        latest = self.feature_set.status.latest_snapshot
        result = end.result
        if not isinstance(result, FeatureSetRunResult):
            run = self._closed(chosen, Outcome.FAILED, Reason.JOB_FAILED, end.message)
            return _Progress(run, latest, events=(_warning(Reason.JOB_FAILED, end.message),))
        run = self._closed(chosen, result.outcome, result.reason, result.message)
        if result.snapshot is not None:
            run = run.model_copy(update={"snapshot": result.snapshot.digest})
        if result.outcome is Outcome.REJECTED:
            return _Progress(
                run, latest, events=(_warning(Reason.SNAPSHOT_REJECTED, result.message),)
            )
        if result.outcome is Outcome.FAILED or result.snapshot is None:
            return _Progress(run, latest, events=(_warning(Reason.RUN_FAILED, result.message),))
        unchanged = latest is not None and latest.digest == result.snapshot.digest
        reason = Reason.SNAPSHOT_UNCHANGED if unchanged else Reason.SNAPSHOT_CREATED
        event = Event(EventType.NORMAL, reason.value, bounded(result.message))
        return _Progress(run, result.snapshot, events=(event,))

    def _closed(
        self, run: FeatureSetRunStatus, outcome: Outcome, reason: str, message: str
    ) -> FeatureSetRunStatus:
        return run.model_copy(
            update={
                "finished_at": format_time(self.now),
                "outcome": outcome.value,
                "reason": bounded(str(reason), 64),
                "message": bounded(message),
            }
        )

    def _run(self, chosen: FeatureSetRunStatus) -> Run:
        spec, metadata = self.feature_set.spec, self.feature_set.metadata
        private = any(one.sensitivity is Sensitivity.PSEUDONYMIZE for one in spec.features)
        return Run(
            kind=Kind.FEATURE_SET,
            owner=metadata.name,
            namespace=metadata.namespace,
            name=chosen.name,
            identity=run_identity_for(metadata.uid, chosen.identity),
            settings=RunSettings(
                resources=spec.resources,
                active_deadline_seconds=spec.active_deadline_seconds,
                backoff_limit=spec.backoff_limit,
                pod_template=spec.pod_template,
            ),
            pseudonymization_key=spec.pseudonymization_key_secret_ref if private else None,
        )

    def _run_input(self, run: Run) -> FeatureSetRunInput:
        return FeatureSetRunInput(
            run=run.name,
            identity=run.identity,
            namespace=run.namespace,
            feature_set=run.owner,
            spec=self.feature_set.spec,
            keep_digests=self._kept_digests(),
        )

    def _kept_digests(self) -> list[str]:
        """Snapshots that retention may not take: those that models came from, and the latest."""
        name, latest = self.feature_set.metadata.name, self.feature_set.status.latest_snapshot
        named = {
            pinned.digest
            for version in parsed_versions(self.snapshot.model_versions)
            for pinned in (version.spec.source.feature_snapshots if version.spec.source else ())
            if pinned.feature_set == name
        }
        return sorted(named | ({latest.digest} if latest else set()))

    def _leftovers(self, progress: _Progress) -> tuple[PrunedObject, ...]:
        run = progress.run
        return tuple(
            leftovers(
                self.feature_set.metadata.uid,
                self.snapshot.children,
                current=run.name if run else None,
                settled=bool(run and run.outcome),
            )
        )

    def _readiness(self, progress: _Progress) -> Readiness:
        run, going_on = progress.run, progress.execution
        ready = self._usable(progress)
        if going_on and going_on.needs_a_person:
            return Readiness(ready[0], ready[1], stalled=going_on.note)
        if going_on:
            return Readiness(ready[0], ready[1], reconciling=going_on.note)
        if run and run.outcome == Outcome.FAILED:
            return Readiness(ready[0], ready[1], stalled=_note_of(run))
        if run and run.outcome == Outcome.REJECTED and progress.latest is None:
            return Readiness(ready[0], ready[1], stalled=_note_of(run))
        return Readiness(*ready)

    def _usable(self, progress: _Progress) -> tuple[bool | None, Note]:
        """Whether there is a snapshot to use, and what people should know of it."""
        run, latest = progress.run, progress.latest
        if latest is not None:
            shown = f"snapshot {latest.digest[:19]} with {latest.rows} rows"
            if run and run.outcome in (Outcome.REJECTED, Outcome.FAILED):
                note = Note(run.reason or "", f"keeps using {shown}: {run.message}")
                return True, note
            return True, Note(Reason.SUCCEEDED, shown)
        if run and run.outcome:
            return False, _note_of(run)
        if self.feature_set.spec.suspend and run is None:
            return False, Note(Reason.SUSPENDED, "spec.suspend is true, so no run begins")
        return None, Note(Reason.PROGRESSING, "there is no snapshot yet")

    def _data_valid(self, progress: _Progress) -> Condition:
        run = progress.run
        if run is None or run.outcome is None:
            for stored in self.feature_set.status.conditions:
                if stored.type == ConditionType.DATA_VALID:
                    return stored
            note = Note(Reason.PROGRESSING, "no run has looked at the data yet")
            return noted(ConditionType.DATA_VALID, None, note)
        known = {Outcome.SUCCEEDED: True, Outcome.REJECTED: False}
        return noted(ConditionType.DATA_VALID, known.get(Outcome(run.outcome)), _note_of(run))


def _phase(progress: _Progress) -> str:
    run = progress.run
    if run is None:
        return Phase.READY if progress.latest else Phase.PENDING
    if run.outcome is None:
        return Phase.RUNNING
    return Phase.READY if progress.latest else Phase.FAILED


def _note_of(run: FeatureSetRunStatus) -> Note:
    return Note(run.reason or Reason.PROGRESSING, run.message or "")


def _warning(reason: Reason, message: str) -> Event:
    return Event(EventType.WARNING, reason.value, bounded(message))


def _start_events(
    old: FeatureSetRunStatus | None, new: FeatureSetRunStatus | None
) -> tuple[Event, ...]:
    if new is None or (old and old.name == new.name):
        return ()
    return (Event(EventType.NORMAL, Reason.RUN_STARTED.value, f"run `{new.name}` begins"),)
