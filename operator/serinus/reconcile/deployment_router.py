"""What splits a Deployment's requests: the number of pods behind its Service, or a Gateway.

With a Gateway the Service stays with stable, and the HTTPRoute gives the canary its weight. What a
route is set to is in status (`actualWeight`) before it is written.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from serinus.api.conditions import Condition, condition, parse_time
from serinus.api.deployment_status import CanaryStatus, DeploymentStatus
from serinus.api.enums import ConditionType, Reason
from serinus.api.traffic import GatewayTraffic
from serinus.api.verdicts import MetricVerdict
from serinus.manifests.naming import revision_service_name, service_name
from serinus.manifests.route import RouteLists, lists_asked_for, make_route
from serinus.manifests.service import grpc_ports, make_revision_service
from serinus.reconcile.decision import DesiredObject, ObjectRef, PrunedObject
from serinus.reconcile.deployment_mirror import wanted_mirror
from serinus.reconcile.deployment_picture import Picture
from serinus.reconcile.deployment_route import is_taken_in, refusal
from serinus.reconcile.deployment_status import active_revisions
from serinus.rollout.facts import Finding
from serinus.rollout.weights import COLD_SECONDS, Router, warmed_weight_percent

OLD_STABLE_STAYS = timedelta(seconds=10)
"""How long the pods of the old stable stay after a promotion at least: a Gateway learns of it
later."""
_NOT_FOR_ITS_ANSWERS = frozenset(
    {
        Reason.ABORTED_BY_USER,
        Reason.ANALYSIS_DEADLINE_EXCEEDED,
        Reason.NO_DATA,
        Reason.PROGRESS_DEADLINE_EXCEEDED,
    }
)
"""Rejections that show no harm: an answer of such a canary is better than none."""


def router_problem(picture: Picture) -> Finding | None:
    """Why the Gateway can't be relied on; None where it can, or where pods split the requests."""
    gateway = picture.gateway
    if picture.router is Router.REPLICAS:
        return None
    if missing := picture.gateway_missing:
        return Finding(Reason.GATEWAY_API_MISSING, missing)
    route = picture.seen.route
    if route is None or gateway is None:
        return None
    problem = refusal(route, gateway, picture.metadata.namespace)
    return Finding(Reason.ROUTE_NOT_ACCEPTED, problem) if problem else None


def routed_weight(picture: Picture, canary: CanaryStatus, now: datetime) -> int:
    """Percent of requests that the route gives the canary next.

    A step's weight once its pods are ready; until then what it was, as a higher one would meet too
    few pods. None where no pod is ready: a Gateway would answer with an error.
    """
    if canary.traffic_started_at is None or canary.is_hidden or picture.gateway_missing:
        return 0
    if not picture.seen.ready(canary.revision):
        return 0
    settled = canary.ready_at is not None and not canary.promoting
    weight = canary.weight if settled else min(canary.actual_weight, canary.weight)
    return warmed_weight_percent(weight, _seconds_with_traffic(canary, now))


def is_routed(picture: Picture, canary: CanaryStatus) -> bool:
    """Whether the Gateway was seen to take the weight that the canary is set to."""
    route = picture.seen.route
    if canary.traffic_started_at is None or not canary.actual_weight or route is None:
        return False
    name = revision_service_name(picture.name, canary.revision)
    return route.weights.get(name, 0) == canary.actual_weight and is_taken_in(route)


def routing_problem(picture: Picture, canary: CanaryStatus) -> str | None:
    """Why the canary doesn't get its share yet; None when it does, or should get none."""
    if canary.weight == 0:
        return None
    if canary.traffic_started_at and 0 < canary.actual_weight < canary.weight:
        return f"the Gateway sends {canary.actual_weight} % to the canary's new pods at first"
    if is_routed(picture, canary):
        return None
    return f"the Gateway is about to send {canary.weight} % of requests to the canary"


def router_waits(picture: Picture, status: DeploymentStatus, now: datetime) -> Iterator[float]:
    """Seconds until time alone changes what the router is set to."""
    if picture.router is Router.REPLICAS:
        return
    canary, stable = status.canary, status.stable
    if canary and canary.traffic_started_at:
        left = COLD_SECONDS - _seconds_with_traffic(canary, now)
        if left > 0:
            yield left
    if stable and stable.since and _old_stable_stays(stable.since, now):
        yield (parse_time(stable.since) + OLD_STABLE_STAYS - now).total_seconds()


def is_still_routed(
    picture: Picture, status: DeploymentStatus, revision: str, now: datetime
) -> bool:
    """Whether a Gateway may still send requests to what was stable before, or to a former canary.

    It may until the route leads elsewhere and it says that it has the route so; and what it says
    comes before its proxies have it, so for a while after a promotion in any case.

    A canary that was rolled back for what it answers isn't meant: it goes at once, and is told by
    its rejection, which is younger than the present stable. That of a stable revision which was
    taken away isn't.
    """
    stable = status.stable
    if picture.router is Router.REPLICAS or stable is None or stable.since is None:
        return False
    rejected_at = [
        one.at
        for one in status.rejected_revisions
        if one.revision == revision and one.reason not in _NOT_FOR_ITS_ANSWERS
    ]
    if any(moment > stable.since for moment in rejected_at):
        return False
    route = picture.seen.route
    if route is not None:
        is_named = route.weights.get(revision_service_name(picture.name, revision), 0) > 0
        if is_named or not is_taken_in(route):
            return True
    return _old_stable_stays(stable.since, now)


def desired_route(picture: Picture, status: DeploymentStatus) -> Iterator[DesiredObject]:
    """The Services of the revisions that have a part, and the route that weighs them."""
    if not picture.knows_routes:
        return
    route = picture.seen.route
    weights = _weights(picture, status)
    if picture.router is Router.REPLICAS:
        if route is None:
            return
        lists, weights = route.lists, {service_name(picture.name): 1}
    else:
        for revision in active_revisions(status):
            body = make_revision_service(
                picture.name,
                picture.metadata.namespace,
                revision,
                more_ports=grpc_ports(picture.template(revision)),
            )
            yield DesiredObject(body)
        lists = _lists(picture, picture.gateway)
    if weights and lists.parent_refs:
        yield DesiredObject(
            make_route(
                picture.name,
                picture.metadata.namespace,
                lists=lists,
                weights=weights,
                mirror=wanted_mirror(picture, status),
            ),
            resource_version=route.resource_version if route else None,
        )


def idle_revision_services(picture: Picture, status: DeploymentStatus) -> Iterator[PrunedObject]:
    """Those to which nothing leads any more, and whose pods are gone: a Gateway learns it late."""
    route = picture.seen.route
    named = route.services if route else frozenset()
    for revision, uid in picture.seen.revision_services.items():
        name = revision_service_name(picture.name, revision)
        workload = picture.seen.workloads.get(revision)
        empty = workload is None or (workload.replicas == 0 and workload.pods == 0)
        if empty and revision not in active_revisions(status) and name not in named:
            yield PrunedObject(ObjectRef("v1", "Service", picture.metadata.namespace, name), uid)


def route_condition(picture: Picture) -> Condition | None:
    """What is to be said of the route; None where there is none and none is asked for."""
    type_ = ConditionType.ROUTE_ACCEPTED
    if picture.router is Router.REPLICAS:
        if picture.seen.route is None:
            return None
        message = (
            "the spec asks for no gateway any more; the HTTPRoute sends all requests to the "
            f"Service. When nobody comes through it: `kubectl delete httproute {picture.name}`"
        )
        return condition(type_, False, Reason.ROUTE_KEPT, message)
    if problem := router_problem(picture):
        return condition(type_, False, problem.reason, problem.message)
    route = picture.seen.route
    if route is None or not is_taken_in(route):
        message = "the Gateway is about to take the HTTPRoute"
        return condition(type_, None, Reason.PROGRESSING, message)
    return condition(type_, True, Reason.SUCCEEDED, "each Gateway takes the HTTPRoute")


def served_weight(canary: CanaryStatus, verdicts: tuple[MetricVerdict, ...]) -> str | None:
    """Percent of the step's counted requests that the canary got; None while none is counted."""
    counts = most_counted(verdicts)
    if counts is None:
        return None
    canary_requests = max(0, counts.canary.total - canary.samples_before)
    stable_requests = max(0, counts.stable.total - canary.stable_samples_before)
    total = canary_requests + stable_requests
    return f"{100 * canary_requests / total:.1f}" if total else None


def stable_requests(verdicts: tuple[MetricVerdict, ...]) -> int:
    """Stable's requests that were counted so far, by the gate that counts the canary most."""
    counts = most_counted(verdicts)
    return counts.stable.total if counts else 0


def most_counted(verdicts: tuple[MetricVerdict, ...]) -> MetricVerdict | None:
    """The gate whose counts are nearest to all requests."""
    gates = [one for one in verdicts if one.gate and one.canary.total and one.stable.total]
    return max(gates, key=lambda one: one.canary.total, default=None)


def _weights(picture: Picture, status: DeploymentStatus) -> dict[str, int]:
    stable, canary = status.stable, status.canary
    if stable is None:
        return {revision_service_name(picture.name, canary.revision): 1} if canary else {}
    of_canary = canary.actual_weight if canary else 0
    weights = {revision_service_name(picture.name, stable.revision): 100 - of_canary}
    if canary and of_canary:
        weights[revision_service_name(picture.name, canary.revision)] = of_canary
    return weights


def _lists(picture: Picture, gateway: GatewayTraffic | None) -> RouteLists:
    """The spec's word; where that can't be read, what is there."""
    route = picture.seen.route
    there = route.lists if route else RouteLists()
    return lists_asked_for(gateway, there.rules) if gateway else there


def _seconds_with_traffic(canary: CanaryStatus, now: datetime) -> float:
    started = canary.traffic_started_at
    return (now - parse_time(started)).total_seconds() if started else 0.0


def _old_stable_stays(since: str, now: datetime) -> bool:
    return now < parse_time(since) + OLD_STABLE_STAYS
