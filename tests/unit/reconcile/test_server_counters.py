"""What a server of one's own can be judged by, and that it is released as any other."""

from typing import Any

import pytest

from serinus.analysis.server_profiles import OWN, PROFILES
from serinus.api.counters import MetricsProfile
from serinus.api.deployment import DeploymentSpec
from serinus.api.server import Server
from serinus.reconcile.deployment_post_promotion import rules_after_promotion
from serinus.reconcile.deployment_rules import frozen_rules
from serinus.reconcile.deployment_validation import spec_problem
from serinus.reconcile.server_counters import counters_of_rollout

BENTOML = PROFILES[MetricsProfile.BENTOML]


def container(**metrics: Any) -> dict[str, Any]:
    given = {"image": "iris:1", "port": 3000, "probes": {"readyPath": "/readyz"}}
    return {"container": given | ({"metrics": metrics} if metrics else {})}


def server(**metrics: Any) -> Server:
    return Server.model_validate(container(**metrics))


def test_where_both_servers_are_ours_nothing_is_said_of_counters() -> None:
    assert counters_of_rollout(None, Server()) == ()


def test_the_counters_of_both_servers_are_read_each_kind_once() -> None:
    bento = server(profile="bentoml")

    assert counters_of_rollout(bento, bento) == (BENTOML,)
    assert counters_of_rollout(bento, None) == (BENTOML, OWN)


PROBLEMS = [
    ({"profile": "triton"}, {"template": "slow-requests", "latency": "50ms"}, "`error-rate`"),
    ({"profile": "kserve"}, {"template": "error-rate"}, "`slow-requests`"),
    ({"profile": "bentoml"}, {"template": "wrong-predictions"}, "`error-rate` and `slow-requests`"),
    ({}, {"template": "error-rate"}, "gives none of the templates"),
]


@pytest.mark.parametrize(("metrics", "metric", "given"), PROBLEMS)
def test_a_metric_that_can_t_be_had_is_refused_with_what_can(
    metrics: dict[str, Any], metric: dict[str, Any], given: str
) -> None:
    told = problem(container(**metrics), {"name": "m", "compareTo": "stable", **metric})

    assert told is not None
    assert told.startswith(f"spec.analysis.metrics[0].template: `{metric['template']}` can't be")
    assert given in told


def test_the_default_metric_is_refused_too_where_it_can_t_be_had() -> None:
    assert "can't be had" in (problem(container(profile="kserve")) or "")
    assert problem(container(profile="mlserver")) is None


def test_the_bounds_of_another_server_s_histogram_are_its_own() -> None:
    slow = {"name": "m", "template": "slow-requests", "compareTo": "stable", "latency": "75ms"}

    assert "no bucket bound" in (problem({}, slow) or "")
    assert problem(container(profile="bentoml"), slow) is None


def test_a_shadow_of_ones_own_server_needs_a_gateway() -> None:
    steps = [{"shadow": {"percent": 100}}, {"setWeight": 20}]
    given = {
        "model": {"versionRef": {"name": "v1"}},
        "server": container(profile="bentoml"),
        "strategy": {"canary": {"steps": steps}},
    }

    gateway = {"gatewayAPI": {"parentRefs": [{"name": "public"}]}}

    told = spec_problem("delay", DeploymentSpec.model_validate(given))
    behind = spec_problem("delay", DeploymentSpec.model_validate(given | {"traffic": gateway}))

    assert "steps[0].shadow: a `shadow` with `server.container` needs `traffic" in (told or "")
    assert behind is None


def test_what_is_judged_after_the_promotion_is_counted_in_the_same_way() -> None:
    frozen = frozen_rules(
        DeploymentSpec.model_validate({"model": {"versionRef": {"name": "v1"}}}), (BENTOML,)
    )

    after = rules_after_promotion(frozen, [], duration="1h")

    assert after["counters"] == frozen["counters"]


def problem(server: dict[str, Any], *metrics: dict[str, Any]) -> str | None:
    given = {
        "model": {"versionRef": {"name": "v1"}},
        "server": server,
        **({"analysis": {"metrics": list(metrics)}} if metrics else {}),
    }
    return spec_problem("delay", DeploymentSpec.model_validate(given))
