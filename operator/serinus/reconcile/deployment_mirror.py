"""A shadow whose requests a Gateway mirrors: whether it does, whether it can, and how many.

Serinus' server mirrors by itself and compares the answers. Where stable or the canary is a server
of one's own, and a Gateway splits the requests, a RequestMirror filter in the rule `serinus` does
it. A Gateway that doesn't know the filter answers users with an error, as the Gateway API demands,
and may say nothing of it in the route's status. So the filter is there only while the GatewayClass
of each Gateway says that it mirrors.
"""

from __future__ import annotations

from collections.abc import Iterator

from serinus.api.deployment_status import CanaryStatus, DeploymentStatus
from serinus.manifests.naming import revision_service_name
from serinus.manifests.route import Mirror, other_mirrors
from serinus.reconcile.deployment_picture import Picture
from serinus.reconcile.snapshot import GatewaySeen
from serinus.rollout.steps import Shadow
from serinus.rollout.weights import Router

LOOK_AGAIN_SECONDS = 30.0
"""Gateways and their classes aren't watched."""
MIRRORS = "HTTPRouteRequestMirror"
MIRRORS_TO_SEVERAL = "HTTPRouteRequestMultipleMirrors"
MIRRORS_A_SHARE = "HTTPRouteRequestPercentageMirror"
SHADOW_VARIABLE = "SERINUS_SHADOW"
"""By which a server of ours knows where it finds a shadow."""
_ALL_PERCENT = 100
_INSTEAD = "`kubectl serinus promote` goes on without a shadow, or release without one"


def mirrors_by_itself(picture: Picture, revision: str) -> bool | None:
    """Whether the revision's server can mirror; None where nobody knows what it is."""
    record = picture.record(revision)
    return None if record is None else record.has_variable(SHADOW_VARIABLE)


def is_mirrored_by_gateway(picture: Picture, status: DeploymentStatus) -> bool:
    """Whether the canary is a shadow that only a Gateway can mirror requests to."""
    stable, canary = status.stable, status.canary
    if picture.router is Router.REPLICAS or stable is None or canary is None or not canary.shadow:
        return False
    of_both = (mirrors_by_itself(picture, one.revision) for one in (stable, canary))
    return any(mirrors is False for mirrors in of_both)


def gateway_mirror_problem(picture: Picture, canary: CanaryStatus) -> str | None:
    """Why the Gateways may not be told to mirror; None when all of them can."""
    if picture.gateways is None:
        return "whether the Gateway mirrors requests is about to be found out"
    return next(
        (one for seen in picture.gateways for one in _problems(picture, canary, seen)), None
    )


def wanted_mirror(picture: Picture, status: DeploymentStatus) -> Mirror | None:
    """What the route says of mirroring; None where it mirrors nothing."""
    canary = status.canary
    if canary is None or canary.traffic_started_at is None:
        return None
    if not is_mirrored_by_gateway(picture, status) or gateway_mirror_problem(picture, canary):
        return None
    return Mirror(revision_service_name(picture.name, canary.revision), _percent(picture, canary))


def mirror_waits(picture: Picture, status: DeploymentStatus) -> Iterator[float]:
    """Seconds until it is looked again whether a Gateway mirrors that doesn't yet."""
    canary = status.canary
    if canary is None or not is_mirrored_by_gateway(picture, status):
        return
    if gateway_mirror_problem(picture, canary):
        yield LOOK_AGAIN_SECONDS


def _problems(picture: Picture, canary: CanaryStatus, seen: GatewaySeen) -> Iterator[str]:
    gateway = f"Gateway `{seen.name}` in namespace `{seen.namespace}`"
    if seen.problem is not None:
        yield f"whether {gateway} mirrors requests can't be found out: {seen.problem}"
        return
    of_class = f"GatewayClass `{seen.gateway_class}` of {gateway}"
    missing = f"isn't in its `status.supportedFeatures`; {_INSTEAD}"
    if MIRRORS not in seen.features:
        yield f"{of_class} doesn't say that it mirrors requests: {MIRRORS} {missing}"
    if _percent(picture, canary) is not None and MIRRORS_A_SHARE not in seen.features:
        yield (
            f"{of_class} doesn't say that it mirrors a share (`shadow.percent`): "
            f"{MIRRORS_A_SHARE} {missing}"
        )
    route = picture.seen.route
    others = other_mirrors(picture.name, route.lists.rules) if route else ()
    if others and MIRRORS_TO_SEVERAL not in seen.features:
        yield (
            f"the rule `serinus` of the HTTPRoute mirrors to `{others[0]}` already, and {of_class} "
            f"doesn't say that it mirrors to two: {MIRRORS_TO_SEVERAL} {missing}"
        )


def _percent(picture: Picture, canary: CanaryStatus) -> int | None:
    """The share that is mirrored; None for all, which each Gateway that mirrors can."""
    steps = picture.rules.steps if picture.rules else ()
    step = steps[canary.step] if canary.step < len(steps) else None
    percent = step.percent if isinstance(step, Shadow) else None
    return None if percent == _ALL_PERCENT else percent
