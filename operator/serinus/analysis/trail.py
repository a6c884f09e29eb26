"""One rate metric: from the provider's answer to the states after each round that it closes.

Where the next question begins follows from the state's watermark, so nothing is counted twice and
nothing is left out, however long the operator was away.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from serinus.analysis.baseline_query import baseline_from_ms, counted_by_slice
from serinus.analysis.cells import Arm, PodCounts, Rejected
from serinus.analysis.cold_pods import Readiness, without_cold
from serinus.analysis.counters import (
    CounterSeries,
    counter_series,
    newest_by_arm,
    pod_increments,
    scrape_times,
)
from serinus.analysis.evidence import after_round, baseline, round_cap
from serinus.analysis.inflation import stable_minutes
from serinus.analysis.moments import to_ms
from serinus.analysis.rounds import Round, closed_rounds, lookback_ms
from serinus.analysis.samples import RangeVector
from serinus.analysis.spec import (
    LABEL_TEMPLATES,
    AgainstMaximum,
    AnalysisContext,
    AnalysisRules,
    Comparison,
    RateRule,
)
from serinus.analysis.state import Bets, RateState
from serinus.api.enums import MetricTemplate
from serinus.api.label_scores import COHORTS_KEPT
from serinus.api.verdicts import Counts

_CLOCKS_DIFFER_MS = 600_000
MAX_SPAN_MS = 3_600_000
"""No more than this is asked for at once: after a long outage several passes catch up."""


@dataclass(frozen=True, slots=True)
class Span:
    """Samples that are wanted: after `from_ms`, up to `until_ms`."""

    from_ms: int
    until_ms: int


def wanted_span(state: RateState | None, context: AnalysisContext, *, now_ms: int) -> Span | None:
    """What to ask for next; None before the canary had traffic, or where all is read already.

    The latter is so when the clock was put back, or another operator's is behind.
    """
    if now_ms <= to_ms(context.started_at):
        return None
    watermark_ms = state.watermark_ms if state else to_ms(context.started_at)
    counted_from_ms = watermark_ms if state else baseline_from_ms(context)
    from_ms = counted_from_ms - _lookback_ms(context)
    until_ms = min(now_ms, watermark_ms + MAX_SPAN_MS)
    return Span(from_ms, until_ms) if from_ms < until_ms else None


def cohorts_in(span: Span, context: AnalysisContext) -> tuple[int, ...] | None:
    """Cohorts whose labels count and may come in the span, as Unix seconds; None: any.

    They begin at whole multiples of the revisions' cohort lengths, by the servers' clocks. Servers
    keep them for a while, so those that a span may hold began before it.
    """
    if not context.cohort_lengths:
        return None
    first = math.ceil(context.first_cohort_at.timestamp())
    last = (span.until_ms + _CLOCKS_DIFFER_MS) // 1000
    starts: set[int] = set()
    for length in context.cohort_lengths:
        kept_from = (span.from_ms - _CLOCKS_DIFFER_MS) // 1000 - COHORTS_KEPT * length
        earliest = max(first, kept_from)
        starts.update(range(math.ceil(earliest / length) * length, last + 1, length))
    return tuple(sorted(starts))


def is_behind(state: RateState | None, context: AnalysisContext, *, now_ms: int) -> bool:
    """Whether `wanted_span` ends before now: the next look goes on from there."""
    span = wanted_span(state, context, now_ms=now_ms)
    return span is not None and span.until_ms < now_ms


def state_before_rounds(
    vectors: Sequence[RangeVector], rule: RateRule, rules: AnalysisRules, context: AnalysisContext
) -> RateState:
    """The first state of a metric that counts labels, from the answer to its `baseline_query`."""
    return _new_state(counted_by_slice(vectors, rule), rule, rules, context)


def starts_late(context: AnalysisContext, *, now_ms: int) -> bool:
    """Whether rounds may have closed that nobody has read: the operator was away at the start."""
    return now_ms > to_ms(context.started_at) + _lookback_ms(context)


def states_after_rounds(
    before: RateState | None,
    vectors: Sequence[RangeVector],
    rule: RateRule,
    rules: AnalysisRules,
    context: AnalysisContext,
    *,
    now_ms: int,
) -> list[RateState]:
    """The state before the first and after each round that the samples close."""
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
    trail, cap = [_with_late_scrapes(state, scrapes, context)], round_cap(rules.alpha)
    readiness = _readiness(context)
    for closed, outcome in zip(rounds, outcomes, strict=True):
        grown = _after_round(trail[-1], outcome, closed, rule, context, readiness, cap=cap)
        trail.append(grown)
    known = _scrapes_before(scrapes, trail[-1].watermark_ms, context)
    trail[-1] = replace(trail[-1], scrapes_in_lookback=known)
    return trail


def _after_round(
    before: RateState,
    outcome: PodCounts | Rejected,
    closed: Round,
    rule: RateRule,
    context: AnalysisContext,
    readiness: Readiness,
    *,
    cap: float,
) -> RateState:
    comparisons = _counting(rule, context, closed.start_ms)
    leave_out = [_leaves_out_cold(rule, context, one) for one in rule.comparisons]
    counted = None
    waited = any(one and out for one, out in zip(comparisons, leave_out, strict=True))
    if waited and not isinstance(outcome, Rejected):
        warm, cold = without_cold(outcome, closed, readiness, before.cold)
        before = replace(before, cold=cold)
        counted = [warm if out else outcome for out in leave_out]
    return after_round(
        before, outcome, end_ms=closed.end_ms, comparisons=comparisons, cap=cap, counted=counted
    )


def _readiness(context: AnalysisContext) -> Readiness:
    return Readiness(
        ready_ms={pod: to_ms(at) for pod, at in context.pods_ready_at.items()},
        warmup_ms=round(context.warmup.total_seconds() * 1000),
        rollout_started_ms=to_ms(context.started_at),
    )


def _first_state(
    vectors: Sequence[RangeVector],
    scrapes: Mapping[str, Sequence[int]],
    rule: RateRule,
    rules: AnalysisRules,
    context: AnalysisContext,
) -> RateState:
    started_ms = to_ms(context.started_at)
    of_all = replace(context, exposed_only=False)  # nobody was exposed before
    minutes = stable_minutes(
        counter_series(vectors, rule, of_all, first_cohort_seconds=-math.inf),
        from_ms=baseline_from_ms(context),
        until_ms=started_ms,
    )
    known = _scrapes_before(scrapes, started_ms, context)
    return replace(_new_state(minutes, rule, rules, context), scrapes_in_lookback=known)


def _new_state(
    minutes: Sequence[Sequence[Counts]],
    rule: RateRule,
    rules: AnalysisRules,
    context: AnalysisContext,
) -> RateState:
    """No evidence, and of stable what its pods counted in each minute before."""
    return RateState(
        watermark_ms=to_ms(context.started_at),
        baseline=baseline(minutes, given_inflation=rules.variance_inflation),
        bets=tuple(Bets() for _ in rule.comparisons),
        scrapes_in_lookback=None,
    )


def _with_newest_samples(state: RateState, series: Sequence[CounterSeries]) -> RateState:
    newest = newest_by_arm(series)
    return replace(
        state,
        canary_seen_ms=_later(state.canary_seen_ms, newest.get(Arm.CANARY)),
        stable_seen_ms=_later(state.stable_seen_ms, newest.get(Arm.STABLE)),
    )


def _later(first: int | None, second: int | None) -> int | None:
    known = [at_ms for at_ms in (first, second) if at_ms is not None]
    return max(known, default=None)


def _with_late_scrapes(
    state: RateState, scrapes: Mapping[str, Sequence[int]], context: AnalysisContext
) -> RateState:
    """Scrapes before the watermark that weren't known when it was set are counted, not used."""
    if state.scrapes_in_lookback is None:
        return state
    known = _scrapes_before(scrapes, state.watermark_ms, context)
    late = max(0, known - state.scrapes_in_lookback)
    return replace(state, late_scrapes=state.late_scrapes + late)


def _past_lost_history(state: RateState, now_ms: int) -> RateState:
    """Where the provider has lost an hour there is nothing to wait for: a gap costs time only."""
    end_ms = state.watermark_ms + MAX_SPAN_MS
    return replace(state, watermark_ms=end_ms) if end_ms < now_ms else state


def _counting(
    rule: RateRule, context: AnalysisContext, round_start_ms: int
) -> tuple[Comparison | None, ...]:
    """The rule's comparisons, None for those that leave out a round of the rollout's warm-up."""
    if round_start_ms >= to_ms(context.started_at + context.warmup):
        return rule.comparisons
    return tuple(None if _leaves_out_cold(rule, context, one) else one for one in rule.comparisons)


def _leaves_out_cold(rule: RateRule, context: AnalysisContext, comparison: Comparison) -> bool:
    """Whether what is cold doesn't count for the comparison.

    A cold canary is slower than stable; a maximum guards from the start, and labels go by cohort.
    Where nothing serves beside it, a revision has just got all requests and is cold for them: how
    slow it is doesn't count yet, whatever it is held against.
    """
    if rule.template in LABEL_TEMPLATES:
        return False
    alone = context.stable_revision is None and rule.template is MetricTemplate.SLOW_REQUESTS
    return alone or not isinstance(comparison, AgainstMaximum)


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
