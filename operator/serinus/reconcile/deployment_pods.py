"""Pods that may get a Deployment's requests, and which of them are its own.

A label can be borne by anybody; what tells a pod of ours is the ReplicaSet that made it, by uid.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from serinus.api.conditions import parse_time
from serinus.api.enums import Kind
from serinus.manifests.naming import OWNER_LABELS, REVISION_LABEL
from serinus.reconcile.decision import JsonObject
from serinus.reconcile.pod_problems import PodProblem, pod_problem
from serinus.reconcile.snapshot import Children


@dataclass(frozen=True, slots=True)
class Pod:
    """A pod that bears the Deployment's label and may get requests."""

    name: str
    uid: str
    revision: str
    ours: bool
    """Whether the ReplicaSet of its revision's workload made it, told by its uid."""
    started_at: datetime | None
    ready_at: datetime | None
    """Since when it is ready; where it isn't, when it started."""
    problem: PodProblem | None
    creating: bool = False
    """Whether its containers are still being made: what they mount may be missing."""


def observed_pods(children: Children, name: str, workloads: Mapping[str, str]) -> tuple[Pod, ...]:
    """Pods of the Deployment `name`, sorted by name; `workloads` are named by their revision."""
    label = OWNER_LABELS[Kind.DEPLOYMENT]
    bodies = [
        body
        for ref, body in children.objects.items()
        if ref.kind == "Pod"
        and body["metadata"].get("labels", {}).get(label) == name
        and body.get("status", {}).get("phase") not in ("Succeeded", "Failed")
    ]
    claims = [(body, _revision(body), _replica_set_uid(body, workloads)) for body in bodies]
    believed = _believed((revision, uid) for _, revision, uid in claims if uid is not None)
    found = (_pod(body, ours=(revision, uid) in believed) for body, revision, uid in claims)
    return tuple(sorted(found, key=lambda pod: pod.name))


def _believed(claims: Iterable[tuple[str, str]]) -> frozenset[tuple[str, str]]:
    """Each revision with the uid of its ReplicaSet, as most of its pods bear it.

    A revision's template never changes, so all its pods are of one ReplicaSet. Its name can be
    claimed; of two with that name, one isn't ours or is on its way out. Where as many pods say
    the one as the other, neither is believed.
    """
    uids: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for revision, uid in claims:
        uids[revision][uid] += 1
    return frozenset(
        (revision, uid)
        for revision, counts in uids.items()
        for uid, pods in counts.items()
        if all(pods > others for other, others in counts.items() if other != uid)
    )


def _pod(body: JsonObject, *, ours: bool) -> Pod:
    metadata = body["metadata"]
    started = body.get("status", {}).get("startTime")
    leaving = metadata.get("deletionTimestamp") is not None
    return Pod(
        name=metadata["name"],
        uid=metadata.get("uid", ""),
        revision=_revision(body),
        ours=ours,
        started_at=parse_time(started) if started else None,
        ready_at=parse_time(ready) if (ready := _ready_since(body) or started) else None,
        problem=None if leaving else pod_problem(body),
        creating=not leaving and _is_creating(body.get("status", {})),
    )


def _ready_since(pod: JsonObject) -> str | None:
    for condition in pod.get("status", {}).get("conditions") or ():
        if condition.get("type") == "Ready" and condition.get("status") == "True":
            since = condition.get("lastTransitionTime")
            return str(since) if since else None
    return None


def _revision(pod: JsonObject) -> str:
    return str(pod["metadata"].get("labels", {}).get(REVISION_LABEL, ""))


def _is_creating(status: Any) -> bool:
    return any(
        (container.get("state", {}).get("waiting") or {}).get("reason") == "ContainerCreating"
        for container in status.get("containerStatuses", ())
    )


def _replica_set_uid(pod: JsonObject, workloads: Mapping[str, str]) -> str | None:
    """Uid of the ReplicaSet that made the pod, if that bears the workload's name and its hash."""
    metadata = pod["metadata"]
    workload = workloads.get(_revision(pod))
    if workload is None:
        return None
    made = f"{workload}-{metadata.get('labels', {}).get('pod-template-hash')}"
    for reference in metadata.get("ownerReferences", ()):
        is_ours = reference.get("kind") == "ReplicaSet" and reference.get("name") == made
        if reference.get("controller") and is_ours:
            return str(reference.get("uid", ""))
    return None
