"""Which revisions may not be tried again: as the status says, and as the records remember.

The status shows the newest. A rejection that fell off its end, or was lost with it, is still in the
record that was made of it; only `retry` takes one back, and stands in status until the record is
gone, too.
"""

from __future__ import annotations

from collections.abc import Iterator

from serinus.api.deployment_status import DeploymentStatus, RejectedRevision
from serinus.reconcile.deployment_facts import Observed, Rejection
from serinus.rollout.revision import REJECTED_MAX, without_rejected


def rejection_of(
    revision: str, status: DeploymentStatus, seen: Observed
) -> RejectedRevision | None:
    """Why the revision may not be tried again; None when it may."""
    for item in status.rejected_revisions:
        if item.revision == revision:
            return item
    known = seen.rejections.get(revision)
    return known.record if known and revision not in status.retried_revisions else None


def with_rejections(status: DeploymentStatus, seen: Observed) -> DeploymentStatus:
    """The status with all rejections that it has room for; retries that are through are over."""
    retried = [one for one in status.retried_revisions if one in seen.rejections]
    shown = {item.revision for item in status.rejected_revisions}
    others = sorted(
        (
            one.record
            for revision, one in seen.rejections.items()
            if revision not in shown and revision not in retried
        ),
        key=lambda item: (item.at, item.revision),
    )
    room = REJECTED_MAX - len(status.rejected_revisions)
    return status.model_copy(
        update={
            "retried_revisions": retried,
            "rejected_revisions": [
                *(others[-room:] if room > 0 else []),
                *status.rejected_revisions,
            ],
        }
    )


def with_retried(status: DeploymentStatus, revision: str) -> DeploymentStatus:
    """The status in which the revision may be tried again."""
    retried = [one for one in status.retried_revisions if one != revision]
    return status.model_copy(
        update={
            "rejected_revisions": without_rejected(status.rejected_revisions, revision),
            "retried_revisions": [*retried, revision][-REJECTED_MAX:],
        }
    )


def unrecorded(status: DeploymentStatus, seen: Observed) -> Iterator[RejectedRevision]:
    """Rejections that have no record yet."""
    return (item for item in status.rejected_revisions if item.revision not in seen.rejections)


def taken_back(status: DeploymentStatus, seen: Observed) -> Iterator[Rejection]:
    """Records of rejections that a person took back."""
    return (seen.rejections[one] for one in status.retried_revisions if one in seen.rejections)
