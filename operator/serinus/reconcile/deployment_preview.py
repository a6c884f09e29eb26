"""Around a switch: the Service that shows the candidate before, and the old pods that stay after.

In a release by a switch the Service of users is always pinned to one revision, so a candidate's
pods get none of its requests though they bear the label of the Deployment.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from serinus.api.deployment_status import DeploymentStatus
from serinus.manifests.naming import preview_service_name
from serinus.manifests.service import grpc_ports, make_preview_service
from serinus.reconcile.decision import DesiredObject, ObjectRef
from serinus.reconcile.deployment_picture import Picture
from serinus.reconcile.deployment_post_promotion import is_over


def preview_service(picture: Picture, status: DeploymentStatus) -> Iterator[DesiredObject]:
    """The Service of the preview. While nothing is shown it leads to stable.

    One that was made stays when the strategy becomes another: whoever uses it loses nothing.
    """
    namespace, canary = picture.metadata.namespace, status.canary
    shown = canary if canary is not None and canary.preview is not None else status.stable
    ref = ObjectRef("v1", "Service", namespace, preview_service_name(picture.name))
    strategy = picture.spec.strategy
    wanted = shown is canary or bool(strategy and strategy.blue_green)
    if shown is not None and (wanted or picture.children.get(ref) is not None):
        more_ports = grpc_ports(picture.template(shown.revision))
        body = make_preview_service(
            picture.name, namespace, revision=shown.revision, more_ports=more_ports
        )
        yield DesiredObject(body)


def with_kept(picture: Picture, status: DeploymentStatus, now: datetime) -> DeploymentStatus:
    """The status without what isn't kept any more: its time is over, or another release begins."""
    kept, canary, stable = status.kept, status.canary, status.stable
    if kept is None:
        return status
    taken_up = canary is not None or (stable is not None and stable.revision == kept.revision)
    if taken_up or not picture.replicas or is_over(kept, now):
        return status.model_copy(update={"kept": None})
    return status
