"""States to verdicts, for each metric and for the canary: the numbers that say why, and sentences.

A verdict is a function of the persisted states, of what went wrong in this pass and of the time
since the newest samples; nothing is decided here that a restart could forget.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from serinus.analysis.evidence import alpha_shares, highest_log_harm
from serinus.analysis.moments import from_ms
from serinus.analysis.rate_verdict import rate_verdict
from serinus.analysis.scalar import (
    ScalarState,
    is_left_to_a_person,
    is_measured,
    scalar_verdict,
)
from serinus.analysis.sentences import overall_sentence, scalar_sentence
from serinus.analysis.spec import AnalysisContext, AnalysisRules, ScalarRule
from serinus.analysis.state import RateState
from serinus.api.verdicts import MetricVerdict, Overall, Verdict

# Status and events have limits of their own, 512 and 1024.
_PROBLEM_SHOWN = 300
_SENTENCE_SHOWN = 1000


@dataclass(frozen=True, slots=True)
class Judgement:
    """What is known of the canary.

    Attributes
    ----------
    evidence_ratio
        Evidence of harm of all gating rates together over what alpha asks for: 1 = rollback.
    requests_needed
        The most that a gating metric still needs; None when one of them can't tell.
    """

    overall: Overall
    sentence: str
    verdicts: tuple[MetricVerdict, ...]
    evidence_ratio: float
    requests_needed: int | None


def judged(
    rules: AnalysisRules,
    context: AnalysisContext,
    rates: Mapping[str, RateState],
    scalars: Mapping[str, ScalarState],
    problems: Mapping[str, str],
    *,
    behind: Collection[str] = (),
    now: datetime,
) -> Judgement:
    """Judge all metrics.

    Parameters
    ----------
    rates, scalars
        States by metric; a metric that was never measured has none.
    problems
        Why a metric can't be measured now, by metric.
    behind
        Metrics of which newer samples weren't asked for yet.
    """
    problems = {name: problem[:_PROBLEM_SHOWN] for name, problem in problems.items()}
    limit = math.log(1 / rules.alpha)
    gating = {rule.name: rates[rule.name] for rule in rules.gating_rates if rule.name in rates}
    ratio = max((state.total_harm for state in gating.values()), default=0.0) / limit
    harmful = (_harmful(rules, gating) if ratio >= 1 else frozenset()) | _alarming(rules, rates)
    verdicts = tuple(
        _scalar_verdict(
            rule,
            context,
            scalars.get(rule.name, ScalarState()),
            problems.get(rule.name),
            now=now,
        )
        if isinstance(rule, ScalarRule)
        else rate_verdict(
            rule,
            rules,
            context,
            rates.get(rule.name),
            problems.get(rule.name),
            harmful=rule.name in harmful,
            behind=rule.name in behind,
            now=now,
        )
        for rule in rules.metrics
    )
    gates = [verdict for verdict in verdicts if verdict.gate]
    missing = _missing_samples(context, gates)
    waits = [missing, *(gate.requests_needed for gate in gates if gate.is_rate)]
    longest = None if None in waits else max(wait or 0 for wait in waits)
    overall = _overall(
        gates,
        harm_shown=ratio >= 1,
        behind=any(gate.metric in behind for gate in gates),
        measured=missing == 0
        and not any(gate.holds_a_step for gate in gates)
        and _scalars_measured(rules, context, scalars),
    )
    return Judgement(
        overall=overall,
        sentence=overall_sentence(overall, gates, longest)[:_SENTENCE_SHOWN],
        verdicts=verdicts,
        evidence_ratio=round(max(0.0, ratio), 4),
        requests_needed=longest,
    )


def _harmful(rules: AnalysisRules, rates: Mapping[str, RateState]) -> frozenset[str]:
    """The gates that the harm is put down to: those that alone would do, else the strongest."""
    shares = alpha_shares(rules.gating_rates)
    strength = {
        name: math.log(shares[name]) + highest_log_harm(state)
        for name, state in rates.items()
        if shares.get(name, 0.0) > 0
    }
    limit = math.log(1 / rules.alpha)
    alone = {name for name, log in strength.items() if log >= limit}
    return frozenset(alone or {max(strength, key=lambda name: strength[name])})


def _alarming(rules: AnalysisRules, rates: Mapping[str, RateState]) -> frozenset[str]:
    """The metrics that only alarm and do: each for itself, at alpha, outside what gates share."""
    limit = math.log(1 / rules.alpha)
    return frozenset(
        rule.name
        for rule in rules.rates
        if not rule.gate and rule.name in rates and highest_log_harm(rates[rule.name]) >= limit
    )


def _missing_samples(context: AnalysisContext, gates: Sequence[MetricVerdict]) -> int:
    """How many events the step still asks for of the gate that counts most.

    Not of each: labels come for a part of the requests only.
    """
    counted = [gate.canary.total for gate in gates if gate.is_rate]
    if not counted:
        return 0
    return max(0, context.samples_before + context.min_samples - max(counted))


def _scalars_measured(
    rules: AnalysisRules, context: AnalysisContext, scalars: Mapping[str, ScalarState]
) -> bool:
    """Whether every scalar that gates yielded its numbers in the present step, and they speak."""
    return all(
        is_measured(rule, state, context) and not is_left_to_a_person(rule, state)
        for rule in rules.metrics
        if isinstance(rule, ScalarRule) and rule.gate and not rule.dry_run
        for state in [scalars.get(rule.name, ScalarState())]
    )


def _scalar_verdict(
    rule: ScalarRule,
    context: AnalysisContext,
    state: ScalarState,
    problem: str | None,
    *,
    now: datetime,
) -> MetricVerdict:
    verdict = scalar_verdict(rule, state, context, now)
    if problem and verdict is not Verdict.FAILED:
        verdict = Verdict.ERROR
    known = state.numbered_at_ms
    return MetricVerdict(
        metric=rule.name,
        verdict=verdict,
        sentence=scalar_sentence(rule, state, verdict, problem=problem),
        evidence_ratio=round(state.failures / (rule.failure_limit + 1), 4),
        value=state.value,
        newest_sample_at=None if known is None else from_ms(known),
        gate=rule.gate and not rule.dry_run,
        dry_run=rule.dry_run,
        left_to_a_person=is_left_to_a_person(rule, state),
    )


def _overall(
    gates: Sequence[MetricVerdict],
    *,
    harm_shown: bool,
    behind: bool,
    measured: bool,
) -> Overall:
    said = {gate.verdict for gate in gates}
    if harm_shown:
        return Overall.HARM
    if any(gate.verdict is Verdict.FAILED for gate in gates if not gate.is_rate):
        return Overall.LIMIT_EXCEEDED
    if not gates:
        return Overall.NO_METRICS
    if Verdict.ERROR in said:
        return Overall.ERROR
    if behind:
        return Overall.BEHIND
    if Verdict.NO_DATA in said:
        return Overall.NO_DATA
    if not measured:
        return Overall.NOT_ENOUGH
    return Overall.SAFE if said == {Verdict.SUCCESSFUL} else Overall.NO_HARM
