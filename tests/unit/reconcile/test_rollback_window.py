"""Whole ways back to what was stable lately: short, recorded, and never to what was rejected."""

import pytest

from serinus.reconcile.snapshot import TemplatesSeen
from tests.support.deployment_world import QUICK_ANALYSIS, Behaviour, World, serving_v1

pytestmark = pytest.mark.slow

NO_STEPS = {"canary": {"steps": []}}


def serving_v3(revisions: int, **spec: object) -> World:
    """`v1`, `v2` and `v3` were released one after the other, quickly."""
    world = serving_v1(strategy=NO_STEPS, rollbackWindow={"revisions": revisions}, **spec)
    for version in ("v2", "v3"):
        world.serves_version(version)
        world.runs(60, until="settled")
    world.applies(strategy={"canary": {"steps": [{"setWeight": 50}, {"pause": {}}]}})
    return world


@pytest.mark.parametrize(("revisions", "version"), [(1, "v2"), (2, "v1")])
def test_what_was_stable_within_the_window_takes_no_steps(revisions: int, version: str) -> None:
    world = serving_v3(revisions)
    before = len(world.status["history"])
    world.serves_version(version)
    world.runs(20, until="settled")

    assert world.stable == version
    told = world.status["history"][before:]
    assert [(one["action"], one["reason"]) for one in told] == [
        ("start", "WithinRollbackWindow"),
        ("promote", "WithinRollbackWindow"),
    ]


def test_a_metric_whose_template_is_gone_is_no_reason_to_stay() -> None:
    world = serving_v3(2)
    world.templates = TemplatesSeen()
    gone = {"name": "queue", "templateRef": {"name": "queue"}, "max": "1"}
    world.applies(analysis={**QUICK_ANALYSIS, "metrics": [gone]})
    world.serves_version("v4")
    world.runs(10)
    held = world.condition("Stalled")
    world.serves_version("v1")
    world.runs(30)

    assert held == ("True", "MetricTemplateUnusable")
    assert (world.stable, world.canary) == ("v1", None)


@pytest.mark.parametrize(
    "broken",
    [
        {"strategy": {**NO_STEPS, "hooks": [{"type": "confirm-promotion", "name": "board"}]}},
        {"strategy": {"canary": {"stepWeights": [20, 50], "maxWeight": 30}}},
        {"analysis": {**QUICK_ANALYSIS, "falseRollbackRate": "0"}},
    ],
    ids=["a hook that nobody declares any more", "steps above the cap", "a rate of nothing"],
)
def test_what_is_wrong_with_a_rollout_doesnt_close_the_way_back(broken: dict[str, object]) -> None:
    world = serving_v3(2)
    world.applies(**broken)
    world.serves_version("v4")
    world.runs(10)
    held = world.condition("Stalled")
    world.serves_version("v1")
    world.runs(30)

    assert held == ("True", "InvalidSpec")
    assert (world.stable, world.canary) == ("v1", None)


def test_abort_stops_the_way_back_and_rejects_nothing() -> None:
    world = serving_v3(2)
    world.behaviours["v1"] = Behaviour(start_seconds=20)
    world.serves_version("v1")
    world.runs(5)
    good = world.canary_revision
    world.says("abort")
    world.runs(60)
    stopped = (world.stable, world.canary_revision, world.phase)
    told = world.status["lastHandledRequest"]["message"]
    world.serves_version("v3")
    world.runs(30, until="settled")
    world.serves_version("v1")
    world.runs(60, until="settled")

    assert stopped == ("v3", good, "Paused")
    assert "isn't rejected. Ask for another revision in the spec" in told
    assert world.status["rejectedRevisions"] == []
    assert world.stable == "v1"


def test_what_was_stable_before_the_window_is_released_as_any_other() -> None:
    world = serving_v3(1)
    world.serves_version("v1")
    world.runs(60, until="paused")

    assert world.stable == "v3"
    assert world.condition("Reconciling") == ("True", "PausedByStep")


def test_without_a_window_every_way_back_has_its_steps() -> None:
    world = serving_v3(1)
    del world.spec["rollbackWindow"]
    world.serves_version("v2")
    world.runs(60, until="paused")

    assert world.stable == "v3"


def test_a_metrics_provider_that_is_away_doesn_t_hold_up_the_way_back() -> None:
    world = serving_v3(1)
    world.provider_away = True
    world.serves_version("v2")
    world.runs(20, until="settled")

    assert world.stable == "v2"


def test_what_was_rejected_since_stays_rejected() -> None:
    world = serving_v3(1)
    del world.spec["rollbackWindow"]
    world.behaviours["v2"] = Behaviour(error_percent=60)
    world.serves_version("v2")
    world.runs(300, until="rolled back")
    world.applies(rollbackWindow={"revisions": 2})
    world.runs(30)

    assert (world.stable, world.canary) == ("v3", None)
    assert [one["modelVersion"] for one in world.status["rejectedRevisions"]] == ["v2"]
    assert "`kubectl serinus retry`" in world.status["message"]


def test_back_and_forth_each_revision_is_a_candidate_once() -> None:
    world = serving_v3(2)
    for version in ("v2", "v3", "v2"):
        world.serves_version(version)
        world.runs(20, until="settled")

    former = [one["modelVersion"] for one in world.status["formerStable"]]
    assert (world.stable, former) == ("v2", ["v1", "v3"])


@pytest.mark.parametrize("writes", range(6))
def test_killed_at_any_write_it_is_back_all_the_same(writes: int) -> None:
    world = serving_v3(1)
    world.serves_version("v2")
    world.dies_after = writes
    world.runs(30, until="settled")

    assert world.stable == "v2"
    assert world.unanswered == 0


def test_nobody_loses_the_service_on_the_way_back() -> None:
    world = serving_v3(1)
    world.serves_version("v2")
    world.runs(20, until="settled")
    world.runs(10)

    assert world.unanswered == 0
    assert world.ready_pods(world.stable_revision) == 4
