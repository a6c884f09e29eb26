"""What to change in a release that can't be decided in its time, or that finds too little.

Each piece of advice was tried: it names a change with which the same plan comes out better.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from serinus.analysis.plan import (
    MAX_STAGE_SECONDS,
    MetricBaseline,
    ReleasePlan,
    Stage,
    Timing,
    planned,
)
from serinus.analysis.spec import AgainstStable, AnalysisRules, RateRule

WIDER_MARGINS = (0.005, 0.01, 0.02, 0.03, 0.05, 0.1)
"""Increases of a margin that are tried, as absolute rates."""
_BAD_FACTOR = 2.0  # less is what margins are for


@dataclass(frozen=True, slots=True)
class LongerAnalysis:
    """The last analysis ends if `maxDuration` is at least this."""

    seconds: float


@dataclass(frozen=True, slots=True)
class WiderMargin:
    """It ends in its time if the margin of a metric accepts this much more than stable's rate."""

    metric: str
    increase: float


@dataclass(frozen=True, slots=True)
class NeverDecided:
    """Neither helps: there is too little traffic, or none of the events that the metric counts."""

    metrics: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Accepted:
    """A version this many times as bad is typically promoted, because the margin allows it."""

    metric: str
    factor: float
    safe_below: float


Advice = LongerAnalysis | WiderMargin | NeverDecided | Accepted


def advice(
    plan: ReleasePlan,
    rules: AnalysisRules,
    stages: Sequence[Stage],
    known: Mapping[str, MetricBaseline],
    timing: Timing,
) -> tuple[Advice, ...]:
    """What to change, most helpful first; empty when all is well."""

    def replanned(changed: AnalysisRules, over: Sequence[Stage]) -> ReleasePlan:
        return planned(changed, over, known, timing)

    found: list[Advice] = []
    if plan.promoted_seconds is None:
        found += _decided_sooner(plan, rules, stages, replanned) or [NeverDecided(plan.held_by)]
    found += _accepted(plan)
    return tuple(found)


_Replanned = Callable[[AnalysisRules, Sequence[Stage]], ReleasePlan]


def _decided_sooner(
    plan: ReleasePlan, rules: AnalysisRules, stages: Sequence[Stage], replanned: _Replanned
) -> list[Advice]:
    found: list[Advice] = []
    patient = [replace(stage, max_seconds=MAX_STAGE_SECONDS) for stage in stages]
    longer = replanned(rules, patient)
    if longer.promoted_seconds is not None:
        found.append(LongerAnalysis(_longest_stage(longer, stages)))
    for metric in plan.held_by:
        found += _wider(metric, rules, stages, replanned)
    return found


def _longest_stage(plan: ReleasePlan, stages: Sequence[Stage]) -> float:
    """How long the longest of the stages took that wait for evidence."""
    begins = (0.0, *plan.stage_seconds)
    return max(
        end - begin
        for begin, end, stage in zip(begins, plan.stage_seconds, stages, strict=False)
        if math.isfinite(stage.max_seconds)
    )


def _wider(
    metric: str, rules: AnalysisRules, stages: Sequence[Stage], replanned: _Replanned
) -> Iterator[WiderMargin]:
    """The narrowest margin with which this metric holds nothing up any more."""
    for increase in WIDER_MARGINS:
        changed = _with_margin(rules, metric, increase)
        if changed is not None and metric not in replanned(changed, stages).held_by:
            yield WiderMargin(metric, increase)
            return


def _with_margin(rules: AnalysisRules, metric: str, increase: float) -> AnalysisRules | None:
    """The rules with a wider margin; None where that one isn't wider."""
    rule = next(rule for rule in rules.rates if rule.name == metric)
    wider = tuple(
        replace(one, margin=replace(one.margin, increase=increase))
        if isinstance(one, AgainstStable) and one.margin.increase < increase
        else one
        for one in rule.comparisons
    )
    if wider == rule.comparisons:
        return None
    changed: RateRule = replace(rule, comparisons=wider)
    return replace(rules, metrics=tuple(changed if one is rule else one for one in rules.metrics))


def _accepted(plan: ReleasePlan) -> Iterator[Accepted]:
    """For each metric the worst of the versions that would typically be promoted."""
    for metric in plan.metrics:
        promoted = [one.factor for one in metric.detections if one.promoted]
        if promoted and max(promoted) >= _BAD_FACTOR:
            yield Accepted(metric.metric, max(promoted), metric.safe_below)
