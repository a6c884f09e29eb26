"""A plan is the rule itself, fed with expectations: it says what simulations of the rule found."""

import math

import pytest

from serinus.analysis.plan import MetricBaseline, ReleasePlan, Stage, Timing, planned
from serinus.analysis.spec import (
    DEFAULT_COMPARISON,
    AgainstMaximum,
    AgainstStable,
    AnalysisRules,
    Boundary,
    RateRule,
)
from serinus.analysis.state import Baseline, InflationSource
from serinus.api.enums import MetricTemplate

pytestmark = pytest.mark.slow

DEFAULT = DEFAULT_COMPARISON[MetricTemplate.ERROR_RATE]
STAGES = (
    Stage(0.05, min_seconds=600),
    Stage(0.25, min_seconds=600),
    Stage(0.50, max_seconds=1800, min_samples=50, waits_for_safety=True),
)
EVERY_15_SECONDS = Timing(scrape_interval_seconds=15, warmup_seconds=0)


def errors(name: str = "errors", comparison: AgainstStable | AgainstMaximum = DEFAULT) -> RateRule:
    return RateRule(name, MetricTemplate.ERROR_RATE, (comparison,))


def known(rate: float, per_second: float) -> MetricBaseline:
    return MetricBaseline(Baseline(rate, 5000, 1.0, InflationSource.GIVEN), per_second)


def plan(rate: float, per_second: float, *rules: RateRule) -> ReleasePlan:
    rules = rules or (errors(),)
    baselines = {rule.name: known(rate, per_second) for rule in rules}
    return planned(AnalysisRules(rules), STAGES, baselines, EVERY_15_SECONDS)


def rolled_back_after(found: ReleasePlan, factor: float) -> float | None:
    return next(one.seconds for one in found.metrics[0].detections if one.factor == factor)


@pytest.mark.parametrize(
    ("per_second", "rate", "factor", "least", "most"),
    [
        pytest.param(50, 0.01, 5.0, 75, 150, id="five times 1 %, simulated median 105 s"),
        pytest.param(50, 0.01, 2.0, 800, 1100, id="twice 1 %, simulated median 915 s"),
        pytest.param(5, 0.01, math.inf, 15, 60, id="a dead canary, simulated 45 s"),
    ],
)
def test_a_bad_version_is_rolled_back_when_simulations_say_so(
    per_second: float, rate: float, factor: float, least: float, most: float
) -> None:
    seconds = rolled_back_after(plan(rate, per_second), factor)

    assert seconds is not None
    assert least <= seconds <= most


def test_what_is_too_rare_to_be_found_is_said_to_be() -> None:
    assert rolled_back_after(plan(0.01, 0.5), 2.0) is None


def test_an_equal_version_is_promoted_after_its_last_stage() -> None:
    found = plan(0.01, 50)

    assert found.promoted_seconds is not None
    assert found.stage_seconds == (600, 1200, found.promoted_seconds)
    assert found.held_by == ()


def test_a_margin_that_the_traffic_can_t_show_holds_the_release() -> None:
    narrow = errors(comparison=AgainstStable(Boundary(1.0), Boundary(1.1)))
    found = plan(0.01, 5, narrow)

    assert found.promoted_seconds is None
    assert found.held_by == ("errors",)
    assert found.stage_seconds == (600, 1200)


def test_more_metrics_share_alpha_so_that_each_takes_longer() -> None:
    alone = rolled_back_after(plan(0.01, 50), 5.0)
    one_of_five = rolled_back_after(plan(0.01, 50, *(errors(f"m{n}") for n in range(5))), 5.0)

    assert alone is not None
    assert one_of_five is not None
    assert one_of_five > alone


def test_lines_are_told_as_absolute_rates() -> None:
    (metric,) = plan(0.01, 50).metrics

    assert metric.harm_above == pytest.approx(0.0135)
    assert metric.safe_below == pytest.approx(0.03)


def test_a_maximum_is_its_own_line() -> None:
    (metric,) = plan(0.01, 50, errors(comparison=AgainstMaximum(0.05))).metrics

    assert metric.harm_above == metric.safe_below == 0.05


def test_what_can_t_be_worse_is_not_asked() -> None:
    (metric,) = plan(1.0, 50).metrics

    assert metric.detections == ()


def test_the_warm_up_counts_for_a_maximum_only() -> None:
    cold = Timing(scrape_interval_seconds=15, warmup_seconds=300)
    rules = {
        name: AnalysisRules((errors(comparison=comparison),))
        for name, comparison in (("stable", DEFAULT), ("maximum", AgainstMaximum(0.05)))
    }
    seconds = {
        name: rolled_back_after(planned(rule, STAGES, {"errors": known(0.01, 50)}, cold), math.inf)
        for name, rule in rules.items()
    }

    assert seconds["maximum"] is not None
    assert seconds["maximum"] < 300
    assert seconds["stable"] is not None
    assert seconds["stable"] > 300
