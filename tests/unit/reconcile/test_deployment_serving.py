"""What is recorded as serving is what traffic is set to."""

from typing import Any

import pytest

from tests.support.deployment_world import QUICK_ANALYSIS, World, serving_v1

pytestmark = pytest.mark.slow

STEPS: dict[str, Any] = {"canary": {"steps": [{"setWeight": 20}, {"pause": {}}]}}


def decisions(world: World) -> list[dict[str, Any]]:
    return [decision for _, decision in world.recorded()]


def test_behind_a_gateway_it_is_recorded_what_the_route_gives() -> None:
    gateway = {"gatewayAPI": {"parentRefs": [{"name": "public"}]}}
    world = serving_v1(strategy=STEPS, traffic=gateway)
    world.clients_use_gateway = True
    world.serves_version("v2")
    shares = []
    for _ in range(60):
        world.ticks()
        shares.append(world.canary_share())

    served = [one["serving"].get("canary", {"weight": 0})["weight"] for one in decisions(world)[2:]]
    assert list(dict.fromkeys(served)) == list(dict.fromkeys(shares)) == [0, 5, 20]


def test_an_analysed_preview_is_recorded_as_serving_only_once_it_is_switched_to() -> None:
    switch = {"blueGreen": {"prePromotionAnalysis": {"minSamples": 50}}}
    world = serving_v1(strategy=switch, analysis=QUICK_ANALYSIS)
    world.preview_requests_per_second = 40
    world.serves_version("v2")
    world.runs(300, until="settled")

    assert world.stable == "v2"
    assert decisions(world)[-1]["serving"]["stable"]["revision"] == world.stable_revision
    assert all("canary" not in one["serving"] for one in decisions(world)[2:])
