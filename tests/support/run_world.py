"""A namespace without a server: it carries out Decisions, and Jobs end as the test says.

Objects are what the API server would give back, as far as reconcilers of runs look at them. It
refuses what Kubernetes would refuse: a second object of one name, a status write that isn't JSON,
the deletion of an object by a wrong uid.
"""

import itertools
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from serinus.api.enums import Kind, Outcome, Verb
from serinus.api.job_contract import RUN_INPUT
from serinus.api.metadata import REQUEST_ANNOTATION
from serinus.api.schema_model import API_VERSION
from serinus.cluster.parsed import Parsed
from serinus.manifests.settings import Settings
from serinus.reconcile import featureset, modelversion, trainingjob
from serinus.reconcile.decision import (
    ApplyPolicy,
    Decision,
    DesiredObject,
    Event,
    ObjectRef,
    Ownership,
)
from serinus.reconcile.model_reference import parsed_version
from serinus.reconcile.snapshot import (
    Children,
    FeatureSetSnapshot,
    ModelVersionSnapshot,
    TrainingJobSnapshot,
)

NAMESPACE = "flights"
NOW = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
SETTINGS = Settings(jobs_image="jobs:1", server_image="server:1")
DIGEST_A, DIGEST_B, DIGEST_C = (f"sha256:{letter * 64}" for letter in "abc")

JsonObject = dict[str, Any]


@dataclass
class RunWorld:
    """One object and all around it; time stands still unless the test moves it."""

    resource: JsonObject
    reconcile: Callable[["RunWorld"], Decision]
    now: datetime = NOW
    settings: Settings = SETTINGS
    vouched_since: datetime | None = None
    objects: dict[ObjectRef, JsonObject] = field(default_factory=dict)
    taken: set[ObjectRef] = field(default_factory=set)
    feature_sets: dict[str, JsonObject] = field(default_factory=dict)
    model_versions: dict[str, JsonObject] = field(default_factory=dict)
    training_jobs: list[JsonObject] = field(default_factory=list)
    deployments: list[JsonObject] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    writes: list[str] = field(default_factory=list)
    _uids: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    @property
    def status(self) -> JsonObject:
        return self.resource.get("status", {})

    @property
    def children(self) -> Children:
        return Children(dict(self.objects), frozenset(self.taken))

    def condition(self, type_: str) -> tuple[str, str]:
        """Status and reason of a condition; what isn't there is False without a reason."""
        for one in self.status.get("conditions", ()):
            if one["type"] == type_:
                return one["status"], one["reason"]
        return "False", ""

    def passes(self, at_most: int = 10) -> "RunWorld":
        """Reconcile until nothing is written any more."""
        for _ in range(at_most):
            before = len(self.writes)
            self.apply(self.decide())
            if len(self.writes) == before:
                return self
        raise AssertionError(f"still writing after {at_most} passes: {self.writes[-5:]}")

    def decide(self) -> Decision:
        return self.reconcile(self)

    def apply(self, decision: Decision) -> None:
        """Carry it out in the shell's order: status, desired, prune."""
        if decision.status is not None and decision.status != self.status:
            self.resource["status"] = json.loads(json.dumps(decision.status))
            self.writes.append("status")
            self.events.extend(decision.events)
        for desired in decision.desired:
            self._desire(desired)
        for pruned in decision.prune:
            assert self.objects[pruned.ref]["metadata"]["uid"] == pruned.uid
            self.writes.append(f"delete {pruned.ref.kind} {pruned.ref.name}")
            self.delete(pruned.ref.kind, pruned.ref.name)

    def _desire(self, desired: DesiredObject) -> None:
        body = json.loads(json.dumps(desired.body))
        ref = desired.ref
        if ref.kind == Kind.MODEL_VERSION:
            self._create_version(body)
            return
        stored = self.objects.get(ref)
        if stored is not None:
            if desired.policy is ApplyPolicy.APPLY:
                self._merge(ref, stored, body)
            return
        if ref in self.taken:
            return
        assert "uid" not in body["metadata"], f"{ref.name} is gone: nothing to apply to"
        body["metadata"]["uid"] = self.new_uid(ref.kind)
        if desired.ownership is Ownership.CONTROLLED:
            owner = self.resource["metadata"]["uid"]
            body["metadata"]["ownerReferences"] = [{"uid": owner, "controller": True}]
        self.objects[ref] = body
        self.writes.append(f"create {ref.kind} {ref.name}")

    def _merge(self, ref: ObjectRef, stored: JsonObject, body: JsonObject) -> None:
        assert body["metadata"].get("uid") in (None, stored["metadata"]["uid"])
        parts = {part: {**stored[part], **body[part]} for part in ("spec", "data") if part in body}
        merged = {**stored, **parts}
        if merged != stored:
            self.objects[ref] = merged
            self.writes.append(f"apply {ref.kind} {ref.name}")

    def _create_version(self, body: JsonObject) -> None:
        name = body["metadata"]["name"]
        if name not in self.model_versions:
            self.model_versions[name] = body
            self.writes.append(f"create ModelVersion {name}")

    def new_uid(self, kind: str) -> str:
        return f"{kind.lower()}-{next(self._uids)}"

    # what users do

    def edit(self, **spec: Any) -> "RunWorld":
        """Change fields of the spec; None takes one away."""
        merged = {**self.resource["spec"], **spec}
        self.resource["spec"] = {key: value for key, value in merged.items() if value is not None}
        self.resource["metadata"]["generation"] += 1
        return self

    def ask(self, verb: Verb, *, nonce: str = "n1", uid: str | None = None) -> "RunWorld":
        request = {
            "verb": verb.value,
            "uid": uid or self.resource["metadata"]["uid"],
            "nonce": nonce,
            "issuedAt": self.now.isoformat(),
            "actor": "maria",
        }
        annotations = self.resource["metadata"].setdefault("annotations", {})
        annotations[REQUEST_ANNOTATION] = json.dumps(request)
        return self

    def apply_again(self) -> "RunWorld":
        """Delete the object and apply it again: its children go, data stays."""
        owner = self.resource["metadata"]["uid"]
        self.resource.pop("status", None)
        self.resource["metadata"]["uid"] = self.new_uid("again")
        self.resource["metadata"]["generation"] = 1
        for ref, body in list(self.objects.items()):
            owners = body["metadata"].get("ownerReferences", ())
            if any(one["uid"] == owner for one in owners):
                self.delete(ref.kind, ref.name)
        return self

    # what happens to Jobs and pods

    @property
    def jobs(self) -> list[str]:
        return sorted(ref.name for ref in self.objects if ref.kind == "Job")

    def created_jobs(self) -> list[str]:
        return [one.split()[-1] for one in self.writes if one.startswith("create Job ")]

    def job(self, name: str) -> JsonObject:
        return self.objects[ObjectRef("batch/v1", "Job", NAMESPACE, name)]

    def run_input(self, name: str) -> Any:
        """What the pod of a run reads."""
        body = self.objects[ObjectRef("v1", "ConfigMap", NAMESPACE, name)]
        return RUN_INPUT.validate_json(body["data"]["input.json"])

    def pod(self, run: str, **status: Any) -> "RunWorld":
        """The run's pod has this status now."""
        job = self.job(run)
        name = f"{run}-x{len(job['metadata']['uid'])}"
        ref = ObjectRef("v1", "Pod", NAMESPACE, name)
        self.objects[ref] = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": name,
                "namespace": NAMESPACE,
                "uid": self.new_uid("pod"),
                "labels": job["spec"]["template"]["metadata"]["labels"],
                "ownerReferences": [{"uid": job["metadata"]["uid"], "controller": True}],
            },
            "status": status,
        }
        return self

    def pod_ends(self, run: str, message: str, exit_code: int = 0, **more: Any) -> "RunWorld":
        terminated = {"exitCode": exit_code, "message": message, **more}
        phase = "Failed" if exit_code else "Succeeded"
        return self.pod(run, phase=phase, containerStatuses=[{"state": {"terminated": terminated}}])

    def job_ends(self, run: str, condition: str, reason: str = "") -> "RunWorld":
        conditions = [{"type": condition, "status": "True", "reason": reason}]
        self.job(run)["status"] = {"conditions": conditions}
        return self

    def run_ends(self, run: str, outcome: Outcome, **result: Any) -> "RunWorld":
        """The run publishes its result, and its Job is complete."""
        said = {
            "run": run,
            "identity": self.run_input(run).identity,
            "task": self.run_input(run).task,
            "outcome": outcome.value,
            "reason": "Done",
            "message": "done",
            **result,
        }
        return self.pod_ends(run, json.dumps(said)).job_ends(run, "Complete")

    def delete(self, kind: str, name: str) -> "RunWorld":
        """Delete an object and, of a Job, its pods."""
        gone = [ref for ref in self.objects if (ref.kind, ref.name) == (kind, name)]
        for ref in gone:
            uid = self.objects.pop(ref)["metadata"]["uid"]
            for other, body in list(self.objects.items()):
                owners = body["metadata"].get("ownerReferences", ())
                if any(one["uid"] == uid for one in owners):
                    del self.objects[other]
        return self

    def delete_pods(self) -> "RunWorld":
        for ref in [ref for ref in self.objects if ref.kind == "Pod"]:
            del self.objects[ref]
        return self

    def later(self, **by: float) -> "RunWorld":
        self.now += timedelta(**by)
        return self


def _resource(kind: Kind, name: str, spec: Mapping[str, Any]) -> JsonObject:
    return {
        "apiVersion": API_VERSION,
        "kind": kind.value,
        "metadata": {
            "name": name,
            "namespace": NAMESPACE,
            "uid": f"{name}-uid",
            "generation": 1,
        },
        "spec": dict(spec),
    }


FEATURE_SET_SPEC: JsonObject = {
    "sources": [{"name": "flights", "files": {"uris": ["file:///data/a.csv"], "format": "csv"}}],
    "features": [{"name": "distance", "type": "float64"}],
}
TRAINING_JOB_SPEC: JsonObject = {
    "modelName": "delay",
    "featureSetRefs": [{"name": "flights"}],
    "label": "late",
    "task": "classification",
    "trainer": {"sklearn": {"estimator": "LogisticRegression"}},
}
MODEL_VERSION_SPEC: JsonObject = {
    "modelName": "delay",
    "modelFormat": {"name": "serinus", "version": "1"},
    "storageUri": f"file:///store/models/delay/{'d' * 64}",
    "digest": f"sha256:{'d' * 64}",
}


def a_feature_set(**spec: Any) -> RunWorld:
    """FeatureSet `flights`, just applied."""

    def reconcile(world: RunWorld) -> Decision:
        versions, jobs = tuple(world.model_versions.values()), tuple(world.training_jobs)
        seen = FeatureSetSnapshot(
            world.resource, world.settings, world.children, versions, jobs, world.vouched_since
        )
        return featureset.reconcile(seen, world.now)

    return RunWorld(_resource(Kind.FEATURE_SET, "flights", {**FEATURE_SET_SPEC, **spec}), reconcile)


def a_training_job(**spec: Any) -> RunWorld:
    """TrainingJob `delay`, just applied; there is no FeatureSet yet."""

    def reconcile(world: RunWorld) -> Decision:
        versions = Parsed(parsed_version).of(world.model_versions.values())
        seen = TrainingJobSnapshot(
            world.resource,
            world.settings,
            world.children,
            world.feature_sets,
            versions,
            world.vouched_since,
        )
        return trainingjob.reconcile(seen, world.now)

    return RunWorld(_resource(Kind.TRAINING_JOB, "delay", {**TRAINING_JOB_SPEC, **spec}), reconcile)


def a_model_version(**spec: Any) -> RunWorld:
    """ModelVersion `delay-1`, just applied."""

    def reconcile(world: RunWorld) -> Decision:
        deployments = tuple(world.deployments)
        seen = ModelVersionSnapshot(
            world.resource, world.settings, world.children, deployments, world.vouched_since
        )
        return modelversion.reconcile(seen, world.now)

    return RunWorld(
        _resource(Kind.MODEL_VERSION, "delay-1", {**MODEL_VERSION_SPEC, **spec}), reconcile
    )


def with_snapshot(world: RunWorld, digest: str, name: str = "flights") -> RunWorld:
    """The FeatureSet has `digest` as its latest snapshot from now on."""
    hex_digest = digest.removeprefix("sha256:")
    uri = f"file:///store/featuresets/{name}/snapshots/{hex_digest}"
    status = {"latestSnapshot": {"digest": digest, "uri": uri, "rows": 1000}}
    spec = _resource(Kind.FEATURE_SET, name, FEATURE_SET_SPEC)
    world.feature_sets = {**world.feature_sets, name: {**spec, "status": status}}
    return world


def snapshot_result(digest: str, rows: int = 1000) -> JsonObject:
    """Fields of a FeatureSet run's result."""
    hex_digest = digest.removeprefix("sha256:")
    uri = f"file:///store/featuresets/flights/snapshots/{hex_digest}"
    return {"snapshot": {"digest": digest, "uri": uri, "rows": rows}}


def model_result(letter: str = "e", **more: Any) -> JsonObject:
    """Fields of a training run's result."""
    return {
        "storageUri": f"file:///store/models/delay/{letter * 64}",
        "digest": f"sha256:{letter * 64}",
        "metrics": {"roc_auc": "0.71"},
        **more,
    }


def a_copy(world: RunWorld) -> RunWorld:
    """The same world once more, to try something else on it."""
    plain = json.loads(json.dumps(world.resource))
    return replace(
        world,
        resource=plain,
        objects=dict(world.objects),
        taken=set(world.taken),
        events=list(world.events),
        writes=list(world.writes),
    )
