"""Deployment (plural `modeldeployments`): what serves, how it is released, on what evidence."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

from pydantic import ConfigDict, Field, StringConstraints

from serinus.api.enums import MetricTemplate, OnEvent
from serinus.api.metadata import CommonStatus, ObjectMeta
from serinus.api.modelversion import Alias
from serinus.api.pod_settings import PodTemplate, ResourceRequirements
from serinus.api.quantities import DecimalText, Duration, FractionText
from serinus.api.schema_model import (
    API_VERSION,
    ApiModel,
    LocalObjectReference,
    SecretKeySelector,
    cel,
    exactly_one,
    map_list,
)
from serinus.api.trainingjob import ModelName

STEPS_MAX = 32
METRICS_MAX = 20
QUERIES_MAX_LENGTH = 16_384
REPLICA_WEIGHT_MAX_PERCENT = 50
COHORTS_MAX = 64


class Channel(ApiModel):
    """A moving reference to a model: promoting it needs no change of this object."""

    model_config = ConfigDict(
        json_schema_extra=cel(
            exactly_one("alias", "latestApproved"),
            (
                "!has(self.latestApproved) || self.latestApproved",
                "`latestApproved` is true or left out",
            ),
        )
    )

    model_name: ModelName = Field(description="Name of the model.")
    alias: Alias | None = Field(default=None, description="The version that bears this alias.")
    latest_approved: bool | None = Field(
        default=None, description="The newest version that is ready and approved."
    )


class ModelReference(ApiModel):
    """Which model serves."""

    model_config = ConfigDict(json_schema_extra=cel(exactly_one("versionRef", "channel")))

    version_ref: LocalObjectReference | None = Field(
        default=None, description="A ModelVersion by name: promoting is a commit."
    )
    channel: Channel | None = Field(
        default=None, description="A moving reference: promoting is automatic."
    )


class EnvironmentVariable(ApiModel):
    """One variable of the server's environment."""

    model_config = ConfigDict(
        json_schema_extra=cel(
            exactly_one("value", "secretKeyRef"),
            (
                "!self.name.startsWith('SERINUS_')",
                "names that start with SERINUS_ are taken; choose another",
            ),
        )
    )

    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=128)] = (
        Field(description="Name of the variable.")
    )
    value: Annotated[str, StringConstraints(max_length=4096)] | None = Field(
        default=None, description="Its value."
    )
    secret_key_ref: SecretKeySelector | None = Field(
        default=None, description="A Secret's key as its value. Rotating it is no rollout."
    )


class Feedback(ApiModel):
    """How labels that come later are counted."""

    cohort_length: Duration | None = Field(
        default=None,
        description="Length of the windows of issue times by which labels are counted, "
        "1s to 1h. Default: 5m.",
    )
    maturity: Duration | None = Field(
        default=None,
        description="How long after the answer a label is counted at the earliest, so that "
        "labels that come sooner for one outcome don't mislead. Default: 0s.",
    )


class RequestLimits(ApiModel):
    """What one request may bring, and how many a pod answers at once."""

    rows: Annotated[int, Field(ge=1, le=1_000_000)] | None = Field(
        default=None,
        description="Most rows of a request; one with more gets 413. Default: 10000.",
    )
    body_bytes: Annotated[int, Field(ge=1024, le=1 << 30)] | None = Field(
        default=None,
        description="Most bytes of a request's body; one with more gets 413. Default: 4194304.",
    )
    concurrency: Annotated[int, Field(ge=1, le=100_000)] | None = Field(
        default=None,
        description="Most requests that a pod answers at once; others get 503. Default: 256.",
    )


class Server(ApiModel):
    """The pods that serve. Every field here is part of the revision."""

    image: Annotated[str, StringConstraints(max_length=512)] | None = Field(
        default=None, description="Image of the server. Default: the operator's setting."
    )
    runtime_version: Annotated[str, StringConstraints(max_length=63)] | None = Field(
        default=None,
        description="Any text; changing it takes up the operator's newest server image and "
        "pod template in a new revision.",
    )
    resources: ResourceRequirements | None = Field(
        default=None,
        description="CPU, memory and disk of a server. Default of the limit "
        "`ephemeral-storage`: the chart's `scratch.server`.",
    )
    env: list[EnvironmentVariable] = Field(
        default_factory=list,
        max_length=64,
        description="Environment of the server.",
        json_schema_extra=map_list("name"),
    )
    limits: RequestLimits | None = Field(
        default=None, description="What one request may bring, and how many are answered at once."
    )
    feedback: Feedback | None = Field(default=None, description="How late labels are counted.")
    pod_template: PodTemplate | None = Field(
        default=None, description="Placement, labels and pull secrets of the pods."
    )


class ReplicaTraffic(ApiModel):
    """Traffic is split by the number of pods; needs nothing in the cluster."""


class Traffic(ApiModel):
    """How traffic is split."""

    model_config = ConfigDict(json_schema_extra=cel(exactly_one("replicas")))

    replicas: ReplicaTraffic | None = Field(
        default=None, description="By the number of pods. This is the default."
    )


class PauseStep(ApiModel):
    """Wait."""

    duration: Duration | None = Field(
        default=None,
        description="How long. Without it: until a person says `kubectl serinus promote`.",
    )


class AnalyzeStep(ApiModel):
    """Go on only when the evidence allows it."""

    min_samples: int | None = Field(
        default=None, ge=1, description="Canary requests needed at least. Default: 50."
    )
    min_duration: Duration | None = Field(
        default=None, description="How long the step takes at least. Default: 0s."
    )
    max_duration: Duration | None = Field(
        default=None,
        description="When `onDeadline` counts. Default: 30m. Time without metrics doesn't count.",
    )


class Step(ApiModel):
    """One step of a canary."""

    model_config = ConfigDict(json_schema_extra=cel(exactly_one("setWeight", "pause", "analyze")))

    set_weight: int | None = Field(
        default=None,
        ge=1,
        le=REPLICA_WEIGHT_MAX_PERCENT,
        description="Percent of requests for the canary, 1 to 50.",
    )
    pause: PauseStep | None = Field(default=None, description="Wait.")
    analyze: AnalyzeStep | None = Field(
        default=None, description="Go on only when the evidence allows it."
    )


class Canary(ApiModel):
    """Release by steps."""

    model_config = ConfigDict(
        json_schema_extra=cel(
            exactly_one("steps", "stepWeights"),
            (
                (
                    "!has(self.stepWeights) || (self.stepWeights.isSorted() && "
                    "self.stepWeights.all(w, self.stepWeights.exists_one(v, v == w)))"
                ),
                "`stepWeights` must rise: each above the one before",
            ),
            (
                (
                    "!has(self.steps) || (self.steps.filter(s, has(s.setWeight))"
                    ".map(s, s.setWeight).isSorted() && self.steps.filter(s, has(s.setWeight))"
                    ".all(s, self.steps.exists_one(t, has(t.setWeight) && "
                    "t.setWeight == s.setWeight)))"
                ),
                "the `setWeight` of `steps` must rise: each above the one before",
            ),
            (
                "!has(self.steps) || self.steps.size() == 0 || has(self.steps[0].setWeight)",
                "the first of `steps` must be a `setWeight`",
            ),
        )
    )

    steps: list[Step] | None = Field(
        default=None, max_length=STEPS_MAX, description="What happens, in order."
    )
    step_weights: list[Annotated[int, Field(ge=1, le=REPLICA_WEIGHT_MAX_PERCENT)]] | None = Field(
        default=None,
        min_length=1,
        max_length=16,
        description="Short for a `setWeight` and an `analyze` each, in percent.",
    )


class Strategy(ApiModel):
    """How a new revision is released."""

    model_config = ConfigDict(json_schema_extra=cel(exactly_one("canary")))

    canary: Canary | None = Field(default=None, description="By steps, on evidence.")


class Allowance(ApiModel):
    """How much worse than stable: at most `ratio` times stable's rate plus `increase`."""

    ratio: DecimalText | None = Field(
        default=None, description='Factor of stable\'s rate. Default in a given object: "1".'
    )
    increase: DecimalText | None = Field(
        default=None, description='Added to it, as a fraction. Default in a given object: "0".'
    )


class LossScore(StrEnum):
    """Score of a prediction against its label, as a fraction of its bound."""

    BRIER = "brier"


class PrometheusQuery(ApiModel):
    """A query of one's own that gives one number."""

    query: Annotated[str, StringConstraints(min_length=1, max_length=4096)] = Field(
        description="PromQL that gives one value. `{{ .revision }}`, `{{ .namespace }}` and "
        "`{{ .deployment }}` are replaced."
    )


class CompareTo(StrEnum):
    """What the canary is compared with."""

    STABLE = "stable"


class AnalysisMetric(ApiModel):
    """One measure of harm."""

    model_config = ConfigDict(
        json_schema_extra=cel(
            exactly_one("template", "prometheus"),
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
                    "has(self.prometheus) || !(has(self.min) || has(self.interval) || "
                    "has(self.failureLimit) || has(self.consecutiveErrorLimit) || has(self.dryRun))"
                ),
                (
                    "`min`, `interval`, `failureLimit`, `consecutiveErrorLimit` and `dryRun` "
                    "go with `prometheus` only"
                ),
            ),
            (
                (
                    "!has(self.prometheus) || !(has(self.compareTo) || has(self.tolerance) || "
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
    latency: Duration | None = Field(
        default=None,
        description="slow-requests: from here on an answer is slow. A bucket bound: 1ms, 2.5ms, "
        "5ms, 10ms, 25ms, 50ms, 100ms, 250ms, 500ms, 1s, 2.5s, 5s or 10s.",
    )
    score: LossScore | None = Field(default=None, description="prediction-loss: the score.")
    compare_to: CompareTo | None = Field(
        default=None, description="`stable`: compare with the revision that serves."
    )
    min: DecimalText | None = Field(default=None, description="Smallest allowed value.")
    max: DecimalText | None = Field(
        default=None, description="Largest allowed value; a rate's is a fraction."
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
    failure_limit: int | None = Field(
        default=None, ge=0, description="prometheus: failed measurements allowed. Default: 0."
    )
    consecutive_error_limit: int | None = Field(
        default=None,
        ge=0,
        description="prometheus: errors in a row after which the rollout holds. Default: 4.",
    )
    dry_run: bool | None = Field(
        default=None, description="prometheus: measure and show, decide nothing."
    )


class Analysis(ApiModel):
    """On what evidence a canary is promoted or rolled back."""

    model_config = ConfigDict(
        json_schema_extra=cel(
            (
                (
                    "!has(self.metrics) || self.metrics.all(m, !has(m.weight)) || "
                    "self.metrics.all(m, has(m.weight) || has(m.prometheus) || "
                    "(has(m.gate) && !m.gate))"
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
        default=None, description="Time of a new canary that doesn't count. Default: 60s."
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


class DeploymentSpec(ApiModel):
    """What is wanted of a Deployment."""

    model_config = ConfigDict(
        json_schema_extra=cel(
            (
                (
                    "!has(self.analysis) || !has(self.analysis.onDeadline) || "
                    "self.analysis.onDeadline != 'pause'"
                ),
                "`analysis.onDeadline` is hold, rollback or promote",
            ),
            (
                (
                    "!has(self.analysis) || !has(self.analysis.onProviderError) || "
                    "self.analysis.onProviderError in ['hold', 'pause']"
                ),
                (
                    "`analysis.onProviderError` is hold or pause: that metrics can't be read is "
                    "never evidence"
                ),
            ),
        )
    )

    model: ModelReference = Field(description="Which model serves.")
    replicas: int | None = Field(
        default=None, ge=0, le=1000, description="Pods of the stable revision. Default: 1."
    )
    server: Server | None = Field(default=None, description="The pods that serve.")
    traffic: Traffic | None = Field(default=None, description="How traffic is split.")
    strategy: Strategy | None = Field(
        default=None,
        description="How a new revision is released. Default: canary at 20 and 50 percent.",
    )
    analysis: Analysis | None = Field(
        default=None,
        description="On what evidence. Default: error-rate compared with stable.",
    )
    progress_deadline_seconds: int | None = Field(
        default=None,
        ge=1,
        description="Seconds in which new pods must become ready. Default: 600.",
    )
    revision_history_limit: int | None = Field(
        default=None, ge=1, le=100, description="Old revisions kept for rollback. Default: 10."
    )
    suspend: bool | None = Field(
        default=None, description="Start no rollout; what serves goes on serving."
    )


class RevisionStatus(ApiModel):
    """The revision that serves."""

    revision: str = Field(max_length=16, description="Hash of all that serves.")
    model_version: str = Field(max_length=63, description="ModelVersion it came from.")
    since: str | None = Field(default=None, max_length=40, description="Since when.")


class CanaryStatus(ApiModel):
    """The revision that is being released, and how far it is."""

    revision: str = Field(max_length=16, description="Hash of all that serves.")
    model_version: str = Field(max_length=63, description="ModelVersion it came from.")
    step: int = Field(default=0, description="Index of the current step, from 0.")
    steps_total: int = Field(default=0, description="Number of steps.")
    weight: int = Field(default=0, description="Percent of requests that the step asks for.")
    actual_weight: int = Field(default=0, description="Percent that whole replicas give.")
    started_at: str = Field(max_length=40, description="When the rollout began.")
    step_started_at: str = Field(max_length=40, description="When the step began.")
    ready_at: str | None = Field(
        default=None, max_length=40, description="When the step's pods were ready."
    )
    traffic_started_at: str | None = Field(
        default=None, max_length=40, description="When the canary first had traffic."
    )
    pods_missing_since: str | None = Field(
        default=None, max_length=40, description="Since when the step lacks pods."
    )
    frozen_since: str | None = Field(
        default=None, max_length=40, description="Since when the clock of the step stands still."
    )
    frozen_seconds: int = Field(
        default=0, description="Seconds that the clock of the step has stood still before."
    )
    samples_before: int = Field(
        default=0, description="Canary requests that were counted before the step began."
    )
    promoting: bool = Field(
        default=False, description="Whether it was decided to promote and capacity is awaited."
    )
    paused_by: str | None = Field(
        default=None, max_length=256, description="Who paused the rollout."
    )
    rules: dict[str, Any] | None = Field(
        default=None,
        description="Strategy and analysis as they were when the rollout began; edits count for "
        "the next one.",
        json_schema_extra={"x-kubernetes-preserve-unknown-fields": True, "type": "object"},
    )
    rules_hash: str = Field(default="", max_length=16, description="Hash of `rules`.")


class RejectedRevision(ApiModel):
    """A revision that isn't tried again until `retry`."""

    revision: str = Field(max_length=16, description="Hash of all that serves.")
    model_version: str = Field(default="", max_length=63, description="ModelVersion it came from.")
    reason: str = Field(max_length=64, description="Why, in one word.")
    message: str = Field(default="", max_length=1024, description="Why, for a person.")
    at: str = Field(max_length=40, description="When.")


class ArmCounts(ApiModel):
    """Counts of one revision."""

    bad: str = Field(max_length=32, description="Bad events; a score may be fractional.")
    total: int = Field(description="All events.")


class MetricLimits(ApiModel):
    """What tolerance and margin come to beside stable as it is now. Rates are fractions."""

    stable_rate: str | None = Field(
        default=None, max_length=32, description="Stable's rate, from before the rollout and since."
    )
    tolerated_rate: str = Field(max_length=32, description="Beyond it a canary is harmful.")
    accepted_rate: str = Field(
        max_length=32, description="A canary that is shown to be below it may be promoted."
    )
    variance_inflation: str = Field(
        max_length=32,
        description="How much burstier than independent the bad events are taken to be; evidence "
        "is divided by it.",
    )
    variance_inflation_source: str = Field(
        max_length=16,
        description="measured between stable's pods, given by the spec, or fallback where stable "
        "was too quiet to measure.",
    )


class MetricStatus(ApiModel):
    """What a metric says."""

    metric: str = Field(max_length=40, description="Name of the metric.")
    verdict: str = Field(
        max_length=16, description="Successful, Failed, Inconclusive, Error or NoData."
    )
    message: str = Field(default="", max_length=512, description="One sentence for people.")
    canary: ArmCounts | None = Field(default=None, description="Counts of the canary.")
    stable: ArmCounts | None = Field(default=None, description="Counts of stable, concurrent.")
    value: str | None = Field(default=None, max_length=32, description="Last value of a scalar.")
    evidence: str | None = Field(
        default=None,
        max_length=16,
        description='Evidence of harm; from "1" on the canary is rolled back.',
    )
    safety: str | None = Field(
        default=None,
        max_length=16,
        description='Evidence that it is not worse than the margin; from "1" on it is shown.',
    )
    limits: MetricLimits | None = Field(
        default=None, description="A rate's limits, as absolute rates."
    )
    warning: str | None = Field(
        default=None,
        max_length=512,
        description="What to know before relying on the metric, such as that its margin would "
        "also accept a constant answer.",
    )
    newest_sample_at: str | None = Field(
        default=None, max_length=40, description="Time of the newest sample."
    )
    state: str | None = Field(
        default=None, max_length=1024, description="Opaque state from which analysis goes on."
    )


class HistoryEntry(ApiModel):
    """One decision."""

    at: str = Field(max_length=40, description="When.")
    action: str = Field(max_length=16, description="What was done.")
    revision: str = Field(max_length=16, description="With which revision.")
    model_version: str = Field(default="", max_length=63, description="ModelVersion it came from.")
    reason: str = Field(default="", max_length=64, description="Why, in one word.")
    because: str = Field(default="", max_length=1024, description="Why, for a person.")
    actor: str = Field(default="", max_length=256, description="Who, if a person.")


class DeploymentStatus(CommonStatus):
    """What is so of a Deployment."""

    replicas: int | None = Field(default=None, description="Ready pods of stable.")
    url: str | None = Field(default=None, max_length=253, description="Address inside the cluster.")
    stable: RevisionStatus | None = Field(default=None, description="The revision that serves.")
    canary: CanaryStatus | None = Field(
        default=None, description="The revision that is being released."
    )
    update_revision: str | None = Field(
        default=None, max_length=16, description="Revision that the spec asks for."
    )
    rejected_revisions: list[RejectedRevision] = Field(
        default_factory=list,
        max_length=20,
        description="Revisions that aren't tried again, the newest 20. All are remembered.",
    )
    retried_revisions: list[Annotated[str, StringConstraints(max_length=16)]] = Field(
        default_factory=list,
        max_length=20,
        description="Revisions that may be tried again, while their rejection is still on record.",
    )
    analysis: list[MetricStatus] = Field(
        default_factory=list,
        max_length=METRICS_MAX,
        description="What the metrics say, of the running or the last rollout.",
    )
    history: list[HistoryEntry] = Field(
        default_factory=list, max_length=50, description="Newest decisions, newest last."
    )
    feedback_key_secret: str | None = Field(
        default=None, max_length=63, description="Secret with the key of prediction ids."
    )


class Deployment(ApiModel):
    """A model that serves, and how new versions are released."""

    api_version: str = API_VERSION
    kind: str = "Deployment"
    metadata: ObjectMeta = Field(default_factory=ObjectMeta)
    spec: DeploymentSpec = Field(description="What is wanted.")
    status: DeploymentStatus = Field(default_factory=DeploymentStatus, description="What is so.")
