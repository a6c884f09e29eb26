"""Whatever happens: who reads the records one after the other knows what served at each moment."""

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, example, given, settings

from serinus.api.conditions import parse_time
from tests.support.deployment_world import (
    QUICK_ANALYSIS,
    REVISION_LABEL,
    Behaviour,
    World,
    a_world,
    model_version,
)

pytestmark = pytest.mark.slow

VERSIONS = ("v1", "v2", "v3", "bad", "broken")
STEPS = [{"setWeight": 20}, {"analyze": {}}, {"pause": {}}, {"setWeight": 50}, {"analyze": {}}]

acts = st.one_of(
    st.tuples(st.just("asks for"), st.sampled_from(VERSIONS)),
    st.tuples(st.just("scales to"), st.integers(0, 4)),
    st.tuples(st.just("says"), st.sampled_from(["promote", "abort", "retry", "pause", "resume"])),
    st.tuples(st.just("operator dies after"), st.integers(0, 8)),
    st.tuples(st.just("somebody takes number"), st.integers(1, 12)),
)
Act = tuple[str, object]
Served = frozenset[str]


def done(world: World, act: str, what: object) -> None:
    match act:
        case "asks for":
            world.serves_version(str(what))
        case "scales to":
            world.applies(replicas=what)
        case "says":
            world.says(str(what), nonce=f"{what}-{world.second}-{world.generation}")
        case "operator dies after":
            world.dies_after = int(str(what))
        case _:
            world.records.setdefault(f"delay-record-{what}", {"data": {"mine": "yes"}})


def seen_to_serve(world: World) -> Served:
    """Revisions that the Service sends requests to, as the cluster has it."""
    if world.service is None or world.spec["replicas"] == 0:
        return frozenset()
    pinned = world.service["spec"]["selector"].get(REVISION_LABEL)
    if pinned is not None:
        return frozenset({pinned})
    return frozenset(
        revision for revision, body in world.workloads().items() if body["spec"]["replicas"]
    )


def recorded_to_serve(world: World) -> list[tuple[float, Served]]:
    """Moments, and what served from then on, by the records alone."""
    return [
        (
            parse_time(decision["at"]).timestamp(),
            frozenset(one["revision"] for one in decision["serving"].values()),
        )
        for _, decision in world.recorded()
    ]


def served_at(timeline: list[tuple[float, Served]], moment: float) -> Served:
    return next((served for at, served in reversed(timeline) if at <= moment), frozenset())


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.tuples(acts, st.integers(1, 40)), min_size=1, max_size=7),
    st.sampled_from(["auto", "pause", "observe"]),
)
@example(
    [(("asks for", "v2"), 3), (("operator dies after", 1), 30), (("asks for", "v3"), 20)], "auto"
)
@example([(("asks for", "bad"), 40), (("says", "resume"), 40)], "pause")
def test_replaying_the_records_tells_what_served(story: list[tuple[Act, int]], mode: str) -> None:
    world = a_world(
        replicas=3,
        strategy={"canary": {"steps": STEPS}},
        analysis={**QUICK_ANALYSIS, "mode": mode},
        progressDeadlineSeconds=40,
    )
    world.requests_per_second = 40
    world.versions = {name: model_version(name) for name in VERSIONS}
    world.behaviours = {
        "bad": Behaviour(error_percent=40),
        "broken": Behaviour(starts=False),
    }
    played: list[tuple[float, Served]] = []
    for (act, what), seconds in [(("asks for", "v1"), 10), *story, (("asks for", "v1"), 60)]:
        done(world, act, what)
        for _ in range(seconds):
            world.operator_works()
            played.append((world.now.timestamp(), seen_to_serve(world)))
            world.ticks()

    timeline = recorded_to_serve(world)
    assert [at for at, _ in timeline] == sorted(at for at, _ in timeline)
    assert not world.status["record"]["pending"]
    for moment, served in played:
        assert served_at(timeline, moment) == served, f"at {moment}: {timeline}"


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.integers(0, 12), min_size=1, max_size=6), st.sampled_from(["v2", "bad"]))
def test_deaths_neither_lose_a_record_nor_double_one(deaths: list[int], version: str) -> None:
    def told(kills: list[int]) -> list[tuple[str, str, str]]:
        world = a_world(replicas=3)
        world.behaviours["bad"] = Behaviour(error_percent=40)
        world.runs(20)
        world.serves_version(version)
        for number in range(60):
            if number < len(kills):
                world.dies_after = kills[number]
            world.ticks()
        return [(name, one["action"], one["revision"]) for name, one in world.recorded()]

    assert told(deaths) == told([])
