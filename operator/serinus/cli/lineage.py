"""From data to pods: what an object came from and what came of it, as a tree.

FeatureSet -> TrainingJob -> ModelVersion -> Deployment -> revision -> pods. A Deployment that
serves two versions stands below both, each time with the revision of that version. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from serinus.api.enums import Kind
from serinus.cli.figures import count, short_digest
from serinus.cli.health import Health, health, status_word
from serinus.cli.objects import (
    OWNER_LABELS,
    REVISION_LABEL,
    DeploymentDetails,
    FeatureSetDetails,
    ModelVersionDetails,
    Pod,
    Resource,
    Stable,
    TrainingJobDetails,
)

VERSIONS_SHOWN = 5
"""ModelVersions shown below a TrainingJob besides those that serve; the newest ones."""

_RUNNING = {True: "Ready", False: "NotReady"}


@dataclass(frozen=True, slots=True)
class Node:
    """One line of the tree, with what hangs below it."""

    name: str
    kind: str
    status: str
    health: Health
    created_at: datetime | None
    info: str
    children: tuple[Node, ...] = ()


@dataclass(frozen=True, slots=True)
class Namespace:
    """Everything of Serinus in one namespace."""

    resources: tuple[Resource, ...]
    pods: tuple[Pod, ...]

    def of(self, kind: Kind) -> tuple[Resource, ...]:
        """The objects of one kind, oldest first."""
        return tuple(
            sorted(
                (one for one in self.resources if one.kind is kind),
                key=lambda one: (one.created_at.timestamp() if one.created_at else 0, one.name),
            )
        )

    def find(self, kind: Kind, name: str) -> Resource | None:
        """The object; None when it isn't there."""
        return next((one for one in self.of(kind) if one.name == name), None)


def lineage(focus: Resource, namespace: Namespace) -> tuple[Node, ...]:
    """Trees that hold the object, all that it came from and all that came of it."""
    kept = {*_upstream(focus, namespace), *_downstream(focus, namespace)}
    return _Tree(namespace, frozenset(kept)).roots()


def parents(resource: Resource, namespace: Namespace) -> tuple[Resource, ...]:
    """What the object came from directly, as far as it is still there."""
    match resource.details:
        case TrainingJobDetails(feature_sets=names):
            found = [namespace.find(Kind.FEATURE_SET, name) for name in names]
        case ModelVersionDetails(training_job=name):
            found = [namespace.find(Kind.TRAINING_JOB, name)]
        case DeploymentDetails() as details:
            names = tuple(version for _, version in _revisions(details))
            found = [namespace.find(Kind.MODEL_VERSION, name) for name in names]
        case FeatureSetDetails():
            found = []
    return tuple(dict.fromkeys(one for one in found if one is not None))


def _children(resource: Resource, namespace: Namespace) -> tuple[Resource, ...]:
    return tuple(one for one in namespace.resources if resource in parents(one, namespace))


def _upstream(resource: Resource, namespace: Namespace) -> Iterable[Resource]:
    yield resource
    for parent in parents(resource, namespace):
        yield from _upstream(parent, namespace)


def _downstream(resource: Resource, namespace: Namespace) -> Iterable[Resource]:
    yield resource
    children = _children(resource, namespace)
    if resource.kind is Kind.TRAINING_JOB:
        children = _newest_and_serving(children)
    for child in children:
        yield from _downstream(child, namespace)


def _newest_and_serving(versions: Sequence[Resource]) -> tuple[Resource, ...]:
    newest = sorted(
        versions, key=lambda one: one.created_at.timestamp() if one.created_at else 0, reverse=True
    )[:VERSIONS_SHOWN]
    return tuple(one for one in versions if one in newest or _serves(one))


def _serves(version: Resource) -> bool:
    return isinstance(version.details, ModelVersionDetails) and bool(version.details.served_by)


@dataclass(frozen=True, slots=True)
class _Tree:
    namespace: Namespace
    kept: frozenset[Resource]

    def roots(self) -> tuple[Node, ...]:
        return tuple(
            self._node(resource, None)
            for kind in Kind
            for resource in self.namespace.of(kind)
            if resource in self.kept and not self._has_parent(resource)
        )

    def _has_parent(self, resource: Resource) -> bool:
        return any(parent in self.kept for parent in parents(resource, self.namespace))

    def _node(self, resource: Resource, version: str | None) -> Node:
        """The node; below a ModelVersion, a Deployment shows that version's revisions only."""
        below: tuple[Node, ...]
        if isinstance(resource.details, DeploymentDetails):
            below = self._revisions(resource.name, resource.details, version)
        else:
            children = [
                self._node(child, resource.name)
                for kind in Kind
                for child in self.namespace.of(kind)
                if child in self.kept and resource in parents(child, self.namespace)
            ]
            below = (*children, *self._run_pods(resource))
        return Node(
            name=resource.name,
            kind=resource.kind,
            status=status_word(resource),
            health=health(resource),
            created_at=resource.created_at,
            info=_info(resource),
            children=below,
        )

    def _run_pods(self, resource: Resource) -> tuple[Node, ...]:
        label = OWNER_LABELS[resource.kind]
        return tuple(
            _pod_node(pod)
            for pod in self.namespace.pods
            if pod.labels.get(label) == resource.name
            and REVISION_LABEL not in pod.labels
            and pod.phase != "Succeeded"
        )

    def _revisions(
        self, name: str, details: DeploymentDetails, version: str | None
    ) -> tuple[Node, ...]:
        label = OWNER_LABELS[Kind.DEPLOYMENT]
        pods = [pod for pod in self.namespace.pods if pod.labels.get(label) == name]
        by_revision = _grouped(pods, lambda pod: pod.labels.get(REVISION_LABEL, ""))
        named = dict(_revisions(details))
        shown = [revision for revision, of in named.items() if version in (None, of)]
        if version in (None, _stable_version(details)):  # pods on their way out stand once
            shown += [revision for revision in by_revision if revision not in named]
        return tuple(
            _revision_node(revision, details, tuple(by_revision.get(revision, ())))
            for revision in shown
        )


def _grouped(pods: Iterable[Pod], key: Callable[[Pod], str]) -> Mapping[str, list[Pod]]:
    groups: dict[str, list[Pod]] = {}
    for pod in sorted(pods, key=lambda one: one.name):
        groups.setdefault(key(pod), []).append(pod)
    return groups


def _revisions(details: DeploymentDetails) -> Iterable[tuple[str, str]]:
    for one in (details.stable, details.canary):
        if one is not None:
            yield one.revision, one.model_version


def _stable_version(details: DeploymentDetails) -> str | None:
    return details.stable.model_version if details.stable else None


def _revision_node(revision: str, details: DeploymentDetails, pods: tuple[Pod, ...]) -> Node:
    ready = sum(pod.ready for pod in pods)
    status, condition, info = _role(revision, details)
    return Node(
        name=revision,
        kind="revision",
        status=status,
        health=condition,
        created_at=min((pod.created_at for pod in pods if pod.created_at), default=None),
        info=f"{info}{ready} of {len(pods)} pods ready",
        children=tuple(_pod_node(pod) for pod in pods),
    )


def _role(revision: str, details: DeploymentDetails) -> tuple[str, Health, str]:
    stable, canary = details.stable, details.canary
    if canary and canary.units_percent is not None:
        rest = 100 - canary.units_percent
        if stable and stable.revision == revision:
            return "stable", Health.GOOD, f"{rest} % of units, "
        if canary.revision == revision:
            return "canary", Health.WAITING, f"{canary.units_percent} % of units, "
    if stable and stable.revision == revision:
        rest = canary.actual_weight_percent if canary else 0
        return "stable", Health.GOOD, f"{100 - rest} % of requests, "
    if canary and canary.revision == revision:
        return "canary", Health.WAITING, f"{canary.actual_weight_percent} % of requests, "
    if any(one.revision == revision for one in details.rejected):
        return "rejected", Health.BAD, ""
    return "leaving", Health.ON_ITS_WAY, ""


def _pod_node(pod: Pod) -> Node:
    good = pod.ready or pod.phase == "Succeeded"
    bad = bool(pod.problem) or pod.phase == "Failed"
    restarts = f"{pod.restarts} restarts" if pod.restarts else ""
    return Node(
        name=pod.name,
        kind="Pod",
        status=pod.problem or (_RUNNING[pod.ready] if pod.phase == "Running" else pod.phase),
        health=Health.BAD if bad else Health.GOOD if good else Health.ON_ITS_WAY,
        created_at=pod.created_at,
        info=restarts,
    )


def _info(resource: Resource) -> str:
    match resource.details:
        case FeatureSetDetails(rows=None):
            return resource.message
        case FeatureSetDetails(rows=rows, digest=digest):
            return f"{count(rows or 0)} rows, {short_digest(digest)}"
        case TrainingJobDetails(run=run) if run and run.metrics:
            return ", ".join(f"{name} {value}" for name, value in run.metrics[:3])
        case ModelVersionDetails() as version:
            parts = [version.predictor, *version.aliases]
            return ", ".join(part for part in parts if part) or resource.message
        case DeploymentDetails(stable=Stable()):  # its revisions tell
            return ""
        case _:
            return resource.message
