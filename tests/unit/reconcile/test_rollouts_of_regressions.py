"""A model that answers values is released on how far its answers are from their labels."""

from typing import Any

import pytest

from tests.support.deployment_world import QUICK_ANALYSIS, Behaviour, World, serving_v1

pytestmark = pytest.mark.slow

STEPS = {"canary": {"steps": [{"setWeight": 20}, {"analyze": {"minSamples": 200}}]}}
FEEDBACK: dict[str, Any] = {
    "cohortLength": "5s",
    "wrongBeyond": "30",
    "scores": [{"score": "absoluteError", "bound": "60"}],
}
FAR = {
    "name": "far",
    "template": "prediction-loss",
    "score": "absoluteError",
    "compareTo": "stable",
}


def serving_values(*metrics: dict[str, Any]) -> World:
    """A world in which `v1` answers values that are off by 10 on average."""
    world = serving_v1(
        strategy=STEPS,
        server={"feedback": FEEDBACK},
        analysis={**QUICK_ANALYSIS, "metrics": [*metrics] or [FAR]},
    )
    world.behaviours["v1"] = Behaviour(off_by=10)
    world.runs(120)
    return world


def releases(world: World, *, off_by: float, **feedback: Any) -> None:
    world.behaviours["v2"] = Behaviour(off_by=off_by)
    world.applies(server={"feedback": {**FEEDBACK, **feedback}})
    world.serves_version("v2")
    world.runs(60, until="canary has traffic")


def shown(world: World) -> dict[str, Any]:
    found: dict[str, Any] = world.status["analysis"][0]
    return found


@pytest.mark.parametrize(
    "metric",
    [FAR, {"name": "wrong", "template": "wrong-predictions", "compareTo": "stable"}],
    ids=["by absolute error", "by answers that are far off"],
)
def test_one_that_predicts_worse_is_rolled_back(metric: dict[str, Any]) -> None:
    world = serving_values(metric)

    releases(world, off_by=28)
    world.runs(300, until="rolled back")

    assert world.stable == "v1"
    assert "EvidenceOfHarm" in world.reasons()


def test_one_that_predicts_as_well_is_promoted_on_its_labels() -> None:
    world = serving_values()

    releases(world, off_by=9)
    frozen = (world.canary or {})["rules"]["feedback"]
    world.runs(900, until="settled")

    assert frozen == {"wrongBeyond": "30", "scores": FEEDBACK["scores"]}
    assert world.stable == "v2"
    assert shown(world)["canary"]["total"] >= 200
    lost = float(shown(world)["canary"]["bad"]) / shown(world)["canary"]["total"]
    assert lost == pytest.approx(9 / 60, rel=0.05)


@pytest.mark.parametrize(
    ("changed", "metric", "why"),
    [
        (
            {"scores": [{"score": "absoluteError", "bound": "90"}]},
            FAR,
            "stable's `absoluteError` has bound 60, the canary's bound 90",
        ),
        (
            {"wrongBeyond": "20"},
            {"name": "wrong", "template": "wrong-predictions", "compareTo": "stable"},
            "stable's `wrongBeyond` is 30, the canary's 20",
        ),
    ],
    ids=["a loss", "right and wrong"],
)
def test_what_stable_counts_by_another_bound_is_no_data_until_a_person_promotes(
    changed: dict[str, Any], metric: dict[str, Any], why: str
) -> None:
    world = serving_values(metric)

    releases(world, off_by=9, **changed)
    world.runs(60)
    held = (world.stable, world.condition("Reconciling"), shown(world)["verdict"])
    message, stable = world.status["message"], shown(world)["stable"]
    world.says("promote")
    world.runs(60, until="settled")

    assert held == ("v1", ("True", "NoData"), "NoData")
    assert f"{why}, so nothing can be compared; this is not evidence" in message
    assert stable["total"] == 0
    assert world.stable == "v2"


def test_a_changed_bound_is_released_beside_other_evidence_and_counts_from_then_on() -> None:
    errors = {"name": "errors", "template": "error-rate", "compareTo": "stable"}
    world = serving_values({**FAR, "dryRun": True}, errors)
    releases(world, off_by=9, scores=[{"score": "absoluteError", "bound": "90"}])
    world.runs(900, until="settled")
    first = world.stable

    world.applies(analysis={**QUICK_ANALYSIS, "metrics": [FAR]})
    world.behaviours["v3"] = Behaviour(off_by=40)
    world.serves_version("v3")
    world.runs(300, until="rolled back")

    assert (first, world.stable) == ("v2", "v2")
    assert "EvidenceOfHarm" in world.reasons()


def test_a_limit_of_its_own_needs_nothing_of_stable() -> None:
    world = serving_values({**FAR, "compareTo": None, "max": "0.3"})

    releases(world, off_by=40, scores=[{"score": "absoluteError", "bound": "90"}])
    world.runs(300, until="rolled back")

    assert world.stable == "v1"
