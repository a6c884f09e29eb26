"""Around a switch: the Service that shows the candidate before, and the old pods that stay after.

In a release by a switch the Service of users is always pinned to one revision, so a candidate's
pods get none of its requests though they bear the label of the Deployment.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from serinus.api.conditions import format_micro_time, parse_time
from serinus.api.deployment_status import CanaryStatus, DeploymentStatus, KeptRevision
from serinus.manifests.naming import preview_service_name
from serinus.manifests.service import make_preview_service
from serinus.reconcile.decision import DesiredObject, ObjectRef
from serinus.reconcile.deployment_picture import Picture


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
        body = make_preview_service(picture.name, namespace, revision=shown.revision)
        yield DesiredObject(body)


def kept_after_switch(
    status: DeploymentStatus, canary: CanaryStatus, now: datetime
) -> KeptRevision | None:
    """The revision that was stable until the switch; None where it wasn't one, or nothing stays."""
    if canary.preview is None or status.stable is None:
        return None
    seconds = canary.preview.scale_down_delay_seconds
    if not seconds:
        return None
    until = now + timedelta(seconds=seconds)
    return KeptRevision(
        revision=status.stable.revision,
        model_version=status.stable.model_version,
        until=format_micro_time(until),
    )


def with_kept(picture: Picture, status: DeploymentStatus, now: datetime) -> DeploymentStatus:
    """The status without what isn't kept any more: its time is over, or another release begins."""
    kept, canary, stable = status.kept, status.canary, status.stable
    if kept is None:
        return status
    taken_up = canary is not None or (stable is not None and stable.revision == kept.revision)
    if taken_up or not picture.replicas or now >= parse_time(kept.until):
        return status.model_copy(update={"kept": None})
    return status
