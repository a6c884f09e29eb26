"""Whose pods get requests: neither a label nor a name is enough."""

from serinus.api.conditions import format_time
from serinus.reconcile.decision import ObjectRef
from serinus.reconcile.deployment_facts import observed
from serinus.reconcile.snapshot import Children
from tests.support.deployment_world import NAME, NAMESPACE, UID, Pod, World, serving_v1


def in_a_canary() -> World:
    world = serving_v1(strategy={"canary": {"steps": [{"setWeight": 20}, {"pause": {}}]}})
    world.serves_version("v2")
    return world


def test_a_pod_that_somebody_else_labelled_keeps_the_service_pinned() -> None:
    world = in_a_canary()
    stable = world.stable_revision
    world.pods.append(Pod("intruder", "feedc0ffee", "v1", world.second))
    world.pods[-1].leaves_at = 10**9

    world.runs(60)

    assert {pod.revision for pod in world.selected_pods()} == {stable}
    assert "intruder" in world.status["message"]


def with_pods_like(world: World, number: int, **reference: str) -> list[str]:
    """Strangers among the pods of stable, when `number` more of them name another controller."""
    objects = dict(world.snapshot({}).children.objects)
    for place in range(number):
        body = world._pod_body(world.pods[0])
        body["metadata"]["name"] = f"copy-{place}"
        body["metadata"]["ownerReferences"][0] |= reference
        objects[ObjectRef("v1", "Pod", NAMESPACE, f"copy-{place}")] = body
    facts = observed(Children(objects), name=NAME, namespace=NAMESPACE, uid=UID)
    return [pod.name for pod in facts.strangers(world.stable_revision)]


def test_the_pods_of_our_workload_are_no_strangers() -> None:
    assert with_pods_like(serving_v1(), 0) == []


def test_a_pod_with_our_labels_that_another_replica_set_made_is_a_stranger() -> None:
    assert with_pods_like(serving_v1(), 1, name="somebody-else") == ["copy-0"]


def test_a_pod_that_claims_the_name_of_our_replica_set_is_told_by_its_uid() -> None:
    assert with_pods_like(serving_v1(), 3, uid="of-somebody-else") == ["copy-0", "copy-1", "copy-2"]


def test_where_pods_disagree_about_their_replica_set_none_is_trusted() -> None:
    world = serving_v1(replicas=2)

    assert len(with_pods_like(world, 2, uid="of-somebody-else")) == 4


def ready_at(**status: object) -> str:
    """Since when a pod of this status is taken for ready, within the minute of its start."""
    world = serving_v1(replicas=1)
    body = world._pod_body(world.pods[0])
    body["status"] = {"startTime": "2024-05-06T12:00:00Z", **status}
    ref = ObjectRef("v1", "Pod", NAMESPACE, world.pods[0].name)
    children = Children({**world.snapshot({}).children.objects, ref: body})
    (pod,) = observed(children, name=NAME, namespace=NAMESPACE, uid=UID).pods
    assert pod.ready_at is not None
    return format_time(pod.ready_at)[-4:]


def test_how_old_a_pod_is_counts_from_when_it_became_ready() -> None:
    became = {"type": "Ready", "lastTransitionTime": "2024-05-06T12:00:40Z"}

    assert ready_at(conditions=[{**became, "status": "True"}]) == ":40Z"
    assert ready_at(conditions=[{**became, "status": "False"}]) == ":00Z"
    assert ready_at() == ":00Z"
