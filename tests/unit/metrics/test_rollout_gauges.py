from typing import Any

from serinus.api.enums import Kind
from serinus.metrics.rollout_gauges import rollout_gauges
from tests.support.observed import our

SPEC = {"model": {"versionRef": {"name": "delay-2"}}}
CANARY = {
    "revision": "c0ffee0000",
    "modelVersion": "delay-2",
    "actualWeight": 20,
    "startedAt": "2026-03-01T12:00:00Z",
    "stepStartedAt": "2026-03-01T12:00:00Z",
}


def values(status: dict[str, Any]) -> dict[str, dict[tuple[str, ...], float]]:
    families = rollout_gauges([our(Kind.DEPLOYMENT, "delay", spec=SPEC, status=status)])
    return {one.name: {item.labels: item.value for item in one.values} for one in families}


def test_a_canary_has_a_weight_and_evidence_by_metric() -> None:
    analysis = [
        {"metric": "errors", "verdict": "Inconclusive", "evidence": "0.25"},
        {"metric": "queue", "verdict": "Successful"},
    ]

    assert values({"canary": CANARY, "analysis": analysis}) == {
        "serinus_rollout_canary_weight_ratio": {("flights", "delay"): 0.2},
        "serinus_analysis_evidence_ratio": {("flights", "delay", "errors"): 0.25},
    }


def test_a_canary_without_traffic_has_the_weight_0() -> None:
    found = values({"canary": {**CANARY, "actualWeight": 0}})

    assert found["serinus_rollout_canary_weight_ratio"] == {("flights", "delay"): 0.0}


def test_without_canary_there_is_nothing_to_show() -> None:
    """Thousands of Deployments that just serve would else be thousands of zeros a scrape."""
    analysis = [{"metric": "errors", "verdict": "Failed", "evidence": "1.1"}]

    assert values({"analysis": analysis}) == {
        "serinus_rollout_canary_weight_ratio": {},
        "serinus_analysis_evidence_ratio": {},
    }


def test_what_is_read_at_a_scrape_is_not_parsed() -> None:
    """An object that no model of ours would take has its gauges all the same."""
    status = {"canary": {"actualWeight": 50}, "history": "odd", "analysis": [{"metric": "errors"}]}

    assert values(status)["serinus_rollout_canary_weight_ratio"] == {("flights", "delay"): 0.5}


def test_what_cannot_be_read_is_left_out() -> None:
    assert values({"canary": "odd"})["serinus_rollout_canary_weight_ratio"] == {}
    odd = {"canary": CANARY, "analysis": [{"metric": "x", "verdict": "y", "evidence": "much"}]}
    assert values(odd)["serinus_analysis_evidence_ratio"] == {}
