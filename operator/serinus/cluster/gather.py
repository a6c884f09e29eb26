"""From the store to a reconciler's Snapshot: what one object's pass may look at."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

from serinus.api.enums import Kind
from serinus.api.modelversion import ModelVersion
from serinus.cluster.dependants import owner_ref
from serinus.cluster.indexes import Index, online_references
from serinus.cluster.parsed import Parsed
from serinus.cluster.ports import Vouching
from serinus.cluster.resources import CHILDREN, OPTIONAL
from serinus.cluster.store import Store, ref_of
from serinus.manifests.naming import OWNER_LABELS
from serinus.manifests.settings import Settings
from serinus.reconcile.decision import JsonObject, ObjectRef
from serinus.reconcile.json_values import objects_at, text_at
from serinus.reconcile.model_reference import parsed_version
from serinus.reconcile.requests import has_pending_request
from serinus.reconcile.serving_roles import served_versions
from serinus.reconcile.snapshot import (
    Children,
    DeploymentSnapshot,
    FeatureSetSnapshot,
    ModelVersionSnapshot,
    TrainingJobSnapshot,
)

CLAIM_API_VERSION, CLAIM_KIND = "v1", "PersistentVolumeClaim"
_MODEL = ("spec", "model")
_CHILD_KINDS = frozenset(
    (resource.api_version, resource.kind) for resource in (*CHILDREN, *OPTIONAL)
)

AnySnapshot = TypeVar(
    "AnySnapshot",
    FeatureSetSnapshot,
    TrainingJobSnapshot,
    ModelVersionSnapshot,
    DeploymentSnapshot,
)


@dataclass(frozen=True, slots=True)
class Gatherer:
    """Reads the store; asks who vouches for a request. Samples are the matter of `inquiries`."""

    store: Store
    settings: Settings
    vouching: Vouching
    knows_routes: Callable[[], bool] = lambda: False
    """Whether the cluster knows HTTPRoutes."""
    versions: Parsed[ModelVersion] = field(default_factory=lambda: Parsed(parsed_version))

    def feature_set(self, resource: JsonObject, taken: frozenset[ObjectRef]) -> FeatureSetSnapshot:
        """All that concerns a FeatureSet."""
        return FeatureSetSnapshot(
            resource,
            self.settings,
            self._children(Kind.FEATURE_SET, resource, taken),
            self._found(Index.VERSIONS_OF_FEATURE_SET, ref_of(resource)),
            self._found(Index.TRAINING_JOBS_ON_FEATURE_SET, ref_of(resource)),
        )

    def training_job(
        self, resource: JsonObject, taken: frozenset[ObjectRef]
    ) -> TrainingJobSnapshot:
        """All that concerns a TrainingJob."""
        return TrainingJobSnapshot(
            resource,
            self.settings,
            self._children(Kind.TRAINING_JOB, resource, taken),
            self._feature_sets(resource, objects_at(resource, "spec", "featureSetRefs")),
            self.versions.of(self._found(Index.VERSIONS_OF_TRAINING_JOB, ref_of(resource))),
        )

    def model_version(
        self, resource: JsonObject, taken: frozenset[ObjectRef]
    ) -> ModelVersionSnapshot:
        """All that concerns a ModelVersion."""
        return ModelVersionSnapshot(
            resource,
            self.settings,
            self._children(Kind.MODEL_VERSION, resource, taken),
            self._found(Index.DEPLOYMENTS_SERVING, ref_of(resource)),
        )

    def deployment(self, resource: JsonObject, taken: frozenset[ObjectRef]) -> DeploymentSnapshot:
        """All that concerns a Deployment but the samples of its metrics."""
        children = self._children(Kind.DEPLOYMENT, resource, taken)
        return DeploymentSnapshot(
            resource,
            self.settings,
            children,
            self.versions.of(self._model_versions(resource, children)),
            self._feature_sets(resource, online_references(resource)),
            knows_routes=self.knows_routes(),
        )

    async def with_vouching(self, snapshot: AnySnapshot) -> AnySnapshot:
        """The snapshot with who vouches for the person that asks for something, if one does."""
        if not has_pending_request(snapshot.resource):
            return snapshot
        return replace(snapshot, vouched_since=await self.vouching.vouched_since())

    def _found(self, index: Index, ref: ObjectRef) -> tuple[JsonObject, ...]:
        return tuple(self.store.found_by(index, ref.namespace, ref.name).values())

    def _model_versions(self, deployment: JsonObject, children: Children) -> Iterable[JsonObject]:
        """Those that the spec asks for and the status says to serve."""
        namespace, serving = deployment["metadata"]["namespace"], served_versions(deployment)
        names = [text_at(deployment, *_MODEL, "versionRef", "name"), *serving.values()]
        if "stable" not in serving:  # a lost one is found again by the revisions' records
            names += [text_at(body, "data", "modelVersion") for body in children.objects.values()]
        refs = [owner_ref(Kind.MODEL_VERSION, namespace, name) for name in names if name]
        found = {ref: body for ref in refs if (body := self.store.get(ref)) is not None}
        model = text_at(deployment, *_MODEL, "channel", "modelName")
        if model:
            found |= self.store.found_by(Index.VERSIONS_OF_MODEL, namespace, model)
        return found.values()

    def _feature_sets(
        self, resource: JsonObject, references: Iterable[JsonObject]
    ) -> Mapping[str, JsonObject]:
        namespace = resource["metadata"]["namespace"]
        names = [text_at(one, "name") for one in references]
        found = {
            name: self.store.get(owner_ref(Kind.FEATURE_SET, namespace, name))
            for name in names
            if name
        }
        return {name: body for name, body in found.items() if body is not None}

    def _children(self, kind: Kind, resource: JsonObject, taken: frozenset[ObjectRef]) -> Children:
        """Observed objects that bear the owner's label, and the store's claim."""
        ref = ref_of(resource)
        labelled = self.store.labelled(ref.namespace, OWNER_LABELS[kind], ref.name)
        objects = {
            child: body
            for child, body in labelled.items()
            if (child.api_version, child.kind) in _CHILD_KINDS
        }
        claim = ObjectRef(
            CLAIM_API_VERSION, CLAIM_KIND, ref.namespace, self.settings.store.claim_name
        )
        body = self.store.get(claim)
        if body is not None:
            objects[claim] = body
        return Children(objects, taken)
