"""One Deployment and all that was seen of it in this pass: parsed once, then only looked at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from pydantic import ValidationError

from serinus.analysis.samples import Query, QueryResult
from serinus.api.conditions import format_time, parse_time
from serinus.api.deployment import (
    Analysis,
    CanaryStatus,
    Deployment,
    DeploymentSpec,
    DeploymentStatus,
    RevisionStatus,
)
from serinus.api.metadata import ObjectMeta
from serinus.api.modelversion import ModelVersion
from serinus.manifests.naming import revision_object_name, service_name
from serinus.manifests.revision import RevisionRecord
from serinus.manifests.settings import Settings
from serinus.reconcile.decision import JsonObject, ObjectRef
from serinus.reconcile.deployment_analysis import CanaryAnalysis, analysis_of
from serinus.reconcile.deployment_facts import Observed, observed
from serinus.reconcile.deployment_revision import wanted_revision
from serinus.reconcile.deployment_rules import RolloutRules, parsed_rules
from serinus.reconcile.deployment_validation import analysis_problem, spec_problem
from serinus.reconcile.model_reference import (
    Resolution,
    Resolved,
    is_rejected,
    parsed_versions,
    resolved,
)
from serinus.reconcile.snapshot import Children, DeploymentSnapshot, controller_uid

DEFAULT_REPLICAS = 1
FIRST_REVISION_WEIGHT_PERCENT = 100
DEFAULT_PROGRESS_DEADLINE_SECONDS = 600
DEFAULT_REVISION_HISTORY_LIMIT = 10


class SpecUnreadableError(ValueError):
    """The spec isn't what the CRD describes; the text names the field."""


@dataclass(frozen=True, slots=True)
class Picture:
    """What decisions about one Deployment are made from.

    Attributes
    ----------
    status
        As stored; where it was lost, with the stable revision found again.
    wanted
        Revision that the spec asks for; None when the model reference leads nowhere.
    rules
        Frozen rules of the rollout that runs; None when none does, or at a first revision.
    """

    metadata: ObjectMeta
    spec: DeploymentSpec
    status: DeploymentStatus
    settings: Settings
    seen: Observed
    children: Children
    versions: tuple[ModelVersion, ...]
    samples: Mapping[Query, QueryResult]
    resolution: Resolution
    wanted: RevisionRecord | None
    wanted_version: str
    rules: RolloutRules | None
    spec_problem: str | None

    @property
    def name(self) -> str:
        """Name of the Deployment."""
        return self.metadata.name

    @property
    def replicas(self) -> int:
        """Pods that stable should have."""
        return DEFAULT_REPLICAS if self.spec.replicas is None else self.spec.replicas

    @property
    def progress_deadline_seconds(self) -> int:
        """Seconds in which pods must become ready."""
        return self.spec.progress_deadline_seconds or DEFAULT_PROGRESS_DEADLINE_SECONDS

    @property
    def revision_history_limit(self) -> int:
        """Revisions that are kept though they don't serve."""
        return self.spec.revision_history_limit or DEFAULT_REVISION_HISTORY_LIMIT

    def analysis(self) -> CanaryAnalysis | None:
        """The analysis that runs; None before the canary has traffic."""
        return analysis_of(
            self.metadata.namespace,
            self.name,
            status=self.status,
            rules=self.rules,
            seen=self.seen,
        )

    def canary_version_rejected(self) -> bool:
        """Whether the canary's ModelVersion is rejected by now."""
        canary = self.status.canary
        return canary is not None and is_rejected(canary.model_version, self.versions)

    def record(self, revision: str) -> RevisionRecord | None:
        """The revision as it was born, or as it will be."""
        if self.wanted and self.wanted.revision == revision:
            return self.wanted
        return self.seen.records.get(revision)

    def name_conflict(self, *revisions: str) -> str | None:
        """Whose name is taken by an object that isn't ours: the Service's or one of `revisions`."""
        refs = [ObjectRef("v1", "Service", self.metadata.namespace, service_name(self.name))]
        for revision in revisions:
            name = revision_object_name(self.name, revision)
            refs += [
                ObjectRef("apps/v1", kind, self.metadata.namespace, name)
                for kind in ("ControllerRevision", "Deployment")
            ]
        for ref in refs:
            if self.is_foreign(ref):
                return (
                    f"{ref.kind} `{ref.name}` exists and isn't ours; it is left untouched. "
                    "Remove it, or give this Deployment another name"
                )
        return None

    def is_foreign(self, ref: ObjectRef) -> bool:
        """Whether an object that isn't ours bears the name."""
        body = self.children.get(ref)
        if body is not None:
            return controller_uid(body) != self.metadata.uid
        return ref in self.children.taken


def pictured(snapshot: DeploymentSnapshot, now: datetime) -> Picture:
    """Everything that was seen, in the words of the decision.

    Raises
    ------
    SpecUnreadableError
        If the spec isn't what the CRD describes.
    """
    metadata, spec = _parsed(snapshot.resource)
    seen = observed(
        snapshot.children, name=metadata.name, namespace=metadata.namespace, uid=metadata.uid
    )
    status = _found_again(stored_status(snapshot.resource), seen, now)
    versions = parsed_versions(snapshot.model_versions)
    stable = status.stable
    resolution = resolved(
        spec.model, versions, serving=stable.model_version if stable is not None else None
    )
    problem = spec_problem(metadata.name, spec)
    wanted = None
    if isinstance(resolution, Resolved):
        wanted = wanted_revision(
            metadata.name,
            metadata.namespace,
            version=resolution.version,
            server=spec.server,
            seen=seen,
            settings=snapshot.settings,
        )
    return Picture(
        metadata=metadata,
        spec=spec,
        status=status,
        settings=snapshot.settings,
        seen=seen,
        children=snapshot.children,
        versions=versions,
        samples=snapshot.samples,
        resolution=resolution,
        wanted=wanted,
        wanted_version=resolution.version.metadata.name if isinstance(resolution, Resolved) else "",
        rules=_rules(status),
        spec_problem=problem,
    )


def stored_status(resource: JsonObject) -> DeploymentStatus:
    """The status as stored; an unreadable one counts as lost."""
    try:
        status = DeploymentStatus.model_validate(resource.get("status") or {})
        for moment in _moments(status):
            parse_time(moment)
        _check_numbers(status.canary)
    except ValueError:  # pydantic's ValidationError is one, too
        return DeploymentStatus()
    return status


def _check_numbers(canary: CanaryStatus | None) -> None:
    if canary is None:
        return
    counts = (canary.step, canary.weight, canary.frozen_seconds, canary.samples_before)
    if min(counts) < 0 or canary.weight > FIRST_REVISION_WEIGHT_PERCENT:
        raise ValueError("a number in the status that can't be")


def _moments(status: DeploymentStatus) -> Iterator[str]:
    """Every time that decisions read."""
    yield from (entry.at for entry in status.history)
    if status.stable and status.stable.since:
        yield status.stable.since
    if canary := status.canary:
        times = (
            canary.started_at,
            canary.step_started_at,
            canary.traffic_started_at,
            canary.pods_missing_since,
            canary.frozen_since,
        )
        yield from (moment for moment in times if moment is not None)


def _parsed(resource: JsonObject) -> tuple[ObjectMeta, DeploymentSpec]:
    try:
        deployment = Deployment.model_validate({**resource, "status": {}})
    except ValidationError as error:
        first = error.errors()[0]
        path = ".".join(str(part) for part in first["loc"])
        raise SpecUnreadableError(f"{path}: {first['msg']}") from error
    return deployment.metadata, deployment.spec


def _found_again(status: DeploymentStatus, seen: Observed, now: datetime) -> DeploymentStatus:
    """A lost status: what serves is found again, and never taken for a first deployment."""
    if status.observed_generation or status.stable or status.canary:
        return status
    revision = _stable_by_children(seen)
    if revision is None:
        return status
    record = seen.records.get(revision)
    stable = RevisionStatus(
        revision=revision,
        model_version=record.model_version if record else "",
        since=format_time(now),
    )
    return status.model_copy(update={"stable": stable})


def _stable_by_children(seen: Observed) -> str | None:
    """The Service says it; without one it is the oldest revision with most ready pods."""
    if seen.service and seen.service.stable_annotation in seen.workloads:
        return seen.service.stable_annotation
    if seen.service:
        return None  # a Service that names no stable never had one
    serving = [one for one in seen.workloads.values() if one.available > 0]
    if not serving:
        return None
    numbers = {revision: record.number for revision, record in seen.records.items()}
    best = max(serving, key=lambda one: (one.available, -numbers.get(one.revision, 0)))
    return best.revision


def _rules(status: DeploymentStatus) -> RolloutRules | None:
    canary = status.canary
    if canary is None or canary.rules is None:
        return None
    try:
        rules = parsed_rules(canary.rules)
        problem = analysis_problem(Analysis.model_validate(canary.rules["analysis"]))
    except ValueError:
        return None
    return rules if problem is None else None
