"""FeatureSet: which run is wanted, what came of it, and which snapshot may be used.

One run for each identity, the hash of the parts of the spec that the snapshot depends on. Another
run begins when

- the identity is a new one: a run of the old one that still works is given up;
- the last run failed and what may have been to blame was changed since: resources, deadline,
  retries or the pod's template;
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

from serinus.api.conditions import format_time
from serinus.api.enums import Outcome, Reason
from serinus.api.featureset import FeatureSet, FeatureSetRunStatus, FeatureSetStatus
from serinus.api.job_contract import FeatureSetRunResult
from serinus.manifests.naming import snapshot_run_name
from serinus.reconcile.decision import Decision, Event, EventType, PrunedObject
from serinus.reconcile.featureset_conditions import Progress, data_valid, phase, readiness
from serinus.reconcile.featureset_run import kept_digests, run_identity, run_input_of, run_of
from serinus.reconcile.readiness import all_conditions, bounded, trouble_events
from serinus.reconcile.retry_request import retry_request
from serinus.reconcile.run_execution import (
    Continues,
    Ended,
    execution,
    expiring_job,
    is_worth_another_try,
    key_of,
    leftovers,
    settings_hash,
)
from serinus.reconcile.snapshot import FeatureSetSnapshot
from serinus.reconcile.unreadable_spec import unreadable_spec


def reconcile(snapshot: FeatureSetSnapshot, now: datetime) -> Decision:
    """Decide the next state of one FeatureSet. Pure and total: never raises, never waits."""
    try:
        feature_set = FeatureSet.model_validate(snapshot.resource)
    except ValidationError as error:
        return unreadable_spec(snapshot.resource, error, now)
    if feature_set.metadata.deletion_timestamp:
        return Decision()
    return _Pass(feature_set, snapshot, now).decision()


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
            vouched_since=self.snapshot.vouched_since,
            now=self.now,
        )
        chosen = self._chosen_run(retry=asked.granted)
        progress = self._progress(chosen)
        standing = readiness(progress, suspended=bool(self.feature_set.spec.suspend))
        status = FeatureSetStatus(
            observed_generation=metadata.generation,
            phase=phase(progress),
            message=standing.headline,
            last_handled_request=asked.record,
            latest_snapshot=progress.latest,
            last_run=progress.run,
            conditions=all_conditions(
                old.conditions,
                standing,
                data_valid(progress, old.conditions),
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
                *trouble_events(old.conditions, standing),
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
        spec, last = self.feature_set.spec, self.feature_set.status.last_run
        if spec.suspend:
            return last
        if last and not retry and self._is_still_wanted(last):
            return last
        number = last.number + 1 if last else 1
        return FeatureSetRunStatus(
            name=snapshot_run_name(self.feature_set.metadata.name, number),
            number=number,
            identity=run_identity(spec),
            settings_hash=settings_hash(spec),
            started_at=format_time(self.now),
        )

    def _is_still_wanted(self, last: FeatureSetRunStatus) -> bool:
        spec = self.feature_set.spec
        current = last.identity == run_identity(spec)
        return current and not is_worth_another_try(last.outcome, last.settings_hash, spec)

    def _progress(self, chosen: FeatureSetRunStatus | None) -> Progress:
        latest = self.feature_set.status.latest_snapshot
        if chosen is None:
            return Progress(None, latest)
        run = run_of(self.feature_set, chosen)
        if chosen.outcome is not None:
            ttl = self.feature_set.spec.ttl_seconds_after_finished
            key = key_of(run, self.feature_set.metadata.uid)
            expiring = tuple(expiring_job(key, self.snapshot.children, ttl))
            return Progress(chosen, latest, desired=expiring)
        found = execution(
            run,
            run_input_of(self.feature_set, run, kept_digests(self.snapshot, self.feature_set)),
            self.feature_set.metadata.uid,
            self.snapshot.children,
            self.snapshot.settings,
        )
        match found:
            case Continues():
                return Progress(chosen, latest, found, desired=found.desired)
            case Ended():
                return self._ended(chosen, found)
            case _:
                assert_never(found)

    def _ended(self, chosen: FeatureSetRunStatus, end: Ended) -> Progress:
        latest = self.feature_set.status.latest_snapshot
        result = end.result
        if not isinstance(result, FeatureSetRunResult):
            run = self._closed(chosen, Outcome.FAILED, Reason.JOB_FAILED, end.message)
            return Progress(run, latest, events=(_warning(Reason.JOB_FAILED, end.message),))
        run = self._closed(chosen, result.outcome, result.reason, result.message)
        if result.snapshot is not None:
            run = run.model_copy(update={"snapshot": result.snapshot.digest})
        if result.outcome is Outcome.REJECTED:
            return Progress(
                run, latest, events=(_warning(Reason.SNAPSHOT_REJECTED, result.message),)
            )
        if result.outcome is Outcome.FAILED:
            return Progress(run, latest, events=(_warning(Reason.RUN_FAILED, result.message),))
        if result.snapshot is None:
            message = f"run `{chosen.name}` gave a result without a snapshot"
            run = self._closed(chosen, Outcome.FAILED, Reason.JOB_FAILED, message)
            return Progress(run, latest, events=(_warning(Reason.JOB_FAILED, message),))
        unchanged = latest is not None and latest.digest == result.snapshot.digest
        reason = Reason.SNAPSHOT_UNCHANGED if unchanged else Reason.SNAPSHOT_CREATED
        event = Event(EventType.NORMAL, reason.value, bounded(result.message))
        return Progress(run, result.snapshot, events=(event,))

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

    def _leftovers(self, progress: Progress) -> tuple[PrunedObject, ...]:
        run = progress.run
        return tuple(
            leftovers(
                self.feature_set.metadata.uid,
                self.snapshot.children,
                current=run.name if run else None,
                settled=bool(run and run.outcome),
            )
        )


def _warning(reason: Reason, message: str) -> Event:
    return Event(EventType.WARNING, reason.value, bounded(message))


def _start_events(
    old: FeatureSetRunStatus | None, new: FeatureSetRunStatus | None
) -> tuple[Event, ...]:
    if new is None or (old and old.name == new.name):
        return ()
    return (Event(EventType.NORMAL, Reason.RUN_STARTED.value, f"run `{new.name}` begins"),)
