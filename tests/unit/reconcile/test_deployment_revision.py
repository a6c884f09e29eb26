"""What serves is found by what the user chose, and never changes because of where it came from."""

from typing import Any

import pytest

from serinus.api.feedback import Feedback
from serinus.manifests.revision import parse_controller_revision
from serinus.reconcile.deployment_revision import server_of
from tests.support.deployment_world import Behaviour, World, a_world, model_version, serving_v1

pytestmark = pytest.mark.slow

PAUSED_AT_20 = {"canary": {"steps": [{"setWeight": 20}, {"pause": {}}]}}


def untouched(world: World) -> tuple[set[str], str | None]:
    return {pod.name for pod in world.pods}, world.stable


def test_deleting_the_model_version_changes_nothing_that_runs() -> None:
    world = serving_v1()
    before = untouched(world)

    del world.versions["v1"]
    world.dirty = True
    world.runs(60)

    assert untouched(world) == before
    assert world.condition("ModelResolved") == ("False", "ModelVersionNotFound")
    assert world.condition("Ready") == ("True", "Succeeded")


def test_applied_again_it_changes_nothing_either() -> None:
    world = serving_v1()
    before = untouched(world)
    del world.versions["v1"]
    world.dirty = True
    world.runs(10)

    world.versions["v1"] = model_version("v1")
    world.dirty = True
    world.runs(10)

    assert untouched(world) == before
    assert world.condition("ModelResolved") == ("True", "ModelResolved")
    assert world.actions() == ["start", "promote"]


def test_a_canary_whose_version_is_deleted_goes_on() -> None:
    world = serving_v1()
    world.serves_version("v2")
    world.runs(60, until="canary has traffic")

    del world.versions["v2"]
    world.dirty = True
    world.runs(900)

    assert world.stable == "v2"


def test_a_canary_whose_version_is_rejected_is_rolled_back() -> None:
    world = serving_v1()
    world.serves_version("v2")
    world.runs(60, until="canary has traffic")

    world.versions["v2"] = model_version("v2", phase="Rejected")
    world.dirty = True
    world.runs(5)

    assert world.stable == "v1"
    assert world.reasons()[-1] == "ModelVersionRejected"


def test_a_first_revision_whose_version_is_rejected_meanwhile_never_becomes_stable() -> None:
    world = a_world()
    world.behaviours["v1"] = Behaviour(start_seconds=10)
    world.runs(5)

    world.versions["v1"] = model_version("v1", phase="Rejected")
    world.dirty = True
    world.runs(30)
    ended = (world.stable, world.canary, len(world.pods), world.actions(), world.reasons()[-1])
    stalled = world.condition("Stalled")
    world.versions["v1"] = model_version("v1")
    world.dirty = True
    world.runs(30, until="settled")

    assert ended == (None, None, 0, ["start", "abort"], "ModelVersionRejected")
    assert stalled == ("True", "ModelVersionRejected")
    assert world.stable == "v1"


def test_a_rejected_version_is_never_served() -> None:
    world = serving_v1()

    world.versions["v2"] = model_version("v2", phase="Rejected")
    world.serves_version("v2")
    world.runs(60)

    assert world.stable == "v1"
    assert {pod.version for pod in world.pods} == {"v1"}
    assert world.condition("Stalled") == ("True", "ModelVersionRejected")


def test_a_version_that_doesn_t_exist_is_waited_for_by_name() -> None:
    world = serving_v1()

    world.applies(model={"versionRef": {"name": "v9"}})
    world.runs(10)
    waiting = (world.condition("Reconciling"), world.status["message"])
    world.versions["v9"] = model_version("v9")
    world.dirty = True
    world.runs(900, until="settled")

    assert waiting[0] == ("True", "WaitingForModelVersion")
    assert "`v9`" in waiting[1]
    assert world.stable == "v9"


def test_a_canary_isn_t_promoted_while_the_spec_asks_for_another_that_is_missing() -> None:
    world = serving_v1()
    world.serves_version("v2")
    world.runs(60, until="canary has traffic")

    world.applies(model={"versionRef": {"name": "v9"}})
    world.runs(200)
    held = (world.stable, world.canary["modelVersion"])
    world.versions["v9"] = model_version("v9")
    world.dirty = True
    world.runs(900, until="settled")

    assert held == ("v1", "v2")
    assert world.stable == "v9"


def test_moving_an_alias_releases_without_a_change_of_the_deployment() -> None:
    world = serving_v1()
    world.versions["v1"] = model_version("v1", aliases=["champion"])
    world.applies(model={"channel": {"modelName": "delay", "alias": "champion"}})
    world.runs(20, until="settled")
    generation = world.generation

    world.versions["v1"] = model_version("v1")
    world.versions["v2"] = model_version("v2", aliases=["champion"])
    world.dirty = True
    world.runs(900, until="settled")

    assert world.stable == "v2"
    assert world.generation == generation


def test_an_alias_on_two_versions_keeps_what_serves_and_stalls() -> None:
    world = serving_v1()
    world.versions |= {name: model_version(name, aliases=["champion"]) for name in ("v1", "v2")}

    world.applies(model={"channel": {"modelName": "delay", "alias": "champion"}})
    world.runs(60)

    assert world.stable == "v1"
    assert world.condition("Stalled") == ("True", "AliasConflict")


def test_a_channel_that_becomes_empty_keeps_stable() -> None:
    world = serving_v1()
    world.applies(model={"channel": {"modelName": "delay", "latestApproved": True}})
    world.runs(20, until="settled")
    before = untouched(world)

    world.versions.clear()
    world.dirty = True
    world.runs(60)

    assert untouched(world) == before
    assert world.condition("ModelResolved") == ("False", "ChannelEmpty")
    assert world.condition("Ready") == ("True", "Succeeded")


def by_channel(**channel: Any) -> World:
    """`v1` is stable and the channel leads to it; `v2` is there and isn't asked for yet."""
    world = serving_v1(strategy=PAUSED_AT_20)
    world.versions["v1"] = model_version("v1", aliases=["champion"])
    world.applies(model={"channel": {"modelName": "delay"} | channel})
    world.runs(20, until="settled")
    return world


def canary_by_alias() -> World:
    world = by_channel(alias="champion")
    world.versions |= {"v1": model_version("v1"), "v2": model_version("v2", aliases=["champion"])}
    world.dirty = True
    world.runs(60, until="paused")
    return world


UNCLEAR = {
    "a second version bears the alias": (
        {"v3": model_version("v3", aliases=["champion"])},
        "AliasConflict",
    ),
    "the alias moved to a version that isn't ready": (
        {
            "v2": model_version("v2"),
            "v3": model_version("v3", aliases=["champion"], phase="Verifying"),
        },
        "WaitingForModelVersion",
    ),
    "nobody bears the alias any more": ({"v2": model_version("v2")}, "ChannelEmpty"),
    "its own version is verified again": (
        {"v2": model_version("v2", aliases=["champion"], phase="Verifying")},
        "WaitingForModelVersion",
    ),
}


@pytest.mark.parametrize(("change", "why"), UNCLEAR.values(), ids=UNCLEAR)
def test_a_canary_stays_where_it_is_while_nobody_knows_whether_it_is_asked_for(
    change: dict[str, Any], why: str
) -> None:
    world = canary_by_alias()
    before = dict(world.versions)

    world.versions |= change
    world.dirty = True
    world.runs(5)
    world.says("resume")
    world.runs(100)
    held = (world.stable, world.canary["modelVersion"], world.canary["step"])
    resolved = world.condition("ModelResolved")
    world.versions = before
    world.dirty = True
    world.runs(5)
    world.says("promote")
    world.runs(60, until="settled")

    assert held == ("v1", "v2", 1)
    assert resolved == ("False", why)
    assert world.stable == "v2"


def test_deleting_the_newest_version_sends_nobody_back_to_an_older_one() -> None:
    world = by_channel(latestApproved=True)
    world.versions["v2"] = model_version("v2", created="2030-01-01T00:00:00Z")
    world.dirty = True
    world.runs(60, until="paused")
    world.says("promote")
    world.runs(60, until="settled")
    world.runs(10)
    before = untouched(world)

    del world.versions["v2"]
    world.dirty = True
    world.runs(60)
    left = (untouched(world), world.condition("ModelResolved"), world.phase)
    world.versions["v3"] = model_version("v3", created="2030-01-02T00:00:00Z")
    world.dirty = True
    world.runs(60, until="paused")

    assert left == (before, ("False", "ModelVersionNotFound"), "Healthy")
    assert world.canary["modelVersion"] == "v3"


@pytest.mark.parametrize("reference", ["versionRef", "alias", "latestApproved"])
def test_a_canary_whose_version_is_deleted_is_asked_for_all_the_same(reference: str) -> None:
    world = by_channel(latestApproved=True) if reference == "latestApproved" else canary_by_alias()
    if reference == "latestApproved":
        world.versions["v2"] = model_version("v2", created="2030-01-01T00:00:00Z")
    if reference == "versionRef":
        world.applies(model={"versionRef": {"name": "v2"}})
    world.dirty = True
    world.runs(60, until="paused")

    del world.versions["v2"]
    world.dirty = True
    world.runs(5)
    world.says("promote")
    world.runs(60, until="settled")

    assert world.stable == "v2"
    assert "abort" not in world.actions()


def test_back_at_stable_whose_version_was_deleted_the_canary_goes() -> None:
    world = serving_v1(strategy=PAUSED_AT_20)
    world.serves_version("v2")
    world.runs(60, until="paused")

    del world.versions["v1"]
    world.applies(model={"versionRef": {"name": "v1"}})
    world.runs(20, until="settled")

    assert (world.stable, world.reasons()[-1]) == ("v1", "BackToStable")
    assert world.condition("Promoted") == ("True", "Promoted")


def test_a_change_that_would_need_a_deleted_version_is_told_as_not_done() -> None:
    world = serving_v1()
    before = untouched(world)

    del world.versions["v1"]
    world.applies(server={"runtimeVersion": "2"})
    world.runs(30)

    assert untouched(world) == before
    assert world.condition("Reconciling") == ("True", "WaitingForModelVersion")
    assert "no other revision of it can be made" in world.status["message"]


def test_a_first_revision_whose_version_is_verified_again_isn_t_stable_before_it_is_ready() -> None:
    world = a_world()
    world.behaviours["v1"] = Behaviour(start_seconds=10)
    world.runs(5)

    world.versions["v1"] = model_version("v1", phase="Verifying")
    world.dirty = True
    world.runs(30)
    held = (world.stable, world.phase, world.ready_pods(world.canary_revision))
    world.versions["v1"] = model_version("v1")
    world.dirty = True
    world.runs(10, until="settled")

    assert held == (None, "Paused", 4)
    assert world.stable == "v1"


@pytest.mark.parametrize("applied", ["before", "after"])
def test_whichever_comes_first_deployment_or_model_the_end_is_the_same(applied: str) -> None:
    world = serving_v1()
    world.objects.clear()
    world.pods.clear()
    world.status = {}
    if applied == "after":
        world.versions.clear()
        world.dirty = True
        world.runs(20)
        waiting = world.condition("Reconciling")
        world.versions["v1"] = model_version("v1")

        assert waiting == ("True", "WaitingForModelVersion")
    world.dirty = True
    world.runs(30, until="settled")

    assert world.stable == "v1"


def test_the_server_block_of_a_revision_is_the_one_it_was_born_with() -> None:
    world = serving_v1(server={"feedback": {"cohortLength": "2s"}})
    (body,) = [body for ref, body in world.objects.items() if ref.kind == "ControllerRevision"]
    record = parse_controller_revision(body)

    world.applies(server={"feedback": {"cohortLength": "9s"}})

    assert record is not None
    assert server_of(record).feedback == Feedback(cohort_length="2s")
