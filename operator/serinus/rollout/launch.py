"""The first revision: nothing serves yet, so there are no steps and there is no comparison.

It becomes stable when all its pods are ready. It can't be rolled back, because there is nothing to
go back to; a new spec replaces it.
"""

from __future__ import annotations

from serinus.api.enums import Reason
from serinus.rollout.advance import FinishPromotion, Hold
from serinus.rollout.facts import Finding, PodFacts


def launch(
    name: str,
    pods: PodFacts,
    *,
    progress_deadline_seconds: float,
    reference_problem: Finding | None = None,
) -> FinishPromotion | Hold:
    """What happens to the first revision next; `name` is how messages call it.

    `reference_problem` says why the model reference leads nowhere; None when it leads to a version.
    """
    if reference_problem is not None:
        message = f"the first revision: {reference_problem.message}"
        return Hold(
            Finding(Reason.WAITING_FOR_MODEL_VERSION, message),
            clock_stands_still=False,
            waits_without_end=True,
        )
    if pods.ready:
        message = f"{name} is stable: the first revision, all its pods are ready"
        return FinishPromotion(Finding(Reason.FIRST_REVISION, message))
    ready = f"{pods.available} of {pods.wanted} pods of {name} are ready"
    why = f"; {pods.problem.message}" if pods.problem else ""
    late = pods.waiting_seconds >= progress_deadline_seconds
    reason = Reason.PROGRESS_DEADLINE_EXCEEDED if late else Reason.FIRST_REVISION
    return Hold(
        Finding(reason, f"the first revision: {ready}{why}"),
        clock_stands_still=False,
        waits_without_end=late,
    )
