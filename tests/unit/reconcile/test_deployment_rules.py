"""Strategy and analysis with every default spelled out, frozen and read again."""

import json
from datetime import time, timedelta
from typing import Any

import pytest

from serinus.analysis.spec import (
    AgainstMaximum,
    AgainstStable,
    Boundary,
    RateRule,
    ScalarRule,
)
from serinus.api.deployment import DeploymentSpec
from serinus.api.deployment_status import PreviewStatus
from serinus.api.enums import MetricTemplate, OnEvent
from serinus.reconcile.deployment_rules import (
    RolloutRules,
    frozen_rules,
    parsed_rules,
    rules_hash,
)
from serinus.rollout.promotion_window import PromotionWindow
from serinus.rollout.steps import Analyze, Pause, SetWeight, Step


def spec(**changes: Any) -> DeploymentSpec:
    return DeploymentSpec.model_validate({"model": {"versionRef": {"name": "v1"}}, **changes})


def rules(**changes: Any) -> RolloutRules:
    return parsed_rules(json.loads(json.dumps(frozen_rules(spec(**changes)))))


def metric(**given: Any) -> RateRule | ScalarRule:
    (found,) = rules(analysis={"metrics": [{"name": "m", **given}]}).analysis.metrics
    return found


def test_a_promotion_window_without_anything_is_every_day_from_midnight_in_utc() -> None:
    found = rules(strategy={"canary": {"steps": []}, "promotionWindows": [{}]})

    assert found.windows == (PromotionWindow(frozenset(range(7)), time(0), time(0), "UTC"),)


def test_a_promotion_window_has_its_days_and_hours() -> None:
    window = {
        "days": ["Sunday", "Monday"],
        "start": "22:30",
        "end": "02:00",
        "timeZone": "Asia/Tokyo",
    }
    found = rules(strategy={"canary": {"steps": []}, "promotionWindows": [window]})

    assert found.windows == (
        PromotionWindow(frozenset({0, 6}), time(22, 30), time(2), "Asia/Tokyo"),
    )


def test_rules_that_were_frozen_before_there_were_windows_have_none() -> None:
    frozen = frozen_rules(spec())
    del frozen["promotionWindows"]

    assert parsed_rules(frozen).windows == ()


@pytest.mark.parametrize(
    ("given", "steps"),
    [
        ({}, ()),
        ({"autoPromotionEnabled": True}, ()),
        ({"autoPromotionEnabled": False}, (Pause(None),)),
        ({"prePromotionAnalysis": {}}, (Analyze(50, 0, 1800, last=True),)),
        (
            {"prePromotionAnalysis": {"minSamples": 9}, "autoPromotionEnabled": False},
            (Analyze(9, 0, 1800, last=True), Pause(None)),
        ),
    ],
)
def test_before_a_switch_come_evidence_and_a_person_where_they_are_wanted(
    given: dict[str, Any], steps: tuple[Step, ...]
) -> None:
    assert rules(strategy={"blueGreen": given}).steps == steps


def test_a_switch_has_as_many_pods_as_stable_and_the_old_ones_stay_half_a_minute() -> None:
    assert rules(strategy={"blueGreen": {}}).preview == PreviewStatus(scale_down_delay_seconds=30)
    assert rules(
        strategy={"blueGreen": {"previewReplicas": 2, "scaleDownDelaySeconds": 0}}
    ).preview == PreviewStatus(replicas=2, scale_down_delay_seconds=0)
    assert rules().preview is None


def test_nothing_given_is_the_error_rate_against_stable_at_20_and_50_percent() -> None:
    found = rules()

    (errors,) = found.analysis.metrics
    assert errors == RateRule(
        "error-rate",
        MetricTemplate.ERROR_RATE,
        (AgainstStable(Boundary(1.25, 0.001), Boundary(2.0, 0.01)),),
    )
    assert (found.analysis.alpha, found.analysis.beta) == (0.01, 0.05)
    assert found.analysis.variance_inflation is None
    assert found.steps == (
        SetWeight(20),
        Analyze(50, 0, 1800, last=False),
        SetWeight(50),
        Analyze(50, 0, 1800, last=True),
    )
    assert (found.warmup, found.scrape_interval) == (timedelta(minutes=1), timedelta(seconds=15))
    assert (found.on_deadline, found.on_no_data) == (OnEvent.HOLD, OnEvent.HOLD)


def test_an_analysis_without_a_list_of_metrics_has_the_default_one_an_empty_list_none() -> None:
    assert len(rules(analysis={"warmup": "5s"}).analysis.metrics) == 1
    assert rules(analysis={"metrics": []}).analysis.metrics == ()


@pytest.mark.parametrize(
    ("given", "tolerance", "margin"),
    [
        ({}, Boundary(1.25, 0.001), Boundary(2.0, 0.01)),
        ({"tolerance": {"ratio": "1.5"}}, Boundary(1.5, 0.0), Boundary(2.0, 0.01)),
        ({"tolerance": {"increase": "0.02"}}, Boundary(1.0, 0.02), Boundary(2.0, 0.01)),
        (
            {"nonInferiorityMargin": {"ratio": "1.23456789", "increase": "0.5"}},
            Boundary(1.25, 0.001),
            Boundary(1.23456789, 0.5),
        ),
    ],
)
def test_an_allowance_that_is_given_leaves_nothing_to_the_template(
    given: dict[str, Any], tolerance: Boundary, margin: Boundary
) -> None:
    found = metric(template="error-rate", compareTo="stable", **given)

    assert found.comparisons == (AgainstStable(tolerance, margin),)


def test_label_metrics_compare_by_difference_never_by_ratio() -> None:
    found = metric(template="wrong-predictions", compareTo="stable")

    assert found.comparisons == (AgainstStable(Boundary(1.0, 0.01), Boundary(1.0, 0.03)),)


def test_a_metric_can_be_compared_with_stable_and_with_a_maximum() -> None:
    found = metric(
        template="slow-requests",
        latency="50ms",
        compareTo="stable",
        max="0.2",
        gate=False,
        primary=True,
        weight="0.4",
    )

    assert isinstance(found, RateRule)
    assert found.comparisons[1] == AgainstMaximum(0.2)
    assert (found.latency_seconds, found.gate, found.primary, found.weight) == (
        0.05,
        False,
        True,
        0.4,
    )


def test_a_score_is_that_of_the_loss() -> None:
    assert metric(template="prediction-loss", score="brier", compareTo="stable").score == "brier"


REGRESSION = {
    "wrongBeyond": "30.0",
    "maturity": "1h",
    "scores": [
        {"score": "absoluteError", "bound": "060"},
        {"score": "pinball", "bound": "60", "quantile": "0.90"},
    ],
}


@pytest.mark.parametrize(
    ("given", "bound", "quantile"),
    [
        ({"template": "wrong-predictions"}, "30", ""),
        ({"template": "prediction-loss", "score": "brier"}, "", ""),
        ({"template": "prediction-loss", "score": "absoluteError"}, "60", ""),
        ({"template": "prediction-loss", "score": "pinball"}, "60", "0.9"),
        ({"template": "error-rate"}, "", ""),
    ],
)
def test_by_what_labels_are_judged_is_frozen_with_the_rules(
    given: dict[str, Any], bound: str, quantile: str
) -> None:
    analysis = {"metrics": [{"name": "m", "compareTo": "stable", **given}]}
    (found,) = rules(analysis=analysis, server={"feedback": REGRESSION}).analysis.rates

    assert (found.bound, found.quantile) == (bound, quantile)


def test_when_labels_count_isn_t_frozen_nor_is_what_isn_t_given() -> None:
    assert "maturity" not in frozen_rules(spec(server={"feedback": REGRESSION}))["feedback"]
    assert "feedback" not in frozen_rules(spec(server={"feedback": {"maturity": "1h"}}))


def test_rules_that_were_frozen_before_there_were_bounds_are_read() -> None:
    metrics = [
        {"name": "wrong", "template": "wrong-predictions", "compareTo": "stable"},
        {"name": "loss", "template": "prediction-loss", "score": "brier", "max": "0.3"},
    ]
    found = parsed_rules({"steps": [], "analysis": {"metrics": metrics}})

    assert [(one.score, one.bound) for one in found.analysis.rates] == [(None, ""), ("brier", "")]


def test_a_scalar_keeps_the_words_of_argo_rollouts() -> None:
    found = metric(
        prometheus={"query": "up"},
        min="1",
        max="2",
        successMin="1.2",
        successMax="1.8",
        interval="30s",
        count=5,
        initialDelay="2m",
        failureLimit=2,
        inconclusiveLimit=3,
        consecutiveErrorLimit=0,
        dryRun=True,
    )

    assert found == ScalarRule(
        "m",
        "up",
        minimum=1.0,
        maximum=2.0,
        success_minimum=1.2,
        success_maximum=1.8,
        interval=timedelta(seconds=30),
        count=5,
        initial_delay=timedelta(minutes=2),
        failure_limit=2,
        inconclusive_limit=3,
        consecutive_error_limit=0,
        dry_run=True,
    )


def test_a_dry_run_of_a_counted_metric_neither_gates_nor_alarms() -> None:
    found = metric(template="error-rate", compareTo="stable", dryRun=True)

    assert isinstance(found, RateRule)
    assert (found.gate, found.dry_run) == (False, True)


def test_a_scalar_s_defaults() -> None:
    assert metric(prometheus={"query": "up"}, max="2") == ScalarRule("m", "up", maximum=2.0)


def test_a_scalar_can_be_one_that_only_alarms() -> None:
    found = metric(prometheus={"query": "up"}, max="2", gate=False)

    assert found == ScalarRule("m", "up", maximum=2.0, gate=False)


def test_variance_inflation_is_measured_or_a_number() -> None:
    assert rules(analysis={"varianceInflation": "1.5"}).analysis.variance_inflation == 1.5
    assert rules(analysis={"varianceInflation": "measured"}).analysis.variance_inflation is None


def test_frozen_rules_leave_nothing_to_a_default() -> None:
    frozen = frozen_rules(spec())

    assert frozen["analysis"]["metrics"][0]["tolerance"] == {"ratio": "1.25", "increase": "0.001"}
    assert frozen["steps"][1]["analyze"] == {
        "minSamples": 50,
        "minDuration": "0s",
        "maxDuration": "30m",
    }


def test_a_default_written_out_is_no_edit() -> None:
    written = spec(strategy={"canary": {"stepWeights": [20, 50]}}, analysis={"warmup": "60s"})

    assert rules_hash(frozen_rules(written)) == rules_hash(frozen_rules(spec()))
    assert rules_hash(frozen_rules(spec(analysis={"warmup": "9s"}))) != rules_hash(
        frozen_rules(spec())
    )


def test_what_a_spec_may_no_longer_say_stays_so_for_the_rollout_that_began_with_it() -> None:
    frozen = frozen_rules(spec())
    metrics = [
        {"name": "slow", "template": "slow-requests", "latency": "60ms", "compareTo": "stable"},
        {"name": "queue", "prometheus": {"query": "{{ .rev }}"}, "max": "1", "interval": "0s"},
    ]
    frozen["analysis"] |= {"metrics": metrics, "varianceInflation": "0.5"}

    found = parsed_rules(frozen).analysis

    assert [rule.name for rule in found.metrics] == ["slow", "queue"]


def with_analysis(**changes: str) -> dict[str, Any]:
    frozen = frozen_rules(spec())
    return {**frozen, "analysis": {**frozen["analysis"], **changes}}


@pytest.mark.parametrize(
    "damaged",
    [
        {},
        {"steps": 7, "analysis": {}},
        {"steps": [], "analysis": 7},
        with_analysis(falseRollbackRate="0"),
        with_analysis(falsePromotionRate="1"),
        with_analysis(scrapeInterval="0s"),
    ],
)
def test_damaged_rules_are_an_error_and_never_a_default(damaged: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="frozen rules"):
        parsed_rules(damaged)


def test_an_a_b_test_is_frozen_with_its_defaults_and_asks_for_safety() -> None:
    given = {"unit": {"header": "X-User-Id"}, "minDuration": "2h"}
    frozen = frozen_rules(spec(strategy={"abTest": given}))

    assert frozen["abTest"] == {"unit": {"header": "X-User-Id"}, "canaryPercent": 50}
    assert parsed_rules(frozen).steps == (
        Analyze(min_samples=50, min_duration_seconds=7200, max_duration_seconds=1800, last=True),
    )
    assert parsed_rules(json.loads(json.dumps(frozen))) == parsed_rules(frozen)
