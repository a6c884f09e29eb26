"""What is to be judged: rules as frozen values, translated from the Deployment's `analysis` block.

A rate rule compares bad of total, either with stable or with a fixed maximum; a scalar rule
compares a number that the user's own PromQL yields with its limits.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from serinus.api.counters import Counters
from serinus.api.enums import MetricTemplate


@dataclass(frozen=True, slots=True)
class Boundary:
    """The line `canary rate = ratio * stable rate + increase`; ratio 0 is a fixed maximum."""

    ratio: float = 1.0
    increase: float = 0.0

    def rate(self, stable_rate: float) -> float:
        """The canary's rate on the line, at this rate of stable."""
        return self.ratio * stable_rate + self.increase


@dataclass(frozen=True, slots=True)
class AgainstStable:
    """Harm is a rate beyond `tolerance`; safe is a rate below `margin`. Both relative to stable."""

    tolerance: Boundary
    margin: Boundary


@dataclass(frozen=True, slots=True)
class AgainstMaximum:
    """Harm is a rate above `maximum`, safe is one below, whatever stable does."""

    maximum: float


Comparison = AgainstStable | AgainstMaximum

_REQUESTS = AgainstStable(tolerance=Boundary(1.25, 0.001), margin=Boundary(2.0, 0.01))
# A ratio would accept a constant answer where stable is wrong half as often.
_LABELS = AgainstStable(tolerance=Boundary(1.0, 0.01), margin=Boundary(1.0, 0.03))

DEFAULT_COMPARISON: Mapping[MetricTemplate, AgainstStable] = {
    MetricTemplate.ERROR_RATE: _REQUESTS,
    MetricTemplate.SLOW_REQUESTS: _REQUESTS,
    MetricTemplate.WRONG_PREDICTIONS: _LABELS,
    MetricTemplate.PREDICTION_LOSS: _LABELS,
    MetricTemplate.OUT_OF_RANGE: _REQUESTS,
    MetricTemplate.FALSE_NEGATIVES: _LABELS,
    MetricTemplate.FALSE_POSITIVES: _LABELS,
}
"""Tolerance and margin of a metric whose spec names none."""

LABEL_TEMPLATES = frozenset(
    {
        MetricTemplate.WRONG_PREDICTIONS,
        MetricTemplate.PREDICTION_LOSS,
        MetricTemplate.FALSE_NEGATIVES,
        MetricTemplate.FALSE_POSITIVES,
    }
)
"""Templates that count labels by cohort; their evidence starts at the first cohort."""


@dataclass(frozen=True, slots=True)
class RateRule:
    """Bad of total, from counters of the server.

    Attributes
    ----------
    comparisons
        One or two; with two, harm against either is harm, and safe is safe against both.
    latency_seconds
        A request at least this slow is bad; must be a bucket bound. `slow-requests` only.
    score
        Which loss, e.g. "brier". `prediction-loss` only.
    bound, quantile
        What the loss is a share of, and the quantile of `pinball`; of `wrong-predictions` the bound
        is the distance beyond which a value is wrong. As they stand in the metrics, "60" and never
        "60.0"; empty where there is none.
    gate
        False: it only alarms. It never rolls back, has no share of alpha and holds nothing up.
    dry_run
        It doesn't gate, and doesn't even alarm.
    primary
        Primary metrics share one half of alpha, unless weights are given. Of gates only.
    weight
        Share of alpha, 0 to 1; None: what others leave, in equal parts. Of gates only.
    counters
        What the servers of both revisions count, where one of them isn't Serinus'; else empty.
    """

    name: str
    template: MetricTemplate
    comparisons: tuple[Comparison, ...]
    latency_seconds: float | None = None
    score: str | None = None
    bound: str = ""
    quantile: str = ""
    gate: bool = True
    dry_run: bool = False
    primary: bool = False
    weight: float | None = None
    counters: tuple[Counters, ...] = ()

    @property
    def against_stable(self) -> bool:
        """Whether stable's samples are needed."""
        return any(isinstance(one, AgainstStable) for one in self.comparisons)


@dataclass(frozen=True, slots=True)
class ScalarRule:
    """A number from the user's PromQL that has to stay within limits, in Argo Rollouts' words.

    Attributes
    ----------
    minimum, maximum
        A value outside them is a failure.
    success_minimum, success_maximum
        A value outside these and within the others is inconclusive. None: as the others.
    count
        Measurements in a step, which then has enough of them; None: as long as it lasts.
    initial_delay
        Time after the warm-up before the first measurement.
    failure_limit
        Failures that are still tolerated; one more fails the metric.
    inconclusive_limit
        Inconclusive measurements that are still tolerated; one more leaves it to a person.
    consecutive_error_limit
        Measurements in a row without a number that are still tolerated; one more makes it Error.
    gate
        False: it only alarms, as for a rate.
    dry_run
        Measured and shown, without any effect, not even an alarm.
    """

    name: str
    query: str
    minimum: float | None = None
    maximum: float | None = None
    success_minimum: float | None = None
    success_maximum: float | None = None
    interval: timedelta = timedelta(minutes=1)
    count: int | None = None
    initial_delay: timedelta = timedelta(0)
    failure_limit: int = 0
    inconclusive_limit: int = 0
    consecutive_error_limit: int = 4
    gate: bool = True
    dry_run: bool = False


MetricRule = RateRule | ScalarRule


@dataclass(frozen=True, slots=True)
class AnalysisRules:
    """All rules of one rollout, frozen at its start.

    Attributes
    ----------
    alpha
        At most this share of rollouts without harm is rolled back, over all rate metrics.
    beta
        At most this share of versions at the margin is promoted.
    variance_inflation
        Divisor of log-evidence, at least 1; None: measured between stable's pods.
    """

    metrics: tuple[MetricRule, ...]
    alpha: float = 0.01
    beta: float = 0.05
    variance_inflation: float | None = None

    @property
    def rates(self) -> tuple[RateRule, ...]:
        """The rate rules, in order."""
        return tuple(rule for rule in self.metrics if isinstance(rule, RateRule))

    @property
    def gating_rates(self) -> tuple[RateRule, ...]:
        """The rate rules that share alpha."""
        return tuple(rule for rule in self.rates if rule.gate)


@dataclass(frozen=True, slots=True)
class AnalysisContext:
    """What the rules are applied to. All moments are aware.

    Attributes
    ----------
    stable_revision
        None when nothing serves yet: then only maxima can be judged.
    workloads
        Names of the revisions' workloads: the names of their pods begin with one of them.
    started_at
        When the canary was first given traffic; nothing before it counts as evidence.
    answers_since
        Since when the provider has answered without a long gap: what it didn't scrape before it
        may not have been there to scrape. None: all the time.
    first_cohort_at
        Start of the first cohort of labels that counts, in both arms.
    cohort_lengths
        For how long the cohorts of the two versions last, in seconds; empty: it isn't known.
    stable_since
        When stable was promoted: where its baseline begins, at most an hour before `started_at`.
        None: an hour.
    pods_started_at
        Start of each known pod. A counter of a pod that began in sight began at 0; without a start
        the pod's first sample is only a baseline, and what it counted before is left out.
    pods_ready_at
        Since when each known pod has been ready; of one that isn't, when it started. For `warmup`
        from then on it is cold (`cold_pods`). One that isn't known is warm.
    min_samples
        Canary events of a metric below which nothing but harm is said of it.
    samples_before
        Events of the gate that counts most that were there before the step. The step asks for
        `min_samples` more of them.
    labels_wait
        Whether the canary counts labels only from a given age of their prediction.
    exposed_only
        Whether only requests of units in an A/B test count, in both arms. What is known of stable
        from before is of all its requests.
    constant_rates
        What the best constant answer reaches, by template and score, where that is known.
    incomparable
        Metrics of which stable's labels were judged otherwise than the rule has it, by name, with
        what is different. They aren't counted.
    measured_since
        A scalar's measurements from before say nothing about the present step; None: all do.
    step_started_at
        Start of the present step: a scalar's `count` begins anew with it. None: never.
    """

    namespace: str
    deployment: str
    canary_revision: str
    stable_revision: str | None
    workloads: tuple[str, ...]
    started_at: datetime
    first_cohort_at: datetime
    stable_since: datetime | None = None
    scrape_interval: timedelta = timedelta(seconds=15)
    warmup: timedelta = timedelta(seconds=60)
    no_data_timeout: timedelta = timedelta(minutes=5)
    min_samples: int = 50
    samples_before: int = 0
    measured_since: datetime | None = None
    step_started_at: datetime | None = None
    pods_started_at: Mapping[str, datetime] = field(default_factory=dict)
    pods_ready_at: Mapping[str, datetime] = field(default_factory=dict)
    labels_wait: bool = True
    exposed_only: bool = False
    constant_rates: Mapping[tuple[MetricTemplate, str | None], float] = field(default_factory=dict)
    incomparable: Mapping[str, str] = field(default_factory=dict)
    answers_since: datetime | None = None
    cohort_lengths: tuple[int, ...] = ()

    @property
    def silence_from(self) -> datetime:
        """Before it nobody could have been heard."""
        return max(self.started_at, self.answers_since or self.started_at)
