"""What people may ask for in a rollout, and what comes of it."""

from datetime import timedelta

import pytest

from serinus.api.conditions import format_time
from tests.support.deployment_world import Behaviour, World, serving_v1

pytestmark = pytest.mark.slow

STEPS = {
    "canary": {"steps": [{"setWeight": 20}, {"pause": {}}, {"setWeight": 50}, {"analyze": {}}]}
}


def paused() -> World:
    world = serving_v1(strategy=STEPS)
    world.serves_version("v2")
    world.runs(60, until="paused")
    return world


def outcome(world: World) -> str:
    return world.status["lastHandledRequest"]["outcome"]


def test_promote_ends_a_pause_and_goes_on_with_the_next_step() -> None:
    world = paused()

    world.says("promote")
    world.runs(1)

    assert outcome(world) == "done"
    assert world.canary["step"] == 2
    assert not world.canary["promoting"]


def test_promote_elsewhere_skips_the_evidence_but_not_the_capacity() -> None:
    world = serving_v1()
    world.serves_version("v2")
    world.runs(60, until="canary has traffic")

    world.says("promote")
    world.runs(1)
    promoting = world.canary["promoting"]
    world.runs(30, until="settled")

    assert promoting
    assert world.stable == "v2"
    assert "PromotedByUser" in world.reasons()
    assert (
        next(one for one in world.status["history"] if one["reason"] == "PromotedByUser")["actor"]
        == "ada"
    )
    assert world.unanswered == 0


def test_promote_is_refused_while_not_one_pod_is_ready() -> None:
    world = serving_v1()
    world.behaviours["v2"] = Behaviour(starts=False)
    world.serves_version("v2")
    world.runs(5)

    world.says("promote")
    world.runs(1)
    refused = world.status["lastHandledRequest"]
    world.behaviours["v2"] = Behaviour()
    world.runs(60, until="canary has traffic")
    world.says("promote")
    world.runs(30, until="settled")

    assert refused["outcome"] == "refused"
    assert "no pod of revision" in refused["message"]
    assert world.stable == "v2"


def test_promote_is_refused_while_the_spec_says_suspend() -> None:
    world = paused()
    world.applies(suspend=True)

    world.says("promote")
    world.runs(1)

    assert outcome(world) == "refused"
    assert "`spec.suspend` is true" in world.status["lastHandledRequest"]["message"]
    assert world.canary["step"] == 1


def test_a_promotion_that_waits_for_capacity_can_be_paused() -> None:
    world = serving_v1()
    world.behaviours["v2"] = Behaviour(start_seconds=30)
    world.serves_version("v2")
    world.runs(90, until="canary has traffic")
    world.says("promote")
    world.runs(2)

    world.says("pause")
    world.runs(120)
    held = (world.stable, world.canary["promoting"], world.phase, outcome(world))
    world.says("resume")
    world.runs(30, until="settled")

    assert held == ("v1", True, "Paused", "done")
    assert world.stable == "v2"
    assert world.unanswered == 0


def test_abort_goes_back_to_stable_and_rejects_until_retry() -> None:
    world = paused()
    revision = world.canary_revision

    world.says("abort", reason="the callers complain")
    world.runs(30)
    aborted = (world.canary, world.phase, world.reasons()[-1], outcome(world))
    world.says("retry", revision=revision)
    world.runs(60, until="paused")

    assert aborted == (None, "Degraded", "AbortedByUser", "done")
    assert world.canary_revision == revision
    assert world.status["rejectedRevisions"] == []


def test_pause_holds_the_rollout_and_resume_lets_it_go_on() -> None:
    world = serving_v1()
    world.serves_version("v2")
    world.runs(60, until="canary has traffic")

    world.says("pause")
    world.runs(200)
    held = (world.canary["pausedBy"], world.phase)
    world.says("resume")
    world.runs(900, until="settled")

    assert held == ("ada", "Paused")
    assert world.stable == "v2"


def test_a_paused_canary_that_harms_is_rolled_back() -> None:
    world = serving_v1()
    world.behaviours["v2"] = Behaviour(error_percent=40)
    world.serves_version("v2")
    world.runs(60, until="canary has traffic")

    world.says("pause")
    world.runs(120, until="rolled back")

    assert world.stable == "v1"


def test_a_request_is_carried_out_once() -> None:
    world = paused()
    world.says("promote", nonce="n-1")
    world.runs(30)
    world.behaviours["v2"] = Behaviour()
    steps = world.actions().count("step")

    world.dirty = True
    world.runs(5)

    assert world.actions().count("step") == steps
    assert world.status["lastHandledRequest"]["nonce"] == "n-1"


@pytest.mark.parametrize(
    ("verb", "changes", "why"),
    [
        ("abort", {"uid": "uid-of-the-one-before"}, "meant for another object"),
        ("abort", {"revision": "0000000000"}, "would have to name"),
        ("abort", {"revision": ""}, "names no revision"),
        ("approve", {}, "is none of"),
        ("abort", {"issuedAt": "yesterday"}, "no time"),
        ("retry", {}, "isn't rejected"),
        ("resume", {}, "no rollout is paused by a person"),
    ],
)
def test_what_doesn_t_fit_is_refused_with_the_reason(
    verb: str, changes: dict[str, str], why: str
) -> None:
    world = paused()

    world.says(verb, **changes)
    world.runs(3)

    assert outcome(world) == "refused"
    assert why in world.status["lastHandledRequest"]["message"]
    assert world.canary is not None
    assert world.canary["step"] == 1


def test_a_request_lasts_ten_minutes() -> None:
    world = paused()
    old = format_time(world.now - timedelta(minutes=11))

    world.says("abort", issuedAt=old)
    world.runs(3)

    assert outcome(world) == "refused"
    assert "10 minutes" in world.status["lastHandledRequest"]["message"]


@pytest.mark.parametrize("verb", ["promote", "abort", "pause"])
def test_without_a_rollout_there_is_nothing_to_do(verb: str) -> None:
    world = serving_v1()

    world.says(verb)
    world.runs(3)

    assert outcome(world) == "refused"
    assert world.actions() == ["start", "promote"]


@pytest.mark.parametrize("garbage", ["", "{", "[]", '"promote"', '{"verb": "abort"}', "null"])
def test_garbage_in_the_annotation_is_left_alone(garbage: str) -> None:
    world = paused()

    world.annotations["serinus.dev/request"] = garbage
    world.dirty = True
    world.runs(3)

    assert "lastHandledRequest" not in world.status
    assert world.canary["step"] == 1


@pytest.mark.parametrize("policy", [True, False])
def test_an_actor_is_verified_where_the_admission_policy_vouches(policy: bool) -> None:
    world = paused()
    world.vouched_since = world.now - timedelta(days=1) if policy else None

    world.says("promote")
    world.runs(1)

    handled = world.status["lastHandledRequest"]
    assert (handled["actor"], handled["actorVerified"]) == ("ada", policy)
