"""The analysis of a canary: what to ask for, what the answers say, and when to ask again."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from serinus.analysis.advance import AnalysisOutcome, advance_analysis, queries
from serinus.analysis.samples import Query, QueryFailure, QueryResult
from serinus.analysis.spec import AnalysisContext, ScalarRule
from serinus.analysis.state import StateUnreadableError, decode_state
from serinus.analysis.trail import MAX_SPAN_MS
from serinus.api.conditions import format_micro_time, format_time, parse_time
from serinus.api.deployment_status import (
    ArmCounts,
    CanaryStatus,
    DeploymentStatus,
    MetricLimits,
    MetricStatus,
)
from serinus.api.enums import MetricTemplate
from serinus.api.label_scores import ScoreName
from serinus.api.modelversion import ModelVersion
from serinus.api.trainingjob import BestConstant
from serinus.api.verdicts import Counts, MetricVerdict, RateLimits, Verdict
from serinus.manifests.naming import revision_object_name
from serinus.manifests.workload import cohort_length_seconds, maturity_seconds
from serinus.reconcile.decision import Event, EventType
from serinus.reconcile.deployment_facts import Observed
from serinus.reconcile.deployment_post_promotion import judged_as_canary
from serinus.reconcile.deployment_revision import server_of
from serinus.reconcile.deployment_rules import RolloutRules
from serinus.reconcile.label_bounds import incomparable
from serinus.rollout.alarm import metric_alarm
from serinus.rollout.facts import Judgement
from serinus.rollout.steps import Analyze, Step

PROVIDER_PROBE = "$provider"
"""Name of the query that only asks whether the metrics provider answers; no metric can bear it."""
INGESTION_SECONDS = 0.15
"""From a scrape until its samples can be queried."""
SOON_SECONDS = 0.25
ANSWERS_TOLD_EVERY = timedelta(minutes=1)
"""Of an answer that brings nothing new, status is written so often."""
ANSWERS_GAP = timedelta(seconds=150)
"""Half of the time after which silence is told as such."""
_CONSTANTS = {
    (MetricTemplate.WRONG_PREDICTIONS, None): BestConstant.ERROR_RATE,
    (MetricTemplate.PREDICTION_LOSS, ScoreName.BRIER.value): BestConstant.BRIER,
}
_FRACTION = re.compile(r"0|1|0\.\d+")
_MESSAGE_MAX = 512
_EVENT_MAX = 1024


@dataclass(frozen=True, slots=True)
class CanaryAnalysis:
    """A canary that has traffic, and the rules by which it is judged."""

    namespace: str
    deployment: str
    canary: CanaryStatus
    stable_revision: str | None
    stable_since: datetime | None
    rules: RolloutRules
    traffic_started_at: datetime
    states: Mapping[str, str]
    seen: Observed
    version: ModelVersion | None

    def queries(self, now: datetime) -> tuple[Query, ...]:
        """What to ask the metrics provider for."""
        return queries(self.rules.analysis, self.states, self._context(), now)

    def outcome(self, samples: Mapping[Query, QueryResult], now: datetime) -> AnalysisOutcome:
        """What the answers say."""
        by_metric = {query.metric: answer for query, answer in samples.items()}
        rules, context = self.rules.analysis, self._context()
        return advance_analysis(self.states, by_metric, rules, context, now)

    def _context(self) -> AnalysisContext:
        return AnalysisContext(
            namespace=self.namespace,
            deployment=self.deployment,
            canary_revision=self.canary.revision,
            stable_revision=self.stable_revision,
            workloads=tuple(
                revision_object_name(self.deployment, revision)
                for revision in (self.canary.revision, self.stable_revision)
                if revision is not None
            ),
            started_at=self.traffic_started_at,
            answers_since=parse_time(since) if (since := self.canary.answers_since) else None,
            first_cohort_at=self._first_cohort_at(),
            cohort_lengths=self._cohort_lengths(),
            stable_since=self.stable_since,
            scrape_interval=self.rules.scrape_interval,
            warmup=self.rules.warmup,
            min_samples=self._min_samples(),
            samples_before=self.canary.samples_before,
            measured_since=self._measured_since(),
            labels_wait=self._labels_wait(),
            exposed_only=self.canary.ab_test is not None,
            step_started_at=parse_time(self.canary.step_started_at),
            constant_rates=_constant_rates(self.version),
            incomparable=self._incomparable(),
            pods_started_at={
                pod.name: pod.started_at for pod in self.seen.pods if pod.started_at is not None
            },
            pods_ready_at={
                pod.name: pod.ready_at for pod in self.seen.pods if pod.ready_at is not None
            },
        )

    def _known_cohort_lengths(self) -> list[int]:
        """Those of the revisions that are compared and whose records aren't lost, in seconds."""
        return [
            cohort_length_seconds(server_of(self.seen.records[revision]).feedback)
            for revision in (self.canary.revision, self.stable_revision)
            if revision is not None and revision in self.seen.records
        ]

    def _cohort_lengths(self) -> tuple[int, ...]:
        known, compared = self._known_cohort_lengths(), 1 if self.stable_revision is None else 2
        return tuple(sorted(set(known))) if len(known) == compared else ()

    def _first_cohort_at(self) -> datetime:
        """The first cohort in which both revisions answered all the time."""
        length = max(self._known_cohort_lengths(), default=cohort_length_seconds(None))
        started = self.traffic_started_at.timestamp()
        return datetime.fromtimestamp(math.ceil(started / length) * length, tz=UTC)

    def _incomparable(self) -> dict[str, str]:
        """Of what was promoted nothing is compared, and a lost record says nothing."""
        record = self.seen.records.get(self.stable_revision or "")
        return incomparable(self.rules.analysis, server_of(record)) if record else {}

    def _labels_wait(self) -> bool:
        record = self.seen.records.get(self.canary.revision)
        return record is None or maturity_seconds(server_of(record).feedback) > 0

    def _min_samples(self) -> int:
        """A step that doesn't analyze asks for nothing: what was shown before it stays shown."""
        step = self._step()
        return step.min_samples if isinstance(step, Analyze) else 0

    def _measured_since(self) -> datetime | None:
        """A scalar's value at the weight of an earlier step says nothing about this one."""
        analyzes = isinstance(self._step(), Analyze)
        return parse_time(self.canary.step_started_at) if analyzes else None

    def _step(self) -> Step | None:
        steps, index = self.rules.steps, self.canary.step
        return steps[index] if index < len(steps) else None


def analysis_of(
    namespace: str,
    deployment: str,
    *,
    status: DeploymentStatus,
    rules: RolloutRules | None,
    seen: Observed,
    versions: Sequence[ModelVersion],
) -> CanaryAnalysis | None:
    """The analysis that runs: of a canary with traffic, or of what was promoted lately."""
    canary, stable = status.canary or judged_as_canary(status), status.stable
    if canary is None or stable is None or rules is None or canary.traffic_started_at is None:
        return None
    beside = stable if status.canary else None  # what was promoted has nothing beside it
    return CanaryAnalysis(
        namespace=namespace,
        deployment=deployment,
        canary=canary,
        stable_revision=beside.revision if beside else None,
        stable_since=parse_time(beside.since) if beside and beside.since else None,
        rules=rules,
        traffic_started_at=parse_time(canary.traffic_started_at),
        states={item.metric: item.state for item in status.analysis if item.state is not None},
        seen=seen,
        version=next((one for one in versions if one.metadata.name == canary.model_version), None),
    )


def _constant_rates(
    version: ModelVersion | None,
) -> dict[tuple[MetricTemplate, str | None], float]:
    """What the best constant answer reached where the canary's model was evaluated."""
    evaluation = version.spec.evaluation if version else None
    figures = evaluation.metrics if evaluation else {}
    return {
        judged: float(figures[name])
        for judged, name in _CONSTANTS.items()
        if _FRACTION.fullmatch(figures.get(name, ""))
    }


def provider_probe(now: datetime) -> Query:
    """Query that any metrics provider answers."""
    return Query(PROVIDER_PROBE, "vector(1)", now)


def provider_problem(samples: Mapping[Query, QueryResult]) -> str | None:
    """Why the provider can't be asked; None when it answered the probe."""
    for query, answer in samples.items():
        if query.metric == PROVIDER_PROBE:
            if isinstance(answer, QueryFailure):
                return f"the metrics provider doesn't answer ({answer.kind}: {answer.message})"
            return None
    return "the metrics provider wasn't asked yet"


def judgement_of(outcome: AnalysisOutcome) -> Judgement:
    """The outcome as the rules of the rollout read it."""
    harms = [one.evidence_ratio for one in outcome.verdicts if one.gate and one.is_rate]
    return Judgement(outcome.overall, outcome.sentence, max(harms, default=0.0))


def with_answers(
    canary: CanaryStatus,
    rules: RolloutRules,
    samples: Mapping[Query, QueryResult],
    now: datetime,
) -> CanaryStatus:
    """The canary with since when the provider has answered; for long gaps it counts anew.

    In a gap the provider, or the operator, was away. Whoever was, may have been away for the other
    as well: a Prometheus that was down has old samples and no others when it is back.
    """
    away = (isinstance(one, QueryFailure) and one.is_away for one in samples.values())
    if not samples or any(away):
        return canary
    last = parse_time(canary.answered_at) if canary.answered_at else None
    if last is None or now - last > _longest_gap(rules):
        moment = format_micro_time(now)
        return canary.model_copy(update={"answers_since": moment, "answered_at": moment})
    if now - last < ANSWERS_TOLD_EVERY:
        return canary
    return canary.model_copy(update={"answered_at": format_micro_time(now)})


def _longest_gap(rules: RolloutRules) -> timedelta:
    """Scalars may be asked for less often than anything else is."""
    intervals = [one.interval for one in rules.analysis.metrics if isinstance(one, ScalarRule)]
    return max(ANSWERS_GAP, 2.5 * max([rules.scrape_interval, *intervals]))


def canary_requests(verdicts: tuple[MetricVerdict, ...]) -> int:
    """Requests of the canary that were counted so far, by the gate that counts most."""
    return max((verdict.canary.total for verdict in verdicts if verdict.gate), default=0)


def metric_statuses(outcome: AnalysisOutcome) -> list[MetricStatus]:
    """What status shows of the metrics, with the states from which the analysis goes on."""
    return [_metric_status(verdict, outcome.states) for verdict in outcome.verdicts]


def alarms(outcome: AnalysisOutcome, told: Sequence[MetricStatus]) -> tuple[Event, ...]:
    """An event for each metric that only alarms and didn't yet in `told`, the stored status."""
    before = {item.metric for item in told if item.verdict == Verdict.FAILED}
    found = (metric_alarm(one) for one in outcome.verdicts if one.metric not in before)
    return tuple(
        Event(EventType.WARNING, one.reason, one.message[:_EVENT_MAX]) for one in found if one
    )


def told_of(
    status: DeploymentStatus, outcome: AnalysisOutcome | None
) -> tuple[DeploymentStatus, tuple[Event, ...]]:
    """The status with what the metrics say now, and the alarms that it didn't tell yet."""
    if outcome is None:
        return status, ()
    told = status.model_copy(update={"analysis": metric_statuses(outcome)})
    return told, alarms(outcome, status.analysis)


def without_states(items: list[MetricStatus]) -> list[MetricStatus]:
    """The metrics of a rollout that is over: figures to look at, nothing to go on from."""
    return [item.model_copy(update={"state": None}) for item in items]


def next_look_seconds(
    analysis: CanaryAnalysis, samples: Mapping[Query, QueryResult], now: datetime
) -> float:
    """When the next round of scrapes can be seen.

    A round closes with the scrape of the last pod. Prometheus scrapes each pod at its own phase,
    so that moment is known: asking then is one query an interval, and none is late.
    """
    interval = analysis.rules.scrape_interval.total_seconds()
    if _is_behind(analysis, samples, now) or _baseline_is_known_now(analysis, samples):
        return min(interval, SOON_SECONDS)
    due = _next_round_at(analysis, samples, interval, now)
    wait = (due - now).total_seconds() + INGESTION_SECONDS if due else interval
    return wait if wait > 0 else min(interval, max(SOON_SECONDS, interval / 8))


def _is_behind(
    analysis: CanaryAnalysis, samples: Mapping[Query, QueryResult], now: datetime
) -> bool:
    """Whether more was scraped than the look that was answered could read."""
    watermark = _watermark(analysis.states)
    if watermark is None or not samples:
        return False
    answered = not any(isinstance(answer, QueryFailure) for answer in samples.values())
    return answered and now.timestamp() - watermark > MAX_SPAN_MS / 1000


def _baseline_is_known_now(analysis: CanaryAnalysis, samples: Mapping[Query, QueryResult]) -> bool:
    """Whether what was asked of a metric is how stable was; what came since is asked for next."""
    return any(
        query.evaluated_at == analysis.traffic_started_at and not isinstance(answer, QueryFailure)
        for query, answer in samples.items()
    )


def _next_round_at(
    analysis: CanaryAnalysis,
    samples: Mapping[Query, QueryResult],
    interval: float,
    now: datetime,
) -> datetime | None:
    newest: dict[str, float] = {}
    for query, answer in samples.items():
        if isinstance(answer, QueryFailure) or query.metric.startswith("$"):
            continue  # no scrapes of pods
        for vector in answer:
            pod = vector.labels.get("pod")
            if pod and vector.samples:
                newest[pod] = max(newest.get(pod, 0.0), vector.samples[-1][0])
    live = [at for at in newest.values() if at > now.timestamp() - 2.5 * interval]
    watermark = _watermark(analysis.states)
    expected = [at + interval for at in live if watermark is None or at <= watermark]
    if not expected:
        return None
    latest = min(max(expected), now.timestamp() + interval)
    return datetime.fromtimestamp(latest, tz=UTC)


def _watermark(states: Mapping[str, str]) -> float | None:
    found = []
    for text in states.values():
        try:
            found.append(decode_state(text).watermark_ms / 1000)
        except (StateUnreadableError, ValueError):
            continue  # a scalar's
    return max(found, default=None)


def _metric_status(verdict: MetricVerdict, states: Mapping[str, str]) -> MetricStatus:
    counted = verdict.safe_evidence_ratio is not None
    return MetricStatus(
        metric=verdict.metric,
        verdict=verdict.verdict.value,
        message=verdict.sentence[:_MESSAGE_MAX],
        canary=_counts(verdict.canary) if counted else None,
        stable=_counts(verdict.stable) if counted else None,
        value=None if verdict.value is None else f"{verdict.value:.6g}",
        evidence=f"{verdict.evidence_ratio:.3f}",
        safety=f"{verdict.safe_evidence_ratio:.3f}"
        if verdict.safe_evidence_ratio is not None
        else None,
        limits=_metric_limits(verdict.limits) if verdict.limits else None,
        warning=verdict.warning[:_MESSAGE_MAX] or None,
        newest_sample_at=format_time(verdict.newest_sample_at)
        if verdict.newest_sample_at
        else None,
        state=states.get(verdict.metric),
    )


def _metric_limits(limits: RateLimits) -> MetricLimits:
    stable = limits.stable_rate
    return MetricLimits(
        stable_rate=None if stable is None else f"{stable:.4g}",
        tolerated_rate=f"{limits.tolerated_rate:.4g}",
        accepted_rate=f"{limits.accepted_rate:.4g}",
        variance_inflation=f"{limits.variance_inflation:.4g}",
        variance_inflation_source=limits.inflation_source,
    )


def _counts(counts: Counts) -> ArmCounts:
    return ArmCounts(bad=f"{counts.bad:.6g}", total=counts.total)
