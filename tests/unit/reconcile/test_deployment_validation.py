"""What a spec can't say beyond the CRD: the message names the field; what runs isn't touched."""

from typing import Any

import pytest

from serinus.api.deployment import DeploymentSpec
from serinus.reconcile.deployment_validation import spec_problem
from tests.support.deployment_world import serving_v1

RATE = {"name": "m", "template": "error-rate", "compareTo": "stable"}
SLICE = {**RATE, "name": "slice", "gate": False}


def problem(name: str = "delay", **changes: Any) -> str | None:
    given = {"model": {"versionRef": {"name": "v1"}}, **changes}
    return spec_problem(name, DeploymentSpec.model_validate(given))


def of_metric(**given: Any) -> dict[str, Any]:
    return {"analysis": {"metrics": [{**RATE, **given}]}}


def of_scalar(**fields: Any) -> dict[str, Any]:
    scalar = {"name": "q", "prometheus": {"query": "up"}, **fields}
    return {"analysis": {"metrics": [scalar]}}


CONTAINER = {"image": "mine:1", "port": 8080, "probes": {"readyPath": "/readyz"}}

FAR = {"name": "far", "template": "prediction-loss", "score": "absoluteError", "max": "0.5"}

CASES = [
    (
        {"analysis": {"metrics": [FAR]}, "server": {"feedback": {"wrongBeyond": "30"}}},
        "spec.analysis.metrics[0].score: `absoluteError` isn't in spec.server.feedback.scores",
    ),
    ({"model": {"alias": "v1"}}, "spec.model: neither `versionRef` nor `channel`"),
    (
        {"model": {"channel": {"modelName": "delay", "newest": True}}},
        "spec.model.channel: neither `alias` nor `latestApproved`",
    ),
    ({"traffic": {"mesh": {}}}, "spec.traffic: neither `replicas` nor `gatewayAPI`"),
    (
        {"strategy": {"canary": {"stepWeights": [20, 60]}}},
        "spec.strategy.canary: a weight of 60 is above 50 and needs `spec.traffic.gatewayAPI`",
    ),
    (
        {"strategy": {"later": {}}},
        "spec.strategy: neither `canary` nor `blueGreen` nor `abTest`",
    ),
    (
        {"strategy": {"abTest": {"unit": {"query": "user"}}}},
        "spec.strategy.abTest.unit: neither `header` nor `cookie`",
    ),
    (
        {
            "strategy": {"abTest": {"unit": {"header": "X-User-Id"}}},
            "server": {"container": CONTAINER},
        },
        "spec.strategy.abTest: units are assigned by the pods of Serinus' server",
    ),
    (
        {
            "strategy": {"abTest": {"unit": {"header": "X-User-Id"}}},
            "server": {"workers": 2},
        },
        "spec.strategy.abTest: units are counted in pods of one process; with `server.workers`",
    ),
    (
        {
            "strategy": {
                "abTest": {
                    "unit": {"cookie": "session"},
                    "layer": {"name": "ranking", "fromPercent": 40, "toPercent": 40},
                }
            }
        },
        "spec.strategy.abTest.layer: `fromPercent` must be below `toPercent`",
    ),
    (
        {"strategy": {"canary": {"steps": []}, "postPromotionAnalysis": {"duration": "0s"}}},
        "spec.strategy.postPromotionAnalysis.duration: `0s` isn't above 0s and at most 30d",
    ),
    (
        {"strategy": {"canary": {"steps": []}, "firstDeployment": {"duration": "721h"}}},
        "spec.strategy.firstDeployment.duration: `721h` isn't at most 30d",
    ),
    (
        {
            "strategy": {"canary": {"steps": []}, "postPromotionAnalysis": {"duration": "5m"}},
            "analysis": {"metrics": []},
        },
        "spec.strategy.postPromotionAnalysis: needs `spec.analysis.metrics`",
    ),
    (
        {"replicas": 4, "strategy": {"canary": {"stepWeights": [10], "maxWeight": 15}}},
        "of stable, whole pods give 20 % for a weight of 10, which is above 15. 9 pods give it",
    ),
    (
        {"strategy": {"canary": {"steps": [{"setWeight": 20}], "maxWeight": 25}}},
        "beside 1 pod of stable, whole pods give 50 % for a weight of 20",
    ),
    (
        {
            "autoscaling": {"minReplicas": 4, "maxReplicas": 6, "metrics": []},
            "strategy": {"canary": {"stepWeights": [20], "maxWeight": 22}},
        },
        "beside 6 pods of stable, whole pods give 25 % for a weight of 20",
    ),
    (
        {"replicas": 4, "strategy": {"canary": {"stepWeights": [20, 50], "maxWeight": 30}}},
        "spec.strategy.canary.maxWeight: a weight of 50 is above 30",
    ),
    ({"strategy": {"canary": {}}}, "spec.strategy.canary: neither `steps` nor `stepWeights`"),
    (
        {"strategy": {"canary": {"steps": [{"setWeight": 20}, {"mirror": {"percent": 100}}]}}},
        "spec.strategy.canary.steps[1]: neither `setWeight` nor `pause` nor `analyze` nor `shadow`",
    ),
    (
        {"strategy": {"canary": {"steps": [{"setWeight": 20}, {"shadow": {}}]}}},
        "spec.strategy.canary.steps[1].shadow: only the first step may be a shadow",
    ),
    (
        {
            "server": {"container": {"image": "i", "port": 3000, "probes": {"readyPath": "/r"}}},
            "strategy": {"canary": {"steps": [{"shadow": {}}, {"setWeight": 20}]}},
        },
        "spec.strategy.canary.steps[0].shadow: a `shadow` with `server.container` needs `traffic.g",
    ),
    (
        {"strategy": {"canary": {"steps": [{"shadow": {"percent": 20}}, {"setWeight": 20}]}}},
        "spec.strategy.canary.steps[0].shadow.percent: `shadow.percent` needs `server.container`",
    ),
    (
        {"server": {"env": [{"name": "A", "configMapKeyRef": {}}]}},
        "spec.server.env[0]: neither `value` nor `secretKeyRef`",
    ),
    (
        {"analysis": {"metrics": [{"name": "m", "datadog": {"query": "q"}}]}},
        "spec.analysis.metrics[0]: neither `template` nor `prometheus` nor `templateRef`",
    ),
    ({"analysis": {"falseRollbackRate": "0"}}, 'spec.analysis.falseRollbackRate: "0"'),
    ({"analysis": {"falsePromotionRate": "1"}}, 'spec.analysis.falsePromotionRate: "1"'),
    ({"analysis": {"varianceInflation": "0.5"}}, 'spec.analysis.varianceInflation: "0.5"'),
    ({"analysis": {"scrapeInterval": "0s"}}, "spec.analysis.scrapeInterval"),
    (
        {
            "analysis": {
                "metrics": [{**RATE, "weight": "0.6"}, {**RATE, "name": "n", "weight": "0.6"}]
            }
        },
        "the weights sum to 1.2",
    ),
    ({"analysis": {"metrics": [{**RATE, "weight": "0"}]}}, "all weights are 0"),
    (
        of_metric(template="slow-requests", latency="60ms"),
        "is no bucket bound of the histogram; use `50ms` or `100ms`",
    ),
    (of_metric(max="1.5"), 'spec.analysis.metrics[0].max: "1.5"'),
    (
        of_metric(tolerance={"ratio": "3"}, nonInferiorityMargin={"ratio": "2", "increase": "1"}),
        "nonInferiorityMargin: ratio 2 plus 1 is narrower than the tolerance ratio 3 plus 0",
    ),
    (of_metric(tolerance={"ratio": "3"}), "is narrower than the tolerance"),
    (of_metric(tolerance={"ratio": "-1"}), "tolerance: ratio -1 plus 0: neither may be negative"),
    (of_metric(tolerance={"ratio": "0"}), "tolerance: ratio 0 plus 0 allows nothing"),
    (
        {
            "analysis": {
                "metrics": [{"name": "q", "prometheus": {"query": "up"}, "min": "2", "max": "1"}]
            }
        },
        'spec.analysis.metrics[0].min: "2" is above max "1"',
    ),
    (of_scalar(max="9", successMax="10"), '.successMax: "10" is above max "9"'),
    (of_scalar(min="2", successMin="1"), '.successMin: "1" is below min "2"'),
    (
        of_scalar(min="1", max="9", successMin="8", successMax="7"),
        'success would be from "8" to "7"; no value is within',
    ),
    (
        {
            "analysis": {
                "metrics": [
                    {"name": "q", "prometheus": {"query": 'up{a="{{ .rev }}"}'}, "max": "1"}
                ]
            }
        },
        "unknown placeholder `rev`",
    ),
    (
        {
            "analysis": {
                "metrics": [
                    {"name": "q", "prometheus": {"query": "up"}, "max": "1", "interval": "0s"}
                ]
            }
        },
        "spec.analysis.metrics[0].interval",
    ),
    ({"server": {"feedback": {"cohortLength": "2h"}}}, "spec.server.feedback.cohortLength: `2h`"),
    ({"server": {"feedback": {"cohortLength": "1500ms"}}}, "whole seconds"),
    ({"server": {"limits": {"timeout": "21s"}}}, "spec.server.limits.timeout: `21s`"),
    ({"server": {"limits": {"timeout": "0s"}}}, "isn't between 10ms and 20s"),
    (
        {"server": {"predictionLog": {"retention": {"maxAge": "0s"}}}},
        "spec.server.predictionLog.retention.maxAge",
    ),
    (
        {"server": {"predictionLog": {"retention": {"maxSize": "0"}}}},
        "spec.server.predictionLog.retention.maxSize",
    ),
    (
        {"server": {"podTemplate": {"metadata": {"labels": {"serinus.dev/revision": "x"}}}}},
        "`serinus.dev/revision` belongs to",
    ),
]


@pytest.mark.parametrize(("given", "said"), CASES)
def test_the_message_names_the_field_and_what_is_wrong(given: dict[str, Any], said: str) -> None:
    found = problem(**given)

    assert found is not None
    assert said in found


@pytest.mark.parametrize(
    ("name", "said"), [("d" * 41, "41 characters"), ("7delay", "start with a letter")]
)
def test_names_that_children_can_t_bear(name: str, said: str) -> None:
    found = problem(name)

    assert found is not None
    assert said in found


@pytest.mark.parametrize(
    "given",
    [
        {"replicas": 4, "strategy": {"canary": {"stepWeights": [20], "maxWeight": 20}}},
        {"replicas": 0, "strategy": {"canary": {"stepWeights": [20], "maxWeight": 20}}},
        {
            "traffic": {"gatewayAPI": {"parentRefs": [{"name": "public"}]}},
            "strategy": {"canary": {"stepWeights": [5, 20], "maxWeight": 20}},
        },
        {},
        {"analysis": {"metrics": []}},
        of_metric(),
        of_metric(max="0.05", weight="1"),
        {"analysis": {"metrics": [RATE | {"weight": "1"}, SLICE | {"weight": "1"}]}},
        {"analysis": {"metrics": [RATE | {"weight": "0.5"}, SLICE | {"weight": "0"}]}},
        of_metric(template="slow-requests", latency="50ms"),
        {"server": {"feedback": {"cohortLength": "1h", "maturity": "7d"}}},
        {"server": {"limits": {"timeout": "20s"}}},
        {"server": {"predictionLog": {"retention": {"maxAge": "1d", "maxSize": "1Gi"}}}},
        {
            "analysis": {
                "metrics": [
                    {"name": "q", "prometheus": {"query": 'up{r="{{ .revision }}"}'}, "max": "1"}
                ]
            }
        },
    ],
)
def test_what_can_be_done_is_no_problem(given: dict[str, Any]) -> None:
    assert problem(**given) is None


def test_an_invalid_spec_stalls_and_starts_nothing_and_serves_on() -> None:
    world = serving_v1()

    world.applies(**of_metric(template="slow-requests", latency="60ms"))
    world.serves_version("v2")
    world.runs(60)
    stalled = (world.condition("Stalled"), world.stable, world.canary)
    world.applies(analysis={"metrics": []})
    world.runs(60, until="settled")

    assert stalled == (("True", "InvalidSpec"), "v1", None)
    assert world.stable == "v2"


def test_a_running_canary_goes_on_by_its_frozen_rules_while_the_spec_is_invalid() -> None:
    world = serving_v1()
    world.serves_version("v2")
    world.runs(60, until="canary has traffic")

    world.applies(**of_metric(template="slow-requests", latency="60ms"))
    world.runs(900)

    assert world.stable == "v2"
    assert world.condition("Stalled") == ("True", "InvalidSpec")
