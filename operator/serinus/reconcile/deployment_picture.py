"""One Deployment and all that was seen of it in this pass: parsed once, then only looked at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from serinus.analysis.samples import Query, QueryResult
from serinus.api.autoscaling import Autoscaling
from serinus.api.counters import Counters
from serinus.api.deployment import DeploymentSpec
from serinus.api.deployment_status import DeploymentStatus
from serinus.api.enums import Reason
from serinus.api.metadata import ObjectMeta
from serinus.api.modelversion import ModelVersion
from serinus.api.traffic import GatewayTraffic
from serinus.manifests.naming import (
    ab_test_name,
    ab_test_service_name,
    feedback_service_name,
    log_policy_name,
    preview_service_name,
    revision_object_name,
    revision_service_name,
    service_name,
    shadow_service_name,
)
from serinus.manifests.revision import RevisionRecord
from serinus.manifests.route import API_VERSION as ROUTE_API_VERSION
from serinus.manifests.settings import Settings
from serinus.reconcile.decision import ObjectRef
from serinus.reconcile.deployment_analysis import CanaryAnalysis, analysis_of
from serinus.reconcile.deployment_autoscaler import autoscaler_ref, min_replicas, pods_within
from serinus.reconcile.deployment_facts import Observed, observed
from serinus.reconcile.deployment_hooks import hooks_problem
from serinus.reconcile.deployment_online import online_missing
from serinus.reconcile.deployment_post_promotion import judged_as_canary
from serinus.reconcile.deployment_rejections import with_rejections
from serinus.reconcile.deployment_revision import Wanted, server_of, wanted
from serinus.reconcile.deployment_route import route_ref
from serinus.reconcile.deployment_rules import RolloutRules, parsed_rules
from serinus.reconcile.deployment_status import (
    found_again,
    is_lost,
    stored_status,
    zero_was_wanted,
)
from serinus.reconcile.deployment_tracing import collector_problem
from serinus.reconcile.deployment_validation import spec_problem
from serinus.reconcile.metric_templates import templated
from serinus.reconcile.model_reference import (
    Resolution,
    Unresolved,
    is_rejected,
)
from serinus.reconcile.readable_part import readable_part
from serinus.reconcile.server_counters import counters_of_rollout
from serinus.reconcile.snapshot import (
    Children,
    DeploymentSnapshot,
    GatewaySeen,
    HooksSeen,
    RecordsSeen,
    controller_uid,
)
from serinus.rollout.weights import Router, stable_always_within, stable_within

DEFAULT_REPLICAS = 1
FIRST_REVISION_WEIGHT_PERCENT = 100
NEEDED_FOR_A_REVISION = frozenset({"model", "server"})
"""Fields of a spec without which nobody knows which revision it asks for."""
DEFAULT_PROGRESS_DEADLINE_SECONDS = 600
DEFAULT_REVISION_HISTORY_LIMIT = 10


@dataclass(frozen=True, slots=True)
class Picture:
    """What decisions about one Deployment are made from.

    Attributes
    ----------
    spec
        What can be read of it; `spec_problem` says what can't. A metric that refers to the
        library of metrics has the query that it leads to.
    stored
        The status as stored, as far as it can be read.
    status
        The same; where stable was lost, with the one that was found again.
    status_lost
        Whether a status that there must have been is gone.
    vouched_since
        Since when a policy vouches for who asks; None where nobody does.
    wanted
        Revision that the spec asks for; None when the model reference leads nowhere.
    router
        What splits the requests; where the spec can't be read, what splits them now.
    knows_routes
        Whether the cluster knows HTTPRoutes.
    gateways
        What the Gateways can; None where it wasn't asked.
    reading_problem
        What of the spec can't be read; None when all can. It is a part of `spec_problem`, and the
        only one that matters to a way back, which takes no steps, no metrics and no hooks.
    online_missing
        Which FeatureSet has no values to be looked up yet; None when all have, or none is named.
    template_problem
        Why a metric's template can't be used; None when all can, or while a rollout runs.
    hooks
        Hooks that it may name, and what they say about its rollout.
    rules
        Frozen rules of the rollout that runs, or by which what was promoted is judged; None when
        neither is so, or at a first revision.
    """

    metadata: ObjectMeta
    spec: DeploymentSpec
    stored: DeploymentStatus
    status: DeploymentStatus
    status_lost: bool
    settings: Settings
    vouched_since: datetime | None
    seen: Observed
    children: Children
    versions: tuple[ModelVersion, ...]
    samples: Mapping[Query, QueryResult]
    records: RecordsSeen
    resolution: Resolution
    wanted: RevisionRecord | None
    wanted_version: str
    rules: RolloutRules | None
    spec_problem: str | None
    reading_problem: str | None = None
    router: Router = Router.REPLICAS
    knows_routes: bool = False
    online_missing: str | None = None
    template_problem: str | None = None
    hooks: HooksSeen = field(default_factory=HooksSeen)
    gateways: tuple[GatewaySeen, ...] | None = None

    @property
    def counters(self) -> tuple[Counters, ...]:
        """What the servers count that the spec asks for and that serve, where one isn't ours."""
        stable = self.status.stable
        record = self.seen.records.get(stable.revision) if stable else None
        return counters_of_rollout(self.spec.server, server_of(record) if record else None)

    @property
    def gateway(self) -> GatewayTraffic | None:
        """What the spec says of the Gateway; None where it asks for none, or can't be read."""
        return self.spec.traffic.gateway_api if self.spec.traffic else None

    @property
    def gateway_missing(self) -> str | None:
        """What the spec asks for that the cluster lacks; None where it lacks nothing."""
        if self.router is Router.REPLICAS or self.knows_routes:
            return None
        return (
            "spec.traffic.gatewayAPI: the cluster doesn't know HTTPRoutes "
            f"({ROUTE_API_VERSION}). Install the Gateway API, or choose `traffic.replicas`; what "
            "serves goes on"
        )

    @property
    def name(self) -> str:
        """Name of the Deployment."""
        return self.metadata.name

    @property
    def replicas(self) -> int:
        """Pods that stable should have; under an autoscaler, those that it has, within limits."""
        if self.spec.autoscaling is None:
            asked = DEFAULT_REPLICAS if self.spec.replicas is None else self.spec.replicas
            return self._beside_the_canary(asked)
        stable = self.status.stable
        scaled = self.seen.replicas(stable.revision) if stable else 0
        return self.pods_of_autoscaler(self.spec.autoscaling, scaled, self.status)

    def pods_of_autoscaler(
        self, autoscaling: Autoscaling, scaled: int, status: DeploymentStatus
    ) -> int:
        """Of `scaled` pods those within the limits, the floor of `status` and a canary's cap."""
        floor, limit = status.stable_floor, self._cap_by_pods(status)
        within = pods_within(autoscaling, scaled, floor=floor.pods if floor else 0)
        if limit is None or status.canary is None:
            return within
        at_least, at_most = min_replicas(autoscaling), autoscaling.max_replicas
        weight = status.canary.weight
        return max(within, stable_always_within(limit, weight, at_least, at_most))

    def _beside_the_canary(self, asked: int) -> int:
        """The pods asked for, or as many more as keep a canary by pods within its `maxWeight`.

        Where a rollout began there were enough of them; `replicas` and the limits of an autoscaler
        may be edited meanwhile, or the one be put in place of the other.
        """
        limit, canary = self._cap_by_pods(self.status), self.status.canary
        if limit is None or canary is None or not asked:
            return asked
        return stable_within(limit, canary.weight, asked)

    def _cap_by_pods(self, status: DeploymentStatus) -> int | None:
        """`maxWeight` of a canary whose share is the number of its pods; None: it has none."""
        canary, limit = status.canary, self.rules.max_weight_percent if self.rules else None
        if canary is None or status.stable is None or self.router is not Router.REPLICAS:
            return None
        return None if canary.is_hidden or canary.promoting else limit

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
        return self.analysis_in(self.status)

    def analysis_in(self, status: DeploymentStatus) -> CanaryAnalysis | None:
        """The analysis that runs by `status`, which may be further than the stored one."""
        return analysis_of(
            self.metadata.namespace,
            self.name,
            status=status,
            rules=self.rules,
            seen=self.seen,
            versions=self.versions,
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

    def template(self, revision: str) -> Mapping[str, Any] | None:
        """The template that a revision was born with; where its record was lost, what runs."""
        record, workload = self.record(revision), self.seen.workloads.get(revision)
        if record is not None:
            return record.template
        return workload.template if workload is not None else None

    def name_conflict(self, *revisions: str) -> str | None:
        """Whose name is taken by an object that isn't ours: a Service's or one of `revisions`."""
        refs = [
            ObjectRef("v1", "Service", self.metadata.namespace, name)
            for name in (service_name(self.name), feedback_service_name(self.name))
        ]
        if self.spec.strategy and self.spec.strategy.blue_green:
            name = preview_service_name(self.name)
            refs.append(ObjectRef("v1", "Service", self.metadata.namespace, name))
        if self.spec.strategy and self.spec.strategy.ab_test:
            for kind, name in (
                ("Service", ab_test_service_name(self.name)),
                ("ConfigMap", ab_test_name(self.name)),
            ):
                refs.append(ObjectRef("v1", kind, self.metadata.namespace, name))
        if _begins_as_shadow(self.spec):
            name = shadow_service_name(self.name)
            refs.append(ObjectRef("v1", "Service", self.metadata.namespace, name))
        if self.spec.server and self.spec.server.prediction_log:
            name = log_policy_name(self.name)
            refs.append(ObjectRef("v1", "ConfigMap", self.metadata.namespace, name))
        for revision in revisions:
            name = revision_object_name(self.name, revision)
            refs += [
                ObjectRef("apps/v1", kind, self.metadata.namespace, name)
                for kind in ("ControllerRevision", "Deployment")
            ]
            if self.router is Router.GATEWAY_API:
                service = revision_service_name(self.name, revision)
                refs.append(ObjectRef("v1", "Service", self.metadata.namespace, service))
        if self.router is Router.GATEWAY_API:
            refs.append(route_ref(self.name, self.metadata.namespace))
        if self.spec.autoscaling is not None:
            refs.append(autoscaler_ref(self.name, self.metadata.namespace))
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
    """Everything that was seen, in the words of the decision."""
    resource = snapshot.resource
    metadata = readable_part(ObjectMeta, resource.get("metadata")).value
    seen = observed(
        snapshot.children, name=metadata.name, namespace=metadata.namespace, uid=metadata.uid
    )
    stored = stored_status(resource)
    status = with_rejections(found_again(stored, seen, now), seen)
    versions = snapshot.model_versions
    given = readable_part(DeploymentSpec, resource.get("spec"), stand_ins={"model": {}})
    spec, problem = given.value, None
    if given.problem is not None:
        problem = unreadable(f"spec.{given.problem}")
    if {"replicas", "autoscaling"} & given.lost:
        last_known = _last_known_replicas(status, seen)
        spec = spec.model_copy(update={"replicas": last_known, "autoscaling": None})
    if problem is not None and NEEDED_FOR_A_REVISION & given.lost:
        lead = Wanted(Unresolved(Reason.INVALID_SPEC, problem))
    else:
        lead = wanted(
            metadata.name,
            metadata.namespace,
            spec=spec,
            status=status,
            versions=versions,
            seen=seen,
            settings=snapshot.settings,
        )
    library = templated(
        spec.analysis, snapshot.templates, lead.record.template if lead.record else None
    )
    spec = spec.model_copy(update={"analysis": library.analysis})
    return Picture(
        metadata=metadata,
        spec=spec,
        stored=stored,
        status=_named(status, lead),
        status_lost=is_lost(stored) and bool(seen.records),
        settings=snapshot.settings,
        vouched_since=snapshot.vouched_since,
        seen=seen,
        children=snapshot.children,
        versions=versions,
        samples=snapshot.samples,
        records=snapshot.records,
        resolution=lead.resolution,
        wanted=lead.record,
        wanted_version=lead.version,
        rules=_rules(status),
        spec_problem=problem
        or spec_problem(metadata.name, spec)
        or hooks_problem(spec, snapshot.hooks.declared)
        or collector_problem(spec, snapshot.settings.collectors_for(metadata.namespace)),
        reading_problem=problem,
        router=_router(spec, given.lost, seen),
        knows_routes=snapshot.knows_routes,
        online_missing=online_missing(spec, snapshot.feature_sets),
        template_problem=library.problem,
        hooks=snapshot.hooks,
        gateways=snapshot.gateways,
    )


def _router(spec: DeploymentSpec, lost: frozenset[str], seen: Observed) -> Router:
    """What splits the requests; a choice that can't be read changes nothing of it."""
    traffic = spec.traffic
    if traffic is not None and traffic.gateway_api is not None:
        return Router.GATEWAY_API
    unreadable_choice = traffic is not None and traffic.replicas is None
    if "traffic" not in lost and not unreadable_choice:
        return Router.REPLICAS
    by_weights = seen.route is not None and len(seen.revision_services) > 0
    return Router.GATEWAY_API if by_weights else Router.REPLICAS


def _begins_as_shadow(spec: DeploymentSpec) -> bool:
    canary = spec.strategy.canary if spec.strategy else None
    return bool(canary and canary.steps and canary.steps[0].shadow)


def unreadable(problem: str) -> str:
    """What to do about a part of a spec that can't be read."""
    return (
        f"{problem}. Check that the CustomResourceDefinitions are of the operator's version; what "
        "runs goes on"
    )


def _named(status: DeploymentStatus, lead: Wanted) -> DeploymentStatus:
    """What runs under the name that the spec gives it.

    The same bytes under another name are the same revision; who looks for what serves a version
    looks for the name that is asked for.
    """
    if lead.record is None:
        return status
    renamed = {
        role: one.model_copy(update={"model_version": lead.version})
        for role, one in (("stable", status.stable), ("canary", status.canary))
        if one is not None and one.revision == lead.record.revision
    }
    return status.model_copy(update=renamed)


def _last_known_replicas(status: DeploymentStatus, seen: Observed) -> int:
    """Pods that were wanted when the spec could be read; zero only where zero was wanted."""
    if zero_was_wanted(status):
        return 0
    role = status.stable or status.canary
    return max(seen.replicas(role.revision) if role else 0, DEFAULT_REPLICAS)


def _rules(status: DeploymentStatus) -> RolloutRules | None:
    canary = status.canary or judged_as_canary(status)
    if canary is None or canary.rules is None:
        return None
    try:
        return parsed_rules(canary.rules)
    except ValueError:
        return None
