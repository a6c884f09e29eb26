"""What a release will take and what it can tell, before it begins: the rule, fed with expectations.

The very functions that judge a canary are given rounds with expected counts (fractions and all)
instead of counted ones. What comes out is typical, not promised: half of the real releases take
longer. Nothing here decides anything.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from serinus.analysis.cells import Arm, Cell
from serinus.analysis.evidence import (
    accepted_rate,
    after_round,
    alpha_shares,
    log_harm,
    log_safe,
    round_cap,
    tolerated_rate,
    total_log_evidence,
)
from serinus.analysis.spec import AgainstMaximum, AnalysisRules, RateRule
from serinus.analysis.state import Baseline, Bets, RateState
from serinus.api.verdicts import Counts

FACTORS = (1.5, 2.0, 5.0, math.inf)
"""How much worse the versions are that a plan tells of; infinite: every event is bad."""
MAX_STAGE_SECONDS = 86_400.0
"""Who waits longer than a day waits for ever."""


@dataclass(frozen=True, slots=True)
class MetricBaseline:
    """What is known of stable in one metric.

    Attributes
    ----------
    events_per_second
        Of both revisions together: requests, or labels where labels are counted.
    """

    baseline: Baseline
    events_per_second: float


@dataclass(frozen=True, slots=True)
class Stage:
    """A stretch of the release at one weight.

    Attributes
    ----------
    canary_share
        Share of requests that the canary's pods get, 0 to 1.
    stable_share
        Share that stable's pods get; None: what the canary leaves. Mirrored requests get both.
    min_seconds, max_seconds
        How long the stage takes at least; at most, for one that waits for evidence.
    min_samples
        Canary requests that it waits for; 0 for a pause.
    waits_for_safety
        True for the last analysis.
    """

    canary_share: float
    min_seconds: float = 0.0
    max_seconds: float = math.inf
    min_samples: int = 0
    waits_for_safety: bool = False
    stable_share: float | None = None


@dataclass(frozen=True, slots=True)
class Detection:
    """What becomes of a version that is worse in one metric.

    Attributes
    ----------
    factor
        How many times stable's rate; infinite: every event is bad.
    seconds, canary_requests
        From the canary's first request to the rollback; None where it isn't rolled back.
    promoted
        Whether it is promoted in the typical case.
    """

    factor: float
    seconds: float | None
    canary_requests: float | None
    promoted: bool


@dataclass(frozen=True, slots=True)
class MetricPlan:
    """What can be told of one metric."""

    metric: str
    rate: float
    harm_above: float
    safe_below: float
    detections: tuple[Detection, ...]


@dataclass(frozen=True, slots=True)
class ReleasePlan:
    """How a release goes that is no worse than stable, and what is found in ones that are.

    Attributes
    ----------
    stage_seconds
        When each stage ends; shorter than the stages where the release doesn't get that far.
    promoted_seconds
        When an equal version is promoted; None where the last analysis doesn't end in its time.
    held_by
        Metrics that aren't shown to be safe in that time.
    """

    stage_seconds: tuple[float, ...]
    promoted_seconds: float | None
    held_by: tuple[str, ...]
    metrics: tuple[MetricPlan, ...] = ()


@dataclass(frozen=True, slots=True)
class Timing:
    """How often counters are read, and how long a new canary doesn't count."""

    scrape_interval_seconds: float
    warmup_seconds: float


def planned(
    rules: AnalysisRules,
    stages: Sequence[Stage],
    known: Mapping[str, MetricBaseline],
    timing: Timing,
) -> ReleasePlan:
    """The plan of a release; rate metrics of which nothing is known are left out of it."""
    judged = [rule for rule in rules.rates if rule.name in known]
    equal = _Course(rules, judged, known, timing).run(stages, {})
    return ReleasePlan(
        stage_seconds=tuple(equal.stage_seconds),
        promoted_seconds=equal.promoted_seconds,
        held_by=() if equal.promoted_seconds is not None else tuple(equal.unsafe()),
        metrics=tuple(
            MetricPlan(
                metric=rule.name,
                rate=known[rule.name].baseline.rate,
                harm_above=tolerated_rate(rule, known[rule.name].baseline.rate),
                safe_below=accepted_rate(rule, known[rule.name].baseline.rate),
                detections=tuple(
                    _detection(factor, _Course(rules, judged, known, timing).run(stages, worse))
                    for factor in FACTORS
                    if (worse := _worse(rule, known[rule.name].baseline.rate, factor))
                ),
            )
            for rule in judged
        ),
    )


def _worse(rule: RateRule, rate: float, factor: float) -> dict[str, float]:
    """The rate of a version that is worse; empty where it can't be."""
    worse = 1.0 if math.isinf(factor) else min(1.0, rate * factor)
    return {rule.name: worse} if worse > rate else {}


def _detection(factor: float, course: _Course) -> Detection:
    found = course.harm_seconds is not None
    return Detection(
        factor=factor,
        seconds=course.harm_seconds,
        canary_requests=course.canary_requests if found else None,
        promoted=course.promoted_seconds is not None,
    )


class _Course:
    """One release with expected counts, round by round."""

    def __init__(
        self,
        rules: AnalysisRules,
        judged: Sequence[RateRule],
        known: Mapping[str, MetricBaseline],
        timing: Timing,
    ) -> None:
        self._rules, self._judged, self._known, self._timing = rules, judged, known, timing
        self._shares = alpha_shares([rule for rule in judged if rule.gate])
        self._states = {
            rule.name: RateState(
                watermark_ms=0,
                baseline=known[rule.name].baseline,
                bets=tuple(Bets() for _ in rule.comparisons),
            )
            for rule in judged
        }
        self._seconds = 0.0
        self.stage_seconds: list[float] = []
        self.promoted_seconds: float | None = None
        self.harm_seconds: float | None = None

    def run(self, stages: Sequence[Stage], canary_rates: Mapping[str, float]) -> _Course:
        """Go through the stages; the canary has stable's rate where no other is given."""
        for stage in stages:
            began, samples = self._seconds, self.canary_requests
            while not self._is_over(stage, began, samples):
                if self._seconds - began >= min(stage.max_seconds, MAX_STAGE_SECONDS):
                    return self
                self._go_on(stage, canary_rates)
                if self._is_harmful():
                    self.harm_seconds = self._seconds
                    return self
            self.stage_seconds.append(self._seconds)
        self.promoted_seconds = self._seconds
        return self

    @property
    def canary_requests(self) -> float:
        """Events of the canary in the metric that has the most of them."""
        return max((state.canary.total for state in self._states.values()), default=0)

    def unsafe(self) -> list[str]:
        """Gates that aren't shown to be safe."""
        needed = math.log(1 / self._rules.beta)
        gates = [rule.name for rule in self._judged if rule.gate]
        return [name for name in gates if log_safe(self._states[name]) < needed]

    def _is_over(self, stage: Stage, began: float, samples: float) -> bool:
        if self._seconds - began < stage.min_seconds:
            return False
        if self.canary_requests - samples < stage.min_samples:
            return False
        return not (stage.waits_for_safety and self.unsafe())

    def _is_harmful(self) -> bool:
        logs = [(share, log_harm(self._states[name])) for name, share in self._shares.items()]
        return total_log_evidence(logs) >= math.log(1 / self._rules.alpha)

    def _go_on(self, stage: Stage, canary_rates: Mapping[str, float]) -> None:
        share, left = stage.canary_share, stage.stable_share
        left = 1 - share if left is None else left
        warm = self._seconds >= self._timing.warmup_seconds
        before, self._seconds = self._seconds, self._seconds + self._timing.scrape_interval_seconds
        for rule in self._judged:
            known = self._known[rule.name]
            stable_rate = known.baseline.rate
            canary = _events(known.events_per_second * share, before, self._seconds)
            stable = _events(known.events_per_second * left, before, self._seconds)
            counts = {
                Cell(Arm.CANARY, "canary"): Counts(
                    canary * canary_rates.get(rule.name, stable_rate), canary
                ),
                Cell(Arm.STABLE, "stable"): Counts(stable * stable_rate, stable),
            }
            self._states[rule.name] = after_round(
                self._states[rule.name],
                counts,
                end_ms=round(self._seconds * 1000),
                comparisons=tuple(
                    one if warm or isinstance(one, AgainstMaximum) else None
                    for one in rule.comparisons
                ),
                cap=round_cap(self._rules.alpha),
            )


def _events(per_second: float, since: float, until: float) -> int:
    """Whole events between two moments of a steady stream, none lost to rounding."""
    return math.floor(per_second * until) - math.floor(per_second * since)
