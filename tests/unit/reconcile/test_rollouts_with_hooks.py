"""Whole rollouts about which somebody outside is asked."""

import pytest

from serinus.api.hooks import HookAnswer
from tests.support import prometheus_faults as faults
from tests.support.deployment_world import Behaviour, World, serving_v1

pytestmark = pytest.mark.slow

YES, NO, NOTHING = HookAnswer
CONFIRM = {"type": "confirm-promotion", "name": "board"}
ROLLBACK = {"type": "rollback", "name": "desk"}


def releasing(*hooks: dict[str, str], error_percent: int = 0, **says: HookAnswer) -> World:
    strategy = {"canary": {"stepWeights": [50]}, "hooks": [*hooks]}
    world = serving_v1()
    world.hooks = {"board": NO, "desk": NO} | says
    world.applies(strategy=strategy)
    world.behaviours["v2"] = Behaviour(error_percent=error_percent)
    world.serves_version("v2")
    return world


def hooks_told(world: World) -> dict[str, str | None]:
    return {one["name"]: one.get("answer") for one in (world.canary or {}).get("hooks", ())}


def last(world: World, action: str) -> dict[str, str]:
    return next(one for one in reversed(world.status["history"]) if one["action"] == action)


def test_a_yes_ends_the_wait_and_stands_in_the_record() -> None:
    world = releasing(CONFIRM, board=YES)
    world.runs(300, until="settled")
    told = last(world, "promote")

    assert world.stable == "v2"
    assert (told["reason"], told["actor"]) == ("Promoted", "hook/board")
    assert "hook `board` says yes since 2023-" in told["because"]
    assert "hold" not in world.actions()
    recorded = [one for _, one in world.recorded() if one["action"] == "promote"]
    assert recorded[-1]["actor"] == "hook/board"


@pytest.mark.parametrize("answer", [NO, NOTHING])
def test_anything_else_waits_and_says_for_whom_and_since_when(answer: HookAnswer) -> None:
    world = releasing(CONFIRM, board=answer)
    world.runs(300, until="paused")
    world.runs(120)

    assert (world.stable, world.canary_revision is not None) == ("v1", True)
    assert hooks_told(world) == {"board": answer.value}
    assert "may be promoted and waits for a yes: hook `board` " in world.status["message"]
    assert world.condition("Promoted") == ("False", "WaitingForConfirmation")
    assert world.reasons().count("WaitingForConfirmation") == 1

    world.hooks["board"] = YES
    world.runs(60, until="settled")
    assert world.stable == "v2"


def test_nobody_is_asked_before_everything_else_allows_it() -> None:
    world = releasing(CONFIRM, board=YES)
    world.applies(suspend=True)
    world.runs(200)

    assert world.hooks_asked == set()


def test_a_yes_from_before_something_else_held_is_void() -> None:
    world = releasing(CONFIRM, board=NO)
    world.runs(300, until="paused")
    first = {one.asked_since for one in world.hooks_asked}
    world.provider_fails(faults.AWAY)
    world.runs(30)
    held = hooks_told(world)
    world.provider_fails(faults.NONE)
    world.runs(60)
    second = {one.asked_since for one in world.hooks_asked} - first

    assert held == {}
    assert (len(first), len(second)) == (1, 1)
    assert hooks_told(world) == {"board": "no"}


def test_a_yes_to_one_version_is_none_to_the_next() -> None:
    world = releasing(CONFIRM, board=YES)
    world.runs(300, until="settled")
    world.hooks["board"] = NO
    asked = {*world.hooks_asked}
    world.serves_version("v3")
    world.runs(300, until="paused")

    assert world.stable == "v2"
    assert {one.revision for one in world.hooks_asked - asked} == {world.canary_revision}


def test_harm_rolls_back_while_the_hook_is_asked() -> None:
    world = releasing(CONFIRM, board=NO)
    world.runs(300, until="paused")
    world.behaviours["v2"] = Behaviour(error_percent=60)
    world.runs(600, until="rolled back")

    assert (world.stable, world.reasons()[-1]) == ("v1", "EvidenceOfHarm")


def test_a_person_doesn_t_wait_for_a_hook() -> None:
    world = releasing(CONFIRM, board=NOTHING)
    world.runs(300, until="paused")
    world.says("promote")
    world.runs(60, until="settled")

    assert (world.stable, last(world, "promote")["actor"]) == ("v2", "ada")


def test_a_hook_that_is_declared_no_more_holds() -> None:
    world = releasing(CONFIRM, board=NO)
    world.runs(300, until="paused")
    del world.hooks["board"]
    world.dirty = True
    world.runs(60)

    assert (world.stable, hooks_told(world)) == ("v1", {"board": "nothing"})


def test_a_name_that_nobody_declared_stalls_and_what_serves_goes_on() -> None:
    world = releasing({"type": "rollback", "name": "dest"})
    world.runs(30)

    assert world.condition("Stalled") == ("True", "InvalidSpec")
    assert "spec.strategy.hooks[0].name: no hook `dest`" in world.status["message"]
    assert (world.stable, len(world.selected_pods()), world.canary) == ("v1", 4, None)


def test_a_rollback_hook_s_yes_rolls_back_and_nothing_else_does_anything() -> None:
    world = releasing(ROLLBACK, CONFIRM, desk=NO)
    world.runs(300, until="paused")
    world.hooks["desk"] = NOTHING
    world.runs(20)
    goes_on = world.canary_revision
    world.hooks["desk"] = YES
    world.runs(5, until="rolled back")
    told = last(world, "rollback")

    assert goes_on is not None
    assert world.stable == "v1"
    assert (told["reason"], told["actor"]) == ("RolledBackByHook", "hook/desk")
    assert world.condition("Stalled") == ("True", "RolledBackByHook")


def test_the_way_back_within_the_window_asks_nobody() -> None:
    """Who calls releases off during an incident doesn't take away what ends it."""
    world = releasing(CONFIRM, ROLLBACK, board=YES)
    world.applies(rollbackWindow={"revisions": 2})
    world.runs(300, until="settled")
    world.hooks = {"board": NO, "desk": YES}
    world.hooks_asked.clear()
    world.serves_version("v1")
    world.behaviours["v1"] = Behaviour(start_seconds=20)
    world.runs(60, until="settled")

    assert world.stable == "v1"
    assert world.hooks_asked == set()
    assert world.status.get("rejectedRevisions", []) == []


def test_a_rollback_hook_is_heard_while_the_metrics_provider_hangs() -> None:
    world = releasing(ROLLBACK, desk=NO)
    world.runs(100, until="canary has traffic")
    world.provider_fails(faults.HANGING)
    world.hooks["desk"] = YES
    world.runs(5, until="rolled back")

    assert world.reasons()[-1] == "RolledBackByHook"


@pytest.mark.parametrize("writes", range(8))
def test_killed_anywhere_it_asks_again_and_ends_the_same(writes: int) -> None:
    world = releasing(CONFIRM, ROLLBACK, board=YES)
    world.runs(100, until="canary has traffic")
    world.dies_after = writes
    world.runs(300, until="settled")

    assert world.deaths == 1
    assert world.stable == "v2"
    assert [one for one in world.actions() if one == "promote"] == ["promote"] * 2


def test_it_is_asked_of_a_switch_too() -> None:
    world = releasing(CONFIRM, board=NO)
    world.applies(strategy={"blueGreen": {}, "hooks": [CONFIRM]})
    world.runs(300, until="paused")
    selected = {pod.version for pod in world.selected_pods()}
    world.hooks["board"] = YES
    world.runs(120, until="settled")

    assert (selected, world.stable) == ({"v1"}, "v2")


def test_no_answer_costs_writes_only_once() -> None:
    world = releasing(CONFIRM, board=NOTHING)
    world.applies(analysis={"metrics": []})
    world.runs(300, until="paused")
    world.runs(20)
    before = len(world.writes)
    world.runs(200)

    assert len(world.writes) == before
