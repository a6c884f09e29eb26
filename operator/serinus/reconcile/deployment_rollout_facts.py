"""From the picture of a Deployment to the facts that the rules of a rollout look at."""

from __future__ import annotations

from datetime import datetime

from serinus.analysis.advance import AnalysisOutcome
from serinus.api.conditions import parse_time
from serinus.api.deployment_status import CanaryStatus, DeploymentStatus
from serinus.api.enums import AnalysisMode, OnEvent, Reason
from serinus.reconcile.deployment_ab_test import assignment_problem, has_begun, sample_ratio
from serinus.reconcile.deployment_analysis import judgement_of
from serinus.reconcile.deployment_hooks import hook_facts
from serinus.reconcile.deployment_picture import Picture
from serinus.reconcile.deployment_rejections import rejection_of
from serinus.reconcile.deployment_router import is_routed, router_problem, routing_problem
from serinus.reconcile.deployment_shadow import mirroring_problem
from serinus.reconcile.deployment_status import zero_was_wanted
from serinus.reconcile.model_reference import Unresolved, is_gone
from serinus.rollout.ending import EndingFacts
from serinus.rollout.facts import Finding, PodFacts, Request, RolloutFacts
from serinus.rollout.promotion_window import closed_at
from serinus.rollout.revision import is_within_window
from serinus.rollout.start import StartFacts
from serinus.rollout.steps import Analyze
from serinus.rollout.weights import Router, pods_for_weight

_BY_DELETION = (Reason.MODEL_VERSION_NOT_FOUND, Reason.CHANNEL_EMPTY)


def start_facts(picture: Picture, status: DeploymentStatus, *, provider: str | None) -> StartFacts:
    """Facts about the revision that the spec asks for and that doesn't run.

    A stable revision that the spec scaled to zero serves nothing: what follows it is the first
    again. It counts only where the stored status says that zero was wanted: a workload that
    somebody else scaled away is brought back, and what follows is still compared with it.
    """
    wanted, stable = picture.wanted, status.stable
    assert wanted is not None
    scaled_away = (
        stable is not None
        and zero_was_wanted(status)
        and stable.revision in picture.seen.workloads
        and picture.seen.replicas(stable.revision) == 0
    )
    return StartFacts(
        revision=wanted.revision,
        model_version=picture.wanted_version,
        replicas=picture.replicas,
        first=stable is None or scaled_away,
        spec_problem=picture.spec_problem,
        template_problem=picture.template_problem,
        name_conflict=picture.name_conflict(wanted.revision),
        gateway_missing=picture.gateway_missing,
        online_missing=picture.online_missing,
        suspended=bool(picture.spec.suspend),
        rejected=rejection_of(wanted.revision, status, picture.seen),
        provider_problem=provider,
    )


def ending_facts(picture: Picture, canary: CanaryStatus, *, stable: str | None) -> EndingFacts:
    """Facts about whether anybody still wants the rollout."""
    wanted = picture.wanted.revision if picture.wanted else None
    return EndingFacts(
        revision=canary.revision,
        replicas=picture.replicas,
        stable=stable,
        wanted=wanted,
        rejected_version=canary.model_version if picture.canary_version_rejected() else None,
    )


def rollout_facts(
    picture: Picture,
    status: DeploymentStatus,
    canary: CanaryStatus,
    request: Request | None,
    outcome: AnalysisOutcome | None,
    now: datetime,
) -> RolloutFacts:
    """Facts about a canary beside stable."""
    rules = picture.rules
    wanted_pods = wanted_canary_replicas(picture.replicas, canary, picture.router)
    return RolloutFacts(
        revision=canary.revision,
        model_version=canary.model_version,
        steps=rules.steps if rules else (),
        step_index=canary.step,
        step_seconds=step_seconds(canary, now),
        stable_replicas=picture.replicas,
        pods=canary_pods(picture, canary, wanted=wanted_pods, now=now),
        progress_deadline_seconds=picture.progress_deadline_seconds,
        has_traffic=_has_traffic(picture, canary),
        traffic_problem=_traffic_problem(picture, status, canary),
        router=picture.router,
        router_problem=router_problem(picture),
        judgement=judgement_of(outcome) if outcome else None,
        promoting=canary.promoting,
        returning=canary.returning,
        paused_by=canary.paused_by,
        withdrawn=withdrawn_for(canary),
        sample_ratio=sample_ratio(canary, rules.ab_test if rules else None),
        window_closed=closed_at(rules.windows, now) if rules else None,
        hooks=hook_facts(canary, rules.hooks, picture.hooks) if rules else (),
        suspended=bool(picture.spec.suspend),
        rejected=rejection_of(canary.revision, status, picture.seen) is not None,
        request=request,
        reference_problem=reference_problem(picture, canary),
        canary_version_rejected=picture.canary_version_rejected(),
        mode=rules.mode if rules else AnalysisMode.AUTO,
        on_deadline=rules.on_deadline if rules else OnEvent.HOLD,
        on_no_data=rules.on_no_data if rules else OnEvent.HOLD,
        on_provider_error=rules.on_provider_error if rules else OnEvent.HOLD,
    )


def wanted_canary_replicas(
    stable_replicas: int, canary: CanaryStatus, router: Router = Router.REPLICAS
) -> int:
    """Pods that the canary should have: those of its weight, preview or shadow, or all of them."""
    if canary.promoting or canary.returning:
        return stable_replicas
    if canary.preview is not None:
        return min(canary.preview.replicas or stable_replicas, stable_replicas)
    if canary.shadow is not None:
        return min(canary.shadow.replicas or stable_replicas, stable_replicas)
    if canary.ab_test is not None:  # its share comes as a Gateway's would
        return pods_for_weight(Router.GATEWAY_API, stable_replicas, canary.ab_test.share_percent)
    return pods_for_weight(router, stable_replicas, canary.weight)


def canary_pods(picture: Picture, canary: CanaryStatus, *, wanted: int, now: datetime) -> PodFacts:
    """The canary's pods against the `wanted` ones."""
    workload = picture.seen.workloads.get(canary.revision)
    scaled = workload is not None and workload.replicas >= wanted
    available = min(workload.available, wanted) if workload and scaled else 0
    problem = picture.seen.first_problem(canary.revision)
    since = canary.pods_missing_since
    missing = since is not None and available < wanted
    return PodFacts(
        wanted=wanted,
        available=available,
        waiting_seconds=_seconds_since(since, now) if missing and since else 0.0,
        problem=Finding(problem.reason, problem.message) if problem else None,
    )


def withdrawn_for(canary: CanaryStatus) -> Finding | None:
    """The evidence for which the canary's requests were taken away; None when they weren't."""
    if canary.withdrawn is None:
        return None
    return Finding(Reason.PAUSED_BY_EVIDENCE, canary.withdrawn.message)


def step_seconds(canary: CanaryStatus, now: datetime) -> float:
    """How long the step has lasted, without the time in which its clock stood still."""
    frozen = float(canary.frozen_seconds)
    if canary.frozen_since:
        frozen += _seconds_since(canary.frozen_since, now)
    return max(0.0, _seconds_since(canary.step_started_at, now) - frozen)


def may_get_traffic(
    picture: Picture,
    status: DeploymentStatus,
    canary: CanaryStatus,
    pods: PodFacts,
    now: datetime,
) -> bool:
    """Whether the Service, a Gateway or stable's pods may begin to send requests to the canary."""
    if canary.ab_test is not None:
        return canary.traffic_started_at is None and pods.ready and has_begun(canary, now)
    return (
        canary.traffic_started_at is None
        and canary.withdrawn is None
        and pods.ready
        and (_may_be_split(picture, status, canary) or _has_analysis(picture, status, canary))
    )


def may_return(picture: Picture, status: DeploymentStatus, revision: str) -> bool:
    """Whether `revision` was stable lately, so that the way to it takes no steps."""
    if status.kept is not None and status.kept.revision == revision:
        return True
    return is_within_window(revision, status.former_stable, picture.spec.rollback_window)


def _may_be_split(picture: Picture, status: DeploymentStatus, canary: CanaryStatus) -> bool:
    if picture.router is Router.GATEWAY_API:
        return canary.weight > 0 and router_problem(picture) is None
    spare = _has_spare_pods(picture, canary)
    return canary.weight > 0 and not spare and not strangers(picture, status, canary)


def _has_spare_pods(picture: Picture, canary: CanaryStatus) -> bool:
    """Whether it has more pods than its weight asks for, which would get more requests."""
    workload = picture.seen.workloads.get(canary.revision)
    wanted = wanted_canary_replicas(picture.replicas, canary, picture.router)
    return workload is not None and workload.pods > wanted


def _has_analysis(picture: Picture, status: DeploymentStatus, canary: CanaryStatus) -> bool:
    """Whether requests that aren't users' count: mirrored ones, and those of a preview where the
    switch waits for what they show.
    """
    if canary.shadow is not None:
        return mirroring_problem(picture, status) is None
    steps = picture.rules.steps if picture.rules else ()
    return canary.preview is not None and any(isinstance(step, Analyze) for step in steps)


def strangers(picture: Picture, status: DeploymentStatus, canary: CanaryStatus) -> tuple[str, ...]:
    """Pods with the Deployment's label that are neither stable's nor the canary's."""
    stable = status.stable.revision if status.stable else None
    return tuple(pod.name for pod in picture.seen.strangers(stable, canary.revision))


def _has_traffic(picture: Picture, canary: CanaryStatus) -> bool:
    if canary.is_hidden:
        return canary.traffic_started_at is not None
    if picture.router is Router.GATEWAY_API:
        return is_routed(picture, canary)
    service = picture.seen.service
    return canary.traffic_started_at is not None and service is not None and service.split


def _traffic_problem(
    picture: Picture, status: DeploymentStatus, canary: CanaryStatus
) -> str | None:
    if canary.shadow is not None:
        return mirroring_problem(picture, status)
    if canary.ab_test is not None:
        return assignment_problem(picture, status, canary)
    if picture.router is Router.GATEWAY_API:
        return routing_problem(picture, canary)
    if canary.weight == 0 or _has_traffic(picture, canary):
        return None
    if names := strangers(picture, status, canary):
        shown = ", ".join(f"`{name}`" for name in names[:3])
        return f"the Service stays with stable until other pods with its label are gone: {shown}"
    return "the Service is about to send requests to the canary"


def reference_problem(picture: Picture, canary: CanaryStatus) -> Finding | None:
    """Why nobody knows whether the canary's version is still asked for.

    The reference means another one that isn't there, or two, or none, or the canary's own, which
    isn't ready any more. That its own was deleted changes nothing.
    """
    resolution = picture.resolution
    if not isinstance(resolution, Unresolved):
        return None
    was_deleted = is_gone(canary.model_version, picture.versions)
    if was_deleted and resolution.reason in _BY_DELETION:
        return None
    return Finding(resolution.reason, resolution.message)


def _seconds_since(moment: str, now: datetime) -> float:
    return (now - parse_time(moment)).total_seconds()
