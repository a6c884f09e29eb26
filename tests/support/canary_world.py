"""A canary in a world of its own: pods that count requests, scrapes, and an analysis that looks."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta

from serinus.analysis.advance import AnalysisOutcome, advance_analysis, queries
from serinus.analysis.samples import QueryResult
from serinus.analysis.spec import (
    DEFAULT_COMPARISON,
    AgainstMaximum,
    AnalysisContext,
    AnalysisRules,
    Comparison,
    RateRule,
    ScalarRule,
)
from serinus.api.enums import MetricTemplate
from tests.support.recorded_counters import RecordedCounters, labels, moment

START = 1_700_000_000
CANARY, STABLE = "c0ffee0000", "5ab1e00000"

CONTEXT = AnalysisContext(
    namespace="flights",
    deployment="delay",
    canary_revision=CANARY,
    stable_revision=STABLE,
    workloads=(f"delay-{CANARY}", f"delay-{STABLE}"),
    started_at=moment(START),
    first_cohort_at=moment(START),
    scrape_interval=timedelta(seconds=10),
    warmup=timedelta(0),
)


def pod_name(short: str, revision: str) -> str:
    """The name of a pod of the revision's workload."""
    return f"delay-{revision}-{short}"


def errors(*comparisons: Comparison, name: str = "errors", **more: object) -> RateRule:
    """The rule `error-rate`, compared with stable by default."""
    template = MetricTemplate.ERROR_RATE
    rule = RateRule(name, template, comparisons or (DEFAULT_COMPARISON[template],))
    return replace(rule, **more)  # type: ignore[arg-type]


def at_most(maximum: float) -> AgainstMaximum:
    return AgainstMaximum(maximum)


def rules(*metrics: RateRule | ScalarRule, inflation: float | None = 1.0) -> AnalysisRules:
    return AnalysisRules(metrics or (errors(),), variance_inflation=inflation)


@dataclass
class CanaryWorld:
    """Pods with counters; time goes on by scrapes. All moments are seconds since the start."""

    rules: AnalysisRules = field(default_factory=rules)
    context: AnalysisContext = CONTEXT
    provider: RecordedCounters = field(default_factory=RecordedCounters)
    states: Mapping[str, str] = field(default_factory=dict)
    counters: defaultdict[str, dict[tuple[tuple[str, str], ...], float]] = field(
        default_factory=lambda: defaultdict(dict)
    )

    def serves(self, pod: str, revision: str, *, good: int = 0, bad: int = 0) -> None:
        """Let a pod count answers."""
        own = {"pod": pod_name(pod, revision), "revision": revision}
        self.count(pod, labels("serinus_requests_total", code="200", **own), good)
        self.count(pod, labels("serinus_requests_total", code="500", **own), bad)

    def count(self, pod: str, series: tuple[tuple[str, str], ...], more: float) -> None:
        self.counters[pod][series] = self.counters[pod].get(series, 0) + more

    def restarts(self, pod: str) -> None:
        """A new process: all counters begin at 0."""
        self.counters[pod] = dict.fromkeys(self.counters[pod], 0)

    def scrape(self, at: float, *pods: str) -> None:
        """Record these pods' counters, or everybody's."""
        for pod in pods or tuple(self.counters):
            self.provider.scrape(START + at, self.counters[pod])

    def look(
        self, at: float, *, failing: Mapping[str, QueryResult] | None = None
    ) -> AnalysisOutcome:
        """One pass of the analysis; its states are persisted."""
        now = moment(START + at)
        answers: dict[str, QueryResult] = {
            query.metric: self.provider.answer(query)
            for query in queries(self.rules, self.states, self.context, now)
            if query.promql.endswith("ms]")
        }
        answers |= failing or {}
        outcome = advance_analysis(self.states, answers, self.rules, self.context, now)
        self.states = outcome.states
        return outcome
