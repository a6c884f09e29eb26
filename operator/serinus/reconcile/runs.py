"""What became of a run: read from its Job and pods, which may be gone at any time.

A run is found again by its name. Its result is published in the store first and copied into the
pod's termination message; where message, pod or Job were lost before they were read, the Job is
made again under its name, finds the result and only reports it. Anybody's pod can bear a run's
label: only those count that the run's own Job controls. Nothing here decides what a result means;
that is its kind's business.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from serinus.api.enums import Reason
from serinus.api.job_contract import RUN_RESULT, AnyRunResult
from serinus.manifests.job import IDENTITY_ANNOTATION
from serinus.manifests.naming import MANAGED_BY, MANAGED_BY_LABEL, RUN_LABEL
from serinus.reconcile.decision import JsonObject, ObjectRef
from serinus.reconcile.pod_problems import pod_problem
from serinus.reconcile.snapshot import Children, controller_uid

MESSAGE_SHOWN = 300
"""Characters of somebody else's message that are repeated in ours."""


@dataclass(frozen=True, slots=True)
class RunKey:
    """Which run: its name, what its result depends on, and whose it is."""

    namespace: str
    name: str
    identity: str
    owner_uid: str

    @property
    def job(self) -> ObjectRef:
        """The Job that carries it out."""
        return ObjectRef("batch/v1", "Job", self.namespace, self.name)

    @property
    def run_input(self) -> ObjectRef:
        """The ConfigMap that tells the pod what to do."""
        return ObjectRef("v1", "ConfigMap", self.namespace, self.name)


@dataclass(frozen=True, slots=True)
class Missing:
    """There is no Job: make it."""


@dataclass(frozen=True, slots=True)
class Underway:
    """The Job works, or its pod waits for something: `problem` says for what."""

    reason: Reason
    message: str


@dataclass(frozen=True, slots=True)
class Obsolete:
    """A Job of ours bears the name but carries out something else, or its result was lost.

    It has to go before the Job can be made again.
    """

    job: JsonObject
    message: str


@dataclass(frozen=True, slots=True)
class Leaving:
    """An object of an owner before us bears the name and is being deleted: wait."""

    message: str


@dataclass(frozen=True, slots=True)
class NameTaken:
    """A foreign object bears the name: only a person can help."""

    message: str


@dataclass(frozen=True, slots=True)
class Broken:
    """The Job ended without a result."""

    message: str


@dataclass(frozen=True, slots=True)
class Finished:
    """The run's result."""

    result: AnyRunResult


RunState = Missing | Underway | Obsolete | Leaving | NameTaken | Broken | Finished


def run_state(run: RunKey, children: Children) -> RunState:
    """What became of `run`."""
    job = children.get(run.job)
    if job is None:
        return _when_absent(run, children)
    if controller_uid(job) != run.owner_uid:
        return _when_not_ours(run.job, job)
    pods = children.owned_by(str(job["metadata"]["uid"]), "Pod")
    for pod in pods:
        if result := _result(run, pod):
            return Finished(result)
    if job["metadata"].get("deletionTimestamp"):
        return Leaving(f"waits until the old Job `{run.name}` is gone")
    if job["metadata"].get("annotations", {}).get(IDENTITY_ANNOTATION) != run.identity:
        return Obsolete(job, f"Job `{run.name}` carries out a run that isn't wanted any more")
    if failure := _condition(job, "Failed"):
        return Broken(_why_broken(run, failure, pods))
    if _condition(job, "Complete"):
        return _when_complete(run, job, pods)
    return _underway(run, pods)


def hash_of(parts: Mapping[str, Any]) -> str:
    """Hash (64 hex) of `parts`: what a result depends on, independent of the order of keys."""
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def run_identity_for(owner_uid: str, identity: str) -> str:
    """Identity under which a run is stored: an object that was made anew gets no old result.

    What a run reads besides its spec, files and images, may have changed since.
    """
    return hash_of({"identity": identity, "uid": owner_uid})


def stored_job(run: RunKey, children: Children) -> JsonObject | None:
    """The run's own Job as observed; None if there is none or it is being deleted."""
    job = children.get(run.job)
    if job is None or controller_uid(job) != run.owner_uid:
        return None
    return None if job["metadata"].get("deletionTimestamp") else job


def is_finished(job: JsonObject) -> bool:
    """Whether the Job ended, well or badly."""
    return bool(_condition(job, "Failed") or _condition(job, "Complete"))


def _result(run: RunKey, pod: JsonObject) -> AnyRunResult | None:
    """The result in the pod's termination message, if it is this run's."""
    for message in _termination_messages(pod):
        try:
            result = RUN_RESULT.validate_json(message)
        except ValidationError:
            continue
        if result.run == run.name and result.identity == run.identity:
            return result
    return None


def _termination_messages(pod: JsonObject) -> Iterator[str]:
    for container in pod.get("status", {}).get("containerStatuses", ()):
        terminated = container.get("state", {}).get("terminated") or {}
        if message := terminated.get("message"):
            yield str(message)


def _when_absent(run: RunKey, children: Children) -> RunState:
    run_input = children.get(run.run_input)
    if run_input is not None and controller_uid(run_input) != run.owner_uid:
        return _when_not_ours(run.run_input, run_input)
    for ref in (run.job, run.run_input):
        if ref in children.taken:
            return NameTaken(name_taken_message(ref))
    return Missing()


def _when_not_ours(ref: ObjectRef, body: JsonObject) -> RunState:
    """Ours until a moment ago, if Serinus made it for an object of our name that was deleted."""
    labels = body["metadata"].get("labels", {})
    if labels.get(MANAGED_BY_LABEL) == MANAGED_BY and labels.get(RUN_LABEL) == ref.name:
        return Leaving(f"waits until {ref.kind} `{ref.name}` of the deleted object before is gone")
    return NameTaken(name_taken_message(ref))


def name_taken_message(ref: ObjectRef) -> str:
    """What to tell people about a foreign object `ref` in the way."""
    return (
        f"{ref.kind} `{ref.name}` exists and isn't ours; it was left untouched. "
        f"Rename or delete it: `kubectl delete {ref.kind.lower()} {ref.name}`"
    )


def _condition(job: JsonObject, type_: str) -> Mapping[str, Any] | None:
    for condition in job.get("status", {}).get("conditions", ()):
        if condition.get("type") == type_ and condition.get("status") == "True":
            found: Mapping[str, Any] = condition
            return found
    return None


def _when_complete(run: RunKey, job: JsonObject, pods: tuple[JsonObject, ...]) -> RunState:
    if not pods:
        return Obsolete(job, f"Job `{run.name}` is made again to report its result once more")
    if all(_has_ended(pod) for pod in pods):
        names = ", ".join(f"`{pod['metadata']['name']}`" for pod in pods)
        return Broken(
            f"Job `{run.name}` finished, but the termination message of its pod {names} is no "
            "result of this run. Check that the jobs image is of the operator's version"
        )
    return Underway(Reason.PROGRESSING, f"waits for the result of Job `{run.name}`")


def _has_ended(pod: JsonObject) -> bool:
    return pod.get("status", {}).get("phase") in ("Succeeded", "Failed")


def _why_broken(run: RunKey, failure: Mapping[str, Any], pods: tuple[JsonObject, ...]) -> str:
    reason = failure.get("reason", "Failed")
    if reason == "DeadlineExceeded":
        problem = next(filter(None, map(pod_problem, pods)), None)
        hint = problem.message if problem else "raise `spec.activeDeadlineSeconds`"
        return f"Job `{run.name}` took longer than its deadline: {hint}"
    endings = [ending for pod in pods for ending in _endings(pod)]
    if not endings:
        return (
            f"Job `{run.name}` failed ({reason}) and its pods are gone: "
            f"{str(failure.get('message', ''))[:MESSAGE_SHOWN]}"
        )
    return f"Job `{run.name}` failed {len(endings)} times without a result: {endings[-1]}"


def _endings(pod: JsonObject) -> Iterator[str]:
    """How the containers of a failed pod ended."""
    name, status = pod["metadata"]["name"], pod.get("status", {})
    for container in (
        *status.get("initContainerStatuses", ()),
        *status.get("containerStatuses", ()),
    ):
        terminated = container.get("state", {}).get("terminated") or {}
        if terminated.get("exitCode", 0) != 0:
            yield _ending(name, terminated)
            return
    if status.get("phase") == "Failed":
        yield f"pod `{name}`: {status.get('reason', 'Failed')} {status.get('message', '')}".strip()


def _ending(pod: str, terminated: Mapping[str, Any]) -> str:
    reason, code = terminated.get("reason", "Error"), terminated.get("exitCode")
    if reason == "OOMKilled":
        return f"pod `{pod}` ran out of memory (OOMKilled); raise `spec.resources.limits.memory`"
    said = str(terminated.get("message", "")).strip()[-MESSAGE_SHOWN:]
    text = f"pod `{pod}` ended with {reason} (exit code {code})"
    return f"{text}: {said}" if said else f"{text}; see `kubectl logs {pod}`"


def _underway(run: RunKey, pods: tuple[JsonObject, ...]) -> Underway:
    problems = [problem for pod in pods if (problem := pod_problem(pod))]
    if problems:
        gravest = min(problems, key=lambda problem: problem.rank)
        return Underway(gravest.reason, gravest.message)
    failed = [ending for pod in pods for ending in _endings(pod)]
    if failed:
        return Underway(Reason.PROGRESSING, f"run `{run.name}` is tried again after: {failed[-1]}")
    return Underway(Reason.PROGRESSING, f"run `{run.name}` is underway")
