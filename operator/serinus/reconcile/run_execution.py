"""What a run needs next: its Job, a wait, an end; and what is left over once its result is known.

The kinds that work through runs share this. A kind decides which run it wants and what a result
means; here stands how to get from a name in status to a result.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import assert_never

from serinus.api.enums import Outcome, Reason
from serinus.api.job_contract import AnyRunResult, RunInput
from serinus.api.pod_settings import JobRunSettings
from serinus.manifests.job import (
    DEFAULT_TTL_SECONDS_AFTER_FINISHED,
    Run,
    make_expiring_job,
    make_job,
)
from serinus.manifests.run_input import make_run_input
from serinus.manifests.settings import Settings
from serinus.manifests.store_claim import make_store_claim
from serinus.reconcile.decision import (
    ApplyPolicy,
    DesiredObject,
    JsonObject,
    ObjectRef,
    Ownership,
    PrunedObject,
)
from serinus.reconcile.readiness import Note
from serinus.reconcile.runs import (
    Broken,
    Finished,
    Leaving,
    Missing,
    NameTaken,
    Obsolete,
    RunKey,
    Underway,
    hash_of,
    run_state,
    stored_job,
)
from serinus.reconcile.snapshot import Children

CURES = frozenset({"resources", "active_deadline_seconds", "backoff_limit", "pod_template"})
"""Settings that may have been to blame for a failure; the others change nothing for a run."""
SOON_SECONDS = 5.0
"""When to look again for something that goes without an event that we are sure to see."""


@dataclass(frozen=True, slots=True)
class Continues:
    """The run has no result yet: what to make or remove, and what to tell."""

    note: Note
    desired: tuple[DesiredObject, ...] = ()
    prune: tuple[PrunedObject, ...] = ()
    requeue_after_seconds: float | None = None
    needs_a_person: bool = False


@dataclass(frozen=True, slots=True)
class Ended:
    """The run is over; `result` is None when it broke without one, and `message` says how."""

    result: AnyRunResult | None
    message: str


Execution = Continues | Ended


def execution(
    run: Run, run_input: RunInput, owner_uid: str, children: Children, settings: Settings
) -> Execution:
    """What `run` needs next."""
    key = key_of(run, owner_uid)
    match run_state(key, children):
        case Finished(result):
            return Ended(result, result.message)
        case Broken(message):
            return Ended(None, message)
        case Missing():
            return _start(run, run_input, children, settings)
        case Underway(reason, message):
            return Continues(Note(reason, message))
        case Obsolete(job, message):
            note = Note(Reason.PROGRESSING, message)
            return Continues(
                note, prune=(_pruned(key.job, job),), requeue_after_seconds=SOON_SECONDS
            )
        case Leaving(message):
            return Continues(Note(Reason.PROGRESSING, message), requeue_after_seconds=SOON_SECONDS)
        case NameTaken(message):
            return Continues(Note(Reason.NAME_CONFLICT, message), needs_a_person=True)
        case state:
            assert_never(state)


def settings_hash(settings: JobRunSettings) -> str:
    """Hash of the settings that may make a run succeed which failed with others."""
    parts = settings.model_dump(
        mode="json", by_alias=True, include=set(CURES), exclude_none=True, exclude_defaults=True
    )
    return hash_of(parts)


def is_worth_another_try(
    outcome: str | None, tried_with: str | None, settings: JobRunSettings
) -> bool:
    """Whether a run failed, and what may have been to blame was changed since it began."""
    return outcome == Outcome.FAILED and tried_with != settings_hash(settings)


def key_of(run: Run, owner_uid: str) -> RunKey:
    """The run as it is looked for in the cluster."""
    return RunKey(run.namespace, run.name, run.identity, owner_uid)


def expiring_job(
    key: RunKey, children: Children, ttl_seconds: int | None
) -> Iterator[DesiredObject]:
    """The run's Job with a time to live, once its result is in status."""
    job = stored_job(key, children)
    ttl = DEFAULT_TTL_SECONDS_AFTER_FINISHED if ttl_seconds is None else ttl_seconds
    if job is not None and job.get("spec", {}).get("ttlSecondsAfterFinished") != ttl:
        yield DesiredObject(make_expiring_job(job, ttl))


def leftovers(
    owner_uid: str, children: Children, *, current: str | None, settled: bool
) -> Iterator[PrunedObject]:
    """Jobs and inputs of runs that nobody waits for; `settled`: the current one's result is known.

    A Job whose result is known goes by its time to live, and its input follows it.
    """
    jobs = children.owned_by(owner_uid, "Job")
    for job in jobs:
        superseded = job["metadata"]["name"] != current
        if superseded and job.get("spec", {}).get("ttlSecondsAfterFinished") is None:
            yield _pruned(_ref("batch/v1", "Job", job), job)
    with_job = {job["metadata"]["name"] for job in jobs}
    for run_input in children.owned_by(owner_uid, "ConfigMap"):
        name = run_input["metadata"]["name"]
        if name not in with_job and (name != current or settled):
            yield _pruned(_ref("v1", "ConfigMap", run_input), run_input)


def _start(run: Run, run_input: RunInput, children: Children, settings: Settings) -> Continues:
    claim = ObjectRef("v1", "PersistentVolumeClaim", run.namespace, settings.store.claim_name)
    if problem := _claim_problem(children.get(claim)):
        return Continues(problem)
    desired = [
        # Applied, not just made: what an earlier run of this name was told may still be there.
        DesiredObject(make_run_input(run.kind, run.owner, run_input)),
        DesiredObject(make_job(run, settings), ApplyPolicy.CREATE_ONLY),
    ]
    if children.get(claim) is None and claim not in children.taken:
        body = make_store_claim(run.namespace, settings.store)
        desired.insert(0, DesiredObject(body, ApplyPolicy.CREATE_ONLY, Ownership.KEPT))
    note = Note(Reason.PROGRESSING, f"run `{run.name}` starts")
    return Continues(note, desired=tuple(desired))


def _claim_problem(claim: JsonObject | None) -> Note | None:
    if claim is None:
        return None
    name = claim["metadata"]["name"]
    if claim["metadata"].get("deletionTimestamp"):
        message = f"PersistentVolumeClaim `{name}` is being deleted; waits until it is gone"
        return Note(Reason.STORE_NOT_READY, message)
    if claim.get("status", {}).get("phase") == "Lost":
        message = (
            f"PersistentVolumeClaim `{name}` has lost its volume; bring the volume back, or delete "
            "the claim to begin with an empty store"
        )
        return Note(Reason.STORE_NOT_READY, message)
    return None


def _ref(api_version: str, kind: str, body: JsonObject) -> ObjectRef:
    metadata = body["metadata"]
    return ObjectRef(api_version, kind, metadata["namespace"], metadata["name"])


def _pruned(ref: ObjectRef, body: JsonObject) -> PrunedObject:
    metadata = body["metadata"]
    return PrunedObject(ref, metadata["uid"], metadata.get("resourceVersion"))
