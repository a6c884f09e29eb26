"""The first revision is judged for a while once it serves: by limits that need no other revision.

It is stable from the moment at which its pods are ready, so that another version can be released
beside it at once; that ends the look at it. What was found harmful stays so until something else
is stable, or a person accepts it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import assert_never

from serinus.api.analysis import Analysis, AnalysisMetric
from serinus.api.conditions import format_micro_time, format_time, parse_time
from serinus.api.deployment_status import (
    DeploymentStatus,
    FirstCheckStatus,
    RevisionStatus,
    Withdrawal,
)
from serinus.api.enums import AnalysisMode
from serinus.api.quantities import duration_seconds
from serinus.reconcile.decision import Event
from serinus.reconcile.deployment_analysis import judgement_of, told_of
from serinus.reconcile.deployment_picture import Picture
from serinus.reconcile.deployment_post_promotion import judged_as_canary, rules_after_promotion
from serinus.reconcile.deployment_rules import FrozenRules, explicit_analysis, frozen_rules
from serinus.reconcile.deployment_transition import (
    MESSAGE_MAX,
    Changed,
    first_ended,
    first_harmful,
    harm_told,
)
from serinus.rollout.facts import Finding
from serinus.rollout.first_check import (
    Ended,
    FirstFacts,
    FirstVerdict,
    Harmful,
    WouldBeHarmful,
    first_verdict,
)

DEFAULT_DURATION = "30m"


@dataclass(frozen=True, slots=True)
class JudgedFirst:
    """The next status as far as the first revision goes; `moved` says whether anything happened."""

    status: DeploymentStatus
    events: tuple[Event, ...] = ()
    moved: bool = False


def check_begun(picture: Picture, now: datetime) -> FirstCheckStatus | None:
    """How a first revision that serves from now on is judged; None: by nothing."""
    strategy = picture.spec.strategy
    first = strategy.first_deployment if strategy else None
    duration = first.duration if first else DEFAULT_DURATION
    seconds = duration_seconds(duration)
    rules = _rules(picture, duration)
    judged = _metrics(rules)
    if not seconds or all(one.gate is False or one.dry_run for one in judged):
        return None
    return FirstCheckStatus(
        started_at=format_micro_time(now),
        until=format_time(now + timedelta(seconds=seconds)),
        rules=rules,
        not_judged=_compared(picture, rules),
    )


def told_of_check(picture: Picture, because: Finding, check: FirstCheckStatus | None) -> Finding:
    """Why the first revision serves, with what it is judged by and what it isn't."""
    missing = check.not_judged if check else _compared(picture, _rules(picture, DEFAULT_DURATION))
    judged = [one.name for one in _metrics(check.rules)] if check else []
    how = f"; it is judged until {check.until} by {_named(judged)}" if check else ""
    left_out = f"; not judged, as they compare with stable: {_named(missing)}" if missing else ""
    return replace(because, message=because.message + how + left_out)


def judged_first(picture: Picture, status: DeploymentStatus, now: datetime) -> JudgedFirst:
    """What the metrics say of a first revision, and what comes of it."""
    stable, check = status.stable, status.first_check
    if stable is None or check is None or check.harm is not None or not picture.replicas:
        return JudgedFirst(status)
    analysis = picture.analysis_in(status)
    outcome = analysis.outcome(picture.samples, now) if analysis else None
    status, alarming = told_of(status, outcome)
    facts = FirstFacts(
        name=f"revision {stable.revision} ({stable.model_version})",
        mode=picture.rules.mode if picture.rules else AnalysisMode.AUTO,
        judgement=judgement_of(outcome) if outcome else None,
        over=now >= parse_time(check.until),
    )
    found = first_verdict(facts)
    judged = _carried_out(status, stable, check, found, now)
    return replace(judged, events=(*alarming, *judged.events))


def _carried_out(
    status: DeploymentStatus,
    stable: RevisionStatus,
    check: FirstCheckStatus,
    found: FirstVerdict | None,
    now: datetime,
) -> JudgedFirst:
    match found:
        case None:
            return JudgedFirst(status)
        case Harmful(because=because):
            harm = Withdrawal(
                reason=because.reason,
                message=because.message[:MESSAGE_MAX],
                at=format_time(now),
            )
            kept = check.model_copy(update={"harm": harm})
            return _happened(first_harmful(status, stable, kept, because, now))
        case WouldBeHarmful(because=because):
            judged = judged_as_canary(status)
            told = Changed(status) if judged is None else harm_told(status, judged, because, now)
            return JudgedFirst(told.status, told.events)
        case Ended(because=because):
            return _happened(first_ended(status, stable, because, "", now))
        case _:
            assert_never(found)


def _happened(changed: Changed) -> JudgedFirst:
    return JudgedFirst(changed.status, changed.events, moved=True)


def _rules(picture: Picture, duration: str) -> FrozenRules:
    frozen = frozen_rules(picture.spec, picture.counters)
    return rules_after_promotion(frozen, [], duration=duration)


def _metrics(rules: FrozenRules) -> list[AnalysisMetric]:
    return Analysis.model_validate(rules["analysis"]).metrics


def _compared(picture: Picture, rules: FrozenRules) -> list[str]:
    """Metrics of the spec that need another revision to be compared with."""
    judged = {one.name for one in _metrics(rules)}
    metrics = explicit_analysis(picture.spec.analysis).metrics
    return [one.name for one in metrics if one.name not in judged]


def _named(metrics: list[str]) -> str:
    return ", ".join(f"`{one}`" for one in metrics)
