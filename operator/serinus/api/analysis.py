"""Block `analysis` of a Deployment: on what evidence a revision is released."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import ConfigDict, Field, StringConstraints

from serinus.api.enums import AnalysisMode, MetricTemplate, OnEvent
from serinus.api.label_scores import ScoreName
from serinus.api.quantities import DecimalText, Duration, FractionText
from serinus.api.schema_model import ApiModel, Text, cel, exactly_one, map_list

METRICS_MAX = 20
QUERIES_MAX_LENGTH = 16_384
QUERY_MAX_LENGTH = 4096
TEMPLATE_NAME_PATTERN = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
TEMPLATE_NAME_MAX_LENGTH = 63
PARAMETERS_MAX = 16


class Allowance(ApiModel):
    """How much worse than stable: at most `ratio` times stable's rate plus `increase`."""

    ratio: DecimalText | None = Field(
        default=None, description='Factor of stable\'s rate. Default in a given object: "1".'
    )
    increase: DecimalText | None = Field(
        default=None, description='Added to it, as a fraction. Default in a given object: "0".'
    )


class PrometheusQuery(ApiModel):
    """A query of one's own that gives one number."""

    query: Annotated[str, StringConstraints(min_length=1, max_length=QUERY_MAX_LENGTH)] = Field(
        description="PromQL that gives one value. `{{ .revision }}`, `{{ .stableRevision }}`, "
        "`{{ .namespace }}` and `{{ .deployment }}` are replaced."
    )
    description: Text | None = Field(
        default=None, description="What the number means, for who reads the record of a rollout."
    )


class MetricTemplateRef(ApiModel):
    """A query of the library: a template in a labelled ConfigMap, and what it is told."""

    name: Annotated[
        str, StringConstraints(pattern=TEMPLATE_NAME_PATTERN, max_length=TEMPLATE_NAME_MAX_LENGTH)
    ] = Field(
        description="Name of the template: a key of a ConfigMap that is labelled "
        '`serinus.dev/metric-templates: "true"`, in this namespace, else in the operator\'s.'
    )
    parameters: dict[str, Annotated[str, StringConstraints(max_length=256)]] = Field(
        default_factory=dict,
        max_length=PARAMETERS_MAX,
        description="Values of the template's parameters, by name.",
    )


class CompareTo(StrEnum):
    """What the canary is compared with."""

    STABLE = "stable"


class AnalysisMetric(ApiModel):
    """One measure of harm."""

    model_config = ConfigDict(
        json_schema_extra=cel(
            exactly_one("template", "prometheus", "templateRef"),
            (
                "!has(self.template) || has(self.compareTo) || has(self.max)",
                "a `template` needs `compareTo: stable`, `max`, or both",
            ),
            (
                "!has(self.prometheus) || has(self.min) || has(self.max)",
                "`prometheus` needs `min`, `max`, or both",
            ),
            (
                (
                    "!has(self.template) || !(has(self.min) || has(self.successMin) || "
                    "has(self.successMax) || has(self.interval) || has(self.count) || "
                    "has(self.initialDelay) || has(self.failureLimit) || "
                    "has(self.inconclusiveLimit) || has(self.consecutiveErrorLimit))"
                ),
                (
                    "`min`, `successMin`, `successMax`, `interval`, `count`, `initialDelay`, "
                    "`failureLimit`, `inconclusiveLimit` and `consecutiveErrorLimit` "
                    "go with `prometheus` and `templateRef` only"
                ),
            ),
            (
                "!has(self.successMin) || has(self.min) || has(self.templateRef)",
                "`successMin` needs `min`: a value between them is inconclusive",
            ),
            (
                "!has(self.successMax) || has(self.max) || has(self.templateRef)",
                "`successMax` needs `max`: a value between them is inconclusive",
            ),
            (
                (
                    "!has(self.inconclusiveLimit) || has(self.successMin) || "
                    "has(self.successMax) || has(self.templateRef)"
                ),
                (
                    "`inconclusiveLimit` needs `successMin` or `successMax`: "
                    "without them nothing is inconclusive"
                ),
            ),
            (
                (
                    "has(self.template) || !(has(self.compareTo) || has(self.tolerance) || "
                    "has(self.nonInferiorityMargin) || has(self.weight) || has(self.primary))"
                ),
                (
                    "`compareTo`, `tolerance`, `nonInferiorityMargin`, `weight` and `primary` "
                    "go with `template` only"
                ),
            ),
            (
                "has(self.latency) == (has(self.template) && self.template == 'slow-requests')",
                "`latency` goes with `template: slow-requests`, and only with it",
            ),
            (
                "has(self.score) == (has(self.template) && self.template == 'prediction-loss')",
                "`score` goes with `template: prediction-loss`, and only with it",
            ),
            (
                "has(self.compareTo) || !(has(self.tolerance) || has(self.nonInferiorityMargin))",
                "`tolerance` and `nonInferiorityMargin` need `compareTo: stable`",
            ),
        )
    )

    name: Annotated[
        str, StringConstraints(pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", max_length=40)
    ] = Field(description="Name of the metric in status and messages.")
    template: MetricTemplate | None = Field(
        default=None, description="A counted metric of Serinus' server."
    )
    prometheus: PrometheusQuery | None = Field(
        default=None, description="A query of one's own. It is outside the stated error rate."
    )
    template_ref: MetricTemplateRef | None = Field(
        default=None,
        description="A query of the library, with limits of its own unless they are given here. "
        "It is outside the stated error rate.",
    )
    latency: Duration | None = Field(
        default=None,
        description="slow-requests: from here on an answer is slow. A bucket bound: 1ms, 2.5ms, "
        "5ms, 10ms, 25ms, 50ms, 100ms, 250ms, 500ms, 1s, 2.5s, 5s or 10s.",
    )
    score: ScoreName | None = Field(
        default=None,
        description="prediction-loss: the score, as a share of its bound. Those but `brier` have "
        "to be in `server.feedback.scores`.",
    )
    compare_to: CompareTo | None = Field(
        default=None, description="`stable`: compare with the revision that serves."
    )
    min: DecimalText | None = Field(
        default=None, description="Smallest allowed value; a smaller one is a failure."
    )
    max: DecimalText | None = Field(
        default=None,
        description="Largest allowed value; a larger one is a failure. A rate's is a fraction.",
    )
    success_min: DecimalText | None = Field(
        default=None,
        description="prometheus: from here on a value is a success; between `min` and it a value "
        "is inconclusive. Default: `min`.",
    )
    success_max: DecimalText | None = Field(
        default=None,
        description="prometheus: up to here a value is a success; between it and `max` a value "
        "is inconclusive. Default: `max`.",
    )
    tolerance: Allowance | None = Field(
        default=None,
        description="Up to here a difference is not harm. Default: ratio 1.25 plus 0.001; "
        "for label metrics stable plus 0.01.",
    )
    non_inferiority_margin: Allowance | None = Field(
        default=None,
        description="Less than this must be shown before the final promotion. Default: ratio 2 "
        "plus 0.01; for label metrics stable plus 0.03.",
    )
    gate: bool | None = Field(
        default=None,
        description="false: the metric only alarms. It is shown with evidence of its own and "
        "raises an event, but has no share of alpha, rolls nothing back and holds nothing up. "
        "Default: true.",
    )
    primary: bool | None = Field(
        default=None, description="Primary metrics that gate share one half of alpha."
    )
    weight: FractionText | None = Field(
        default=None,
        description="Share of alpha; the weights of all metrics that gate may not exceed 1.",
    )
    interval: Duration | None = Field(
        default=None, description="prometheus: time between measurements. Default: 1m."
    )
    count: int | None = Field(
        default=None,
        ge=1,
        le=10_000,
        description="prometheus: measurements in each step, which then has enough of them; an "
        "`analyze` step takes all of them. Default: measured as long as the step lasts.",
    )
    initial_delay: Duration | None = Field(
        default=None,
        description="prometheus: time before the first measurement, after the warm-up. "
        "Default: 0s.",
    )
    failure_limit: int | None = Field(
        default=None, ge=0, description="prometheus: failed measurements allowed. Default: 0."
    )
    inconclusive_limit: int | None = Field(
        default=None,
        ge=0,
        description="prometheus: inconclusive measurements allowed; one more, and the rollout "
        "waits for a person. Default: 0.",
    )
    consecutive_error_limit: int | None = Field(
        default=None,
        ge=0,
        description="prometheus: errors in a row after which the rollout holds. Default: 4.",
    )
    dry_run: bool | None = Field(
        default=None,
        description="Measure and show, and nothing else: no share of alpha, no event, nothing "
        "held up. `gate: false` tells of harm in an event.",
    )


class Analysis(ApiModel):
    """On what evidence a canary is promoted or rolled back."""

    model_config = ConfigDict(
        json_schema_extra=cel(
            (
                (
                    "!has(self.metrics) || self.metrics.all(m, !has(m.weight)) || "
                    "self.metrics.all(m, has(m.weight) || !has(m.template) || "
                    "(has(m.gate) && !m.gate) || (has(m.dryRun) && m.dryRun))"
                ),
                "give every metric with a `template` that gates a `weight`, or none",
            ),
            (
                (
                    "!has(self.metrics) || self.metrics.filter(m, has(m.prometheus))"
                    f".map(m, m.prometheus.query.size()).sum() <= {QUERIES_MAX_LENGTH}"
                ),
                (
                    f"the queries of all `metrics` may have {QUERIES_MAX_LENGTH} characters "
                    "together, because status keeps them during a rollout"
                ),
            ),
        )
    )

    mode: AnalysisMode | None = Field(
        default=None,
        description="How far the evidence is trusted. auto (default): it rolls back and promotes. "
        "pause: where it would roll back, the canary gets no more requests, keeps its pods and "
        "waits for a person. observe: everything is measured, and status, events and history say "
        "what it would have done, but only readiness, time and people decide.",
    )
    false_rollback_rate: FractionText | None = Field(
        default=None,
        description="Alpha: share of healthy versions that may be rolled back, over the whole "
        'rollout and all its metrics. Default: "0.01".',
    )
    false_promotion_rate: FractionText | None = Field(
        default=None,
        description='Beta: share of versions at the margin that may be promoted. Default: "0.05".',
    )
    metrics: list[AnalysisMetric] = Field(
        default_factory=list,
        max_length=METRICS_MAX,
        description="Measures of harm. Without any, readiness and time decide, and status says so.",
        json_schema_extra=map_list("name"),
    )
    variance_inflation: (
        Annotated[str, StringConstraints(pattern=r"^(measured|[0-9]+(\.[0-9]+)?)$", max_length=16)]
        | None
    ) = Field(
        default=None,
        description="How much burstier than independent the events are: `measured` between "
        "stable's pods (default; \"2\" where that can't be), or a number of at least 1.",
    )
    warmup: Duration | None = Field(
        default=None,
        description="Time that isn't compared: of a new canary, and of each pod of both versions "
        "after it became ready. Default: 60s.",
    )
    scrape_interval: Duration | None = Field(
        default=None, description="How often Prometheus scrapes the pods. Default: 15s."
    )
    on_deadline: OnEvent | None = Field(
        default=None,
        description="When `maxDuration` of a step is over: hold (default), rollback or promote.",
    )
    on_no_data: OnEvent | None = Field(
        default=None,
        description="When metrics have no samples: hold (default), pause, rollback or promote.",
    )
    on_provider_error: OnEvent | None = Field(
        default=None,
        description="When the metrics provider can't be read: hold (default) until it answers "
        "again, or pause until a person resumes.",
    )
