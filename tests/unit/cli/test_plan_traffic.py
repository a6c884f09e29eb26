"""What is known of stable before a release: figures that are given, or counters of an hour."""

import json

import pytest

from serinus.analysis.inflation import FALLBACK
from serinus.analysis.spec import AgainstMaximum, AnalysisRules, RateRule, ScalarRule
from serinus.api.enums import MetricTemplate
from serinus.cli.plan_traffic import context_of, given_baselines, measured_baselines
from tests.support.command_line import NOW, STABLE, FakeCluster
from tests.unit.analysis.test_plan import errors
from tests.unit.cli.test_plan import asked

SERVICE = "serinus-system/serinus-prometheus:9090"


@pytest.mark.parametrize(
    ("spec", "inflation"), [(None, FALLBACK), (1.5, 1.5), (0.5, 1.0)], ids=["measured", "", "low"]
)
def test_what_can_t_be_measured_is_as_bursty_as_a_rollout_assumes(
    spec: float | None, inflation: float
) -> None:
    rules = AnalysisRules((errors(),), variance_inflation=spec)
    found = given_baselines(rules, {"errors": 0.01}, requests_per_second=5)

    assert found["errors"].baseline.variance_inflation == inflation
    assert found["errors"].events_per_second == 5


def test_metrics_without_a_figure_and_queries_are_left_out() -> None:
    rules = AnalysisRules((errors(), errors("slow"), ScalarRule("queue", "up", maximum=1.0)))

    assert set(given_baselines(rules, {"errors": 0.01}, requests_per_second=5)) == {"errors"}


def test_counters_of_the_last_hour_are_the_baseline_of_a_rollout() -> None:
    cluster = FakeCluster([], answers=asked)
    context = context_of("flights", "flight-delay", STABLE, NOW)
    found = measured_baselines(cluster, SERVICE, AnalysisRules((errors(),)), context, NOW)

    assert found["errors"].baseline.rate == pytest.approx(0.01, rel=0.02)
    assert found["errors"].events_per_second == pytest.approx(40, rel=0.01)


def test_labels_of_the_last_hour_are_summed_up_by_the_provider() -> None:
    def summed(path: str) -> str:
        assert "offset" in path
        series = [
            {"metric": {"pod": "a", "outcome": outcome}, "values": [[0, count], [60, count]]}
            for outcome, count in (("right", "90"), ("wrong", "10"))
        ]
        return json.dumps({"data": {"resultType": "matrix", "result": series}})

    wrong = RateRule("wrong", MetricTemplate.WRONG_PREDICTIONS, (AgainstMaximum(0.2),))
    context = context_of("flights", "flight-delay", STABLE, NOW)
    found = measured_baselines(
        FakeCluster([], answers=summed), SERVICE, AnalysisRules((wrong,)), context, NOW
    )

    assert found["wrong"].baseline.rate == 0.1
    assert found["wrong"].events_per_second == 200 / 3600


def test_a_metric_that_nobody_counted_is_left_out() -> None:
    empty = FakeCluster([], answers=lambda _: '{"data": {"resultType": "matrix", "result": []}}')
    context = context_of("flights", "flight-delay", STABLE, NOW)

    assert measured_baselines(empty, SERVICE, AnalysisRules((errors(),)), context, NOW) == {}
