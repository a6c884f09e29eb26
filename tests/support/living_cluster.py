"""The whole shell with all four reconcilers, on an API server in memory that has controllers.

Jobs end with results in the form of the job contract, workloads get pods, claims are bound and
finished Jobs expire, each a fixed time after it was asked for. Objects get the same uids whatever
the order in which they are made, so that the ends of two stories can be compared. Make all of it
inside a running loop.
"""

import asyncio
import copy
import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from serinus.analysis.samples import Query, QueryFailure, QueryFailureKind, QueryResult
from serinus.api.enums import Kind, Outcome
from serinus.api.job_contract import (
    RUN_INPUT,
    FeatureSetRunInput,
    RunInput,
    TrainingRunInput,
)
from serinus.app.reconcilers import reconcilers
from serinus.cluster.gateways import Gateways
from serinus.cluster.gather import Gatherer
from serinus.cluster.inquiries import Inquiries
from serinus.cluster.metric_templates import MetricTemplates
from serinus.cluster.ports import MetricSource
from serinus.cluster.resources import OBSERVED
from serinus.cluster.store import WatchEvent, ref_of
from serinus.cluster.vouching import NobodyVouches
from serinus.hooks.desk import HookDesk
from serinus.manifests.settings import Settings
from serinus.reconcile.decision import Decision, JsonObject, ObjectRef
from tests.support.clock import at_once
from tests.support.fake_kube import is_selected
from tests.support.mortal_kube import MortalKube
from tests.support.shell_world import World

SETTINGS = Settings(jobs_image="jobs:1", server_image="server:1")
WORK_SECONDS = 1.0
"""How long a Job works, a pod starts or a claim is bound."""

Body = dict[str, Any]
_OBSERVED = {(resource.api_version, resource.kind): resource for resource in OBSERVED}
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)")


class NoMetrics:
    """Implements `MetricSource`: there is no provider."""

    async def fetch(self, queries: Iterable[Query]) -> Mapping[Query, QueryResult]:
        away = QueryFailure(QueryFailureKind.UNREACHABLE, "connection refused")
        return dict.fromkeys(queries, away)


@dataclass
class LivingKube(MortalKube):
    """An API server whose controllers do what they are asked for."""

    made: Counter[ObjectRef] = field(default_factory=Counter)

    def _store(self, ref: ObjectRef, body: Body, event: WatchEvent) -> Body:
        if event is WatchEvent.ADDED:
            self.made[ref] += 1
            uid = f"{ref.kind}-{ref.name}-{self.made[ref]}".lower()
            body["metadata"] = {**body["metadata"], "uid": uid}
        answer = super()._store(ref, body, event)
        self._take_up(ref, answer)
        return answer

    def _tell(self, event: WatchEvent, body: JsonObject) -> None:
        resource = _OBSERVED.get((body["apiVersion"], body["kind"]))
        if resource is not None and is_selected(resource, body):
            super()._tell(event, body)

    def _take_up(self, ref: ObjectRef, body: JsonObject) -> None:
        match ref.api_version, ref.kind:
            case "batch/v1", "Job" if "status" not in body:
                self._later(ref, body, WORK_SECONDS, self._end_job)
            case "batch/v1", "Job" if "ttlSecondsAfterFinished" in body["spec"]:
                seconds = body["spec"]["ttlSecondsAfterFinished"]
                self._later(ref, body, seconds, lambda job: self.remove(ref_of(job)))
            case "apps/v1", "Deployment" if not _is_scaled(body):
                self._later(ref, body, WORK_SECONDS, self._scale)
            case "v1", "PersistentVolumeClaim" if "status" not in body:
                self._later(ref, body, WORK_SECONDS, self._bind)

    def _later(
        self, ref: ObjectRef, body: JsonObject, seconds: float, do: Callable[[Body], None]
    ) -> None:
        def work() -> None:
            now = self.objects.get(ref)
            if now is not None and now["metadata"]["uid"] == body["metadata"]["uid"]:
                do(copy.deepcopy(now))

        asyncio.get_running_loop().call_later(seconds, work)

    def _end_job(self, job: Body) -> None:
        if "status" in job:
            return
        said = self._result(job)
        ended = {"state": {"terminated": {"exitCode": 0, "message": json.dumps(said)}}}
        status = {"phase": "Succeeded", "containerStatuses": [ended]}
        self.put(_pod(job, "x", job["spec"]["template"], status))
        complete = {"type": "Complete", "status": "True"}
        self.put({**job, "status": {"conditions": [complete]}})

    def _result(self, job: Body) -> Body:
        metadata = job["metadata"]
        ref = ObjectRef("v1", "ConfigMap", metadata["namespace"], metadata["name"])
        asked = RUN_INPUT.validate_json(self.objects[ref]["data"]["input.json"])
        return {
            "run": asked.run,
            "identity": asked.identity,
            "task": asked.task,
            "outcome": Outcome.SUCCEEDED.value,
            "reason": "Done",
            "message": "done",
            **_figures(asked),
        }

    def _scale(self, workload: Body) -> None:
        if _is_scaled(workload):
            return
        metadata, template = workload["metadata"], workload["spec"]["template"]
        replica_set = self._replica_set(workload)
        labels = template["metadata"]["labels"] | {"pod-template-hash": "h"}
        of_set = {**template, "metadata": {**template["metadata"], "labels": labels}}
        wanted = workload["spec"]["replicas"]
        for number in range(wanted):
            pod = _pod(replica_set, str(number), of_set, {"phase": "Running"})
            if ref_of(pod) not in self.objects:
                self.put(pod)
        name = replica_set["metadata"]["name"]
        for ref in [one for one in self.objects if one.kind == "Pod"]:
            head, _, number_text = ref.name.rpartition("-")
            if head == name and int(number_text) >= wanted:
                self.remove(ref)
        status = {
            "observedGeneration": metadata["generation"],
            "replicas": wanted,
            "availableReplicas": wanted,
        }
        self.put({**workload, "status": status})

    def _replica_set(self, workload: Body) -> Body:
        metadata = workload["metadata"]
        name = f"{metadata['name']}-h"
        body = {
            "apiVersion": "apps/v1",
            "kind": "ReplicaSet",
            "metadata": {
                "name": name,
                "namespace": metadata["namespace"],
                "ownerReferences": [_controller(workload)],
            },
        }
        return self.objects.get(ref_of(body)) or self.put(body)

    def _bind(self, claim: Body) -> None:
        self.put({**claim, "status": {"phase": "Bound"}})


@dataclass
class LivingWorld(World):
    """One process of the operator over a `LivingKube`."""

    kube: LivingKube = field(default_factory=LivingKube)
    metrics: MetricSource = field(default_factory=NoMetrics)

    def __post_init__(self) -> None:
        super().__post_init__()
        gatherer = Gatherer(self.store, SETTINGS, NobodyVouches())
        self.rows = reconcilers(
            gatherer,
            Inquiries(self.metrics, self.queue.add, run=at_once),
            self.applier.records,
            MetricTemplates(self.kube, self.clock, shared_namespace="serinus-system"),
            HookDesk((), self.queue.add, lambda *_: None, self.clock.now),
            Gateways(self.kube),
        )

    async def _decide(
        self, resource: JsonObject, taken: frozenset[ObjectRef], now: datetime
    ) -> Decision:
        self.decided += 1
        return await self.rows[Kind(resource["kind"])](resource, taken, now)

    def restarted(self) -> "LivingWorld":
        self.kube.observers = []
        return LivingWorld(kube=self.kube, clock=self.clock, metrics=self.metrics)


def end_state(kube: LivingKube) -> dict[str, Any]:
    """All objects but events, without what tells when or in which order they were written.

    The identity of a verification holds the moment at which it was asked for.
    """
    return {
        f"{ref.kind} {ref.name}": _timeless(body)
        for ref, body in kube.objects.items()
        if ref.kind != "Event"
    }


def creates(kube: LivingKube) -> Counter[str]:
    """How often the operator made each object; an event may be lost with the process."""
    return Counter(
        f"{one.ref.kind} {one.ref.name}"
        for one in kube.writes
        if one.operation == "create" and one.ref.kind != "Event"
    )


def _timeless(body: Any) -> Any:
    if isinstance(body, dict):
        left_out = {"resourceVersion"} | ({"data"} if body.get("kind") == "Secret" else set())
        kept = {key: _timeless(value) for key, value in body.items() if key not in left_out}
        if isinstance(kept.get("verification"), dict):
            kept["verification"].pop("identity")
        return kept
    if isinstance(body, list):
        return [_timeless(one) for one in body]
    return _MOMENT.sub("some time", body) if isinstance(body, str) else body


def _is_scaled(workload: JsonObject) -> bool:
    seen = workload.get("status", {}).get("observedGeneration", 0)
    return bool(seen >= workload["metadata"]["generation"])


def _controller(owner: JsonObject) -> Body:
    metadata = owner["metadata"]
    named = {"apiVersion": owner["apiVersion"], "kind": owner["kind"], "name": metadata["name"]}
    return {**named, "uid": metadata["uid"], "controller": True}


def _pod(owner: JsonObject, suffix: str, template: JsonObject, status: Body) -> Body:
    metadata = owner["metadata"]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": f"{metadata['name']}-{suffix}",
            "namespace": metadata["namespace"],
            "labels": template["metadata"]["labels"],
            "ownerReferences": [_controller(owner)],
        },
        "status": status,
    }


def _figures(asked: RunInput) -> Body:
    """What a run of this kind finds out; addresses and digests follow from the run's name."""
    digest = hashlib.sha256(asked.run.encode()).hexdigest()
    if isinstance(asked, FeatureSetRunInput):
        uri = f"file:///store/featuresets/{asked.feature_set}/snapshots/{digest}"
        return {"snapshot": {"digest": f"sha256:{digest}", "uri": uri, "rows": 1000}}
    if isinstance(asked, TrainingRunInput):
        uri = f"file:///store/models/{asked.spec.model_name}/{digest}"
        return {"storageUri": uri, "digest": f"sha256:{digest}", "metrics": {"roc_auc": "0.7"}}
    return {"predictor": {"kind": "linear", "verifiedRows": 1000, "mismatches": 0}}
