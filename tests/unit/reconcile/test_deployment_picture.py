"""What was seen, in the words of the decision: also where the spec can't be read."""

from typing import Any

import pytest

from serinus.reconcile.deployment import look_at, reconcile
from tests.support.deployment_world import (
    Behaviour,
    Pod,
    World,
    digest,
    model_version,
    serving_v1,
)

pytestmark = pytest.mark.slow


def test_a_canary_whose_model_went_before_its_record_was_written_ends() -> None:
    world = serving_v1()
    world.serves_version("v2")
    world.dies_after = 1
    world.operator_works_until_it_dies()

    del world.versions["v2"]
    world.runs(10)

    assert world.canary is None
    assert world.stable == "v1"


def test_frozen_rules_that_can_t_be_read_never_promote() -> None:
    world = serving_v1(strategy={"canary": {"steps": [{"setWeight": 50}, {"pause": {}}]}})
    world.serves_version("v2")
    world.runs(60, until="paused")
    world.status["canary"]["rules"] = {"steps": "many"}
    world.dirty = True

    world.runs(60, until="paused")

    assert world.stable == "v1"
    assert "supersede" in world.actions()
    assert world.canary["rules"]["steps"][0] == {"setWeight": 50}


def unreadable(world: World, spec: dict[str, Any]) -> World:
    world.spec = spec
    world.generation += 1
    world.dirty = True
    return world


def test_a_spec_that_the_crd_would_refuse_stalls_and_names_the_field() -> None:
    world = serving_v1()
    pods = {pod.name for pod in world.pods}

    unreadable(world, {"model": {"versionRef": {"name": "v1"}}, "replicas": -3}).runs(5)

    assert world.condition("Stalled") == ("True", "InvalidSpec")
    assert "spec.replicas" in world.status["message"]
    assert {pod.name for pod in world.pods} == pods
    assert world.stable == "v1"


PAUSED_AT_20 = {"canary": {"steps": [{"setWeight": 20}, {"pause": {}}, {"setWeight": 50}]}}
UNREADABLE = {
    "a new kind of score": {
        "analysis": {
            "metrics": [
                {"name": "loss", "template": "prediction-loss", "score": "crps", "max": "1"}
            ]
        }
    },
    "a new form of a duration": {"server": {"feedback": {"cohortLength": "1 fortnight"}}},
    "a new bound": {"replicas": 100_000},
    "a new way to name a model": {"model": {"versionRef": {"name": {"any": "v2"}}}},
    "nothing at all": {"model": 7, "server": 7, "replicas": 7.5, "analysis": 7},
}
"""What an operator meets that is older than the CustomResourceDefinitions."""


@pytest.mark.parametrize("spec", UNREADABLE.values(), ids=UNREADABLE)
def test_a_canary_that_harms_is_rolled_back_though_the_spec_can_t_be_read(
    spec: dict[str, Any],
) -> None:
    world = serving_v1()
    world.behaviours["v2"] = Behaviour(error_percent=30)
    world.serves_version("v2")
    world.runs(60, until="canary has traffic")

    world.applies(**spec)
    world.runs(120, until="rolled back")
    world.runs(10)

    assert world.stable == "v1"
    assert world.condition("Stalled") == ("True", "InvalidSpec")
    assert {pod.revision for pod in world.pods} == {world.stable_revision}
    assert world.ready_pods(world.stable_revision) == 4
    assert world.unanswered == 0


@pytest.mark.parametrize("spec", UNREADABLE.values(), ids=UNREADABLE)
def test_people_are_heard_though_the_spec_can_t_be_read(spec: dict[str, Any]) -> None:
    world = serving_v1(strategy=PAUSED_AT_20)
    world.serves_version("v2")
    world.runs(60, until="paused")

    world.applies(**spec)
    world.runs(5)
    world.says("abort")
    world.runs(20)

    assert world.status["lastHandledRequest"]["outcome"] == "done"
    assert (world.stable, world.canary) == ("v1", None)
    assert world.ready_pods(world.stable_revision) == 4
    assert {pod.revision for pod in world.pods} == {world.stable_revision}


@pytest.mark.parametrize("spec", UNREADABLE.values(), ids=UNREADABLE)
def test_a_stranger_pins_the_service_though_the_spec_can_t_be_read(spec: dict[str, Any]) -> None:
    world = serving_v1(strategy=PAUSED_AT_20)
    world.serves_version("v2")
    world.runs(60, until="paused")
    world.applies(**spec)
    world.runs(5)
    both = {pod.revision for pod in world.selected_pods()}

    world.pods.append(Pod("intruder", "feedc0ffee", "v1", world.second))
    world.pods[-1].leaves_at = 10**9
    world.dirty = True
    world.runs(5)

    assert len(both) == 2
    assert {pod.revision for pod in world.selected_pods()} == {world.stable_revision}


@pytest.mark.parametrize("lost", ["model", "server"])
def test_a_canary_isn_t_promoted_while_nobody_knows_what_the_spec_asks_for(lost: str) -> None:
    world = serving_v1()
    world.serves_version("v2")
    world.runs(60, until="canary has traffic")
    good = dict(world.spec)

    world.applies(**{lost: "of a newer kind"})
    world.runs(100)
    held = (world.stable, world.canary["modelVersion"], world.phase)
    world.spec = good
    world.applies()
    world.runs(900, until="settled")

    assert held == ("v1", "v2", "Degraded")
    assert world.stable == "v2"


def test_a_canary_goes_on_by_its_frozen_rules_where_only_the_next_ones_can_t_be_read() -> None:
    world = serving_v1()
    world.serves_version("v2")
    world.runs(60, until="canary has traffic")

    world.applies(analysis={"onDeadline": "a new word"})
    world.runs(900)

    assert world.stable == "v2"
    assert world.condition("Stalled") == ("True", "InvalidSpec")


def test_no_rollout_begins_while_a_part_of_the_spec_can_t_be_read() -> None:
    world = serving_v1()

    world.applies(analysis={"onDeadline": "a new word"})
    world.serves_version("v2")
    world.runs(30)

    assert (world.stable, world.canary) == ("v1", None)


def test_scaled_to_zero_it_stays_so_where_replicas_can_t_be_read() -> None:
    world = serving_v1()
    world.applies(replicas=0)
    world.runs(10)

    world.applies(replicas="many")
    world.runs(20)

    assert world.pods == []


def test_scaled_away_by_somebody_stable_comes_back_though_replicas_can_t_be_read() -> None:
    world = serving_v1()
    world.applies(replicas="many")
    world.runs(5)

    world.workloads()[world.stable_revision]["spec"]["replicas"] = 0
    world.runs(20)

    assert world.ready_pods(world.stable_revision) == 1


def test_a_person_scales_though_another_part_of_the_spec_can_t_be_read() -> None:
    world = serving_v1()

    world.applies(replicas=6, analysis={"onDeadline": "a new word"})
    world.runs(10)

    assert world.ready_pods(world.stable_revision) == 6


def test_what_runs_bears_the_name_that_the_spec_gives_it() -> None:
    world = serving_v1(strategy=PAUSED_AT_20)
    twin = model_version("v1-again", digest=digest("v1"))
    world.versions |= {"v1-again": twin, "v2-again": model_version("v2-again", digest=digest("v2"))}

    world.serves_version("v1-again")
    world.runs(10)
    settled = (world.stable, world.actions(), len(world.pods))
    world.serves_version("v2")
    world.runs(60, until="paused")
    world.serves_version("v2-again")
    world.runs(10)

    assert settled == ("v1-again", ["start", "promote"], 4)
    assert world.canary["modelVersion"] == "v2-again"
    assert world.actions().count("supersede") == 0


def test_an_object_without_anything_is_no_reason_to_raise() -> None:
    world = serving_v1()
    snapshot = world.snapshot({})
    empty = type(snapshot)(resource={"metadata": {}}, settings=world.settings)

    assert look_at(empty, world.now).queries == ()
    assert reconcile(empty, world.now).desired == ()
