"""The HorizontalPodAutoscaler: what the user wrote, on stable's workload."""

import json
from collections.abc import Callable

from serinus.api.autoscaling import Autoscaling
from serinus.manifests.autoscaler import make_autoscaler

QUEUE = {
    "type": "External",
    "external": {
        "metric": {"name": "queue", "selector": {"matchLabels": {"team": "a"}}},
        "target": {"type": "AverageValue", "averageValue": "30"},
    },
}
CPU = {
    "type": "Resource",
    "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 70}},
}


def made(**spec: object) -> dict[str, object]:
    autoscaling = Autoscaling.model_validate(spec)
    return make_autoscaler(
        "delay", "flights", revision="c0ffee0000", autoscaling=autoscaling, min_replicas=3
    )


def test_the_autoscaler_is_what_was_reviewed(golden: Callable[[str, str], None]) -> None:
    down = {"stabilizationWindowSeconds": 60, "selectPolicy": "Min"}
    policy = {"type": "Pods", "value": 1, "periodSeconds": 30}
    body = made(
        minReplicas=2,
        maxReplicas=8,
        metrics=[CPU, QUEUE],
        behavior={"scaleDown": {**down, "policies": [policy]}},
    )

    golden("manifests/autoscaler.json", json.dumps(body, indent=2, sort_keys=True) + "\n")


def test_a_part_of_the_behavior_that_is_left_out_is_kubernetes_own() -> None:
    down = {"stabilizationWindowSeconds": 60}

    assert made(maxReplicas=8, behavior={"scaleDown": down})["spec"]["behavior"] == {
        "scaleDown": down
    }


def test_what_is_left_out_is_left_to_kubernetes() -> None:
    assert set(made(maxReplicas=8)["spec"]) == {"scaleTargetRef", "minReplicas", "maxReplicas"}
