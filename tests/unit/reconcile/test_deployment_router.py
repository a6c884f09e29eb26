"""A Gateway splits the requests: scenarios in which nothing is lost and nothing of others is."""

from typing import Any

import pytest

from serinus.api.hooks import HookAnswer
from serinus.reconcile.decision import ObjectRef
from tests.support.deployment_world import Behaviour, World, serving_v1

pytestmark = pytest.mark.slow

GATEWAY: dict[str, Any] = {
    "gatewayAPI": {"parentRefs": [{"name": "public"}], "hostnames": ["delay.example.org"]}
}
STEPS: dict[str, Any] = {
    "canary": {"steps": [{"setWeight": 20}, {"pause": {}}, {"setWeight": 80}, {"pause": {}}]}
}


def behind_a_gateway(**spec: Any) -> World:
    """`v1` is stable, and all requests come through the Gateway."""
    world = serving_v1(**{"traffic": GATEWAY, "strategy": STEPS, **spec})
    world.clients_use_gateway = True
    world.runs(5)
    world.unanswered = 0
    return world


def in_a_canary(**spec: Any) -> World:
    """`v2` has a fifth of the requests until a person says more."""
    world = behind_a_gateway(**spec)
    world.serves_version("v2")
    world.runs(60, until="paused")
    return world


def test_the_route_leads_to_stable_and_says_what_the_spec_says() -> None:
    world = behind_a_gateway()

    assert world.route is not None
    assert world.route["spec"]["parentRefs"] == [{"name": "public"}]
    assert world.route["spec"]["hostnames"] == ["delay.example.org"]
    assert world.route_weights() == {f"delay-{world.stable_revision}": 100}
    assert world.condition("RouteAccepted") == ("True", "Succeeded")


def test_weights_are_exact_above_fifty_too_and_the_service_stays_with_stable() -> None:
    world = in_a_canary()
    shares = [world.canary_share()]
    selectors = [world.service["spec"]["selector"]["serinus.dev/revision"]]
    pods = [world.ready_pods(world.canary_revision)]

    world.says("promote")
    world.runs(1)
    world.runs(60, until="paused")
    shares.append(world.canary_share())
    selectors.append(world.service["spec"]["selector"]["serinus.dev/revision"])
    pods.append(world.ready_pods(world.canary_revision))

    assert shares == [20, 80]
    assert pods == [1, 4]
    assert selectors == [world.stable_revision] * 2
    assert world.unanswered == 0


def test_new_pods_begin_with_a_small_share_and_get_none_before_they_are_ready() -> None:
    world = behind_a_gateway()
    world.behaviours["v2"] = Behaviour(start_seconds=6)
    world.serves_version("v2")

    shares = []
    for _ in range(30):
        world.ticks()
        shares.append(world.canary_share())

    assert shares[:5] == [0] * 5
    assert list(dict.fromkeys(shares)) == [0, 5, 20]
    assert 9 <= shares.count(5) <= 11
    assert world.unanswered == 0


def test_a_higher_weight_waits_for_its_pods() -> None:
    world = in_a_canary()
    world.runs(30)
    world.behaviours["v2"] = Behaviour(start_seconds=20)
    world.says("promote")

    world.runs(10)
    before = world.canary_share(), world.canary["weight"]
    world.runs(40, until="paused")

    assert before == (20, 80)
    assert world.canary_share() == 80


def test_a_rollback_writes_the_weights_first_and_takes_the_pods_in_the_same_pass() -> None:
    world = in_a_canary()
    canary = world.canary_revision
    world.behaviours["v2"] = Behaviour(error_percent=60)
    while world.canary is not None:
        world.writes.clear()
        world.one_pass()
        if world.canary is not None:
            world.ticks()

    routed = world.writes.index("apply HTTPRoute delay")
    assert world.writes.index("status") < routed
    assert routed < world.writes.index(f"apply Deployment delay-{canary}")
    assert world.route_weights() == {f"delay-{world.stable_revision}": 100}
    world.runs(20)
    assert world.ready_pods(canary) == 0


def test_a_rollback_makes_again_what_was_lost_after_the_weights_are_back() -> None:
    world = in_a_canary()
    for lost in ("delay-feedback", "delay"):
        del world.objects[ObjectRef("v1", "Service", "flights", lost)]
    world.says("abort")
    world.writes.clear()

    world.one_pass()

    assert world.writes[:4] == [
        "status",
        "apply HTTPRoute delay",
        "create Service delay",
        "create Service delay-feedback",
    ]


@pytest.mark.parametrize("lag_seconds", [1, 8, 40])
def test_a_switch_that_is_taken_back_loses_no_request_however_late_the_gateway_learns_it(
    lag_seconds: int,
) -> None:
    switch = {"blueGreen": {"scaleDownDelaySeconds": 300}}
    world = behind_a_gateway(strategy=switch)
    world.gateway_lag_seconds = lag_seconds
    world.serves_version("v2")
    world.runs(60, until="settled")
    world.runs(60)
    taken_away = world.stable_revision

    world.says("abort", revision=taken_away)
    world.runs(30 + lag_seconds)

    assert world.stable == "v1"
    assert world.unanswered == 0
    assert world.ready_pods(taken_away) == 0


@pytest.mark.parametrize("lag_seconds", [1, 8, 40])
def test_a_promotion_loses_no_request_however_late_the_gateway_learns_it(lag_seconds: int) -> None:
    world = behind_a_gateway(strategy={"canary": {"steps": [{"setWeight": 20}, {"pause": {}}]}})
    before = world.stable_revision
    world.gateway_lag_seconds = lag_seconds
    world.serves_version("v2")
    world.runs(180, until="paused")
    world.says("promote")

    world.runs(60 + 2 * lag_seconds)

    assert world.stable == "v2"
    assert world.unanswered == 0
    assert world.ready_pods(before) == 0


@pytest.mark.parametrize("lag_seconds", [1, 8, 40])
@pytest.mark.parametrize("asked", ["v1", "v3"])
def test_a_canary_that_nobody_wants_any_more_answers_until_the_gateway_learns_it(
    asked: str, lag_seconds: int
) -> None:
    world = behind_a_gateway(strategy={"canary": {"steps": [{"setWeight": 20}, {"pause": {}}]}})
    world.gateway_lag_seconds = lag_seconds
    world.serves_version("v2")
    world.runs(160, until="paused")
    world.runs(60)
    ended = world.canary_revision

    world.serves_version(asked)
    world.runs(20 + lag_seconds)

    assert world.unanswered == 0
    assert world.ready_pods(ended) == 0


@pytest.mark.parametrize("lag_seconds", [1, 8, 40])
def test_a_canary_that_a_person_aborts_answers_until_the_gateway_learns_it(
    lag_seconds: int,
) -> None:
    world = behind_a_gateway(strategy={"canary": {"steps": [{"setWeight": 20}, {"pause": {}}]}})
    world.gateway_lag_seconds = lag_seconds
    world.serves_version("v2")
    world.runs(160, until="paused")
    world.runs(60)
    aborted = world.canary_revision

    world.says("abort")
    world.runs(20 + lag_seconds)

    assert world.reasons()[-1] == "AbortedByUser"
    assert world.unanswered == 0
    assert world.ready_pods(aborted) == 0


def test_harm_leaves_no_pod_to_a_gateway_that_is_slow() -> None:
    world = in_a_canary()
    world.gateway_lag_seconds = 40
    canary = world.canary_revision
    world.behaviours["v2"] = Behaviour(error_percent=60)
    world.runs(120, until="rolled back")
    world.runs(3)

    assert world.ready_pods(canary) == 0


def test_a_canary_that_is_rolled_back_soon_after_a_promotion_keeps_no_pods() -> None:
    steps = {"canary": {"steps": [{"setWeight": 20}, {"pause": {}}]}}
    hooks = [{"type": "rollback", "name": "desk"}]
    world = behind_a_gateway(strategy=steps)
    world.hooks = {"desk": HookAnswer.NO}
    world.applies(strategy={**steps, "hooks": hooks})
    world.serves_version("v2")
    world.runs(60, until="paused")
    world.says("promote")
    world.runs(60, until="settled")
    world.serves_version("v3")
    world.runs(9, until="canary has traffic")
    canary = world.canary_revision

    world.hooks["desk"] = HookAnswer.YES
    world.runs(3)

    assert world.actions()[-1] == "rollback"
    assert world.ready_pods(canary) == 0


def test_harm_sends_all_requests_back() -> None:
    world = behind_a_gateway()
    world.behaviours["v2"] = Behaviour(error_percent=50)
    world.serves_version("v2")

    world.runs(200, until="rolled back")

    assert world.route_weights() == {f"delay-{world.stable_revision}": 100}


def test_a_promotion_loses_no_request_and_restarts_no_pod() -> None:
    world = in_a_canary()
    canary = world.canary_revision
    for _ in range(2):
        world.says("promote")
        world.runs(1)
        world.runs(60)
    made = [pod.name for pod in world.pods if pod.revision == canary]
    world.runs(60)

    assert world.stable == "v2"
    assert world.route_weights() == {f"delay-{canary}": 100}
    assert made == [pod.name for pod in world.pods]
    assert world.unanswered == 0


def test_what_people_add_to_the_route_stays() -> None:
    world = in_a_canary()
    header = {"type": "RequestHeaderModifier", "requestHeaderModifier": {"remove": ["x-debug"]}}
    health = {"matches": [{"path": {"type": "Exact", "value": "/health"}}], "name": "health"}

    def edit(spec: dict[str, Any]) -> None:
        spec["rules"][0]["filters"] = [header]
        spec["rules"][0]["timeouts"] = {"request": "10s"}
        spec["rules"].append(health)

    world.edits_route(edit)
    world.says("promote")
    world.runs(1)
    world.runs(60, until="paused")

    ours, theirs = world.route["spec"]["rules"]
    assert world.canary_share() == 80
    assert ours["filters"] == [header]
    assert ours["timeouts"] == {"request": "10s"}
    assert theirs == health


def test_a_route_that_a_gateway_refuses_holds_the_rollout_and_says_why() -> None:
    world = behind_a_gateway()
    world.gateway_refuses = "NotAllowedByListeners"
    world.serves_version("v2")

    world.runs(60)
    refused = world.condition("RouteAccepted"), world.phase, world.status["message"]
    shared = world.canary_share()
    world.gateway_refuses = ""
    world.runs(60)

    assert refused[0] == ("False", "RouteNotAccepted")
    assert refused[1] == "Paused"
    assert "NotAllowedByListeners" in refused[2]
    assert shared == 0
    assert world.canary_share() == 20


def test_a_promotion_that_is_decided_waits_for_the_gateway() -> None:
    world = in_a_canary(strategy={"canary": {"steps": [{"setWeight": 20}, {"pause": {}}]}})
    world.gateway_refuses = "NoMatchingParent"
    world.edits_route(lambda spec: None)
    world.runs(10)

    world.says("promote")
    world.runs(30)

    assert world.stable == "v1"
    assert world.unanswered == 0


def test_without_the_gateway_api_nothing_starts_and_what_serves_goes_on() -> None:
    world = serving_v1()
    world.knows_routes = False
    world.applies(traffic=GATEWAY)
    world.runs(5)
    world.serves_version("v2")

    world.runs(30)

    assert world.condition("Stalled") == ("True", "GatewayAPIMissing")
    assert world.stable == "v1"
    assert world.canary is None
    assert world.ready_pods(world.stable_revision) == 4
    assert world.route is None
    assert world.unanswered == 0


@pytest.mark.parametrize("canary", [False, True], ids=["settled", "in a canary"])
def test_from_pods_to_a_gateway_and_back_no_request_is_lost(canary: bool) -> None:
    paused = {"canary": {"steps": [{"setWeight": 20}, {"pause": {}}, {"setWeight": 50}]}}
    world = serving_v1(strategy=paused)
    if canary:
        world.serves_version("v2")
        world.runs(60, until="paused")

    world.applies(traffic=GATEWAY)
    world.runs(5)
    world.clients_use_gateway = True
    world.runs(10)
    weights = world.route_weights()
    world.applies(traffic={"replicas": {}})
    world.runs(10)

    assert sum(weights.values()) == 100
    assert world.route_weights() == {"delay": 1}
    assert world.condition("RouteAccepted") == ("False", "RouteKept")
    assert len({pod.revision for pod in world.selected_pods()}) == (2 if canary else 1)
    assert world.unanswered == 0


def test_what_the_canary_really_got_stands_beside_what_it_was_to_get() -> None:
    world = in_a_canary()

    world.runs(400)

    assert world.canary["actualWeight"] == 20
    assert float(world.canary["servedWeight"]) == pytest.approx(20, abs=1)


def test_a_converged_world_writes_nothing() -> None:
    world = behind_a_gateway()
    world.runs(30)
    world.writes.clear()

    world.runs(60)

    assert world.writes == []


def test_services_of_revisions_go_when_nothing_leads_to_them() -> None:
    world = in_a_canary()
    canary = world.canary_revision
    world.says("abort")

    world.runs(30)

    names = {ref.name for ref in world.objects if ref.kind == "Service"}
    assert f"delay-{canary}" not in names
    assert f"delay-{world.stable_revision}" in names


def test_a_gateway_block_that_cannot_be_read_changes_nothing_of_the_split() -> None:
    world = in_a_canary()

    world.applies(traffic={"gatewayAPI": {"parentRefs": "public"}})
    world.runs(10)

    assert world.canary_share() == 20
    assert world.unanswered == 0


def test_a_switch_is_one_write_of_the_route_and_shows_nobody_the_candidate_before() -> None:
    world = behind_a_gateway(strategy={"blueGreen": {"autoPromotionEnabled": False}})
    before = world.stable_revision
    world.serves_version("v2")
    world.runs(60)
    shown = world.route_weights()

    world.says("promote")
    world.runs(60)

    assert shown == {f"delay-{before}": 100}
    assert world.stable == "v2"
    assert world.route_weights() == {f"delay-{world.stable_revision}": 100}
    assert world.unanswered == 0
