"""Whatever the load and whenever the operator dies: what holds for stable under an autoscaler."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.autoscaler import by_cpu
from tests.support.deployment_world import Behaviour, World, a_world

pytestmark = pytest.mark.timeout(300)
MOST = 12
WEIGHTS = st.lists(st.sampled_from([10, 20, 33, 50]), min_size=1, max_size=2, unique=True)


def settled(requests_per_second: int, weights: list[int]) -> World:
    world = a_world(
        autoscaling=by_cpu(1, MOST), strategy={"canary": {"stepWeights": sorted(weights)}}
    )
    del world.spec["replicas"]
    world.requests_per_second = requests_per_second
    world.behaviours["bad"] = Behaviour(error_percent=40)
    world.runs(60, until="settled")
    world.runs(40)
    return world


def pods(world: World, revision: str | None) -> int:
    body = world.workloads().get(revision or "")
    return int(body["spec"]["replicas"]) if body else 0


@settings(max_examples=20, deadline=None)
@given(
    requests_per_second=st.integers(20, 300),
    weights=WEIGHTS,
    version=st.sampled_from(["v2", "bad"]),
    dies_after=st.none() | st.integers(0, 12),
)
def test_under_a_load_that_stays_a_rollout_changes_nothing_of_stable(
    requests_per_second: int, weights: list[int], version: str, dies_after: int | None
) -> None:
    world = settled(requests_per_second, weights)
    stable, before = world.stable_revision, pods(world, world.stable_revision)
    world.dies_after = dies_after
    world.serves_version(version)
    for _ in range(240):
        world.ticks()
        assert pods(world, world.canary_revision) <= before
        if world.stable_revision == stable:
            assert pods(world, stable) == before
    assert pods(world, world.stable_revision) == before
    assert world.unanswered == 0


@settings(max_examples=20, deadline=None)
@given(
    weights=WEIGHTS,
    loads=st.lists(st.integers(20, 300), min_size=1, max_size=4),
    dies_after=st.none() | st.integers(0, 12),
)
def test_whatever_the_load_does_beside_a_canary_stable_keeps_what_it_carried(
    weights: list[int], loads: list[int], dies_after: int | None
) -> None:
    world = settled(120, weights)
    stable, before = world.stable_revision, pods(world, world.stable_revision)
    world.dies_after = dies_after
    world.serves_version("v2")
    world.says("pause")
    for load in loads:
        world.requests_per_second = load
        for _ in range(60):
            world.ticks()
            begun = (world.canary or {}).get("trafficStartedAt")
            if begun and world.stable_revision == stable:
                assert before <= pods(world, stable) <= MOST
                before = max(before, world.status["stableFloor"]["pods"])
