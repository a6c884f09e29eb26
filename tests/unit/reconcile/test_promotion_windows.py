"""Whole rollouts that may be promoted at some hours only. The world begins at 22:13:20 UTC."""

import pytest

from tests.support.deployment_world import Behaviour, World, serving_v1

pytestmark = pytest.mark.slow


def releasing(*, start: str, end: str = "23:59", error_percent: int = 0) -> World:
    strategy = {
        "canary": {"stepWeights": [50]},
        "promotionWindows": [{"start": start, "end": end}],
    }
    world = serving_v1(strategy=strategy)
    world.behaviours["v2"] = Behaviour(error_percent=error_percent)
    world.serves_version("v2")
    return world


def test_what_is_shown_before_the_hour_waits_for_it_and_then_needs_nobody() -> None:
    world = releasing(start="22:25")
    world.runs(200, until="paused")
    message = world.status["message"]
    world.runs(60)
    waits = (world.stable, world.reasons().count("OutsidePromotionWindow"))
    world.runs(800, until="settled")

    assert "it waits until 2023-11-14T22:25:00Z, when a promotion window opens" in message
    assert waits == ("v1", 1)
    assert world.stable == "v2"
    assert world.second >= 700


def test_a_person_s_word_doesn_t_wait() -> None:
    world = releasing(start="22:25")
    world.runs(200, until="paused")
    world.says("promote")
    world.runs(60, until="settled")

    assert (world.stable, world.second < 700) == ("v2", True)


def test_a_rollback_is_never_held_up() -> None:
    world = releasing(start="22:25", error_percent=40)
    world.runs(200, until="rolled back")

    assert world.stable == "v1"


def test_harm_that_shows_while_it_waits_rolls_back() -> None:
    world = releasing(start="22:59")
    world.runs(200, until="paused")
    world.behaviours["v2"] = Behaviour(error_percent=60)
    world.runs(600, until="rolled back")

    assert world.stable == "v1"


def test_in_an_open_window_nothing_waits() -> None:
    world = releasing(start="22:00")
    world.runs(300, until="settled")

    assert "OutsidePromotionWindow" not in world.reasons()
    assert world.stable == "v2"


def test_a_zone_that_nobody_knows_stalls_and_what_serves_goes_on() -> None:
    world = serving_v1()
    windows = [{"timeZone": "Europe/Atlantis"}]
    world.applies(strategy={"canary": {"steps": []}, "promotionWindows": windows})
    world.serves_version("v2")
    world.runs(10)

    assert world.condition("Stalled") == ("True", "InvalidSpec")
    assert "promotionWindows[0].timeZone: `Europe/Atlantis`" in world.status["message"]
    assert (world.stable, len(world.selected_pods())) == ("v1", 4)
