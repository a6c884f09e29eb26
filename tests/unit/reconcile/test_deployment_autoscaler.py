"""What an autoscaler says about itself and about the load that it sees."""

from typing import Any

import pytest

from serinus.api.autoscaling import Autoscaling
from serinus.reconcile.deployment_autoscaler import (
    autoscaler_ref,
    observed_autoscaler,
    pods_within,
)
from serinus.reconcile.snapshot import Children

REF = autoscaler_ref("delay", "flights")


def observed(owner: str = "u", **body: Any) -> Any:
    reference = {"uid": owner, "controller": True}
    metadata = {"name": "delay", "namespace": "flights", "uid": "a", "ownerReferences": [reference]}
    children = Children({REF: {"metadata": metadata, **body}})
    return observed_autoscaler(children, name="delay", namespace="flights", uid="u")


def cpu(current: dict[str, Any], target: dict[str, Any]) -> dict[str, Any]:
    return {
        "spec": {"metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": target}}]},
        "status": {
            "currentMetrics": [
                {"type": "Resource", "resource": {"name": "cpu", "current": current}}
            ]
        },
    }


@pytest.mark.parametrize(
    ("current", "target", "ratio"),
    [
        pytest.param(
            {"averageUtilization": 35, "averageValue": "70m"},
            {"type": "Utilization", "averageUtilization": 70},
            0.5,
            id="percent of what pods request",
        ),
        pytest.param({"averageValue": "1500m"}, {"averageValue": "1"}, 1.5, id="an amount a pod"),
        pytest.param({"averageValue": "900u"}, {"averageValue": "1m"}, 0.9, id="a small amount"),
        pytest.param({}, {"averageUtilization": 70}, None, id="nothing was measured yet"),
        pytest.param({"averageValue": "?"}, {"averageValue": "1"}, None, id="no quantity"),
        pytest.param({"averageValue": "1"}, {"averageValue": "0"}, None, id="a target of nothing"),
    ],
)
def test_the_load_of_a_pod_over_its_target(
    current: dict[str, Any], target: dict[str, Any], ratio: float | None
) -> None:
    assert observed(**cpu(current, target)).load_ratio == ratio


def test_the_highest_of_several_counts_and_what_is_no_average_over_pods_doesn_t() -> None:
    body = cpu({"averageUtilization": 35}, {"averageUtilization": 70})
    per_second = {"metric": {"name": "rps"}, "target": {"averageValue": "10"}}
    queue = {"metric": {"name": "queue"}, "target": {"value": "1"}}
    body["spec"]["metrics"] += [
        {"type": "Pods", "pods": per_second},
        {"type": "External", "external": queue},
    ]
    body["status"]["currentMetrics"] += [
        {"type": "Pods", "pods": {"metric": {"name": "rps"}, "current": {"averageValue": "8"}}},
        {"type": "External", "external": {**queue, "current": {"value": "900"}}},
    ]

    assert observed(**body).load_ratio == 0.8


def test_one_that_can_t_read_its_metrics_says_why() -> None:
    said = {"type": "ScalingActive", "status": "False", "message": "unable to get metrics"}

    assert observed(status={"conditions": [said]}).blind == "unable to get metrics"
    assert observed(status={"conditions": [{**said, "status": "True"}]}).blind is None
    assert observed(status={"conditions": None, "currentMetrics": None}).blind is None


def test_one_of_somebody_else_is_none_of_ours() -> None:
    assert observed(owner="somebody") is None


@pytest.mark.parametrize(
    ("pods", "floor", "then"),
    [(0, 0, 2), (5, 0, 5), (9, 0, 8), (3, 6, 6), (7, 6, 7)],
)
def test_pods_are_kept_within_limits_and_above_the_floor(pods: int, floor: int, then: int) -> None:
    autoscaling = Autoscaling(min_replicas=2, max_replicas=8)

    assert pods_within(autoscaling, pods, floor=floor) == then
