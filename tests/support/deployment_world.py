"""A cluster in miniature for one Deployment: workloads get pods, pods get requests, counters grow.

It carries decisions out in the shell's order, one write at a time, and can die at any of them.
Time goes on in whole seconds; nothing waits for real.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from serinus.analysis.samples import Query, QueryFailure, QueryFailureKind, QueryResult, RangeVector
from serinus.api.conditions import format_time
from serinus.api.hooks import HookAnswer, HookType
from serinus.cluster.parsed import Parsed
from serinus.manifests.settings import Settings, StoreSettings
from serinus.metrics.prometheus_reader import parsed_answer
from serinus.reconcile.decision import ApplyPolicy, Decision, DesiredObject, ObjectRef, Ownership
from serinus.reconcile.deployment import decided, look_at
from serinus.reconcile.deployment_hooks import open_questions
from serinus.reconcile.json_values import value_at
from serinus.reconcile.model_reference import parsed_version
from serinus.reconcile.snapshot import (
    Children,
    DeploymentSnapshot,
    GatewaySeen,
    HookAnswered,
    HookQuestion,
    HooksSeen,
    RecordsSeen,
    TemplatesSeen,
)
from tests.support import prometheus_faults as faults
from tests.support.autoscaler import autoscaled
from tests.support.label_counts import LabelCounts, counts_of
from tests.support.recorded_counters import RecordedCounters, labels, moment

START = 1_700_000_000
NAMESPACE, NAME, UID = "flights", "delay", "uid-delay"
REVISION_LABEL = "serinus.dev/revision"
DEPLOYMENT_LABEL = "serinus.dev/deployment"
DRAIN_SECONDS = 2
QUICK_ANALYSIS: dict[str, Any] = {
    "metrics": [{"name": "errors", "template": "error-rate", "compareTo": "stable"}],
    "scrapeInterval": "5s",
    "warmup": "0s",
    "varianceInflation": "1",
}


class OperatorKilledError(Exception):
    """The operator died between two writes."""


class ConflictError(Exception):
    """Somebody wrote the object meanwhile; the pass ends."""


def digest(version: str) -> str:
    """A digest that belongs to the version's name."""
    return "sha256:" + version.encode().hex().ljust(64, "0")[:64]


def model_version(name: str, **changes: Any) -> dict[str, Any]:
    """A ModelVersion `name` that is ready to serve."""
    spec = {
        "modelName": "delay",
        "modelFormat": {"name": "serinus", "version": "1"},
        "storageUri": f"file:///store/models/delay/{name}",
        "digest": changes.pop("digest", digest(name)),
        "aliases": changes.pop("aliases", []),
    }
    phase = changes.pop("phase", "Ready")
    ready = {"type": "Ready", "status": "True" if phase == "Ready" else "False", "reason": phase}
    return {
        "apiVersion": "serinus.dev/v1alpha1",
        "kind": "ModelVersion",
        "metadata": {
            "name": name,
            "namespace": NAMESPACE,
            "uid": f"uid-{name}",
            "creationTimestamp": changes.pop("created", format_time(moment(START))),
        },
        "spec": spec | changes,
        "status": {"phase": phase, "conditions": [ready]},
    }


@dataclass
class Behaviour:
    """How the pods of a model version behave."""

    error_percent: int = 0
    off_by: float = 0
    """How far an answer is from its label on average, where labels of values are taken."""
    starts: bool = True
    start_seconds: int = 2
    cold_seconds: int = 0
    """How long after it is ready a pod is cold."""
    cold_error_percent: int = 0
    """Percent of the requests that fail meanwhile."""


@dataclass
class Pod:
    """A pod with its counters."""

    name: str
    revision: str
    version: str
    born_at: int
    leaves_at: int | None = None
    crashed_at: int | None = None
    good: int = 0
    bad: int = 0
    exposed_good: int = 0
    exposed_bad: int = 0
    units: dict[str, int] = field(default_factory=lambda: {"stable": 0, "canary": 0})
    labels: LabelCounts | None = None


@dataclass
class World:
    """One Deployment and its cluster."""

    spec: dict[str, Any]
    versions: dict[str, dict[str, Any]] = field(default_factory=dict)
    behaviours: dict[str, Behaviour] = field(default_factory=dict)
    settings: Settings = field(
        default_factory=lambda: Settings(
            "jobs:1", "server:1", store=StoreSettings(access_mode="ReadWriteMany")
        )
    )
    vouched_since: datetime | None = None
    requests_per_second: int = 120
    preview_requests_per_second: int = 0
    """To the Service of the preview, if there is one."""
    mirrors: bool = True
    """Whether stable's pods do what the Service of a shadow makes them do."""
    unit_percent: int = 100
    """Percent of requests that name a unit, in an A/B test; each is a unit of its own."""
    canary_loses_percent: int = 0
    """Percent of the canary's units that are lost on their way in an A/B test."""
    requests_per_pod: int = 30
    """What an autoscaler aims at."""
    scrape_interval: int = 5
    autoscaler_interval: int = 5
    second: int = 0
    generation: int = 1
    status: dict[str, Any] = field(default_factory=dict)
    annotations: dict[str, str] = field(default_factory=dict)
    objects: dict[ObjectRef, dict[str, Any]] = field(default_factory=dict)
    secrets: set[ObjectRef] = field(default_factory=set)
    pods: list[Pod] = field(default_factory=list)
    pods_made: int = 0
    pods_quota: int | None = None
    """The most pods that the namespace may have; None: any number."""
    pod_status: dict[str, Any] = field(default_factory=dict)
    provider: RecordedCounters = field(default_factory=RecordedCounters)
    provider_fault: str = faults.NONE
    fault_since: int = 0
    scalars: dict[str, float] = field(default_factory=dict)
    feature_sets: dict[str, dict[str, Any]] = field(default_factory=dict)
    templates: TemplatesSeen | None = None
    """The library of metrics, where the spec refers to it."""
    hooks: dict[str, HookAnswer] = field(default_factory=dict)
    """What each hook that is declared says to any question, a second after it is asked."""
    hook_answers: dict[HookQuestion, HookAnswered] = field(default_factory=dict)
    hooks_asked: set[HookQuestion] = field(default_factory=set)
    counted: dict[str, tuple[int, int]] = field(default_factory=dict)
    answered: dict[str, int] = field(default_factory=dict)
    unanswered: int = 0
    requests_made: int = 0
    tested: set[str] = field(default_factory=set)
    """Pods that were told of an A/B test."""
    last_test: str = ""
    knows_routes: bool = True
    clients_use_gateway: bool = False
    gateway_refuses: str = ""
    gateway_lag_seconds: int = 1
    gateway_weights: dict[str, int] = field(default_factory=dict)
    gateway_features: frozenset[str] = frozenset()
    """What the class of the Gateway says that it can; it can no more than that."""
    gateway_mirrors: dict[str, int] = field(default_factory=dict)
    """Percent of the requests that go to a Service, too."""
    gateway_unreadable: str = ""
    route_written_at: dict[int, int] = field(default_factory=dict)
    records: dict[str, dict[str, Any]] = field(default_factory=dict)
    """ConfigMaps under the names of records, ours and others'; they outlive the Deployment."""
    records_seen: dict[int, bool] = field(default_factory=dict)
    """What this process knows: whether the object of the number is ours."""
    uid: str = UID
    events: list[tuple[int, str, str]] = field(default_factory=list)
    writes: list[str] = field(default_factory=list)
    resource_version: int = 100
    dies_after: int | None = None
    deaths: int = 0
    due: float | None = 0.0
    dirty: bool = True

    # what people do

    def applies(self, **changes: Any) -> None:
        """A person changes the spec."""
        self.spec = {**self.spec, **changes}
        self.generation += 1
        self.dirty = True

    def serves_version(self, name: str) -> None:
        """A person asks for the ModelVersion `name`, made where it doesn't exist."""
        self.versions.setdefault(name, model_version(name))
        self.applies(model={"versionRef": {"name": name}})

    def says(self, verb: str, *, revision: str | None = None, nonce: str = "", **more: Any) -> None:
        """A person uses a verb of `kubectl serinus`."""
        named = self.canary_revision or self.status.get("updateRevision", "")
        named = named if revision is None else revision
        request = {
            "verb": verb,
            "uid": self.uid,
            "revision": named,
            "nonce": nonce or f"{verb}-{self.second}",
            "issuedAt": format_time(self.now),
            "actor": "ada",
        }
        self.annotations["serinus.dev/request"] = json.dumps(request | more)
        self.dirty = True

    # what is so

    @property
    def now(self) -> datetime:
        return moment(START + self.second)

    @property
    def stable(self) -> str | None:
        """ModelVersion that is stable."""
        return (self.status.get("stable") or {}).get("modelVersion")

    @property
    def stable_revision(self) -> str | None:
        return (self.status.get("stable") or {}).get("revision")

    @property
    def canary(self) -> dict[str, Any] | None:
        return self.status.get("canary")

    @property
    def canary_revision(self) -> str | None:
        return (self.canary or {}).get("revision")

    @property
    def phase(self) -> str | None:
        return self.status.get("phase")

    def condition(self, type_: str) -> tuple[str, str] | None:
        """Status and reason of a condition."""
        for one in self.status.get("conditions", ()):
            if one["type"] == type_:
                return one["status"], one["reason"]
        return None

    def actions(self) -> list[str]:
        """The history, as words."""
        return [one["action"] for one in self.status.get("history", ())]

    def reasons(self) -> list[str]:
        return [one["reason"] for one in self.status.get("history", ())]

    def recorded(self) -> list[tuple[str, dict[str, Any]]]:
        """Decisions of our records by their names, in order of their numbers."""
        found = [
            (name, json.loads(body["data"]["decision.json"]))
            for name, body in self.records.items()
            if "decision.json" in body["data"]
        ]
        return sorted(found, key=lambda one: int(one[0].rpartition("-")[2]))

    @property
    def service(self) -> dict[str, Any] | None:
        return self.objects.get(ObjectRef("v1", "Service", NAMESPACE, NAME))

    @property
    def route(self) -> dict[str, Any] | None:
        return self.objects.get(
            ObjectRef("gateway.networking.k8s.io/v1", "HTTPRoute", NAMESPACE, NAME)
        )

    def route_weights(self) -> dict[str, int]:
        """Weights of our rule as stored, by the name of the Service."""
        rules = (self.route or {}).get("spec", {}).get("rules", ())
        ours = [rule for rule in rules if rule.get("name") == "serinus"]
        return {one["name"]: one["weight"] for rule in ours for one in rule["backendRefs"]}

    def route_mirrors(self) -> dict[str, int]:
        """Percent of the requests that our rule as stored mirrors, by the name of the Service."""
        rules = (self.route or {}).get("spec", {}).get("rules", ())
        told = [
            one["requestMirror"]
            for rule in rules
            if rule.get("name") == "serinus"
            for one in rule.get("filters", ())
            if one["type"] == "RequestMirror"
        ]
        return {one["backendRef"]["name"]: one.get("percent", 100) for one in told}

    def canary_share(self) -> int:
        """Percent of the requests that the stored route gives the canary."""
        return self.route_weights().get(f"{NAME}-{self.canary_revision}", 0)

    def edits_route(self, edit: Callable[[dict[str, Any]], None]) -> None:
        """A person changes the route."""
        assert self.route is not None
        edit(self.route["spec"])
        self._touched(self.route)

    def selected_pods(self) -> list[Pod]:
        """Ready pods that get requests."""
        selector = (self.service or {}).get("spec", {}).get("selector")
        if not selector:
            return []
        revision = selector.get(REVISION_LABEL)
        return [
            pod
            for pod in self.pods
            if self.is_ready(pod) and revision in (None, pod.revision) and pod.leaves_at is None
        ]

    def is_ready(self, pod: Pod) -> bool:
        behaviour = self.behaviours.get(pod.version, Behaviour())
        return behaviour.starts and self.second >= self._ready_at(pod)

    def _ready_at(self, pod: Pod) -> int:
        began = pod.born_at if pod.crashed_at is None else pod.crashed_at
        return began + self.behaviours.get(pod.version, Behaviour()).start_seconds

    def is_cold(self, pod: Pod) -> bool:
        behaviour = self.behaviours.get(pod.version, Behaviour())
        return self.second < self._ready_at(pod) + behaviour.cold_seconds

    def ready_pods(self, revision: str | None) -> int:
        return sum(
            1
            for pod in self.pods
            if pod.revision == revision and pod.leaves_at is None and self.is_ready(pod)
        )

    def workloads(self) -> dict[str, dict[str, Any]]:
        """apps/v1 Deployments by revision."""
        return {
            body["metadata"]["labels"][REVISION_LABEL]: body
            for ref, body in self.objects.items()
            if ref.kind == "Deployment"
        }

    # time

    def runs(self, seconds: int, *, until: str = "") -> None:
        """Let time go by; `until` names a property or attribute of the status that must hold."""
        for _ in range(seconds):
            self.ticks()
            if until and self._holds(until):
                return
        assert not until, f"not `{until}` after {seconds} s: {self.told()}"

    def ticks(self) -> None:
        """One second: the operator, Kubernetes, requests, scrapes."""
        self.operator_works()
        self.second += 1
        self.kubernetes_works()
        self.requests_are_answered()
        self.prometheus_scrapes()
        self.hooks_answer()

    def told(self) -> str:
        return json.dumps({key: self.status.get(key) for key in ("phase", "message", "canary")})

    def _holds(self, until: str) -> bool:
        match until:
            case "settled":
                return self.canary is None and self.phase == "Healthy"
            case "canary has traffic":
                return bool(self.canary and self.canary.get("trafficStartedAt"))
            case "canary's second weight":
                return bool(self.canary and self.canary["step"] >= 2)
            case "rolled back":
                return self.canary is None and "rollback" in self.actions()
            case "paused" | "degraded":
                return self.phase == until.capitalize()
            case _:
                raise AssertionError(f"unknown state: {until}")

    # the operator

    def operator_works(self) -> None:
        """Passes until nothing is due."""
        for _ in range(40):
            if not self.dirty and (self.due is None or self.due > self.second):
                return
            self.dirty = False
            self.one_pass()
        raise AssertionError(f"forty passes in a second: {self.told()} {self.writes[-10:]}")

    def operator_works_until_it_dies(self) -> None:
        """Passes until `dies_after` writes are done."""
        deaths = self.deaths
        while self.deaths == deaths:
            self.one_pass()

    def decision(self) -> Decision:
        """What the operator decides now, without carrying it out."""
        look = look_at(self.snapshot({}), self.now)
        return decided(look, {query: self.answer(query) for query in look.queries})

    def one_pass(self) -> None:
        """Gather, decide, write; `dies_after` says how many writes the operator lives yet."""
        decision = self.decision()
        after = decision.requeue_after_seconds
        self.due = None if after is None else self.second + after
        before, seen = len(self.writes), len(self.records_seen)
        try:
            self._carried_out(decision)
        except (ConflictError, OperatorKilledError):
            self.dirty = True
        if len(self.records_seen) > seen:
            self.dirty = True
        if len(self.writes) > before:
            self.dirty = True

    def _carried_out(self, decision: Decision) -> None:
        self._write_status(decision)
        for event in decision.events:
            self.events.append((self.second, event.reason, event.message))
        for wanted in decision.desired:
            self._write(wanted)
        for gone in decision.prune:
            body = self.objects.get(gone.ref)
            if body is not None and body["metadata"]["uid"] == gone.uid:
                self._write_is_sent(f"delete {gone.ref.kind} {gone.ref.name}")
                del self.objects[gone.ref]
        for record in decision.records:
            if not self._record_is_written(record):
                return

    def _record_is_written(self, wanted: DesiredObject) -> bool:
        number = int(wanted.ref.name.rpartition("-")[2])
        if number not in self.records_seen:
            if wanted.ref.name not in self.records:
                self._write_is_sent(f"record {wanted.ref.name}")
                self.records[wanted.ref.name] = _copied(dict(wanted.body))
            stored = self.records[wanted.ref.name]
            self.records_seen[number] = stored["data"] == wanted.body["data"]
        return self.records_seen[number]

    def _records_known(self) -> RecordsSeen:
        if "record" not in self.status:
            self.records_seen = {}
            numbers = [int(name.rpartition("-")[2]) for name in self.records]
            return RecordsSeen(newest=max(numbers, default=0))
        return RecordsSeen(
            written=frozenset(number for number, ours in self.records_seen.items() if ours),
            taken=frozenset(number for number, ours in self.records_seen.items() if not ours),
        )

    def hooks_answer(self) -> None:
        """Those that the status asks, by the questions that it has now."""
        before, asked = self.hook_answers, open_questions(self._resource())
        self.hooks_asked |= {*asked}
        self.hook_answers = {
            one: HookAnswered(self.hooks[one.hook], "as the test says", format_time(self.now))
            for one in asked
            if one.hook in self.hooks
        }
        said = {one: answered.answer for one, answered in self.hook_answers.items()}
        if said != {one: answered.answer for one, answered in before.items()}:
            self.dirty = True

    def _resource(self) -> dict[str, Any]:
        return {
            "apiVersion": "serinus.dev/v1alpha1",
            "kind": "Deployment",
            "metadata": {
                "name": NAME,
                "namespace": NAMESPACE,
                "uid": self.uid,
                "generation": self.generation,
                "annotations": self.annotations,
            },
            "spec": self.spec,
            "status": self.status,
        }

    def snapshot(self, samples: Mapping[Query, QueryResult]) -> DeploymentSnapshot:
        objects = _copied(self.objects) | {
            ObjectRef("v1", "Pod", NAMESPACE, pod.name): self._pod_body(pod) for pod in self.pods
        }
        return DeploymentSnapshot(
            resource=_copied(self._resource()),
            settings=self.settings,
            children=Children(objects),
            model_versions=Parsed(parsed_version).of(self.versions.values()),
            feature_sets=_copied(self.feature_sets),
            samples=samples,
            records=self._records_known(),
            vouched_since=self.vouched_since,
            knows_routes=self.knows_routes,
            templates=None if "canary" in self.status else self.templates,
            hooks=HooksSeen(
                {name: frozenset(HookType) for name in self.hooks}, dict(self.hook_answers)
            ),
            gateways=self._gateways_seen(),
        )

    def _gateways_seen(self) -> tuple[GatewaySeen, ...] | None:
        if value_at(self.status, "canary", "shadow") is None:
            return None
        if self.gateway_unreadable:
            return (GatewaySeen(NAMESPACE, "public", problem=self.gateway_unreadable),)
        return (GatewaySeen(NAMESPACE, "public", "example", self.gateway_features),)

    @property
    def provider_away(self) -> bool:
        """Whether the metrics provider can't be reached."""
        return self.provider_fault == faults.AWAY

    @provider_away.setter
    def provider_away(self, away: bool) -> None:
        self.provider_fault = faults.AWAY if away else faults.NONE

    def provider_fails(self, fault: str) -> None:
        """From now on; `faults.NONE` for that it works again."""
        self.provider_fault, self.fault_since = fault, START + self.second
        self.dirty = True

    def answer(self, query: Query) -> QueryResult:
        if self.provider_away:
            return QueryFailure(QueryFailureKind.UNREACHABLE, "connection refused")
        if self.provider_fault == faults.HANGING:
            return QueryFailure(QueryFailureKind.TIMEOUT, "no answer within 5 s")
        found = self._sound_answer(query)
        if self.provider_fault not in faults.ANSWERS:
            return found
        code, body = faults.spoiled(self.provider_fault, as_http(found), self.fault_since)
        return parsed_answer(code, json.dumps(body).encode())

    def _sound_answer(self, query: Query) -> tuple[RangeVector, ...]:
        if query.promql == "vector(1)":
            return (RangeVector({}, ((self.now.timestamp(), 1.0),)),)
        if query.promql in self.scalars:
            value = self.scalars[query.promql]
            return (RangeVector({}, ((query.evaluated_at.timestamp(), value),)),)
        if "ms]" not in query.promql:
            return ()  # a number of one's own that nobody has set
        return self.provider.answer(query)

    def _write_is_sent(self, what: str) -> None:
        if self.dies_after == 0:
            self.dies_after, self.deaths = None, self.deaths + 1
            self.records_seen = {}
            self.hook_answers = {}
            raise OperatorKilledError
        if self.dies_after is not None:
            self.dies_after -= 1
        self.writes.append(what)

    def _write_status(self, decision: Decision) -> None:
        if decision.status is not None and decision.status != self.status:
            self._write_is_sent("status")
            self.status = json.loads(json.dumps(decision.status))

    def _write(self, wanted: DesiredObject) -> None:
        ref = wanted.ref
        if wanted.policy is ApplyPolicy.CREATE_SECRET:
            if ref not in self.secrets:
                self._write_is_sent(f"create Secret {ref.name}")
                self.secrets.add(ref)
            return
        stored = self.objects.get(ref)
        if stored is None:
            self._write_is_sent(f"create {ref.kind} {ref.name}")
            self.objects[ref] = self._created(wanted)
            return
        if wanted.policy is ApplyPolicy.CREATE_ONLY or not _differs(wanted.body, stored):
            return
        if wanted.resource_version not in (None, stored["metadata"]["resourceVersion"]):
            raise ConflictError
        self._write_is_sent(f"apply {ref.kind} {ref.name}")
        self.objects[ref] = self._applied(wanted, stored)

    def _created(self, wanted: DesiredObject) -> dict[str, Any]:
        body = _copied(dict(wanted.body))
        self.resource_version += 1
        body["metadata"] |= {
            "uid": f"uid-{self.resource_version}",
            "resourceVersion": str(self.resource_version),
            "generation": 1,
        }
        if wanted.ownership is Ownership.CONTROLLED:
            body["metadata"]["ownerReferences"] = [
                {"kind": "Deployment", "name": NAME, "uid": self.uid, "controller": True}
            ]
        return body

    def _applied(self, wanted: DesiredObject, stored: dict[str, Any]) -> dict[str, Any]:
        """As the server does it: what a create has set isn't taken away by being left out."""
        body = _copied(dict(wanted.body))
        for kind in ("labels", "annotations"):
            merged = {**stored["metadata"].get(kind, {}), **body["metadata"].get(kind, {})}
            if merged:
                body["metadata"][kind] = merged
        self.resource_version += 1
        kept = {"uid", "ownerReferences"}
        body["metadata"] |= {key: stored["metadata"][key] for key in kept}
        body["metadata"]["resourceVersion"] = str(self.resource_version)
        body["metadata"]["generation"] = stored["metadata"]["generation"] + 1
        if "status" in stored:
            body["status"] = stored["status"]
        return body

    # Kubernetes

    def loses_pods(self, revision: str | None, *, number: int = 1) -> None:
        """A node is gone, and the pods that it had; others take their place."""
        mine = [pod for pod in self.pods if pod.revision == revision and pod.leaves_at is None]
        self.pods = [pod for pod in self.pods if pod not in mine[:number]]
        self.dirty = True

    def pods_crash(self, revision: str | None) -> None:
        """All pods of a revision start again, each with its name."""
        for pod in self.pods:
            if pod.revision == revision:
                pod.crashed_at, pod.good, pod.bad = self.second, 0, 0
        self.dirty = True

    def kubernetes_works(self) -> None:
        """Workloads get the pods that they ask for; their status says what is ready."""
        before = [(pod.name, pod.leaves_at, self.is_ready(pod)) for pod in self.pods]
        self._autoscaler_works()
        self._gateway_works()
        for revision, body in self.workloads().items():
            self._scaled(revision, body)
        self.pods = [
            pod for pod in self.pods if pod.leaves_at is None or pod.leaves_at > self.second
        ]
        known = self.workloads()
        for pod in self.pods:
            if pod.revision not in known and pod.leaves_at is None:
                pod.leaves_at = self.second + DRAIN_SECONDS
        changed = False
        for revision, body in known.items():
            changed |= self._status_written(revision, body)
        after = [(pod.name, pod.leaves_at, self.is_ready(pod)) for pod in self.pods]
        if changed or before != after:
            self.dirty = True

    def _autoscaler_works(self) -> None:
        """It looks at stable's pods now and then, and knows nothing of others."""
        ref = ObjectRef("autoscaling/v2", "HorizontalPodAutoscaler", NAMESPACE, NAME)
        autoscaler = self.objects.get(ref)
        if autoscaler is None or self.second % self.autoscaler_interval:
            return
        name = autoscaler["spec"]["scaleTargetRef"]["name"]
        target = self.objects.get(ObjectRef("apps/v1", "Deployment", NAMESPACE, name))
        serving = len(self.selected_pods())
        if target is not None and serving:
            of_a_pod = self.requests_per_second / serving
            autoscaled(autoscaler, target, of_a_pod / self.requests_per_pod)
            self.dirty = True

    def _touched(self, body: dict[str, Any]) -> None:
        self.resource_version += 1
        body["metadata"]["resourceVersion"] = str(self.resource_version)
        body["metadata"]["generation"] = body["metadata"].get("generation", 1) + 1
        self.dirty = True

    def _gateway_works(self) -> None:
        """It takes the route some time after it was written, and says so in its status."""
        route = self.route
        if route is None:
            self.gateway_weights, self.gateway_mirrors = {}, {}
            return
        generation = route["metadata"]["generation"]
        written_at = self.route_written_at.setdefault(generation, self.second)
        if self.second < written_at + self.gateway_lag_seconds:
            return
        accepted = {
            "type": "Accepted",
            "status": "False" if self.gateway_refuses else "True",
            "reason": self.gateway_refuses or "Accepted",
            "observedGeneration": generation,
        }
        resolved = {
            "type": "ResolvedRefs",
            "status": "True",
            "reason": "ResolvedRefs",
            "observedGeneration": generation,
        }
        status = {
            "parents": [
                {"parentRef": reference, "conditions": [accepted, resolved]}
                for reference in route["spec"]["parentRefs"]
            ]
        }
        if not self.gateway_refuses:
            self.gateway_weights, self.gateway_mirrors = self.route_weights(), self.route_mirrors()
        if route.get("status") != status:
            route["status"] = status
            self.resource_version += 1
            route["metadata"]["resourceVersion"] = str(self.resource_version)
            self.dirty = True

    def _scaled(self, revision: str, body: dict[str, Any]) -> None:
        mine = [pod for pod in self.pods if pod.revision == revision and pod.leaves_at is None]
        wanted = body["spec"]["replicas"]
        for pod in mine[wanted:]:
            pod.leaves_at = self.second + DRAIN_SECONDS
        for _ in range(wanted - len(mine)):
            if self._is_quota_reached():
                break
            self.pods_made += 1
            name = f"{body['metadata']['name']}-h{revision[:4]}-{self.pods_made}"
            version = self._version_of(revision)
            told = counts_of(body["spec"]["template"])
            self.pods.append(Pod(name, revision, version, self.second, labels=told))

    def _is_quota_reached(self) -> bool:
        return self.pods_quota is not None and len(self.pods) >= self.pods_quota

    def _version_of(self, revision: str) -> str:
        for ref, body in self.objects.items():
            if ref.kind == "ControllerRevision" and body["data"].get("revision") == revision:
                return str(body["data"]["modelVersion"])
        return ""

    def _status_written(self, revision: str, body: dict[str, Any]) -> bool:
        mine = [pod for pod in self.pods if pod.revision == revision]
        status = {
            "observedGeneration": body["metadata"]["generation"],
            "replicas": len(mine),
            "availableReplicas": self.ready_pods(revision),
        }
        if len(mine) < body["spec"]["replicas"] and self._is_quota_reached():
            told = {"type": "ReplicaFailure", "status": "True", "message": "exceeded quota: pods"}
            status["conditions"] = [told]
        if body.get("status") == status:
            return False
        body["status"] = status
        self.resource_version += 1
        body["metadata"]["resourceVersion"] = str(self.resource_version)
        return True

    def _pod_body(self, pod: Pod) -> dict[str, Any]:
        hash_ = f"h{pod.revision[:4]}"
        metadata: dict[str, Any] = {
            "name": pod.name,
            "namespace": NAMESPACE,
            "uid": f"uid-{pod.name}",
            "labels": {
                "app.kubernetes.io/managed-by": "serinus",
                DEPLOYMENT_LABEL: NAME,
                REVISION_LABEL: pod.revision,
                "pod-template-hash": hash_,
            },
            "ownerReferences": [
                {
                    "kind": "ReplicaSet",
                    "name": f"{NAME}-{pod.revision}-{hash_}",
                    "uid": f"uid-rs-{pod.revision}",
                    "controller": True,
                }
            ],
        }
        if pod.leaves_at is not None:
            metadata["deletionTimestamp"] = format_time(self.now)
        started = format_time(moment(START + pod.born_at))
        status = {"phase": "Running", "startTime": started, **self.pod_status}
        if self.is_ready(pod):
            ready = moment(START + self._ready_at(pod))
            status["conditions"] = [
                {"type": "Ready", "status": "True", "lastTransitionTime": format_time(ready)}
            ]
        return {"metadata": metadata, "status": status}

    # requests and counters

    def requests_are_answered(self) -> None:
        """A second of requests, shared evenly by the pods that the Service selects."""
        self._preview_is_tried()
        self._requests_are_mirrored()
        if self.clients_use_gateway:
            self._gateway_passes_on()
            return
        serving = self.selected_pods()
        if not serving:
            self.unanswered += self.requests_per_second if self.answered else 0
            return
        self._answered_by(serving, self.requests_per_second)

    def _gateway_passes_on(self) -> None:
        """As its weights say, exactly; a backend without pods means an error."""
        if self.gateway_mirrors and "HTTPRouteRequestMirror" not in self.gateway_features:
            self.unanswered += self.requests_per_second  # as the Gateway API demands
            return
        for name, percent in self.gateway_mirrors.items():
            self._mirrored_to(name, self.requests_per_second * percent // 100)
        total = sum(self.gateway_weights.values())
        for name, weight in self.gateway_weights.items():
            requests = self.requests_per_second * weight // total if total else 0
            service = self.objects.get(ObjectRef("v1", "Service", NAMESPACE, name))
            selector = service["spec"]["selector"] if service else {"none": "of it"}
            revision = selector.get(REVISION_LABEL)
            pods = [
                pod
                for pod in self.pods
                if self.is_ready(pod) and pod.leaves_at is None and revision in (None, pod.revision)
            ]
            if service and pods:
                self._answered_by(pods, requests)
            else:
                self.unanswered += requests
        if not total:
            self.unanswered += self.requests_per_second if self.answered else 0

    def _answered_by(self, serving: list[Pod], requests: int) -> None:
        canary = self._canarys_pods_of_a_test()
        for index in range(requests):
            pod = serving[index % len(serving)]
            self.requests_made += 1
            if canary and pod.revision == self.stable_revision:
                self._assigned(pod, canary)
                continue
            self._answers(pod)
            self.answered[pod.revision] = self.answered.get(pod.revision, 0) + 1

    def ab_test(self) -> dict[str, Any] | None:
        """What the pods are told of a test, if anything."""
        body = self.objects.get(ObjectRef("v1", "ConfigMap", NAMESPACE, f"{NAME}-ab-test"))
        document = json.loads(body["data"]["test.json"]) if body else {}
        return document if "test" in document else None

    def _canarys_pods_of_a_test(self) -> list[Pod]:
        """Ready pods behind the Service of a test, once all pods assign."""
        service = self.objects.get(ObjectRef("v1", "Service", NAMESPACE, f"{NAME}-ab-test-pods"))
        document = self.ab_test()
        if service is None or document is None or START + self.second < document["active_from"]:
            return []
        shown = service["spec"]["selector"][REVISION_LABEL]
        return [
            pod
            for pod in self.pods
            if pod.revision == shown and pod.leaves_at is None and self.is_ready(pod)
        ]

    def _assigned(self, asked: Pod, canary: list[Pod]) -> None:
        """A pod of stable finds the arm of a request's unit; 7919 is prime to 100."""
        document = self.ab_test()
        assert document is not None
        place = self.requests_made * 7919
        pod = asked
        if place % 100 < self.unit_percent:
            arm = "canary" if place // 100 * 7919 % 100 < document["canary_percent"] else "stable"
            if arm == "canary":
                if self.requests_made * 31 % 100 < self.canary_loses_percent:
                    return
                pod = canary[self.requests_made % len(canary)]
            asked.units[arm] += 1
            self._answers_exposed(pod)
        else:
            self._answers(pod)
        self.answered[pod.revision] = self.answered.get(pod.revision, 0) + 1

    def _answers_exposed(self, pod: Pod) -> None:
        percent = self.behaviours.get(pod.version, Behaviour()).error_percent
        total = pod.exposed_good + pod.exposed_bad + 1
        if (total * percent) // 100 > ((total - 1) * percent) // 100:
            pod.exposed_bad += 1
        else:
            pod.exposed_good += 1

    def _preview_is_tried(self) -> None:
        """Requests of people and tests to what the preview shows, unless that is stable."""
        service = self.objects.get(ObjectRef("v1", "Service", NAMESPACE, f"{NAME}-preview"))
        shown = service["spec"]["selector"][REVISION_LABEL] if service else None
        pods = [
            pod
            for pod in self.pods
            if pod.revision == shown and pod.leaves_at is None and self.is_ready(pod)
        ]
        for index in range(self.preview_requests_per_second if pods else 0):
            if shown != self.stable_revision:
                self._answers(pods[index % len(pods)])

    def _requests_are_mirrored(self) -> None:
        """To the pods behind the Service of a shadow; nobody gets what they answer."""
        self._mirrored_to(f"{NAME}-shadow-pods", self.requests_per_second if self.mirrors else 0)

    def _mirrored_to(self, name: str, requests: int) -> None:
        service = self.objects.get(ObjectRef("v1", "Service", NAMESPACE, name))
        shown = service["spec"]["selector"][REVISION_LABEL] if service else None
        pods = [
            pod
            for pod in self.pods
            if pod.revision == shown and pod.leaves_at is None and self.is_ready(pod)
        ]
        for index in range(requests if pods else 0):
            self._answers(pods[index % len(pods)])

    def _answers(self, pod: Pod) -> None:
        behaviour = self.behaviours.get(pod.version, Behaviour())
        percent = behaviour.cold_error_percent if self.is_cold(pod) else behaviour.error_percent
        if pod.labels is not None:
            pod.labels.add(behaviour.off_by, START + self.second)
        total = pod.good + pod.bad + 1
        if (total * percent) // 100 > ((total - 1) * percent) // 100:
            pod.bad += 1
        else:
            pod.good += 1

    def prometheus_scrapes(self) -> None:
        """Each pod at its own phase of the interval, by a clock that may be off."""
        off = {faults.CLOCK_AHEAD: 1, faults.CLOCK_BEHIND: -1}.get(self.provider_fault, 0)
        at = START + self.second + off * faults.CLOCK_OFF_SECONDS
        for pod in self.pods:
            phase = sum(pod.name.encode()) % self.scrape_interval
            if self.second % self.scrape_interval == phase and self.is_ready(pod):
                name = "serinus_requests_total"
                own = {"pod": pod.name, "revision": pod.revision}
                counted = {
                    labels(name, code="200", **own): float(pod.good),
                    labels(name, code="500", **own): float(pod.bad),
                }
                known = pod.labels.counters(own) if pod.labels else {}
                self.provider.scrape(at, counted | known | self._exposed_counters(pod, own))

    def _exposed_counters(
        self, pod: Pod, own: dict[str, str]
    ) -> dict[tuple[tuple[str, str], ...], float]:
        """What a pod counts of a test, from when it was told of it."""
        document = self.ab_test()
        if document is not None:
            self.tested.add(pod.name)
            self.last_test = document["test"]
        if pod.name not in self.tested:
            return {}
        name = "serinus_requests_total"
        units = {
            labels("serinus_exposures_total", arm=arm, test=self.last_test, **own): float(count)
            for arm, count in pod.units.items()
        }
        return units | {
            labels(name, code="200", exposed="true", **own): float(pod.exposed_good),
            labels(name, code="500", exposed="true", **own): float(pod.exposed_bad),
        }


def as_http(vectors: tuple[RangeVector, ...]) -> dict[str, Any]:
    """The body of Prometheus' answer."""
    result = [
        {"metric": dict(one.labels), "values": [[at, repr(value)] for at, value in one.samples]}
        for one in vectors
    ]
    return {"status": "success", "data": {"resultType": "matrix", "result": result}}


def _copied(value: Any) -> Any:
    """A copy of decoded JSON, several times as fast as `copy.deepcopy`: each pass needs one."""
    if isinstance(value, dict):
        return {key: _copied(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_copied(item) for item in value]
    return value


def _differs(wanted: Mapping[str, Any], stored: Mapping[str, Any]) -> bool:
    """Whether an apply would change anything of what is ours."""
    metadata, theirs = wanted["metadata"], stored["metadata"]
    content = any(wanted.get(part) != stored.get(part) for part in ("spec", "data"))
    return content or any(
        not metadata.get(kind, {}).items() <= theirs.get(kind, {}).items()
        for kind in ("labels", "annotations")
    )


def a_world(*, replicas: int = 4, **spec: Any) -> World:
    """A Deployment that asks for ModelVersion `v1` and is judged by its error rate."""
    return World(
        spec={
            "model": {"versionRef": {"name": "v1"}},
            "replicas": replicas,
            "analysis": QUICK_ANALYSIS,
            **spec,
        },
        versions={"v1": model_version("v1")},
    )


def serving_v1(**spec: Any) -> World:
    """A world in which `v1` is stable and everything is settled."""
    world = a_world(**spec)
    world.runs(60, until="settled")
    world.runs(10)
    return world
