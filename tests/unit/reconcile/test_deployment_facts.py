"""What the cluster's objects say about workloads and the Service."""

from serinus.reconcile.deployment_facts import observed
from serinus.reconcile.snapshot import Children
from tests.support.deployment_world import NAME, NAMESPACE, UID, World, serving_v1


def seen(world: World, **changes: object) -> object:
    objects = dict(world.snapshot({}).children.objects)
    return observed(Children(objects, **changes), name=NAME, namespace=NAMESPACE, uid=UID)


def in_a_canary() -> World:
    world = serving_v1(strategy={"canary": {"steps": [{"setWeight": 20}, {"pause": {}}]}})
    world.serves_version("v2")
    return world


def test_a_workload_whose_controller_hasn_t_seen_its_spec_has_no_ready_pods_yet() -> None:
    world = serving_v1()
    body = world.workloads()[world.stable_revision]
    body["metadata"]["generation"] += 1

    assert seen(world).available(world.stable_revision) == 0


def test_the_two_forms_of_the_selector_are_told_apart() -> None:
    world = in_a_canary()
    pinned = seen(world).service
    world.runs(60, until="canary has traffic")
    world.runs(2)
    split = seen(world).service

    assert (pinned.pinned_to, pinned.split) == (world.stable_revision, False)
    assert (split.pinned_to, split.split) == (None, True)


def test_a_quota_that_keeps_pods_from_being_made_is_told() -> None:
    world = serving_v1()
    body = world.workloads()[world.stable_revision]
    failure = {"type": "ReplicaFailure", "status": "True", "message": "exceeded quota: team-a"}
    body["status"]["conditions"] = [failure]

    found = seen(world).first_problem(world.stable_revision)

    assert found is not None
    assert "exceeded quota: team-a" in found.message
