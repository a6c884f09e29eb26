"""The rules that cases are judged by, and how a metric of a case is put together."""

from __future__ import annotations

from benchmarks.decisions.case import Measure, Requirement, Sense, SimulatedMetric
from benchmarks.decisions.labels import LabelDelay
from benchmarks.decisions.spread import Independent, Spread
from benchmarks.decisions.traffic import RateAt, always
from serinus.analysis.spec import (
    DEFAULT_COMPARISON,
    AgainstStable,
    AnalysisRules,
    Boundary,
    Comparison,
    RateRule,
)
from serinus.api.enums import MetricTemplate

Metrics = SimulatedMetric | tuple[SimulatedMetric, ...]
ALPHA, BETA = 0.01, 0.05
DEFAULT = DEFAULT_COMPARISON[MetricTemplate.ERROR_RATE]
LABELS = DEFAULT_COMPARISON[MetricTemplate.WRONG_PREDICTIONS]
RATIO = AgainstStable(Boundary(1.25), Boundary(2.0))
NO_TOLERANCE = AgainstStable(Boundary(1.0), Boundary(2.0))


def errors(
    base: float,
    canary: RateAt | None = None,
    *,
    stable: RateAt | None = None,
    comparison: Comparison = DEFAULT,
    spread: Spread | None = None,
    name: str = "errors",
    users: str = "",
    share: float = 1.0,
) -> SimulatedMetric:
    """An error rate of `base`; the canary's is the same where it isn't given."""
    mine = stable or always(base)
    return SimulatedMetric(
        rule=RateRule(name, MetricTemplate.ERROR_RATE, (comparison,)),
        stable=mine,
        canary=canary or mine,
        peers_limit=2 * base,
        spread=spread or Independent(),
        users=users,
        share_of_requests=share,
    )


def slow(base: float, canary: RateAt) -> SimulatedMetric:
    """Slow answers, by a bucket of the histogram."""
    rule = RateRule("slow", MetricTemplate.SLOW_REQUESTS, (DEFAULT,), latency_seconds=0.25)
    return SimulatedMetric(rule, always(base), canary, peers_limit=2 * base)


def wrong_predictions(
    base: float, canary: float, delay: LabelDelay, comparison: Comparison = LABELS
) -> SimulatedMetric:
    """Labels that come later."""
    return SimulatedMetric(
        rule=RateRule("wrong", MetricTemplate.WRONG_PREDICTIONS, (comparison,)),
        stable=always(base),
        canary=always(canary),
        peers_limit=2 * base,
        delay=delay,
    )


def brier(base: float, canary: float, spread: Spread) -> SimulatedMetric:
    """A score in [0, 1] stands in for bad."""
    return SimulatedMetric(
        rule=RateRule("brier", MetricTemplate.PREDICTION_LOSS, (LABELS,), score="brier"),
        stable=always(base),
        canary=always(canary),
        peers_limit=2 * base,
        spread=spread,
    )


def judged_by(
    metrics: Metrics, *, inflation: float | None = None
) -> tuple[tuple[SimulatedMetric, ...], AnalysisRules]:
    """Metrics and the rules about them; inflation is measured where it isn't given."""
    all_metrics = metrics if isinstance(metrics, tuple) else (metrics,)
    rules = tuple(metric.rule for metric in all_metrics)
    return all_metrics, AnalysisRules(rules, ALPHA, BETA, variance_inflation=inflation)


def at_most(measure: Measure, limit: float) -> Requirement:
    return Requirement(measure, Sense.AT_MOST, limit)


def at_least(measure: Measure, limit: float) -> Requirement:
    return Requirement(measure, Sense.AT_LEAST, limit)


NO_FALSE_ROLLBACK = at_most(Measure.ROLLED_BACK, ALPHA)
