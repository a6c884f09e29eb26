"""The way of a sample: counters, rounds, evidence, verdict. Read this module first.

`queries` says what to ask the metrics provider for, `advance_analysis` what follows from the
answers. Both are pure: the shell asks, writes the new states into status, and only then acts on
the verdict. Each state carries its watermark, so after a crash at any point the same samples are
asked for again and lead to the same states, bit for bit.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from serinus.analysis.counters import (
    Arm,
    CounterSeries,
    counter_series,
    newest_by_arm,
    pod_increments,
    scrape_times,
    to_ms,
)
from serinus.analysis.evidence import after_round, alpha_shares, baseline, total_log_evidence
from serinus.analysis.inflation import stable_minutes
from serinus.analysis.judge import judged
from serinus.analysis.promql import rate_query, scalar_query
from serinus.analysis.rounds import closed_rounds, lookback_ms
from serinus.analysis.samples import Query, QueryFailure, QueryResult, RangeVector
from serinus.analysis.scalar import (
    ScalarState,
    after_measurement,
    decode_scalar_state,
    encode_scalar_state,
    measurement,
    scalar_due_ms,
)
from serinus.analysis.spec import (
    LABEL_TEMPLATES,
    AgainstStable,
    AnalysisContext,
    AnalysisRules,
    RateRule,
    ScalarRule,
)
from serinus.analysis.state import RateState, decode_state, encode_state
from serinus.api.verdicts import MetricVerdict, Overall

BASELINE_MS = 3_600_000
"""Stable is looked at for an hour before the rollout."""
MAX_STEP_MS = 3_600_000
"""No more than this is asked for at once: after a long outage several passes catch up."""


@dataclass(frozen=True, slots=True)
class AnalysisOutcome:
    """What one pass of the analysis found.

    Attributes
    ----------
    states
        New opaque states by metric, to be persisted before anything is done about `overall`.
    verdicts
        One for each metric, in the order of the rules.
    sentence
        One line for people that says why `overall` is what it is.
    evidence_ratio
        Evidence of harm of all rate metrics together: 1 = rollback.
    requests_needed
        Canary requests until every gating metric is shown to be safe; 0 when they are, None when
        that can't be told.
    """

    states: Mapping[str, str]
    verdicts: tuple[MetricVerdict, ...]
    overall: Overall
    sentence: str
    evidence_ratio: float
    requests_needed: int | None


def queries(
    rules: AnalysisRules, states: Mapping[str, str], context: AnalysisContext, now: datetime
) -> tuple[Query, ...]:
    """What to ask the metrics provider for now: at most one query a metric.

    A scalar that isn't due has none, nor has a metric whose state or placeholders can't be read;
    `advance_analysis` says so in its verdict.
    """
    now_ms = to_ms(now)
    wanted = []
    for rule in rules.metrics:
        try:
            query = (
                _rate_query(rule, states.get(rule.name), context, now_ms)
                if isinstance(rule, RateRule)
                else _scalar_query(rule, states.get(rule.name), context, now_ms)
            )
        except ValueError:
            continue
        if query is not None:
            wanted.append(query)
    return tuple(wanted)


def advance_analysis(
    previous_states: Mapping[str, str],
    samples_by_metric: Mapping[str, QueryResult],
    rules: AnalysisRules,
    context: AnalysisContext,
    now: datetime,
) -> AnalysisOutcome:
    """Take in what the provider answered and judge the canary. Pure; raises nothing.

    Parameters
    ----------
    previous_states
        As persisted; empty at the start of a rollout. Must stay with the rollout: to start over
        with the same canary would spend alpha again.
    samples_by_metric
        Answers to `queries` for the same states, by metric. A metric without an answer keeps its
        state; a failure is said in its verdict and is never evidence.
    rules, context
        Frozen for the rollout, but for `pods_started_at` and `min_samples`.
    now
        Aware; not before the time of the queries.
    """
    now_ms = to_ms(now)
    rates: dict[str, RateState] = {}
    trails: dict[str, Sequence[RateState]] = {}
    scalars: dict[str, ScalarState] = {}
    problems: dict[str, str] = {}
    for rule in rules.metrics:
        answer = samples_by_metric.get(rule.name)
        text = previous_states.get(rule.name)
        try:
            if isinstance(rule, ScalarRule):
                scalars[rule.name] = _after_answer(rule, text, answer, context, now_ms)
                continue
            before = decode_state(text) if text else None
        except ValueError as error:
            problems[rule.name] = str(error)
            continue
        if isinstance(answer, QueryFailure):
            problems[rule.name] = f"{answer.kind}: {answer.message}"
        if answer is None or isinstance(answer, QueryFailure):
            if before is not None:
                rates[rule.name] = before
            continue
        trail = _trail(before, answer, rule, rules, context, now_ms)
        trails[rule.name], rates[rule.name] = trail, trail[-1]
    rates = _with_total(rates, trails, rules)
    judgement = judged(rules, context, rates, scalars, problems, now=now)
    return AnalysisOutcome(
        states={
            **{name: previous_states[name] for name in problems if name in previous_states},
            **{name: encode_state(state) for name, state in rates.items()},
            **{name: encode_scalar_state(state) for name, state in scalars.items()},
        },
        verdicts=judgement.verdicts,
        overall=judgement.overall,
        sentence=judgement.sentence,
        evidence_ratio=judgement.evidence_ratio,
        requests_needed=judgement.requests_needed,
    )


def _rate_query(
    rule: RateRule, text: str | None, context: AnalysisContext, now_ms: int
) -> Query | None:
    started_ms = to_ms(context.started_at)
    if now_ms <= started_ms:
        return None
    if text is None:
        at_ms = min(now_ms, started_ms + MAX_STEP_MS)
        from_ms = _baseline_from_ms(context) - _lookback_ms(context)
    else:
        watermark_ms = decode_state(text).watermark_ms
        at_ms = min(now_ms, watermark_ms + MAX_STEP_MS)
        from_ms = watermark_ms - _lookback_ms(context)
    promql = rate_query(rule, context, range_ms=at_ms - from_ms)
    return Query(rule.name, promql, _moment(at_ms))


def _scalar_query(
    rule: ScalarRule, text: str | None, context: AnalysisContext, now_ms: int
) -> Query | None:
    state = decode_scalar_state(text) if text else ScalarState()
    due_ms = _due_ms(rule, state, context, now_ms)
    if due_ms is None:
        return None
    return Query(rule.name, scalar_query(rule, context), _moment(due_ms))


def _due_ms(
    rule: ScalarRule, state: ScalarState, context: AnalysisContext, now_ms: int
) -> int | None:
    """The first measurement is due after the warm-up."""
    started_ms = to_ms(context.started_at + context.warmup)
    return scalar_due_ms(rule, state, started_ms=started_ms, now_ms=now_ms)


def _after_answer(
    rule: ScalarRule,
    text: str | None,
    answer: QueryResult | None,
    context: AnalysisContext,
    now_ms: int,
) -> ScalarState:
    scalar_query(rule, context)
    state = decode_scalar_state(text) if text else ScalarState()
    due_ms = _due_ms(rule, state, context, now_ms)
    if answer is None or due_ms is None:
        return state
    return after_measurement(rule, state, measurement(answer), due_ms=due_ms)


def _trail(
    before: RateState | None,
    vectors: Sequence[RangeVector],
    rule: RateRule,
    rules: AnalysisRules,
    context: AnalysisContext,
    now_ms: int,
) -> list[RateState]:
    """The states before the first and after each round that the samples close."""
    cohort = context.first_cohort_at.timestamp()
    series = counter_series(vectors, rule, context, first_cohort_seconds=cohort)
    scrapes = scrape_times(series)
    state = before or _first_state(vectors, scrapes, rule, rules, context)
    state = _with_newest_samples(state, series)
    rounds = closed_rounds(
        scrapes, after_ms=state.watermark_ms, scrape_interval_ms=_interval_ms(context)
    )
    if not rounds:
        return [_past_lost_history(state, now_ms)]
    outcomes = pod_increments(
        series,
        rounds,
        lookback_ms=_lookback_ms(context),
        pods_started_ms={pod: to_ms(at) for pod, at in context.pods_started_at.items()},
    )
    known = _scrapes_before(scrapes, state.watermark_ms, context)
    late = max(0, known - state.scrapes_in_lookback)
    trail = [replace(state, late_scrapes=state.late_scrapes + late)]
    for closed, outcome in zip(rounds, outcomes, strict=True):
        if closed.start_ms < _counted_from_ms(rule, context):
            grown = replace(trail[-1], watermark_ms=closed.end_ms)
        else:
            grown = after_round(trail[-1], outcome, end_ms=closed.end_ms, rule=rule, rules=rules)
        trail.append(grown)
    trail[-1] = replace(
        trail[-1], scrapes_in_lookback=_scrapes_before(scrapes, trail[-1].watermark_ms, context)
    )
    return trail


def _first_state(
    vectors: Sequence[RangeVector],
    scrapes: Mapping[str, Sequence[int]],
    rule: RateRule,
    rules: AnalysisRules,
    context: AnalysisContext,
) -> RateState:
    started_ms = to_ms(context.started_at)
    minutes = stable_minutes(
        counter_series(vectors, rule, context, first_cohort_seconds=-math.inf),
        from_ms=_baseline_from_ms(context),
        until_ms=started_ms,
    )
    return RateState(
        watermark_ms=started_ms,
        baseline=baseline(minutes, given_inflation=rules.variance_inflation),
        scrapes_in_lookback=_scrapes_before(scrapes, started_ms, context),
    )


def _with_newest_samples(state: RateState, series: Sequence[CounterSeries]) -> RateState:
    newest = newest_by_arm(series)
    seen = {
        Arm.CANARY: state.canary_seen_ms,
        Arm.STABLE: state.stable_seen_ms,
    }
    for arm, at_ms in newest.items():
        seen[arm] = max(at_ms, seen[arm] or 0)
    return replace(state, canary_seen_ms=seen[Arm.CANARY], stable_seen_ms=seen[Arm.STABLE])


def _past_lost_history(state: RateState, now_ms: int) -> RateState:
    """Where the provider has lost an hour there is nothing to wait for: a gap costs time only."""
    end_ms = state.watermark_ms + MAX_STEP_MS
    return replace(state, watermark_ms=end_ms) if end_ms < now_ms else state


def _with_total(
    rates: Mapping[str, RateState],
    trails: Mapping[str, Sequence[RateState]],
    rules: AnalysisRules,
) -> dict[str, RateState]:
    """The states with the highest evidence that all metrics together reached at any round.

    It is looked at after each round in the order of time, not once a pass: else a crossing would
    depend on how many rounds a pass happened to see.
    """
    shares = alpha_shares(rules.rates)
    highest = max((state.total_harm for state in rates.values()), default=0.0)
    for at_ms in sorted({state.watermark_ms for trail in trails.values() for state in trail[1:]}):
        logs = [
            (shares[name], _as_of(trails.get(name) or [state], at_ms).harm.log_evidence)
            for name, state in rates.items()
        ]
        highest = max(highest, total_log_evidence(logs))
    return {name: replace(state, total_harm=highest) for name, state in rates.items()}


def _as_of(trail: Sequence[RateState], at_ms: int) -> RateState:
    index = bisect_right([state.watermark_ms for state in trail], at_ms)
    return trail[max(0, index - 1)]


def _counted_from_ms(rule: RateRule, context: AnalysisContext) -> int:
    """End of the warm-up; maxima guard from the start, and labels go by cohort."""
    warms_up = isinstance(rule.comparison, AgainstStable) and rule.template not in LABEL_TEMPLATES
    return to_ms(context.started_at + context.warmup if warms_up else context.started_at)


def _baseline_from_ms(context: AnalysisContext) -> int:
    earliest = to_ms(context.started_at) - BASELINE_MS
    return max(earliest, to_ms(context.stable_since)) if context.stable_since else earliest


def _scrapes_before(
    scrapes: Mapping[str, Sequence[int]], watermark_ms: int, context: AnalysisContext
) -> int:
    from_ms = watermark_ms - _lookback_ms(context)
    return sum(
        bisect_right(times, watermark_ms) - bisect_right(times, from_ms)
        for times in scrapes.values()
    )


def _interval_ms(context: AnalysisContext) -> int:
    return round(context.scrape_interval.total_seconds() * 1000)


def _lookback_ms(context: AnalysisContext) -> int:
    return lookback_ms(_interval_ms(context))


def _moment(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms / 1000, tz=UTC)
