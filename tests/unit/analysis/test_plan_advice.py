"""Advice was tried: the same plan with the change comes out better."""

from dataclasses import replace

import pytest

from serinus.analysis.plan import MetricBaseline, planned
from serinus.analysis.plan_advice import (
    Accepted,
    Advice,
    LongerAnalysis,
    NeverDecided,
    WiderMargin,
    advice,
)
from serinus.analysis.spec import AgainstMaximum, AgainstStable, AnalysisRules, Boundary, RateRule
from tests.unit.analysis.test_plan import EVERY_15_SECONDS, STAGES, errors, known

pytestmark = pytest.mark.slow

NARROW = AgainstStable(Boundary(1.0), Boundary(1.5))


def advised(rule: RateRule, baseline: MetricBaseline) -> tuple[Advice, ...]:
    rules, baselines = AnalysisRules((rule,)), {rule.name: baseline}
    found = planned(rules, STAGES, baselines, EVERY_15_SECONDS)
    return advice(found, rules, STAGES, baselines, EVERY_15_SECONDS)


def test_who_waits_long_enough_gets_a_decision() -> None:
    (longer,) = [
        one
        for one in advised(errors(comparison=NARROW), known(0.01, 5))
        if isinstance(one, LongerAnalysis)
    ]
    patient = (*STAGES[:2], replace(STAGES[2], max_seconds=longer.seconds))
    rules = AnalysisRules((errors(comparison=NARROW),))

    assert longer.seconds > STAGES[2].max_seconds
    assert planned(rules, patient, {"errors": known(0.01, 5)}, EVERY_15_SECONDS).held_by == ()


def test_a_wider_margin_is_decided_in_time() -> None:
    (wider,) = [
        one
        for one in advised(errors(comparison=NARROW), known(0.01, 5))
        if isinstance(one, WiderMargin)
    ]
    margin = Boundary(1.5, wider.increase)
    rules = AnalysisRules((errors(comparison=replace(NARROW, margin=margin)),))

    assert planned(rules, STAGES, {"errors": known(0.01, 5)}, EVERY_15_SECONDS).held_by == ()


def test_without_traffic_nothing_helps() -> None:
    never = advised(errors(comparison=AgainstMaximum(0.0001)), known(0.0, 0.001))

    assert never == (NeverDecided(("errors",)),)


def test_a_margin_that_lets_bad_versions_through_is_told() -> None:
    generous = AgainstStable(Boundary(2.5, 0.01), Boundary(3.0, 0.02))
    accepted = [
        one
        for one in advised(errors(comparison=generous), known(0.01, 50))
        if isinstance(one, Accepted)
    ]

    assert [(one.metric, one.factor) for one in accepted] == [("errors", 2.0)]


def test_a_release_that_is_well_set_up_needs_none() -> None:
    strict = AgainstStable(Boundary(1.25), Boundary(1.9))

    assert advised(errors(comparison=strict), known(0.05, 500)) == ()
