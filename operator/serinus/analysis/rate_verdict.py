"""One rate metric's state to its verdict, with the numbers that say why."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import datetime

from serinus.analysis.evidence import (
    accepted_rate,
    alpha_shares,
    highest_log_harm,
    log_harm,
    log_safe,
    stable_rate_guess,
    tolerated_rate,
)
from serinus.analysis.forecast import requests_needed
from serinus.analysis.moments import from_ms
from serinus.analysis.sentences import rate_sentence, rate_warning
from serinus.analysis.spec import AnalysisContext, AnalysisRules, RateRule
from serinus.analysis.state import RateState
from serinus.api.verdicts import MetricVerdict, RateLimits, Verdict


def rate_verdict(
    rule: RateRule,
    rules: AnalysisRules,
    context: AnalysisContext,
    state: RateState | None,
    problem: str | None,
    *,
    harmful: bool,
    behind: bool,
    now: datetime,
) -> MetricVerdict:
    """The verdict on one metric, whose `state` is None before it was measured.

    `harmful` says whether harm is put down to it: that depends on all metrics together. `behind`
    says that newer samples weren't asked for yet, so that nobody knows whether there are none.
    """
    if state is None:
        verdict = Verdict.ERROR if problem else Verdict.INCONCLUSIVE
        unmeasured = MetricVerdict(
            rule.name,
            verdict,
            sentence="",
            safe_evidence_ratio=0.0,
            gate=rule.gate,
            dry_run=rule.dry_run,
        )
        return replace(unmeasured, sentence=rate_sentence(rule, unmeasured, problem=problem))
    if state.rejected and not problem:
        problem = f"{state.rejected.why.value} (pod {state.rejected.pod}); the round is left out"
    silent = () if behind else silent_arms(rule, context, state, now)
    unlike = context.incomparable.get(rule.name) if rule.against_stable else None
    safe_ratio = max(0.0, log_safe(state)) / math.log(1 / rules.beta)
    if harmful:
        verdict = Verdict.FAILED
    elif problem:
        verdict = Verdict.ERROR
    elif silent or unlike:
        verdict = Verdict.NO_DATA
    elif not behind and safe_ratio >= 1 and state.canary.total >= context.min_samples:
        verdict = Verdict.SUCCESSFUL
    else:
        verdict = Verdict.INCONCLUSIVE
    harm = highest_log_harm(state) if harmful else log_harm(state)
    limits = _limits(rule, state)
    measured = MetricVerdict(
        metric=rule.name,
        verdict=verdict,
        sentence="",
        canary=state.canary,
        stable=state.stable,
        evidence_ratio=round(max(0.0, harm) / _needed_alone(rule, rules), 4),
        safe_evidence_ratio=round(safe_ratio, 4),
        requests_needed=requests_needed(
            rule, state, beta=rules.beta, min_samples=context.min_samples
        ),
        limits=limits,
        warning=rate_warning(
            rule,
            limits,
            context.constant_rates.get((rule.template, rule.score)),
            labels_wait=context.labels_wait,
        ),
        newest_sample_at=_newest_sample_at(rule, state),
        gate=rule.gate,
        dry_run=rule.dry_run,
        cold_canary_pods=state.cold.canary.cold,
        cold_stable_pods=state.cold.stable.cold,
        holds_a_step=state.cold.hold_a_step,
    )
    sentence = rate_sentence(rule, measured, problem=problem, silent=silent, unlike=unlike)
    return replace(measured, sentence=sentence)


def _limits(rule: RateRule, state: RateState) -> RateLimits:
    stable_rate = stable_rate_guess(state)
    return RateLimits(
        stable_rate=stable_rate if rule.against_stable else None,
        tolerated_rate=tolerated_rate(rule, stable_rate),
        accepted_rate=accepted_rate(rule, stable_rate),
        variance_inflation=state.baseline.variance_inflation,
        inflation_source=state.baseline.inflation_source.value,
    )


def _needed_alone(rule: RateRule, rules: AnalysisRules) -> float:
    """Log-evidence at which this metric rolls back, or alarms, without help from the others."""
    share = alpha_shares(rules.gating_rates)[rule.name] if rule.gate else 1.0
    return math.log(1 / rules.alpha) + (math.log(1 / share) if share > 0 else math.inf)


def silent_arms(
    rule: RateRule, context: AnalysisContext, state: RateState, now: datetime
) -> tuple[str, ...]:
    """Arms whose newest sample is older than the timeout, of those that the rule compares."""
    seen = {"canary": state.canary_seen_ms}
    if rule.against_stable:
        seen["stable"] = state.stable_seen_ms
    deadline = now - context.no_data_timeout
    return tuple(
        arm
        for arm, at_ms in seen.items()
        if max(from_ms(at_ms or 0), context.silence_from) < deadline
    )


def _newest_sample_at(rule: RateRule, state: RateState) -> datetime | None:
    seen = [state.canary_seen_ms]
    if rule.against_stable:
        seen.append(state.stable_seen_ms)
    known = [at_ms for at_ms in seen if at_ms is not None]
    return from_ms(min(known)) if len(known) == len(seen) else None
