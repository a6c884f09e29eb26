"""After a promotion: what was stable keeps pods, and what is stable now goes on being judged.

The former revision gets no requests meanwhile, so there is nothing to compare with at the same
time. A rate is held against its `max` and against what was tolerated beside the former revision
during the rollout, by the highest rate that the requests counted then still fit. These limits are
frozen at the promotion.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from serinus.analysis.promql import placeholders
from serinus.analysis.upper_rate import upper_rate
from serinus.api.analysis import Analysis, AnalysisMetric
from serinus.api.conditions import format_micro_time, parse_time
from serinus.api.deployment_status import (
    CanaryStatus,
    DeploymentStatus,
    FirstCheckStatus,
    KeptRevision,
    MetricStatus,
    PostPromotionStatus,
)
from serinus.api.quantities import duration_seconds, parse_decimal
from serinus.api.strategy import PostPromotionAnalysis
from serinus.reconcile.deployment_rules import DEFAULT_ALPHA, FrozenRules, boundary, parsed_rules

LIMIT_FIGURES = 6
_OF_STABLE = "stableRevision"


def kept_after_promotion(
    status: DeploymentStatus, canary: CanaryStatus, now: datetime
) -> KeptRevision | None:
    """What was stable until `canary` was promoted, as far as it keeps pods; None: it keeps none."""
    if status.stable is None or canary.returning or canary.rules is None:
        return None
    delay = canary.preview.scale_down_delay_seconds if canary.preview else 0
    after = parsed_rules(canary.rules).post_promotion
    judged = duration_seconds(after.duration) if after else 0.0
    if not delay and not judged:
        return None
    return KeptRevision(
        revision=status.stable.revision,
        model_version=status.stable.model_version,
        until=format_micro_time(now + timedelta(seconds=max(float(delay), judged))),
        analysis=_judged_from(after, status, canary, canary.rules, now) if after else None,
    )


def _judged_from(
    after: PostPromotionAnalysis,
    status: DeploymentStatus,
    canary: CanaryStatus,
    rules: FrozenRules,
    now: datetime,
) -> PostPromotionStatus:
    all_stay = canary.preview is not None and after.kept_replicas is None
    return PostPromotionStatus(
        started_at=format_micro_time(now),
        replicas=None if all_stay else after.kept_replicas or 1,
        rules=rules_after_promotion(rules, status.analysis, duration=after.duration),
    )


def rules_after_promotion(
    frozen: FrozenRules, measured: list[MetricStatus], *, duration: str
) -> FrozenRules:
    """The frozen rules of a rollout, with each comparison as a limit that needs no other revision.

    A rate that was only compared with stable, of which too little was seen to say what would be
    harm, is left out; so is a query that names stable, which has no requests any more.
    """
    analysis = Analysis.model_validate(frozen["analysis"])
    miss = parse_decimal(analysis.false_rollback_rate or DEFAULT_ALPHA)
    known = {one.metric: one for one in measured}
    limited = [_limited(one, known.get(one.name), miss) for one in analysis.metrics]
    judged = analysis.model_copy(update={"metrics": [one for one in limited if one is not None]})
    return {
        "steps": [{"analyze": {"maxDuration": duration}}],
        "analysis": judged.model_dump(mode="json", by_alias=True, exclude_none=True),
        **{kept: frozen[kept] for kept in ("counters", "feedback") if kept in frozen},
    }


def _limited(
    metric: AnalysisMetric, seen: MetricStatus | None, miss: float
) -> AnalysisMetric | None:
    if metric.template is None:
        query = metric.prometheus.query if metric.prometheus else ""
        return None if _OF_STABLE in placeholders(query) else metric
    limits = [parse_decimal(metric.max)] if metric.max else []
    if metric.compare_to and metric.tolerance and seen and seen.stable and seen.limits:
        reached = upper_rate(
            parse_decimal(seen.stable.bad),
            seen.stable.total,
            miss=miss,
            inflation=parse_decimal(seen.limits.variance_inflation),
        )
        allowed = boundary(metric.tolerance)
        limits.append(allowed.ratio * reached + allowed.increase)
    lowest = min(limits, default=1.0)
    if not 0 < lowest < 1:
        return None
    alone: dict[str, Any] = {
        "compare_to": None,
        "tolerance": None,
        "non_inferiority_margin": None,
        "max": f"{lowest:.{LIMIT_FIGURES}g}",
    }
    return metric.model_copy(update=alone)


def judged_as_canary(status: DeploymentStatus) -> CanaryStatus | None:
    """What serves and is judged, as the analysis knows a canary; None where it isn't any more.

    That is what was promoted lately, or the first revision.
    """
    stable = status.stable
    judged = _judged(status)
    if stable is None or status.canary is not None or judged is None:
        return None
    moment = judged.started_at
    return CanaryStatus(
        revision=stable.revision,
        model_version=stable.model_version,
        started_at=moment,
        step_started_at=moment,
        traffic_started_at=moment,
        rules=judged.rules,
    )


def _judged(status: DeploymentStatus) -> PostPromotionStatus | FirstCheckStatus | None:
    kept, first = status.kept, status.first_check
    if kept is not None and kept.analysis is not None:
        return None if kept.going_back is not None else kept.analysis
    return first if first is not None and first.harm is None else None


def kept_replicas(kept: KeptRevision, total: int) -> int:
    """Pods of what was stable: all once it is needed again, else those that it keeps."""
    analysis = kept.analysis
    if analysis is None or analysis.replicas is None or kept.going_back is not None:
        return total
    return min(analysis.replicas, total)


def is_over(kept: KeptRevision, now: datetime) -> bool:
    """Whether its pods may go. Not while it is needed again."""
    return kept.going_back is None and now >= parse_time(kept.until)
