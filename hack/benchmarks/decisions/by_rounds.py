"""The product judges a simulated rollout, round by round: its own evidence, without the samples.

Where every pod is scraped in every interval the rounds are the intervals, so what the way of
samples (`by_samples`) would lead to follows from the sums of the arms, bit for bit.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from benchmarks.decisions.case import Case
from benchmarks.decisions.labels import DrawnLabels, of_metric
from benchmarks.decisions.traffic import Counted, Drawn, Traffic
from serinus.analysis.cells import Arm, Cell, PodCounts
from serinus.analysis.evidence import (
    after_round,
    alpha_shares,
    baseline,
    log_harm,
    log_safe,
    round_cap,
    total_log_evidence,
)
from serinus.analysis.spec import AnalysisContext, RateRule
from serinus.analysis.state import Bets, RateState
from serinus.api.verdicts import Counts

MIN_SAMPLES = AnalysisContext.__dataclass_fields__["min_samples"].default


_CANARY, _STABLE = Cell(Arm.CANARY, "canary"), Cell(Arm.STABLE, "stable")


@dataclass(frozen=True, slots=True)
class Ending:
    """When a rollout was rolled back and when it could be promoted; None where it wasn't."""

    rolled_back_at: float | None
    promoted_at: float | None


@dataclass(frozen=True, slots=True)
class Played:
    """How a rollout ended, with the states at that moment and the rounds that led there."""

    ending: Ending
    states: Mapping[str, RateState]
    rounds: int


@dataclass(frozen=True, slots=True)
class RolloutCounts:
    """One metric of one rollout."""

    rule: RateRule
    rounds: Sequence[PodCounts]
    minutes_before: Sequence[Sequence[Counts]]


def counts_of_rollouts(
    case: Case, drawn: Sequence[Drawn | DrawnLabels]
) -> list[list[RolloutCounts]]:
    """For each rollout the counts of its metrics."""
    of_metrics = []
    for metric, one in zip(case.metrics, drawn, strict=True):
        rounds = _label_rounds(one) if isinstance(one, DrawnLabels) else _rounds(one)
        minutes = minutes_before(case.traffic, of_metric(one).before)
        of_metrics.append(
            [
                RolloutCounts(metric.rule, *of_rollout)
                for of_rollout in zip(rounds, minutes, strict=True)
            ]
        )
    return [list(of_rollout) for of_rollout in zip(*of_metrics, strict=True)]


def _rounds(drawn: Drawn) -> list[list[PodCounts]]:
    canary, stable = drawn.canary.of_arm(), drawn.stable.of_arm()
    arms = (canary.total, canary.bad, stable.total, stable.bad)
    return [
        [
            {_CANARY: Counts(canary_bad, canary_total), _STABLE: Counts(stable_bad, stable_total)}
            for canary_total, canary_bad, stable_total, stable_bad in zip(*of_rollout, strict=True)
        ]
        for of_rollout in zip(*(arm.tolist() for arm in arms), strict=True)
    ]


def _label_rounds(drawn: DrawnLabels) -> list[list[PodCounts]]:
    arms = (drawn.canary.right, drawn.canary.wrong, drawn.stable.right, drawn.stable.wrong)
    return [
        [_label_round(*of_round) for of_round in zip(*of_rollout, strict=True)]
        for of_rollout in zip(*(arm.tolist() for arm in arms), strict=True)
    ]


def _label_round(*of_arms: Sequence[int]) -> PodCounts:
    """From right and wrong labels of the canary and of stable, by cohort."""
    counts: dict[Cell, Counts] = {}
    for cohort, (right, wrong, stable_right, stable_wrong) in enumerate(
        zip(*of_arms, strict=True), start=1
    ):
        if right or wrong:
            counts[_CANARY._replace(cohort=float(cohort))] = Counts(float(wrong), right + wrong)
        if stable_right or stable_wrong:
            total = stable_right + stable_wrong
            counts[_STABLE._replace(cohort=float(cohort))] = Counts(float(stable_wrong), total)
    return counts


def minutes_before(traffic: Traffic, before: Counted) -> list[list[list[Counts]]]:
    """For each rollout and minute of the hour before what each pod counted, pods that did."""
    rollouts, scrapes, pods = before.total.shape
    scrapes_a_minute = round(60 / traffic.scrape_seconds)
    shape = (rollouts, scrapes // scrapes_a_minute, scrapes_a_minute, pods)
    total = before.total.reshape(shape).sum(axis=2).tolist()
    bad = before.bad.reshape(shape).sum(axis=2).tolist()
    return [
        [
            [Counts(x, n) for x, n in zip(*of_minute, strict=True) if n > 0]
            for of_minute in zip(*of_rollout, strict=True)
        ]
        for of_rollout in zip(bad, total, strict=True)
    ]


def played(case: Case, metrics: Sequence[RolloutCounts], *, rounds: int | None = None) -> Played:
    """One rollout, to its rollback or its end, or through so many rounds."""
    rules, traffic = case.rules, case.traffic
    cap = round_cap(rules.alpha) if case.cap is None else case.cap
    shares = alpha_shares([metric.rule for metric in metrics])
    states = {metric.rule.name: _first_state(case, metric) for metric in metrics}
    highest, promoted_at = 0.0, None
    last = traffic.scrapes if rounds is None else rounds
    for number in range(last):
        for metric in metrics:
            name = metric.rule.name
            states[name] = after_round(
                states[name],
                metric.rounds[number],
                end_ms=number,
                comparisons=metric.rule.comparisons,
                cap=cap,
            )
        end = (number + 1) * traffic.scrape_seconds
        total = total_log_evidence((shares[name], log_harm(one)) for name, one in states.items())
        highest = max(highest, total)
        if highest / math.log(1 / rules.alpha) >= 1:
            return _played(Ending(end, promoted_at), states, highest, number + 1)
        if promoted_at is None and end > traffic.steps[-1][0] and _safe(case, metrics, states):
            promoted_at = end
    return _played(Ending(None, promoted_at), states, highest, last)


def _played(ending: Ending, states: Mapping[str, RateState], highest: float, rounds: int) -> Played:
    with_total = {name: replace(state, total_harm=highest) for name, state in states.items()}
    return Played(ending, with_total, rounds)


def _first_state(case: Case, metric: RolloutCounts) -> RateState:
    before = baseline(metric.minutes_before, given_inflation=case.rules.variance_inflation)
    return RateState(
        watermark_ms=0, baseline=before, bets=tuple(Bets() for _ in metric.rule.comparisons)
    )


def _safe(case: Case, metrics: Sequence[RolloutCounts], states: Mapping[str, RateState]) -> bool:
    needed = math.log(1 / case.rules.beta)
    gates = [states[metric.rule.name] for metric in metrics if metric.rule.gate]
    return all(
        log_safe(state) / needed >= 1 and state.canary.total >= MIN_SAMPLES for state in gates
    )
