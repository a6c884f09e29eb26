"""Whole rollouts of servers whose first requests fail: new pods aren't judged while they are cold.

In this world a pod that is new fails most of its requests for fifteen seconds.
"""

import pytest

from tests.support.deployment_world import QUICK_ANALYSIS, Behaviour, World, serving_v1

pytestmark = pytest.mark.slow

COLD = {"cold_seconds": 15, "cold_error_percent": 60}
PATIENT = {**QUICK_ANALYSIS, "warmup": "20s"}
STEPS = {
    "canary": {
        "steps": [
            {"setWeight": 20},
            {"analyze": {"minSamples": 100}},
            {"setWeight": 50},
            {"analyze": {"minSamples": 100}},
        ]
    }
}
WAITING = {"canary": {"steps": [{"setWeight": 20}, {"pause": {}}, {"analyze": {}}]}}


def released(strategy: dict[str, object] = STEPS, **behaviour: int) -> World:
    """`v1` and `v2` are cold at first, and `v2` begins beside pods of `v1` that are warm."""
    world = serving_v1(analysis=PATIENT, strategy=strategy)
    world.behaviours["v1"] = Behaviour(**COLD)
    world.behaviours["v2"] = Behaviour(**{**COLD, **behaviour})
    world.runs(30)
    world.serves_version("v2")
    world.runs(60, until="canary has traffic")
    return world


def test_a_step_that_adds_cold_pods_doesnt_roll_a_good_version_back() -> None:
    world = released()
    world.runs(600, until="settled")

    assert world.stable == "v2"
    assert world.reasons().count("StepStarted") == 3


def test_the_step_waits_for_its_new_pods_and_says_so() -> None:
    world = released()
    world.runs(200, until="canary's second weight")
    revision = world.canary_revision
    told = []
    while world.ready_pods(revision) < 4 or any(
        world.is_cold(pod) for pod in world.pods if pod.revision == revision
    ):
        world.ticks()
        told.append((world.status["message"], world.status["analysis"][0]["message"]))

    assert world.canary_revision == revision
    assert world.canary is not None
    assert not world.canary["promoting"]
    waits, left_out = zip(*told, strict=True)
    assert any("requests that the step's new pods answer after their" in one for one in waits)
    assert any("new pods don't count during their `warmup`: 3 of canary" in one for one in left_out)


def test_harm_that_only_new_pods_do_is_shown_when_they_are_warm() -> None:
    world = released()
    world.runs(200, until="canary's second weight")
    world.behaviours["v2"] = Behaviour(error_percent=60)
    world.runs(120, until="rolled back")

    assert world.stable == "v1"
    assert "EvidenceOfHarm" in world.reasons()


def test_a_version_whose_pods_crash_again_and_again_is_judged_all_the_same() -> None:
    """They are never warm, and so are left out twice at most."""
    world = released(WAITING)
    world.runs(20)
    world.behaviours["v2"] = Behaviour(start_seconds=0, error_percent=60)
    for _ in range(20):
        world.pods_crash(world.canary_revision)
        world.runs(15)
        if world.canary is None:
            break

    assert world.stable == "v1"
    assert "EvidenceOfHarm" in world.reasons()


def test_new_pods_of_stable_dont_hide_what_a_canary_does() -> None:
    """Each lost pod of stable is made again; their first errors aren't stable's rate."""
    world = released(WAITING, error_percent=12)
    world.runs(20)
    world.loses_pods(world.stable_revision, number=3)
    world.runs(120, until="rolled back")

    assert "EvidenceOfHarm" in world.reasons()
    stable = world.status["analysis"][0]["stable"]
    assert float(stable["bad"]) < 0.02 * stable["total"]


def test_a_node_that_is_lost_under_a_good_canary_costs_it_nothing() -> None:
    world = released(WAITING)
    world.runs(60)
    world.loses_pods(world.canary_revision)
    world.runs(60)

    assert world.canary is not None
    assert float(world.status["analysis"][0]["canary"]["bad"]) == 0
