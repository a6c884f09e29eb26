"""What a promoted revision is held against, and how many pods stay for the way back."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from serinus.api.analysis import Analysis
from serinus.api.deployment_status import (
    ArmCounts,
    CanaryStatus,
    DeploymentStatus,
    KeptRevision,
    MetricLimits,
    MetricStatus,
    PostPromotionStatus,
    PreviewStatus,
    RevisionStatus,
    Withdrawal,
)
from serinus.reconcile.deployment_post_promotion import (
    is_over,
    judged_as_canary,
    kept_after_promotion,
    kept_replicas,
    rules_after_promotion,
)
from serinus.reconcile.deployment_rules import explicit_analysis

NOW = datetime(2024, 5, 6, 12, tzinfo=UTC)
AT = "2024-05-06T12:00:00Z"
COMPARED = {
    "name": "errors",
    "template": "error-rate",
    "compareTo": "stable",
    "tolerance": {"ratio": "2", "increase": "0.01"},
}
SCALAR = {"name": "queue", "prometheus": {"query": "queue"}, "max": "9"}

BESIDE = {**SCALAR, "prometheus": {"query": 'differs{of="{{ .stableRevision }}"}'}}


def frozen(*metrics: dict[str, Any], **after: Any) -> dict[str, Any]:
    analysis = explicit_analysis(Analysis.model_validate({"metrics": list(metrics)}))
    rules = {
        "steps": [],
        "analysis": analysis.model_dump(mode="json", by_alias=True, exclude_none=True),
    }
    return {**rules, "postPromotionAnalysis": after} if after else rules


def test_what_is_counted_and_by_which_bounds_stays_what_it_was() -> None:
    same = {"counters": [{}], "feedback": {"wrongBeyond": "30", "scores": []}}

    found = rules_after_promotion(frozen(COMPARED) | same, [], duration="1h")

    assert {name: found[name] for name in same} == same


def counted(bad: int, total: int, inflation: str = "1") -> MetricStatus:
    """What was counted of stable during the rollout."""
    return MetricStatus(
        metric="errors",
        verdict="Successful",
        canary=ArmCounts(bad="0", total=total),
        stable=ArmCounts(bad=str(bad), total=total),
        limits=MetricLimits(
            tolerated_rate="0.01",
            accepted_rate="0.02",
            variance_inflation=inflation,
            variance_inflation_source="given",
        ),
    )


def limit_of(metric: dict[str, Any], *seen: MetricStatus) -> str | None:
    rules = rules_after_promotion(frozen(metric), list(seen), duration="1h")
    found = rules["analysis"]["metrics"]
    assert not found or "compareTo" not in found[0]
    return found[0]["max"] if found else None


@pytest.mark.parametrize(
    ("metric", "seen", "limit"),
    [
        # 2 times what 0 of 10,000 still fit (0.00046), plus 0.01
        pytest.param(COMPARED, [counted(0, 10_000)], "0.0109208", id="compared"),
        pytest.param(COMPARED | {"max": "0.005"}, [counted(0, 10_000)], "0.005", id="the lower"),
        pytest.param(COMPARED | {"max": "0.5"}, [counted(0, 10_000)], "0.0109208", id="of both"),
        pytest.param(COMPARED, [], None, id="stable was never seen"),
        pytest.param(COMPARED, [counted(0, 3)], None, id="three requests say nothing"),
        pytest.param(COMPARED | {"max": "0.05"}, [], "0.05", id="a maximum needs no stable"),
        pytest.param(SCALAR, [], "9", id="a scalar has its own limits"),
        pytest.param(BESIDE, [], None, id="a scalar that asks for stable"),
    ],
)
def test_what_it_is_held_against(
    metric: dict[str, Any], seen: list[MetricStatus], limit: str | None
) -> None:
    assert limit_of(metric, *seen) == limit


def test_bursts_make_the_limit_wider() -> None:
    calm, bursts = limit_of(COMPARED, counted(5, 5000)), limit_of(COMPARED, counted(5, 5000, "4"))

    assert calm is not None
    assert bursts is not None
    assert float(calm) < float(bursts)


def status(**changes: Any) -> DeploymentStatus:
    stable = RevisionStatus(revision="a", model_version="v1")
    return DeploymentStatus(stable=stable, analysis=[counted(0, 10_000)], **changes)


def canary(rules: dict[str, Any] | None, **changes: Any) -> CanaryStatus:
    return CanaryStatus(
        revision="b", model_version="v2", started_at=AT, step_started_at=AT, rules=rules, **changes
    )


SWITCH = PreviewStatus(scale_down_delay_seconds=90)
NO_DELAY = PreviewStatus(scale_down_delay_seconds=0)
HOUR = frozen(COMPARED, duration="1h")
THREE = frozen(COMPARED, duration="1h", keptReplicas=3)


@pytest.mark.parametrize(
    ("released", "seconds", "pods"),
    [
        pytest.param(canary(frozen(COMPARED)), None, None, id="nothing asked for"),
        pytest.param(canary(None), None, None, id="the first revision"),
        pytest.param(canary(HOUR, returning=True), None, None, id="stable lately"),
        pytest.param(canary(HOUR), 3600, 1, id="one pod"),
        pytest.param(canary(THREE), 3600, 3, id="as many as asked for"),
        pytest.param(canary(frozen(COMPARED), preview=SWITCH), 90, 4, id="a switch"),
        pytest.param(canary(frozen(COMPARED), preview=NO_DELAY), None, None, id="no delay"),
        pytest.param(canary(HOUR, preview=SWITCH), 3600, 4, id="the longer of both"),
        pytest.param(canary(THREE, preview=SWITCH), 3600, 3, id="a switch that keeps three"),
    ],
)
def test_what_stays_after_a_promotion(
    released: CanaryStatus, seconds: int | None, pods: int | None
) -> None:
    kept = kept_after_promotion(status(), released, NOW)

    assert (kept is None) == (seconds is None)
    if kept is not None and seconds is not None:
        assert (kept.revision, kept_replicas(kept, 4)) == ("a", pods)
        assert not is_over(kept, NOW + timedelta(seconds=seconds - 1))
        assert is_over(kept, NOW + timedelta(seconds=seconds))


def test_nothing_stays_of_nothing() -> None:
    assert kept_after_promotion(DeploymentStatus(), canary(HOUR), NOW) is None


def going_back() -> KeptRevision:
    decided = Withdrawal(reason="EvidenceOfHarm", at=AT)
    analysis = PostPromotionStatus(started_at=AT, replicas=1, rules=HOUR, going_back=decided)
    return KeptRevision(revision="a", until=AT, analysis=analysis)


def test_what_is_needed_again_gets_all_pods_and_has_no_end() -> None:
    kept = going_back()

    assert kept_replicas(kept, 4) == 4
    assert not is_over(kept, NOW + timedelta(days=1))


def test_what_is_taken_away_is_not_judged_any_more() -> None:
    kept = kept_after_promotion(status(), canary(HOUR), NOW)
    judged, taken_away = status(kept=kept), status(kept=going_back())

    assert judged_as_canary(judged) is not None
    assert judged_as_canary(taken_away) is None
    assert judged_as_canary(status()) is None
