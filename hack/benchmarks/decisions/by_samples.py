"""The product judges a simulated rollout the whole way, from queries and samples to verdicts."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import numpy as np

from benchmarks.decisions.by_rounds import Ending
from benchmarks.decisions.case import Case
from benchmarks.decisions.labels import DrawnLabels
from benchmarks.decisions.recording import CANARY, STABLE, Recording, moment, recorded
from benchmarks.decisions.traffic import Drawn
from serinus.analysis.advance import AnalysisOutcome, advance_analysis, queries
from serinus.analysis.samples import Query, QueryFailure, QueryFailureKind, QueryResult
from serinus.analysis.spec import AnalysisContext
from serinus.api.verdicts import Overall

_LOOKS_IN_BETWEEN = 3


@dataclass(slots=True)
class SampledRollout:
    """One rollout, its samples, and the states that the analysis keeps of it."""

    case: Case
    recordings: Mapping[str, Recording]
    context: AnalysisContext
    states: Mapping[str, str] = field(default_factory=dict)

    def look(self, at: float) -> AnalysisOutcome:
        """One pass of the analysis; its states are persisted.

        The first pass may only learn how stable was before; another follows it at once.
        """
        is_first = not self.states
        outcome = self.pass_at(at)
        self.states = json.loads(json.dumps(dict(outcome.states)))
        return self.look(at) if is_first and self.states else outcome

    def pass_at(self, at: float) -> AnalysisOutcome:
        """One pass whose states are lost, as in a crash before they were written."""
        now, rules = moment(at), self.case.rules
        answers = {
            query.metric: self._answer(query, at)
            for query in queries(rules, self.states, self.context, now)
        }
        return advance_analysis(self.states, answers, rules, self.context, now)

    def _answer(self, query: Query, at: float) -> QueryResult:
        away = self.case.disturbance.provider_away if self.case.disturbance else None
        if away and away[0] <= at < away[1]:
            return QueryFailure(QueryFailureKind.UNREACHABLE, "connection refused")
        return self.recordings[query.metric].answer(query)


def sampled_rollout(
    case: Case, drawn: Sequence[Drawn | DrawnLabels], rollout: int, rng: np.random.Generator
) -> SampledRollout:
    """The samples of one of the drawn rollouts."""
    recordings = {
        metric.rule.name: recorded(case, metric, one, rollout, rng)
        for metric, one in zip(case.metrics, drawn, strict=True)
    }
    context = AnalysisContext(
        namespace="bench",
        deployment="bench",
        canary_revision=CANARY,
        stable_revision=STABLE,
        workloads=("canary", "stable"),
        started_at=moment(0),
        first_cohort_at=moment(0),
        scrape_interval=timedelta(seconds=case.traffic.scrape_seconds),
        warmup=timedelta(seconds=case.warmup_seconds),
    )
    return SampledRollout(case, recordings, context)


def ending_by_samples(rollout: SampledRollout, looks: Iterable[float]) -> Ending:
    """Look at these moments, to the first verdict of harm or to the end of the rollout."""
    last_step = rollout.case.traffic.steps[-1][0]
    promoted_at = None
    for at in looks:
        overall = rollout.look(at).overall
        if overall is Overall.HARM:
            return Ending(at, promoted_at)
        if promoted_at is None and overall is Overall.SAFE and at > last_step:
            promoted_at = at
    return Ending(None, promoted_at)


def look_after_each_scrape(case: Case, rng: np.random.Generator) -> list[float]:
    """Looks at a random moment between every scrape of all pods and the next."""
    traffic = case.traffic
    ends = np.arange(1, traffic.scrapes + 1) * traffic.scrape_seconds
    return (ends + rng.random() * traffic.scrape_seconds / (traffic.stable_pods + 9)).tolist()


def first_ending(rollout: SampledRollout, rng: np.random.Generator) -> Ending:
    """The ending by a few looks at random; when harm was shown first, by halving.

    Poll times don't matter to a verdict, so fewer looks show the same.
    """
    traffic = rollout.case.traffic
    end = traffic.duration_seconds
    between = np.sort(rng.random(_LOOKS_IN_BETWEEN) * end)
    found = ending_by_samples(rollout, [*between.tolist(), end])
    if found.rolled_back_at is None:
        return found
    low, high = 0, traffic.scrapes
    while high - low > 1:
        middle = (low + high) // 2
        rollout.states = {}
        if rollout.look(middle * traffic.scrape_seconds).overall is Overall.HARM:
            high = middle
        else:
            low = middle
    return Ending(high * traffic.scrape_seconds, None)


def states_that_differ_after_crashes(rollout: SampledRollout, rng: np.random.Generator) -> int:
    """Metrics whose states differ from those of a run that nothing disturbed.

    At each look the first pass may be lost before it was written, any number of times; what was
    written before it is what the next pass begins with.
    """
    looks = look_after_each_scrape(rollout.case, rng)
    for at in looks:
        rollout.look(at)
    undisturbed = rollout.states
    rollout.states = {}
    for at in looks:
        for _ in range(rng.integers(0, 3)):
            rollout.pass_at(at)
        if at == looks[-1] or rng.random() > 1 / 3:  # else killed until the next look
            rollout.look(at)
    return sum(rollout.states[name] != state for name, state in undisturbed.items())
