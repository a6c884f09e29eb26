"""What a reconciler may look at: one frozen picture of the cluster for each kind.

The shell gathers it from its store (and, for a Deployment, from the metrics provider); a
reconciler never asks for more. All objects are of the namespace of the object in question, and are
decoded JSON as the API server gave it, but for ModelVersions that were parsed before. Only what
the object has to do with is in it: a pass costs the same however large its namespace is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from serinus.analysis.samples import Query, QueryResult
from serinus.api.hooks import HookAnswer, HookType
from serinus.api.modelversion import ModelVersion
from serinus.manifests.settings import Settings
from serinus.reconcile.decision import JsonObject, ObjectRef


@dataclass(frozen=True, slots=True)
class Children:
    """Objects in the namespace that Serinus made, by reference, whoever they belong to.

    `taken` names objects that were in the way when we tried to create ours: an object that isn't
    ours bears the name. It is tried again now and then.
    """

    objects: Mapping[ObjectRef, JsonObject] = field(default_factory=dict)
    taken: frozenset[ObjectRef] = frozenset()

    def get(self, ref: ObjectRef) -> JsonObject | None:
        """Object of this name as observed, or None."""
        return self.objects.get(ref)

    def owned_by(self, uid: str, kind: str) -> tuple[JsonObject, ...]:
        """Objects of `kind` whose controller is `uid`, sorted by name."""
        found = [
            body
            for ref, body in self.objects.items()
            if ref.kind == kind and controller_uid(body) == uid
        ]
        return tuple(sorted(found, key=lambda body: str(body["metadata"]["name"])))


def controller_uid(body: JsonObject) -> str | None:
    """Uid of the object's controller, or None."""
    for reference in body.get("metadata", {}).get("ownerReferences", ()):
        if reference.get("controller"):
            return str(reference["uid"])
    return None


@dataclass(frozen=True, slots=True)
class RecordsSeen:
    """What is known of a Deployment's records, which aren't watched.

    Attributes
    ----------
    newest
        The highest number under its name; only where the status doesn't say one.
    written
        Those of the status's pending records that are there.
    taken
        Those whose name somebody else's ConfigMap bears.
    """

    newest: int = 0
    written: frozenset[int] = frozenset()
    taken: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class TemplateMap:
    """A ConfigMap of the library of metrics: YAML texts by the names of their templates."""

    namespace: str
    name: str
    texts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TemplatesSeen:
    """The library of metrics, as far as a Deployment may use it.

    Attributes
    ----------
    own, shared
        Those of the Deployment's namespace, and of the operator's where that is another.
    problem
        Why they can't be read; None when they can.
    """

    own: tuple[TemplateMap, ...] = ()
    shared: tuple[TemplateMap, ...] = ()
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class HookQuestion:
    """What a hook is asked: about one revision in one rollout, since one moment.

    Attributes
    ----------
    started_at, asked_since
        When the rollout began, and since when it asks; both as they stand in its status.
    """

    namespace: str
    deployment: str
    uid: str
    revision: str
    model_version: str
    started_at: str
    type: HookType
    hook: str
    asked_since: str


@dataclass(frozen=True, slots=True)
class HookAnswered:
    """What a hook said when it was last asked: `told` is for people, `at` the time."""

    answer: HookAnswer
    told: str
    at: str


@dataclass(frozen=True, slots=True)
class HooksSeen:
    """The hooks that a Deployment may name, and what they say about its rollout.

    Attributes
    ----------
    declared
        Types by name, of those that are declared for its namespace.
    answers
        The newest answer to each question of its status that was asked.
    """

    declared: Mapping[str, frozenset[HookType]] = field(default_factory=dict)
    answers: Mapping[HookQuestion, HookAnswered] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class GatewaySeen:
    """A Gateway through which requests come, and what its class says that it can.

    Attributes
    ----------
    features
        Names of the Gateway API, such as `HTTPRouteRequestMirror`.
    problem
        Why nobody knows; None when it is known.
    """

    namespace: str
    name: str
    gateway_class: str = ""
    features: frozenset[str] = frozenset()
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class FeatureSetSnapshot:
    """All that concerns one FeatureSet: `children` has its Jobs, their pods and the claim."""

    resource: JsonObject
    settings: Settings
    children: Children = field(default_factory=Children)
    model_versions: tuple[JsonObject, ...] = ()
    training_jobs: tuple[JsonObject, ...] = ()
    """Those that came of its snapshots or use them: what they need is kept."""
    vouched_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class TrainingJobSnapshot:
    """All that concerns one TrainingJob."""

    resource: JsonObject
    settings: Settings
    children: Children = field(default_factory=Children)
    feature_sets: Mapping[str, JsonObject] = field(default_factory=dict)
    """Those that the spec names and that exist, by name."""
    model_versions: tuple[ModelVersion, ...] = ()
    """Those that are named as its runs name them, whoever made them."""
    vouched_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class ModelVersionSnapshot:
    """All that concerns one ModelVersion."""

    resource: JsonObject
    settings: Settings
    children: Children = field(default_factory=Children)
    deployments: tuple[JsonObject, ...] = ()
    """Serinus Deployments that serve it."""
    vouched_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class DeploymentSnapshot:
    """All that concerns one Deployment.

    `children` has its ControllerRevisions, apps/v1 Deployments, pods, Service and the claim.
    `samples` has an answer for each query that `deployment.look_at` finds for the snapshot.
    """

    resource: JsonObject
    settings: Settings
    children: Children = field(default_factory=Children)
    model_versions: tuple[ModelVersion, ...] = ()
    """Those that its spec, status and revisions name, and all of the channel that it follows."""
    feature_sets: Mapping[str, JsonObject] = field(default_factory=dict)
    """Those in which its server looks values up and that exist, by name."""
    samples: Mapping[Query, QueryResult] = field(default_factory=dict)
    records: RecordsSeen = field(default_factory=RecordsSeen)
    vouched_since: datetime | None = None
    knows_routes: bool = False
    """Whether the cluster knows HTTPRoutes of the Gateway API."""
    templates: TemplatesSeen | None = None
    """The library of metrics; None where the Deployment needs it for nothing now."""
    hooks: HooksSeen = field(default_factory=HooksSeen)
    gateways: tuple[GatewaySeen, ...] | None = None
    """Those that the spec names; None where it doesn't matter now what they can."""
