"""FeatureSet: which run is wanted, what came of it, and which snapshot may be used.

One run for each identity, the hash of the parts of the spec that the snapshot depends on. Another
run begins when

- the identity is a new one: a run of the old one that still works is given up;
- the last run failed and what may have been to blame was changed since: resources, deadline,
  retries or the pod's template;
- the last run couldn't write the newest values to their server: after a pause that grows;
- a person asks for `retry`.

Number and name of a run are in status before its Job is made. New data in the same files is no
new identity: `retry` takes it up. A snapshot that breaks its promises never becomes the latest
one; what uses the FeatureSet keeps the snapshot before.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import assert_never

from serinus.api.conditions import format_time
from serinus.api.enums import Outcome, Reason
from serinus.api.featureset import FeatureSet, FeatureSetRunStatus, FeatureSetStatus
from serinus.api.job_contract import FeatureSetRunResult
from serinus.manifests.naming import snapshot_run_name
from serinus.reconcile.decision import Decision, Event, EventType
from serinus.reconcile.featureset_conditions import (
    Progress,
    data_valid,
    online_synced,
    phase,
    readiness,
)
from serinus.reconcile.featureset_online import (
    seconds_to_next_write,
    with_online_writes,
    with_what_is_there,
)
from serinus.reconcile.featureset_run import kept_digests, run_identity, run_input_of, run_of
from serinus.reconcile.readiness import bounded
from serinus.reconcile.retry_request import retry_request
from serinus.reconcile.run_execution import (
    Continues,
    Ended,
    execution,
    expiring_job,
    is_worth_another_try,
    key_of,
    settings_hash,
)
from serinus.reconcile.run_pass import Findings, closed, reconciled
from serinus.reconcile.snapshot import FeatureSetSnapshot


def reconcile(snapshot: FeatureSetSnapshot, now: datetime) -> Decision:
    """Decide the next state of one FeatureSet. Pure and total: never raises, never waits."""
    return reconciled(
        FeatureSet,
        snapshot.resource,
        snapshot.children,
        lambda feature_set: _Pass(feature_set, snapshot, now).findings(),
        now,
    )


@dataclass(frozen=True, slots=True)
class _Pass:
    """One look at one FeatureSet."""

    feature_set: FeatureSet
    snapshot: FeatureSetSnapshot
    now: datetime

    def findings(self) -> Findings:
        metadata, old = self.feature_set.metadata, self.feature_set.status
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
            status=FeatureSetStatus(latest_snapshot=progress.latest, last_run=run),
            progress=progress,
            settled=bool(run and run.outcome),
            readiness=readiness(progress, suspended=bool(self.feature_set.spec.suspend)),
            phase=phase(progress),
            observations=(
                data_valid(progress, old.conditions),
                *online_synced(progress, self.feature_set.spec.online, old.conditions),
            ),
            again_after_seconds=seconds_to_next_write(run, self.now) if self._may_begin() else None,
            record=asked.record,
            events=(*asked.events, *_start_events(old.last_run, run), *progress.events),
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
            online_failures=last.online_failures if last else None,
        )

    def _may_begin(self) -> bool:
        return not self.feature_set.spec.suspend

    def _is_still_wanted(self, last: FeatureSetRunStatus) -> bool:
        spec = self.feature_set.spec
        if last.identity != run_identity(spec) or seconds_to_next_write(last, self.now) == 0:
            return False
        return not is_worth_another_try(last.outcome, last.settings_hash, spec)

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
        latest, result = self.feature_set.status.latest_snapshot, end.result
        if not isinstance(result, FeatureSetRunResult):
            return self._broken(chosen, end.message)
        run = closed(chosen, result.outcome, result.reason, result.message, self.now)
        if result.snapshot is not None:
            run = run.model_copy(update={"snapshot": result.snapshot.digest})
        if result.outcome is not Outcome.SUCCEEDED:
            rejected = result.outcome is Outcome.REJECTED
            reason = Reason.SNAPSHOT_REJECTED if rejected else Reason.RUN_FAILED
            return Progress(run, latest, events=(_warning(reason, result.message),))
        if result.snapshot is None:
            return self._broken(chosen, f"run `{chosen.name}` gave a result without a snapshot")
        run = with_online_writes(run, result.online_problem)
        unchanged = latest is not None and latest.digest == result.snapshot.digest
        reason = Reason.SNAPSHOT_UNCHANGED if unchanged else Reason.SNAPSHOT_CREATED
        events = [Event(EventType.NORMAL, reason.value, bounded(result.message))]
        snapshot = result.snapshot
        if result.online_problem is not None:
            events.append(_warning(Reason.ONLINE_WRITE_FAILED, result.online_problem))
            snapshot = with_what_is_there(snapshot, latest)
        return Progress(run, snapshot, events=tuple(events))

    def _broken(self, chosen: FeatureSetRunStatus, message: str) -> Progress:
        run = closed(chosen, Outcome.FAILED, Reason.JOB_FAILED, message, self.now)
        latest = self.feature_set.status.latest_snapshot
        return Progress(run, latest, events=(_warning(Reason.JOB_FAILED, message),))


def _warning(reason: Reason, message: str) -> Event:
    return Event(EventType.WARNING, reason.value, bounded(message))


def _start_events(
    old: FeatureSetRunStatus | None, new: FeatureSetRunStatus | None
) -> tuple[Event, ...]:
    if new is None or (old and old.name == new.name):
        return ()
    return (Event(EventType.NORMAL, Reason.RUN_STARTED.value, f"run `{new.name}` begins"),)
