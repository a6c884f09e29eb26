"""What is observed of a Deployment's children: revisions, workloads, pods and the Service.

Nothing is decided here; the cluster's objects become the few facts that decisions need.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from serinus.api.deployment_status import RejectedRevision
from serinus.api.enums import Reason
from serinus.manifests.naming import (
    REVISION_LABEL,
    rejection_name,
    revision_object_name,
    revision_service_name,
    service_name,
)
from serinus.manifests.rejection import parse_rejection
from serinus.manifests.revision import RevisionRecord, parse_controller_revision
from serinus.manifests.service import STABLE_ANNOTATION, pinned_selector, split_selector
from serinus.reconcile.decision import JsonObject, ObjectRef
from serinus.reconcile.deployment_autoscaler import AutoscalerFacts, observed_autoscaler
from serinus.reconcile.deployment_pods import Pod, observed_pods
from serinus.reconcile.deployment_route import RouteFacts, observed_route
from serinus.reconcile.pod_problems import PodProblem
from serinus.reconcile.snapshot import Children, controller_uid

CREATED_WITHIN = timedelta(seconds=20)
"""What a pod mounts is there by then, if it is at all."""
_RANK_NO_PODS = 5
_SHOWN = 300


@dataclass(frozen=True, slots=True)
class Workload:
    """A revision's apps/v1 Deployment as observed.

    Attributes
    ----------
    available
        Pods that are ready, as far as the workload's controller has seen the present spec; else 0.
    ready
        Pods that its controller last called ready, whatever spec that was of.
    problem
        Why its pods can't even be made (a quota, a policy); None when they can.
    """

    revision: str
    name: str
    uid: str
    replicas: int
    available: int
    pods: int
    problem: PodProblem | None
    template: Mapping[str, Any]
    ready: int = 0


@dataclass(frozen=True, slots=True)
class ServiceFacts:
    """The Service as observed; `pinned_to` is None when it is split or selects something else."""

    resource_version: str
    selector: Mapping[str, str]
    pinned_to: str | None
    split: bool
    stable_annotation: str | None


@dataclass(frozen=True, slots=True)
class Rejection:
    """The record of a rejection, and the object that holds it."""

    record: RejectedRevision
    name: str
    uid: str


@dataclass(frozen=True, slots=True)
class Observed:
    """All children of one Deployment, those of a revision by its name."""

    records: Mapping[str, RevisionRecord] = field(default_factory=dict)
    record_bodies: Mapping[str, JsonObject] = field(default_factory=dict)
    rejections: Mapping[str, Rejection] = field(default_factory=dict)
    workloads: Mapping[str, Workload] = field(default_factory=dict)
    pods: tuple[Pod, ...] = ()
    service: ServiceFacts | None = None
    autoscaler: AutoscalerFacts | None = None
    route: RouteFacts | None = None
    revision_services: Mapping[str, str] = field(default_factory=dict)
    """Uids of the Services of single revisions."""

    def available(self, revision: str) -> int:
        """Ready pods of a revision."""
        workload = self.workloads.get(revision)
        return workload.available if workload else 0

    def ready(self, revision: str) -> int:
        """Pods of a revision that answer, also while their number changes."""
        workload = self.workloads.get(revision)
        return workload.ready if workload else 0

    def replicas(self, revision: str) -> int:
        """Pods that a revision's workload asks for."""
        workload = self.workloads.get(revision)
        return workload.replicas if workload else 0

    def strangers(self, *revisions: str | None) -> tuple[Pod, ...]:
        """Pods with the Deployment's label that are of none of `revisions`."""
        return tuple(pod for pod in self.pods if not pod.ours or pod.revision not in revisions)

    def slow_to_create(self, now: datetime) -> tuple[Pod, ...]:
        """Pods whose containers aren't made though there was time enough."""
        latest = now - CREATED_WITHIN
        return tuple(
            pod for pod in self.pods if pod.creating and pod.started_at and pod.started_at < latest
        )

    def first_problem(self, revision: str) -> PodProblem | None:
        """The gravest reason for which a pod of the revision can't start."""
        problems = [pod.problem for pod in self.pods if pod.revision == revision and pod.problem]
        workload = self.workloads.get(revision)
        if workload is not None and workload.problem is not None:
            problems.append(workload.problem)
        return min(problems, key=lambda problem: problem.rank, default=None)


def observed(children: Children, *, name: str, namespace: str, uid: str) -> Observed:
    """Facts about the children of the Deployment `name`."""
    records = {}
    bodies = {}
    for body in children.owned_by(uid, "ControllerRevision"):
        record = parse_controller_revision(body)
        if record and body["metadata"]["name"] == revision_object_name(name, record.revision):
            records[record.revision] = record
            bodies[record.revision] = body
    rejections = {
        rejection.record.revision: rejection
        for body in children.owned_by(uid, "ControllerRevision")
        if (rejection := _rejection(body, name)) is not None
    }
    workloads = {
        workload.revision: workload
        for body in children.owned_by(uid, "Deployment")
        if (workload := _workload(body)) is not None
    }
    service = children.get(ObjectRef("v1", "Service", namespace, service_name(name)))
    owned = service is not None and controller_uid(service) == uid
    return Observed(
        records=records,
        record_bodies=bodies,
        rejections=rejections,
        workloads=workloads,
        pods=observed_pods(
            children, name, {revision: one.name for revision, one in workloads.items()}
        ),
        service=_service(service, name) if service is not None and owned else None,
        autoscaler=observed_autoscaler(children, name=name, namespace=namespace, uid=uid),
        route=observed_route(children, name=name, namespace=namespace, uid=uid),
        revision_services=_revision_services(children, name, uid),
    )


def _revision_services(children: Children, name: str, uid: str) -> dict[str, str]:
    found = {}
    for body in children.owned_by(uid, "Service"):
        metadata = body["metadata"]
        revision = (metadata.get("labels") or {}).get(REVISION_LABEL)
        if revision and metadata["name"] == revision_service_name(name, revision):
            found[revision] = metadata.get("uid", "")
    return found


def _rejection(body: JsonObject, deployment: str) -> Rejection | None:
    record, metadata = parse_rejection(body), body["metadata"]
    if record is None or metadata["name"] != rejection_name(deployment, record.revision):
        return None
    return Rejection(record, metadata["name"], metadata.get("uid", ""))


def _workload(body: JsonObject) -> Workload | None:
    metadata, spec, status = body["metadata"], body.get("spec", {}), body.get("status", {})
    revision = metadata.get("labels", {}).get(REVISION_LABEL)
    if (
        body.get("apiVersion", "apps/v1") != "apps/v1"
        or not revision
        or metadata.get("deletionTimestamp")
    ):
        return None
    seen = status.get("observedGeneration", 0) >= metadata.get("generation", 0)
    return Workload(
        revision=revision,
        name=metadata["name"],
        uid=metadata.get("uid", ""),
        replicas=spec.get("replicas", 1),
        available=status.get("availableReplicas", 0) if seen else 0,
        pods=status.get("replicas", 0) if seen else max(status.get("replicas", 0), 1),
        problem=_problem(metadata["name"], status.get("conditions", ())),
        template=spec.get("template", {}),
        ready=status.get("availableReplicas", 0),
    )


def _problem(name: str, conditions: Any) -> PodProblem | None:
    for condition in conditions:
        if condition.get("type") == "ReplicaFailure" and condition.get("status") == "True":
            said = str(condition.get("message", ""))[:_SHOWN]
            text = f"pods of `{name}` can't be made: {said}"
            return PodProblem(_RANK_NO_PODS, Reason.PROGRESSING, text)
    return None


def _service(body: JsonObject, name: str) -> ServiceFacts:
    selector = body.get("spec", {}).get("selector") or {}
    revision = selector.get(REVISION_LABEL)
    pinned = revision if revision and selector == pinned_selector(name, revision) else None
    return ServiceFacts(
        resource_version=body["metadata"].get("resourceVersion", ""),
        selector=selector,
        pinned_to=pinned,
        split=selector == split_selector(name),
        stable_annotation=body["metadata"].get("annotations", {}).get(STABLE_ANNOTATION) or None,
    )
