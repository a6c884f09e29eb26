"""Strategy and analysis of a rollout: every default spelled out, frozen, and read again.

What is frozen is what a user would have to write to leave nothing to a default, so that neither an
edit nor an operator with other defaults changes the rules of a rollout that runs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import time, timedelta
from typing import Any

from pydantic import ValidationError

from serinus.analysis.spec import (
    DEFAULT_COMPARISON,
    AgainstMaximum,
    AgainstStable,
    AnalysisRules,
    Boundary,
    Comparison,
    MetricRule,
    RateRule,
    ScalarRule,
)
from serinus.api.ab_test import DEFAULT_CANARY_PERCENT, AbTest
from serinus.api.analysis import Allowance, Analysis, AnalysisMetric, CompareTo
from serinus.api.counters import Counters
from serinus.api.deployment import DeploymentSpec
from serinus.api.deployment_status import PreviewStatus
from serinus.api.enums import AnalysisMode, MetricTemplate, OnEvent
from serinus.api.feedback import Feedback
from serinus.api.hooks import ReleaseHook
from serinus.api.quantities import duration_seconds, parse_decimal, parse_duration
from serinus.api.schema_model import ApiModel
from serinus.api.strategy import BlueGreen, Canary, PostPromotionAnalysis, Weekday
from serinus.api.strategy import PromotionWindow as ApiWindow
from serinus.api.strategy import Step as ApiStep
from serinus.reconcile.label_bounds import label_bounds
from serinus.rollout.promotion_window import PromotionWindow
from serinus.rollout.revision import content_hash
from serinus.rollout.steps import (
    Step,
    explicit_steps,
    parsed_steps,
    steps_of_a_switch,
    steps_of_a_test,
)

DEFAULT_ALPHA = "0.01"
DEFAULT_BETA = "0.05"
DEFAULT_WARMUP = "60s"
DEFAULT_SCRAPE_INTERVAL = "15s"
DEFAULT_INTERVAL = "1m"
DEFAULT_INITIAL_DELAY = "0s"
DEFAULT_FAILURE_LIMIT = 0
DEFAULT_INCONCLUSIVE_LIMIT = 0
DEFAULT_CONSECUTIVE_ERROR_LIMIT = 4
MEASURED = "measured"
MIDNIGHT = "00:00"
DEFAULT_SCALE_DOWN_DELAY_SECONDS = 30
DEFAULT_TIME_ZONE = "UTC"
DEFAULT_METRIC = AnalysisMetric(
    name="error-rate", template=MetricTemplate.ERROR_RATE, compare_to=CompareTo.STABLE
)

FrozenRules = dict[str, Any]
"""`steps`, `analysis`, `promotionWindows`, and where they are given `maxWeight`, `blueGreen`,
`abTest`, `hooks` and `postPromotionAnalysis`, in the spec's words; `counters` too, where a server
isn't Serinus', and `feedback`, where it says by what labels are judged."""


@dataclass(frozen=True, slots=True)
class RolloutRules:
    """Rules of one rollout, as decisions read them."""

    steps: tuple[Step, ...]
    max_weight_percent: int | None
    analysis: AnalysisRules
    preview: PreviewStatus | None
    ab_test: AbTest | None
    mode: AnalysisMode
    windows: tuple[PromotionWindow, ...]
    post_promotion: PostPromotionAnalysis | None
    hooks: tuple[ReleaseHook, ...]
    warmup: timedelta
    scrape_interval: timedelta
    on_deadline: OnEvent
    on_no_data: OnEvent
    on_provider_error: OnEvent


def frozen_rules(spec: DeploymentSpec, counters: Sequence[Counters] = ()) -> FrozenRules:
    """The rules that a rollout which begins now goes by.

    `counters` are those of the servers of both revisions; none where both are Serinus'.
    """
    canary = spec.strategy.canary if spec.strategy else None
    switch = spec.strategy.blue_green if spec.strategy else None
    test = spec.strategy.ab_test if spec.strategy else None
    steps = explicit_steps(canary)
    if switch is not None:
        steps = steps_of_a_switch(switch)
    elif test is not None:
        steps = steps_of_a_test(test)
    after = spec.strategy.post_promotion_analysis if spec.strategy else None
    windows = (spec.strategy.promotion_windows if spec.strategy else None) or []
    hooks = (spec.strategy.hooks if spec.strategy else None) or []
    return {
        "steps": [_dumped(step) for step in steps],
        "analysis": _dumped(explicit_analysis(spec.analysis)),
        "promotionWindows": [_dumped(_explicit_window(one)) for one in windows],
        **({"blueGreen": _dumped(_explicit_switch(switch))} if switch else {}),
        **({"maxWeight": canary.max_weight} if canary and canary.max_weight else {}),
        **({"hooks": [_dumped(one) for one in hooks]} if hooks else {}),
        **({"abTest": _dumped(_explicit_test(test))} if test else {}),
        **({"postPromotionAnalysis": _dumped(after)} if after else {}),
        **({"counters": [_dumped(one) for one in counters]} if counters else {}),
        **_frozen_feedback(spec.server.feedback if spec.server else None),
    }


def rules_hash(rules: Mapping[str, Any]) -> str:
    """Short name of frozen rules."""
    return content_hash(rules)


def parsed_rules(frozen: Mapping[str, Any]) -> RolloutRules:
    """Frozen rules, read and not judged anew.

    What a stricter operator would refuse in a spec was allowed when the rollout began, and stays
    so: to end it would spend alpha a second time on the same canary.

    Raises
    ------
    ValueError
        If they are damaged, so that nothing can be computed by them.
    """
    try:
        steps = [ApiStep.model_validate(step) for step in frozen["steps"]]
        analysis = explicit_analysis(Analysis.model_validate(frozen["analysis"]))
        given = frozen.get("promotionWindows") or []  # none before there were windows
        windows = [ApiWindow.model_validate(one) for one in given]
        hooks = [ReleaseHook.model_validate(one) for one in frozen.get("hooks") or []]
        after = frozen.get("postPromotionAnalysis")
        post_promotion = PostPromotionAnalysis.model_validate(after) if after else None
        given_test = frozen.get("abTest")
        test = AbTest.model_validate(given_test) if given_test else None
        max_weight = Canary(max_weight=frozen.get("maxWeight")).max_weight
        counters = [Counters.model_validate(one) for one in frozen.get("counters") or []]
        feedback = Feedback.model_validate(frozen.get("feedback") or {})
    except (KeyError, TypeError, ValidationError) as error:
        raise ValueError(f"the frozen rules of the rollout can't be read: {error}") from error
    rules = analysis_rules(analysis, counters, feedback)
    interval = analysis.scrape_interval or DEFAULT_SCRAPE_INTERVAL
    if not (0 < rules.alpha < 1 and 0 < rules.beta < 1 and duration_seconds(interval) > 0):
        raise ValueError("the frozen rules of the rollout have a rate or an interval of nothing")
    return RolloutRules(
        steps=parsed_steps(steps),
        max_weight_percent=max_weight,
        analysis=rules,
        preview=_preview(frozen.get("blueGreen")),
        ab_test=test,
        mode=analysis.mode or AnalysisMode.AUTO,
        windows=tuple(_window(one) for one in windows),
        post_promotion=post_promotion,
        hooks=tuple(hooks),
        warmup=parse_duration(analysis.warmup or DEFAULT_WARMUP),
        scrape_interval=parse_duration(interval),
        on_deadline=analysis.on_deadline or OnEvent.HOLD,
        on_no_data=analysis.on_no_data or OnEvent.HOLD,
        on_provider_error=analysis.on_provider_error or OnEvent.HOLD,
    )


def explicit_analysis(given: Analysis | None) -> Analysis:
    """The analysis with nothing left to a default.

    Without `metrics` it is the error rate compared with stable; an empty list stays empty.
    """
    analysis = given or Analysis()
    metrics = analysis.metrics if "metrics" in analysis.model_fields_set else [DEFAULT_METRIC]
    return Analysis(
        mode=analysis.mode or AnalysisMode.AUTO,
        false_rollback_rate=analysis.false_rollback_rate or DEFAULT_ALPHA,
        false_promotion_rate=analysis.false_promotion_rate or DEFAULT_BETA,
        metrics=[_explicit_metric(metric) for metric in metrics],
        variance_inflation=analysis.variance_inflation or MEASURED,
        warmup=analysis.warmup or DEFAULT_WARMUP,
        scrape_interval=analysis.scrape_interval or DEFAULT_SCRAPE_INTERVAL,
        on_deadline=analysis.on_deadline or OnEvent.HOLD,
        on_no_data=analysis.on_no_data or OnEvent.HOLD,
        on_provider_error=analysis.on_provider_error or OnEvent.HOLD,
    )


def analysis_rules(
    analysis: Analysis, counters: Sequence[Counters] = (), feedback: Feedback | None = None
) -> AnalysisRules:
    """An explicit analysis as the evidence is judged by it."""
    inflation = analysis.variance_inflation
    measured = inflation is None or inflation == MEASURED
    return AnalysisRules(
        metrics=tuple(
            _metric_rule(metric, tuple(counters), feedback) for metric in analysis.metrics
        ),
        alpha=parse_decimal(analysis.false_rollback_rate or DEFAULT_ALPHA),
        beta=parse_decimal(analysis.false_promotion_rate or DEFAULT_BETA),
        variance_inflation=None if measured else parse_decimal(inflation or ""),
    )


def boundary(allowance: Allowance) -> Boundary:
    """An allowance that is given: an absent ratio is 1, an absent increase 0."""
    return Boundary(
        ratio=parse_decimal(allowance.ratio or "1"),
        increase=parse_decimal(allowance.increase or "0"),
    )


def _frozen_feedback(feedback: Feedback | None) -> dict[str, Any]:
    """By what labels are judged; when they count is each revision's own."""
    if feedback is None or not (feedback.wrong_beyond or feedback.scores):
        return {}
    bounds = Feedback(wrong_beyond=feedback.wrong_beyond, scores=feedback.scores)
    return {"feedback": _dumped(bounds)}


def _explicit_switch(switch: BlueGreen) -> BlueGreen:
    """What of a switch isn't said by its steps."""
    delay = switch.scale_down_delay_seconds
    return BlueGreen(
        preview_replicas=switch.preview_replicas,
        scale_down_delay_seconds=DEFAULT_SCALE_DOWN_DELAY_SECONDS if delay is None else delay,
    )


def _explicit_test(test: AbTest) -> AbTest:
    """What of an A/B test isn't said by its steps."""
    return AbTest(
        unit=test.unit,
        canary_percent=test.canary_percent or DEFAULT_CANARY_PERCENT,
        salt=test.salt,
        layer=test.layer,
    )


def _preview(frozen: Any) -> PreviewStatus | None:
    if frozen is None:
        return None
    switch = _explicit_switch(BlueGreen.model_validate(frozen))
    return PreviewStatus(
        replicas=switch.preview_replicas,
        scale_down_delay_seconds=switch.scale_down_delay_seconds or 0,
    )


def _explicit_window(window: ApiWindow) -> ApiWindow:
    return ApiWindow(
        days=window.days or list(Weekday),
        start=window.start or MIDNIGHT,
        end=window.end or MIDNIGHT,
        time_zone=window.time_zone or DEFAULT_TIME_ZONE,
    )


def _window(given: ApiWindow) -> PromotionWindow:
    window, names = _explicit_window(given), list(Weekday)
    return PromotionWindow(
        weekdays=frozenset(names.index(day) for day in window.days or ()),
        starts=time.fromisoformat(window.start or MIDNIGHT),
        ends=time.fromisoformat(window.end or MIDNIGHT),
        time_zone=window.time_zone or DEFAULT_TIME_ZONE,
    )


def _explicit_metric(metric: AnalysisMetric) -> AnalysisMetric:
    if metric.template is None:
        return metric.model_copy(
            update={
                "interval": metric.interval or DEFAULT_INTERVAL,
                "initial_delay": metric.initial_delay or DEFAULT_INITIAL_DELAY,
                "failure_limit": metric.failure_limit or DEFAULT_FAILURE_LIMIT,
                "inconclusive_limit": metric.inconclusive_limit or DEFAULT_INCONCLUSIVE_LIMIT,
                "consecutive_error_limit": DEFAULT_CONSECUTIVE_ERROR_LIMIT
                if metric.consecutive_error_limit is None
                else metric.consecutive_error_limit,
                "gate": metric.gate is not False,
                "dry_run": bool(metric.dry_run),
            }
        )
    explicit: dict[str, Any] = {
        "gate": metric.gate is not False,
        "dry_run": bool(metric.dry_run),
        "primary": bool(metric.primary),
    }
    if metric.compare_to is not None:
        default = DEFAULT_COMPARISON[metric.template]
        explicit["tolerance"] = _explicit_allowance(metric.tolerance, default.tolerance)
        explicit["non_inferiority_margin"] = _explicit_allowance(
            metric.non_inferiority_margin, default.margin
        )
    return metric.model_copy(update=explicit)


def _explicit_allowance(given: Allowance | None, default: Boundary) -> Allowance:
    if given is None:
        return Allowance(ratio=f"{default.ratio:g}", increase=f"{default.increase:g}")
    return Allowance(ratio=given.ratio or "1", increase=given.increase or "0")


def _metric_rule(
    metric: AnalysisMetric, counters: tuple[Counters, ...], feedback: Feedback | None
) -> MetricRule:
    if metric.template is None:
        return ScalarRule(
            name=metric.name,
            query=metric.prometheus.query if metric.prometheus else "",
            minimum=_decimal(metric.min),
            maximum=_decimal(metric.max),
            success_minimum=_decimal(metric.success_min),
            success_maximum=_decimal(metric.success_max),
            interval=parse_duration(metric.interval or DEFAULT_INTERVAL),
            count=metric.count,
            initial_delay=parse_duration(metric.initial_delay or DEFAULT_INITIAL_DELAY),
            failure_limit=metric.failure_limit or DEFAULT_FAILURE_LIMIT,
            inconclusive_limit=metric.inconclusive_limit or DEFAULT_INCONCLUSIVE_LIMIT,
            consecutive_error_limit=DEFAULT_CONSECUTIVE_ERROR_LIMIT
            if metric.consecutive_error_limit is None
            else metric.consecutive_error_limit,
            gate=metric.gate is not False,
            dry_run=bool(metric.dry_run),
        )
    bounds = label_bounds(metric.template, metric.score, feedback)
    return RateRule(
        name=metric.name,
        template=metric.template,
        comparisons=tuple(_comparisons(metric, metric.template)),
        latency_seconds=duration_seconds(metric.latency) if metric.latency else None,
        score=metric.score.value if metric.score else None,
        bound=bounds.bound,
        quantile=bounds.quantile,
        gate=metric.gate is not False and not metric.dry_run,
        dry_run=bool(metric.dry_run),
        primary=bool(metric.primary),
        weight=_decimal(metric.weight),
        counters=counters,
    )


def _comparisons(metric: AnalysisMetric, template: MetricTemplate) -> list[Comparison]:
    found: list[Comparison] = []
    if metric.compare_to is not None:
        default = DEFAULT_COMPARISON[template]
        margin = metric.non_inferiority_margin
        found.append(
            AgainstStable(
                tolerance=boundary(metric.tolerance) if metric.tolerance else default.tolerance,
                margin=boundary(margin) if margin else default.margin,
            )
        )
    if metric.max is not None:
        found.append(AgainstMaximum(parse_decimal(metric.max)))
    return found


def _decimal(text: str | None) -> float | None:
    return None if text is None else parse_decimal(text)


def _dumped(model: ApiModel) -> dict[str, Any]:
    return model.model_dump(mode="json", by_alias=True, exclude_none=True)
