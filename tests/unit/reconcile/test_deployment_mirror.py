"""A shadow that a Gateway mirrors to: only where it can, and users never pay for it."""

from typing import Any

import pytest

from serinus.reconcile.decision import ObjectRef
from tests.support.deployment_world import NAME, NAMESPACE, Behaviour, World, serving_v1

pytestmark = pytest.mark.slow

GATEWAY: dict[str, Any] = {"gatewayAPI": {"parentRefs": [{"name": "public"}]}}
MIRRORS = frozenset({"HTTPRouteRequestMirror"})
MIRRORS_A_SHARE = MIRRORS | {"HTTPRouteRequestPercentageMirror"}
SHADOW_PODS = ObjectRef("v1", "Service", NAMESPACE, f"{NAME}-shadow-pods")
CONTAINER = {
    "image": "iris:1",
    "port": 3000,
    "probes": {"readyPath": "/readyz"},
    # It counts as our own does, so that it can be played.
    "metrics": {
        "custom": {
            "requests": [{"name": "serinus_requests_total"}],
            "failed": [{"name": "serinus_requests_total", "labels": {"code": "5.."}}],
        }
    },
}
SHADOW: dict[str, Any] = {"replicas": 2, "minSamples": 500, "minDuration": "30s"}
HEADER = {"type": "RequestHeaderModifier", "requestHeaderModifier": {"remove": ["x-debug"]}}
THEIRS = {"type": "RequestMirror", "requestMirror": {"backendRef": {"name": "audit", "port": 80}}}


def shadowing(
    features: frozenset[str] = MIRRORS, *, error_percent: int = 0, **shadow: Any
) -> World:
    """`v2`, a server of one's own, begins as the shadow of `v1` behind a Gateway."""
    world = serving_v1(traffic=GATEWAY)
    world.clients_use_gateway = True
    world.runs(5)
    world.unanswered = 0
    world.gateway_features = features
    world.behaviours["v2"] = Behaviour(error_percent=error_percent)
    steps = [{"shadow": SHADOW | shadow}, {"setWeight": 50}, {"analyze": {"minSamples": 50}}]
    world.applies(server={"container": CONTAINER}, strategy={"canary": {"steps": steps}})
    world.serves_version("v2")
    return world


def answered_to_users(world: World, version: str) -> int:
    revisions = {one.revision for one in world.pods if one.version == version}
    return sum(world.answered.get(revision, 0) for revision in revisions)


def mirrored(world: World) -> int:
    """Requests that the shadow has answered."""
    return sum(one.good + one.bad for one in world.pods if one.version == "v2")


def filters(world: World) -> list[dict[str, Any]]:
    assert world.route is not None
    found: list[dict[str, Any]] = world.route["spec"]["rules"][0].get("filters", [])
    return found


def test_the_gateway_mirrors_and_no_user_meets_the_shadow() -> None:
    world = shadowing()
    world.runs(20, until="canary has traffic")
    world.runs(10)

    backend = {"name": f"{NAME}-{world.canary_revision}", "port": 80}
    assert filters(world) == [{"type": "RequestMirror", "requestMirror": {"backendRef": backend}}]
    assert mirrored(world) > 500
    assert answered_to_users(world, "v2") == 0
    assert SHADOW_PODS not in world.objects
    assert world.unanswered == 0


def test_a_harmful_shadow_is_rolled_back_and_the_filter_goes_first() -> None:
    world = shadowing(error_percent=40)
    world.runs(20, until="canary has traffic")
    canary = world.canary_revision
    world.runs(200, until="rolled back")

    # Killed and scaled in the pass that follows; here all of that second.
    begun = len(world.writes) - world.writes[::-1].index("apply HTTPRoute delay") - 1
    assert world.reasons()[-1] == "EvidenceOfHarm"
    assert world.writes[begun - 1] == "status"
    assert f"apply Deployment delay-{canary}" in world.writes[begun:]
    assert filters(world) == []
    assert answered_to_users(world, "v2") == 0
    assert world.unanswered == 0


def test_a_sound_shadow_goes_on_to_users_and_is_promoted() -> None:
    world = shadowing()
    for _ in range(300):
        world.ticks()
        if world.canary and world.canary["step"] > 0:
            break
    after_the_step = filters(world)
    world.runs(600, until="settled")

    assert after_the_step == []
    assert (world.stable, world.reasons()[-1]) == ("v2", "Promoted")
    assert world.unanswered == 0


def test_two_servers_of_ones_own_need_nothing_of_ours() -> None:
    world = shadowing()
    world.runs(600, until="settled")
    world.serves_version("v3")
    world.runs(40, until="canary has traffic")

    assert world.route_mirrors() == {f"{NAME}-{world.canary_revision}": 100}
    assert world.stable == "v2"


def test_a_gateway_that_does_not_say_it_mirrors_is_never_asked_to() -> None:
    world = shadowing(frozenset())
    world.runs(60)

    assert filters(world) == []
    assert world.canary is not None
    assert "trafficStartedAt" not in world.canary
    assert "GatewayClass `example` of Gateway `public`" in world.status["message"]
    assert (
        "HTTPRouteRequestMirror isn't in its `status.supportedFeatures`" in world.status["message"]
    )
    assert world.unanswered == 0


def test_it_goes_on_once_the_class_says_so_and_a_person_may_go_on_before() -> None:
    learning, promoted = shadowing(frozenset()), shadowing(frozenset())
    for world in (learning, promoted):
        world.runs(30)
    learning.gateway_features = MIRRORS
    promoted.says("promote")

    learning.runs(40, until="canary has traffic")
    promoted.runs(120, until="settled")

    assert learning.route_mirrors()
    assert (promoted.stable, promoted.unanswered) == ("v2", 0)


def test_what_cannot_be_found_out_is_not_tried() -> None:
    world = shadowing()
    world.gateway_unreadable = "GET Gateway public: Forbidden"
    world.runs(60)

    assert filters(world) == []
    assert "can't be found out: GET Gateway public: Forbidden" in world.status["message"]


def test_a_share_is_mirrored_by_a_gateway_that_says_it_can() -> None:
    world = shadowing(MIRRORS_A_SHARE, percent=20)
    world.runs(20, until="canary has traffic")
    world.runs(2)
    before = mirrored(world)
    world.runs(10)

    assert world.route_mirrors() == {f"{NAME}-{world.canary_revision}": 20}
    assert mirrored(world) - before == 10 * world.requests_per_second // 5


def test_a_share_is_not_asked_of_a_gateway_that_would_mirror_all() -> None:
    world = shadowing(MIRRORS, percent=20)
    world.runs(60)

    assert filters(world) == []
    assert "HTTPRouteRequestPercentageMirror isn't in" in world.status["message"]


def test_all_of_them_need_no_share() -> None:
    world = shadowing(MIRRORS, percent=100)
    world.runs(20, until="canary has traffic")

    assert "percent" not in filters(world)[0]["requestMirror"]


def test_filters_of_people_stay_where_they_are() -> None:
    world = shadowing()
    world.edits_route(lambda spec: spec["rules"][0].update(filters=[HEADER]))
    world.runs(20, until="canary has traffic")
    during = [one["type"] for one in filters(world)]
    world.says("abort")
    world.runs(3)

    assert during == ["RequestHeaderModifier", "RequestMirror"]
    assert filters(world) == [HEADER]


@pytest.mark.parametrize("several", [False, True])
def test_beside_a_mirror_of_people_only_a_gateway_that_can_do_two(several: bool) -> None:
    more = {"HTTPRouteRequestMultipleMirrors"} if several else set()
    world = shadowing(MIRRORS | more)
    world.edits_route(lambda spec: spec["rules"][0].update(filters=[THEIRS]))
    world.runs(30)

    assert (len(filters(world)) == 2) is several
    assert filters(world)[0] == THEIRS
    assert ("mirrors to `audit` already" in world.status["message"]) is not several


def test_a_gateway_of_which_nobody_knows_gets_the_route_without_the_filter() -> None:
    world = shadowing(minSamples=100_000)
    world.runs(20, until="canary has traffic")
    world.runs(3)
    world.applies(traffic={"gatewayAPI": {"parentRefs": [{"name": "other"}]}})
    world.gateway_unreadable = "GET Gateway other: NotFound"
    world.writes.clear()
    world.runs(3)

    assert world.writes.count("apply HTTPRoute delay") == 1
    assert filters(world) == []
    assert world.canary is not None


def test_without_a_gateway_any_more_nothing_is_mirrored() -> None:
    world = shadowing(minSamples=100_000)
    world.runs(20, until="canary has traffic")
    world.clients_use_gateway = False
    world.applies(traffic={"replicas": {}})
    world.runs(5)

    assert filters(world) == []
    assert "needs `traffic.gatewayAPI`" in world.status["message"]


@pytest.mark.parametrize("writes", range(12))
def test_killed_at_any_write_it_is_promoted_all_the_same(writes: int) -> None:
    world = shadowing()
    world.dies_after = writes
    world.runs(600, until="settled")

    assert (world.stable, world.unanswered, filters(world)) == ("v2", 0, [])


def test_a_converged_world_writes_nothing_more() -> None:
    world = shadowing()
    world.runs(600, until="settled")
    world.runs(60)
    world.writes.clear()

    world.runs(60)

    assert world.writes == []
