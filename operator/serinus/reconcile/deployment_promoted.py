"""One pass over what was promoted lately: judged on, and taken away again where it does harm."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import assert_never

from serinus.analysis.advance import AnalysisOutcome
from serinus.api.deployment_status import DeploymentStatus, KeptRevision, RevisionStatus
from serinus.api.enums import AnalysisMode, Reason
from serinus.reconcile.decision import Event
from serinus.reconcile.deployment_analysis import judgement_of, told_of
from serinus.reconcile.deployment_picture import Picture
from serinus.reconcile.deployment_post_promotion import is_over, judged_as_canary
from serinus.reconcile.deployment_transition import Changed, going_back, harm_told, restored
from serinus.rollout.facts import Finding
from serinus.rollout.post_promotion import (
    AfterPromotion,
    AwaitCapacity,
    GoBack,
    PromotedFacts,
    Restore,
    Tell,
    after_promotion,
)


@dataclass(frozen=True, slots=True)
class JudgedAfterPromotion:
    """The next status as far as what was promoted goes.

    Attributes
    ----------
    moved
        Whether something happened that the next pass should go on from at once.
    waits
        Why nothing else may begin: the way back is decided, and pods are awaited. None: it may.
    """

    status: DeploymentStatus
    events: tuple[Event, ...] = ()
    moved: bool = False
    waits: Finding | None = None


def judged_after_promotion(
    picture: Picture, status: DeploymentStatus, now: datetime
) -> JudgedAfterPromotion:
    """What the metrics say of what was promoted, and what comes of it."""
    stable, kept = status.stable, status.kept
    if stable is None or kept is None or kept.analysis is None:
        return JudgedAfterPromotion(status)
    nothing_serves = not picture.replicas and kept.going_back is None
    if nothing_serves or is_over(kept, now):
        return JudgedAfterPromotion(status)
    analysis = picture.analysis_in(status)
    outcome = analysis.outcome(picture.samples, now) if analysis else None
    status, alarming = told_of(status, outcome)
    found = after_promotion(_facts(picture, stable, kept, outcome))
    judged = _carried_out(picture, status, stable, kept, found, now)
    return replace(judged, events=(*alarming, *judged.events))


def _facts(
    picture: Picture, stable: RevisionStatus, kept: KeptRevision, outcome: AnalysisOutcome | None
) -> PromotedFacts:
    decided = kept.going_back
    return PromotedFacts(
        name=f"revision {stable.revision} ({stable.model_version})",
        former=f"revision {kept.revision} ({kept.model_version})",
        mode=picture.rules.mode if picture.rules else AnalysisMode.AUTO,
        judgement=judgement_of(outcome) if outcome else None,
        going_back=Finding(Reason(decided.reason), decided.message) if decided else None,
        available=picture.seen.available(kept.revision),
        wanted=picture.replicas,
    )


def _carried_out(
    picture: Picture,
    status: DeploymentStatus,
    stable: RevisionStatus,
    kept: KeptRevision,
    found: AfterPromotion | None,
    now: datetime,
) -> JudgedAfterPromotion:
    match found:
        case None:
            return JudgedAfterPromotion(status)
        case GoBack(because=because):
            return _happened(going_back(status, stable, kept, because, "", now))
        case Restore(because=because):
            return _happened(restored(status, kept, because, now))
        case AwaitCapacity(because=because):
            return JudgedAfterPromotion(status, waits=because)
        case Tell(because=because):
            told = _left_to_a_person(picture, status, kept, because, now)
            return JudgedAfterPromotion(told.status, told.events)
        case _:
            assert_never(found)


def _left_to_a_person(
    picture: Picture, status: DeploymentStatus, kept: KeptRevision, because: Finding, now: datetime
) -> Changed:
    promoted, mode = judged_as_canary(status), picture.rules.mode if picture.rules else ""
    if promoted is None:
        return Changed(status)
    message = (
        f"`analysis.mode` is {mode}: `kubectl serinus abort` goes back to revision "
        f"{kept.revision} ({kept.model_version}). {because.message}"
    )
    return harm_told(status, promoted, Finding(because.reason, message), now)


def _happened(changed: Changed) -> JudgedAfterPromotion:
    return JudgedAfterPromotion(changed.status, changed.events, moved=True)
