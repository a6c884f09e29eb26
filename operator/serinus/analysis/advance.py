"""The way of a sample: counters, rounds, evidence, verdict. Read this module first.

`queries` says what to ask the metrics provider for, `advance_analysis` what follows from the
answers. Both are pure: the shell asks, writes the new states into status, and only then acts on
the verdict. Each state carries its watermark, so after a crash at any point the same samples are
asked for again and lead to the same states, bit for bit.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from serinus.analysis.baseline_query import baseline_query, gives_up
from serinus.analysis.evidence import alpha_shares, log_harm, total_log_evidence
from serinus.analysis.judge import judged
from serinus.analysis.moments import from_ms, to_ms
from serinus.analysis.promql import rate_query, scalar_query
from serinus.analysis.samples import Query, QueryFailure, QueryResult
from serinus.analysis.scalar import (
    ScalarState,
    after_measurement,
    decode_scalar_state,
    encode_scalar_state,
    measurement,
    scalar_due_ms,
    step_ms,
)
from serinus.analysis.spec import (
    LABEL_TEMPLATES,
    AnalysisContext,
    AnalysisRules,
    RateRule,
    ScalarRule,
)
from serinus.analysis.state import RateState, StateUnreadableError, decode_state, encode_state
from serinus.analysis.trail import (
    cohorts_in,
    is_behind,
    starts_late,
    state_before_rounds,
    states_after_rounds,
    wanted_span,
)
from serinus.api.verdicts import MetricVerdict, Overall


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
                _rate_query(rule, states.get(rule.name), rules, context, now_ms)
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
        Frozen for the rollout, but for what is known of the pods and what the present step demands.
    now
        Aware; not before the time of the queries.
    """
    now_ms = to_ms(now)
    rates: dict[str, RateState] = {}
    trails: dict[str, Sequence[RateState]] = {}
    scalars: dict[str, ScalarState] = {}
    problems: dict[str, str] = {}
    behind: set[str] = set()
    learning = _learning_baselines(previous_states, samples_by_metric, rules, context, now_ms)
    for rule in rules.metrics:
        answer = samples_by_metric.get(rule.name)
        text = previous_states.get(rule.name)
        try:
            if isinstance(rule, ScalarRule):
                scalars[rule.name] = _scalar_after(rule, text, answer, context, now_ms)
                if isinstance(answer, QueryFailure) and answer.is_away:
                    problems[rule.name] = f"{answer.kind}: {answer.message}"
                continue
            before = _rate_state(rule, text, rules, context)
        except ValueError as error:
            problems[rule.name] = str(error)
            continue
        if isinstance(answer, QueryFailure):
            problems[rule.name] = f"{answer.kind}: {answer.message}"
        if learning:
            if starts_late(context, now_ms=now_ms):
                behind.add(rule.name)  # what was scraped since is asked for next
            if rule.name in learning:
                known = () if isinstance(answer, QueryFailure) else answer or ()
                before = state_before_rounds(known, rule, rules, context)
        if learning or answer is None or isinstance(answer, QueryFailure):
            if before is not None:
                rates[rule.name] = before
            continue
        if is_behind(before, context, now_ms=now_ms):
            behind.add(rule.name)
        trail = states_after_rounds(before, answer, rule, rules, context, now_ms=now_ms)
        trails[rule.name], rates[rule.name] = trail, trail[-1]
    rates = _with_total(rates, trails, rules)
    judgement = judged(rules, context, rates, scalars, problems, behind=behind, now=now)
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
    rule: RateRule, text: str | None, rules: AnalysisRules, context: AnalysisContext, now_ms: int
) -> Query | None:
    before = _rate_state(rule, text, rules, context)
    span = wanted_span(before, context, now_ms=now_ms)
    if span is None:
        return None
    if before is None:
        if (first := baseline_query(rule, context)) is not None:
            return first
        context = replace(context, exposed_only=False)  # the baseline is of all requests
    cohorts, range_ms = cohorts_in(span, context), span.until_ms - span.from_ms
    promql = rate_query(rule, context, range_ms=range_ms, cohorts=cohorts)
    return Query(rule.name, promql, from_ms(span.until_ms))


def _learning_baselines(
    states: Mapping[str, str],
    samples_by_metric: Mapping[str, QueryResult],
    rules: AnalysisRules,
    context: AnalysisContext,
    now_ms: int,
) -> frozenset[str]:
    """Metrics of which it is known now how stable was; none of the others goes on before them.

    Else the evidence of all together would be summed up over different times. Where the question
    can't be answered the metric begins without a baseline, but not before it was asked for a while.
    """
    found = set()
    for rule in rules.rates:
        answer = samples_by_metric.get(rule.name)
        if answer is None or states.get(rule.name) or baseline_query(rule, context) is None:
            continue
        if not isinstance(answer, QueryFailure) or gives_up(answer, context, now_ms=now_ms):
            found.add(rule.name)
    return frozenset(found)


def _rate_state(
    rule: RateRule, text: str | None, rules: AnalysisRules, context: AnalysisContext
) -> RateState | None:
    state = decode_state(text) if text else None
    if state and len(state.bets) != len(rule.comparisons):
        raise StateUnreadableError("the analysis state belongs to another rule")
    labels = rule.template in LABEL_TEMPLATES
    if state is None and labels and baseline_query(rule, context) is None:
        return state_before_rounds((), rule, rules, context)  # there is nothing to ask about
    return state


def _scalar_query(
    rule: ScalarRule, text: str | None, context: AnalysisContext, now_ms: int
) -> Query | None:
    due_ms = _due_ms(rule, _scalar_state(text), context, now_ms)
    if due_ms is None:
        return None
    return Query(rule.name, scalar_query(rule, context), from_ms(due_ms))


def _scalar_after(
    rule: ScalarRule,
    text: str | None,
    answer: QueryResult | None,
    context: AnalysisContext,
    now_ms: int,
) -> ScalarState:
    scalar_query(rule, context)  # says what is wrong with its placeholders
    state = _scalar_state(text)
    due_ms = _due_ms(rule, state, context, now_ms)
    if answer is None or due_ms is None:
        return state
    if isinstance(answer, QueryFailure) and answer.is_away:
        return state  # asked again with the next look
    found = measurement(answer)
    return after_measurement(rule, state, found, due_ms=due_ms, step_ms=step_ms(context))


def _scalar_state(text: str | None) -> ScalarState:
    return decode_scalar_state(text) if text else ScalarState()


def _due_ms(
    rule: ScalarRule, state: ScalarState, context: AnalysisContext, now_ms: int
) -> int | None:
    """The first measurement is due after the warm-up and what the metric itself waits."""
    started_ms = to_ms(context.started_at + context.warmup + rule.initial_delay)
    return scalar_due_ms(
        rule, state, started_ms=started_ms, now_ms=now_ms, step_ms=step_ms(context)
    )


def _with_total(
    rates: Mapping[str, RateState],
    trails: Mapping[str, Sequence[RateState]],
    rules: AnalysisRules,
) -> dict[str, RateState]:
    """The states with the highest evidence that all gates together reached at any round.

    It is looked at after each round in the order of time, not once a pass: else a crossing would
    depend on how many rounds a pass happened to see.
    """
    shares = alpha_shares(rules.gating_rates)
    gates = {name: state for name, state in rates.items() if name in shares}
    highest = max((state.total_harm for state in gates.values()), default=0.0)
    for at_ms in sorted({state.watermark_ms for trail in trails.values() for state in trail[1:]}):
        logs = [
            (shares[name], log_harm(_as_of(trails.get(name) or [state], at_ms)))
            for name, state in gates.items()
        ]
        highest = max(highest, total_log_evidence(logs))
    return {**rates, **{name: replace(one, total_harm=highest) for name, one in gates.items()}}


def _as_of(trail: Sequence[RateState], at_ms: int) -> RateState:
    index = bisect_right([state.watermark_ms for state in trail], at_ms)
    return trail[max(0, index - 1)]
