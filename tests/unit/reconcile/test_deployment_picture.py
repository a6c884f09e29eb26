"""A status that was lost, a spec that can't be read: nothing that runs is harmed."""

from typing import Any

from serinus.reconcile.deployment import queries, reconcile
from tests.support.deployment_world import World, serving_v1


def without_status(world: World) -> World:
    """The object restored from a backup that has no status."""
    world.status = {}
    world.dirty = True
    return world


def test_a_lost_status_finds_stable_again_and_starts_nothing() -> None:
    world = serving_v1()
    pods = {pod.name for pod in world.pods}

    without_status(world).runs(20, until="settled")

    assert world.stable == "v1"
    assert {pod.name for pod in world.pods} == pods
    assert world.status.get("history", []) == []


def test_lost_in_a_canary_the_status_finds_the_promoted_one_and_releases_the_other_again() -> None:
    world = serving_v1(strategy={"canary": {"steps": [{"setWeight": 50}, {"pause": {}}]}})
    stable = world.stable_revision
    world.serves_version("v2")
    world.runs(60, until="paused")

    without_status(world).runs(60, until="paused")

    assert world.stable_revision == stable
    assert world.canary["modelVersion"] == "v2"
    assert world.unanswered == 0


def test_lost_while_everything_is_scaled_to_zero_stable_is_known() -> None:
    world = serving_v1()
    world.applies(replicas=0)
    world.runs(10)

    without_status(world).runs(10)

    assert world.stable == "v1"


def test_lost_together_with_the_service_the_revision_with_ready_pods_is_stable() -> None:
    world = serving_v1()
    world.objects = {ref: body for ref, body in world.objects.items() if ref.kind != "Service"}

    without_status(world).runs(20, until="settled")

    assert world.stable == "v1"
    assert world.service is not None


def test_an_unreadable_status_counts_as_lost() -> None:
    world = serving_v1()
    world.status = {"stable": "flights", "canary": 7}
    world.dirty = True

    world.runs(20, until="settled")

    assert world.stable == "v1"


def test_a_moment_that_is_none_makes_the_status_lost_and_nothing_raises() -> None:
    world = serving_v1(strategy={"canary": {"steps": [{"setWeight": 50}, {"pause": {}}]}})
    world.serves_version("v2")
    world.runs(60, until="paused")
    world.status["canary"]["stepStartedAt"] = "yesterday"
    world.dirty = True

    world.runs(60, until="paused")

    assert world.stable == "v1"


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


def test_an_object_without_anything_is_no_reason_to_raise() -> None:
    world = serving_v1()
    snapshot = world.snapshot({})
    empty = type(snapshot)(resource={"metadata": {}}, settings=world.settings)

    assert queries(empty, world.now) == ()
    assert reconcile(empty, world.now).desired == ()
