"""While a canary is a shadow: the Service by which stable's pods find it, and whether they look.

Where a server of one's own takes part, a Gateway mirrors: `deployment_mirror`.

A shadow's pods bear the labels of the Deployment, and the Service of users stays with stable, so
that they get mirrored requests only. The Service of the shadow is there for as long as requests are
to be mirrored and no longer: stable's pods see by it alone that there is a shadow, so that none of
them is restarted for it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from serinus.api.deployment_status import CanaryStatus, DeploymentStatus, ShadowStatus
from serinus.manifests.naming import shadow_service_name
from serinus.manifests.service import make_shadow_service
from serinus.reconcile.decision import DesiredObject, ObjectRef, PrunedObject
from serinus.reconcile.deployment_mirror import (
    gateway_mirror_problem,
    is_mirrored_by_gateway,
    mirrors_by_itself,
)
from serinus.reconcile.deployment_picture import Picture
from serinus.reconcile.deployment_router import router_problem
from serinus.reconcile.snapshot import controller_uid
from serinus.rollout.steps import Shadow, Step


def shadow_at_start(steps: tuple[Step, ...]) -> ShadowStatus | None:
    """How requests are mirrored at the first step; None where they aren't."""
    first = steps[0] if steps else None
    return ShadowStatus(replicas=first.replicas) if isinstance(first, Shadow) else None


def out_of_the_shadow(canary: CanaryStatus) -> Mapping[str, Any]:
    """The fields of a canary that is no shadow any more.

    Its requests begin anew: users' go to as many pods as their weight asks for, and a shadow may
    have had more. What was counted stays counted.
    """
    return {"shadow": None, "traffic_started_at": None} if canary.shadow is not None else {}


def shadow_service(picture: Picture, status: DeploymentStatus) -> Iterator[DesiredObject]:
    """The Service of the shadow, while requests are to be mirrored."""
    canary = status.canary
    if canary is not None and _is_found_by_stable(picture, status):
        namespace = picture.metadata.namespace
        yield DesiredObject(make_shadow_service(picture.name, namespace, revision=canary.revision))


def shadow_service_not_wanted(picture: Picture, status: DeploymentStatus) -> Iterator[PrunedObject]:
    """Ours, when nothing is to be mirrored any more."""
    if _is_found_by_stable(picture, status):
        return
    ref = shadow_service_ref(picture.name, picture.metadata.namespace)
    body = picture.children.get(ref)
    if body is not None and controller_uid(body) == picture.metadata.uid:
        yield PrunedObject(ref, body["metadata"].get("uid", ""))


def shadow_service_ref(name: str, namespace: str) -> ObjectRef:
    """Where the Service of the shadow is."""
    return ObjectRef("v1", "Service", namespace, shadow_service_name(name))


def mirroring_problem(picture: Picture, status: DeploymentStatus) -> str | None:
    """Why no request is mirrored to the shadow; None when they are, or are about to be."""
    stable, canary = status.stable, status.canary
    if stable is None or canary is None:
        return None
    if is_mirrored_by_gateway(picture, status):
        problem = router_problem(picture)
        return problem.message if problem else gateway_mirror_problem(picture, canary)
    if mirrors_by_itself(picture, stable.revision) is False:
        return (
            f"the pods of revision {stable.revision} can't mirror requests: it was made before "
            "servers could, or by a server of your own, and isn't restarted for it; with "
            "`traffic.gatewayAPI` a Gateway mirrors; `kubectl serinus promote` goes on without a "
            "shadow, or release without one"
        )
    if mirrors_by_itself(picture, canary.revision) is False:
        return (
            "Serinus' server mirrors no requests to a server of your own; with "
            "`traffic.gatewayAPI` a Gateway does"
        )
    return None


def _is_found_by_stable(picture: Picture, status: DeploymentStatus) -> bool:
    canary = status.canary
    return (
        canary is not None
        and canary.shadow is not None
        and canary.traffic_started_at is not None
        and not is_mirrored_by_gateway(picture, status)
    )
