"""Whole rollouts in which evidence is trusted less: it observes, or leaves it to a person."""

import pytest

from tests.support.deployment_world import QUICK_ANALYSIS, Behaviour, World, serving_v1

pytestmark = pytest.mark.slow


def releasing(mode: str, *, error_percent: int = 40) -> World:
    world = serving_v1(analysis={**QUICK_ANALYSIS, "mode": mode})
    world.behaviours["v2"] = Behaviour(error_percent=error_percent)
    world.serves_version("v2")
    return world


def harm_is_shown(world: World) -> World:
    world.runs(200, until="paused")
    return world


def test_where_a_person_decides_the_canary_loses_its_requests_and_keeps_its_pods() -> None:
    world = harm_is_shown(releasing("pause"))
    canary = world.canary_revision
    world.runs(30)

    assert {pod.revision for pod in world.selected_pods()} == {world.stable_revision}
    assert world.ready_pods(canary) > 0
    assert world.status.get("rejectedRevisions", []) == []
    assert world.actions()[-2:] == ["withdraw", "hold"]
    assert world.reasons()[-2:] == ["EvidenceOfHarm", "PausedByEvidence"]
    assert world.canary is not None
    assert world.canary["actualWeight"] == 0
    assert "`kubectl serinus resume` gives it requests again" in world.status["message"]
    assert (world.phase, world.stable) == ("Paused", "v1")


def test_days_later_it_still_waits_and_is_told_once_a_day() -> None:
    world = harm_is_shown(releasing("pause"))
    holds = world.reasons().count("PausedByEvidence")
    told = len(world.events)
    world.second += 2 * 86_400
    world.dirty = True
    world.runs(30)

    assert world.phase == "Paused"
    assert world.reasons().count("PausedByEvidence") == holds
    assert [reason for _, reason, _ in world.events[told:]] == ["PausedByEvidence"]


def test_abort_rejects_it() -> None:
    world = harm_is_shown(releasing("pause"))
    world.says("abort")
    world.runs(20)

    assert (world.canary, world.stable) == (None, "v1")
    assert [one["reason"] for one in world.status["rejectedRevisions"]] == ["AbortedByUser"]


def test_promote_makes_it_stable_against_the_evidence() -> None:
    world = harm_is_shown(releasing("pause"))
    world.says("promote")
    world.runs(30, until="settled")

    assert world.stable == "v2"
    assert "PromotedByUser" in world.reasons()


def test_resume_judges_it_anew_from_its_next_request_on() -> None:
    world = harm_is_shown(releasing("pause"))
    world.behaviours["v2"] = Behaviour()
    world.says("resume")
    world.runs(400, until="settled")

    assert world.stable == "v2"
    assert world.status["rejectedRevisions"] == []


def test_after_a_resume_the_share_that_it_got_is_counted_anew_too() -> None:
    steps = [{"setWeight": 20}, {"pause": {"duration": "60s"}}, {"setWeight": 50}, {"pause": {}}]
    world = serving_v1(
        analysis={**QUICK_ANALYSIS, "mode": "pause"}, strategy={"canary": {"steps": steps}}
    )
    world.serves_version("v2")
    world.runs(200, until="paused")
    world.behaviours["v2"] = Behaviour(error_percent=50)
    world.runs(60)
    assert "withdraw" in world.actions()
    world.behaviours["v2"] = Behaviour()
    world.says("resume")

    world.runs(40)

    assert float(world.canary["servedWeight"]) == pytest.approx(50, abs=6)


def test_resume_of_what_still_harms_takes_its_requests_away_again() -> None:
    world = harm_is_shown(releasing("pause"))
    world.says("resume")
    world.runs(30, until="canary has traffic")
    world.runs(200, until="paused")

    assert world.actions().count("withdraw") == 2
    assert world.stable == "v1"


def test_a_pause_of_a_canary_without_requests_is_refused() -> None:
    world = harm_is_shown(releasing("pause"))
    world.says("pause")
    world.runs(5)

    assert world.status["lastHandledRequest"]["outcome"] == "refused"


def test_a_canary_that_waits_for_a_person_is_superseded_as_any_other() -> None:
    world = harm_is_shown(releasing("pause"))
    world.serves_version("v3")
    world.runs(600, until="settled")

    assert world.stable == "v3"


@pytest.mark.parametrize("writes", range(1, 8))
def test_killed_at_any_write_the_requests_are_taken_away_all_the_same(writes: int) -> None:
    world = releasing("pause")
    world.runs(30, until="canary has traffic")
    world.dies_after = writes
    world.runs(200, until="paused")
    world.runs(10)

    assert {pod.revision for pod in world.selected_pods()} == {world.stable_revision}
    assert world.actions().count("withdraw") == 1


def test_what_is_only_observed_is_told_once_and_promoted_by_readiness_and_time() -> None:
    world = releasing("observe")
    world.behaviours["v2"] = Behaviour(error_percent=40)
    world.applies(
        strategy={"canary": {"steps": [{"setWeight": 50}, {"analyze": {"minDuration": "2m"}}]}}
    )
    world.runs(90)
    message = world.status["message"]
    world.runs(200, until="settled")

    assert world.stable == "v2"
    assert world.actions().count("observe") == 1
    assert "`analysis.mode` is observe; it would have been rolled back: " in message
    assert [one["verdict"] for one in world.status["analysis"]] == ["Failed"]
    promoted = [one for one in world.status["history"] if one["action"] == "promote"][-1]
    assert promoted["reason"] == "PromotedWithoutEvidence"
    assert "`analysis.mode` is observe" in promoted["because"]


def test_what_only_observes_doesn_t_wait_for_prometheus() -> None:
    world = serving_v1(analysis={**QUICK_ANALYSIS, "mode": "observe"})
    world.provider_away = True
    world.serves_version("v2")
    world.runs(100, until="settled")

    assert world.stable == "v2"


@pytest.mark.parametrize("mode", ["pause", "auto", "observe"])
def test_a_healthy_version_is_promoted_in_every_mode(mode: str) -> None:
    world = releasing(mode, error_percent=0)
    world.runs(400, until="settled")

    assert world.stable == "v2"
    assert "withdraw" not in world.actions()
