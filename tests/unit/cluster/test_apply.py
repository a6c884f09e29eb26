"""What becomes of a Decision, told by the state of the cluster."""

import asyncio
import base64
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from serinus.cluster.apply import EVIDENCE_BURST
from serinus.cluster.errors import (
    Forbidden,
    Invalid,
    KubeError,
    NamespaceTerminating,
    Transient,
)
from serinus.cluster.store import uid_of
from serinus.cluster.worker import PassResult
from serinus.reconcile.decision import (
    ApplyPolicy,
    Decision,
    DesiredObject,
    Event,
    EventType,
    JsonObject,
    ObjectRef,
    Ownership,
    PrunedObject,
)
from tests.support.clock import run_in_virtual_time
from tests.support.fake_kube import Fault
from tests.support.shell_world import KEY, NAMESPACE, SERVICE, World, owner, service

Play = Callable[[World], Awaitable[None]]


def play(scenario: Play, decide: Any = None) -> None:
    async def run() -> None:
        await scenario(World(decide) if decide else World())

    run_in_virtual_time(run())


def deciding(decision: Decision) -> Any:
    """A reconciler that always decides the same."""
    return lambda _world, _resource, _taken, _now: decision


def test_status_is_written_before_what_it_intends() -> None:
    async def scenario(world: World) -> None:
        world.kube.put(owner())
        await world.settle()

        operations = [(one.operation, one.ref.kind) for one in world.kube.writes]
        assert operations[:2] == [("replace", "Deployment"), ("create", "Service")]

    play(scenario)


def test_a_child_bears_its_owners_uid() -> None:
    async def scenario(world: World) -> None:
        made = world.kube.put(owner())
        await world.settle()

        reference = world.kube.objects[SERVICE]["metadata"]["ownerReferences"][0]
        assert reference["uid"] == made["metadata"]["uid"]
        assert reference["controller"]

    play(scenario)


def test_a_second_pass_writes_nothing() -> None:
    async def scenario(world: World) -> None:
        world.kube.put(owner())
        await world.settle()

        assert await world.full_pass() == []
        assert await world.full_pass() == []

    play(scenario)


def test_a_restarted_process_writes_nothing() -> None:
    async def scenario(world: World) -> None:
        world.kube.put(owner())
        await world.settle()
        world = world.restarted()
        await world.settle()

        assert await world.full_pass() == []
        assert [one for one in world.kube.requests if one.operation == "create"] == []

    play(scenario)


def test_a_selector_is_replaced_as_a_whole() -> None:
    async def scenario(world: World) -> None:
        world.kube.put(owner(selector={"app": "delay", "revision": "1"}))
        await world.settle()
        world.kube.put(owner(selector={"app": "delay"}))
        await world.settle()

        assert world.kube.objects[SERVICE]["spec"]["selector"] == {"app": "delay"}

    play(scenario)


def test_a_child_that_somebody_changed_is_set_right() -> None:
    async def scenario(world: World) -> None:
        world.kube.put(owner())
        await world.settle()
        changed = dict(world.kube.objects[SERVICE])
        world.kube.put({**changed, "spec": {**changed["spec"], "selector": {"app": "other"}}})
        await world.settle()

        assert world.kube.objects[SERVICE]["spec"]["selector"] == {"app": "delay"}

    play(scenario)


def test_a_child_that_somebody_deleted_is_made_again() -> None:
    async def scenario(world: World) -> None:
        world.kube.put(owner())
        await world.settle()
        world.kube.remove(SERVICE)
        await world.settle()

        assert SERVICE in world.kube.objects

    play(scenario)


def test_a_child_whose_labels_were_taken_away_gets_them_back() -> None:
    async def scenario(world: World) -> None:
        world.kube.put(owner())
        await world.settle()
        body = world.kube.objects[SERVICE]
        bare = {**body["metadata"], "labels": {}}
        world.kube.watching = False
        changed = world.kube.put({**body, "metadata": bare})
        world.feed.forget(SERVICE, uid_of(changed))  # what the watch says of one that left it
        world.kube.watching = True
        await world.settle()

        assert world.kube.objects[SERVICE]["metadata"]["labels"]
        assert await world.full_pass() == []

    play(scenario)


def test_a_foreign_object_in_the_way_is_left_alone_and_told() -> None:
    async def scenario(world: World) -> None:
        foreign = service(app="somebody else's")
        del foreign["metadata"]["labels"]
        before = dict(world.kube.put(foreign))
        world.kube.put(owner())
        await world.settle()

        assert world.kube.objects[SERVICE] == before
        assert world.status()["message"] == "name conflict"
        assert await world.full_pass() == []

    play(scenario)


def test_one_with_our_labels_and_another_owner_is_foreign_too() -> None:
    async def scenario(world: World) -> None:
        before = dict(world.kube.put(service(app="of a deleted owner")))
        world.kube.put(owner())
        await world.settle()

        assert world.kube.objects[SERVICE] == before
        assert world.status()["message"] == "name conflict"

    play(scenario)


def test_a_name_that_becomes_free_is_taken_within_half_a_minute_or_so() -> None:
    async def scenario(world: World) -> None:
        foreign = service(app="somebody else's")
        del foreign["metadata"]["labels"]
        world.kube.put(foreign)
        made = world.kube.put(owner())
        await world.settle(for_seconds=100)
        world.kube.watching = False
        world.kube.remove(SERVICE)
        world.kube.watching = True
        await world.settle(for_seconds=31)

        reference = world.kube.objects[SERVICE]["metadata"]["ownerReferences"][0]
        assert reference["uid"] == made["metadata"]["uid"]
        assert world.status()["message"] == "True"

    play(scenario)


def test_a_person_who_writes_at_the_same_time_wins_and_the_pass_is_repeated() -> None:
    async def scenario(world: World) -> None:
        world.kube.put(owner())
        world.kube.watching = False
        world.kube.put({**owner(note="changed"), "status": {}})
        world.kube.watching = True
        await world.settle()

        assert world.kube.objects[KEY]["spec"] == {"note": "changed"}
        assert world.status()["observedGeneration"] == 2
        assert world.passes.results[0] is PassResult.DONE

    play(scenario)


def test_a_write_that_names_a_version_is_repeated_on_what_is_there_by_then() -> None:
    def decide(world: World, resource: JsonObject, _t: object, _n: datetime) -> Decision:
        seen = world.store.get(SERVICE)
        version = seen["metadata"]["resourceVersion"] if seen else None
        wanted = DesiredObject(service(**resource["spec"]["selector"]), resource_version=version)
        return Decision(desired=(wanted,))

    async def scenario(world: World) -> None:
        world.kube.put(owner(selector={"app": "first"}))
        await world.settle()
        world.kube.watching = False
        body = world.kube.objects[SERVICE]
        world.kube.put({**body, "metadata": {**body["metadata"], "annotations": {"by": "else"}}})
        world.kube.watching = True
        world.kube.put(owner(selector={"app": "second"}))
        await world.settle()

        assert world.kube.objects[SERVICE]["spec"]["selector"] == {"app": "second"}
        assert world.kube.objects[SERVICE]["metadata"]["annotations"] == {"by": "else"}
        assert PassResult.CONFLICT not in world.passes.results

    play(scenario, decide)


def test_a_child_that_went_unseen_is_made_again_in_the_same_pass() -> None:
    async def scenario(world: World) -> None:
        world.kube.put(owner(selector={"app": "first"}))
        await world.settle()
        world.kube.watching = False
        world.kube.remove(SERVICE)
        world.kube.watching = True
        world.kube.put(owner(selector={"app": "second"}))
        await world.settle()

        assert world.kube.objects[SERVICE]["spec"]["selector"] == {"app": "second"}
        assert PassResult.CONFLICT not in world.passes.results

    play(scenario)


def test_what_is_on_its_way_out_gets_no_children() -> None:
    async def scenario(world: World) -> None:
        going = owner()
        going["metadata"]["deletionTimestamp"] = "2026-03-01T12:00:00Z"
        world.kube.put(going)
        await world.settle()

        assert world.kube.writes == []

    play(scenario)


def test_kept_objects_have_no_owner_and_are_never_changed() -> None:
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "serinus-store", "namespace": NAMESPACE},
        "spec": {"resources": {"requests": {"storage": "1Gi"}}},
    }
    ref = ObjectRef("v1", "PersistentVolumeClaim", NAMESPACE, "serinus-store")
    wanted = DesiredObject(claim, ApplyPolicy.CREATE_ONLY, Ownership.KEPT)

    async def scenario(world: World) -> None:
        smaller = {**claim, "spec": {"resources": {"requests": {"storage": "5Mi"}}}}
        before = dict(world.kube.put(smaller))
        world.kube.put(owner())
        world.kube.put(owner("orders"))
        await world.settle()

        assert world.kube.objects[ref] == before
        assert not world.taken.of(KEY)

    play(scenario, deciding(Decision(desired=(wanted,))))


def test_what_is_made_once_isnt_changed_later() -> None:
    def decide(_w: World, resource: JsonObject, _t: object, _n: datetime) -> Decision:
        body = service(**resource["spec"]["selector"])
        return Decision(desired=(DesiredObject(body, ApplyPolicy.CREATE_ONLY),))

    async def scenario(world: World) -> None:
        world.kube.put(owner(selector={"app": "first"}))
        await world.settle()
        world.kube.put(owner(selector={"app": "second"}))
        await world.settle()

        assert world.kube.objects[SERVICE]["spec"]["selector"] == {"app": "first"}

    play(scenario, decide)


def test_a_secret_gets_random_bytes_once() -> None:
    ref = ObjectRef("v1", "Secret", NAMESPACE, "delay-feedback")
    metadata = {"name": ref.name, "namespace": NAMESPACE}
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": "Opaque"}
    wanted = DesiredObject(body, ApplyPolicy.CREATE_SECRET)

    async def scenario(world: World) -> None:
        world.kube.put(owner())
        await world.settle()
        key = world.kube.objects[ref]["data"]["key"]
        await world.full_pass()
        world = world.restarted()
        await world.settle()

        assert len(base64.b64decode(key)) == 32
        assert world.kube.objects[ref]["data"]["key"] == key
        assert [one.ref for one in world.kube.writes] == [ref]
        assert all(one.operation != "get" for one in world.kube.requests if one.ref == ref)

    play(scenario, deciding(Decision(desired=(wanted,))))


def test_a_secret_that_somebody_deleted_is_made_again_by_the_same_process() -> None:
    ref = ObjectRef("v1", "Secret", NAMESPACE, "delay-feedback")
    metadata = {"name": ref.name, "namespace": NAMESPACE}
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": "Opaque"}
    wanted = DesiredObject(body, ApplyPolicy.CREATE_SECRET)

    async def scenario(world: World) -> None:
        world.kube.put(owner())
        await world.settle()
        before = world.kube.objects[ref]["data"]["key"]
        world.kube.remove(ref)
        await world.full_pass()

        assert world.kube.objects[ref]["data"]["key"] != before

    play(scenario, deciding(Decision(desired=(wanted,))))


def test_prune_deletes_the_object_that_was_meant_only() -> None:
    decisions: list[Decision] = []

    async def scenario(world: World) -> None:
        world.kube.put(owner())
        old = world.kube.put(service("old", app="old"))
        ref = ObjectRef("v1", "Service", NAMESPACE, "old")
        decisions.append(Decision(prune=(PrunedObject(ref, "another uid"),)))
        await world.settle()
        survived = ref in world.kube.objects
        decisions.append(Decision(prune=(PrunedObject(ref, uid_of(old)),)))
        await world.settle(for_seconds=2)

        assert survived
        assert ref not in world.kube.objects
        assert world.store.get(ref) is None

    play(scenario, lambda *_: decisions[-1])


def test_deleting_what_is_gone_already_is_no_failure() -> None:
    ref = ObjectRef("v1", "Service", NAMESPACE, "gone")

    async def scenario(world: World) -> None:
        world.kube.put(owner())
        await world.settle()

        assert world.passes.results == [PassResult.DONE]

    play(scenario, deciding(Decision(prune=(PrunedObject(ref, "uid"),))))


def test_an_event_is_sent_once_the_status_is_stored_and_only_once() -> None:
    happened = Event(EventType.NORMAL, "Promoted", "it is better")
    decision = Decision({"phase": "Healthy"}, events=(happened,))

    async def scenario(world: World) -> None:
        world.kube.put(owner())
        await world.settle()
        await world.full_pass()

        kinds = [one.ref.kind for one in world.kube.writes]
        assert kinds == ["Deployment", "Event"]

    play(scenario, deciding(decision))


@pytest.mark.parametrize("refused", [False, True], ids=["written", "not written"])
def test_what_moves_requests_is_written_before_it_is_told_and_told_in_any_case(
    refused: bool,
) -> None:
    happened = Event(EventType.WARNING, "EvidenceOfHarm", "it is worse")
    decision = Decision(
        {"phase": "Degraded"}, desired=(DesiredObject(service()),), events=(happened,)
    )

    async def scenario(world: World) -> None:
        world.kube.put(owner())
        if refused:
            error = Transient("POST", code=500, reason="", message="no")
            world.kube.faults = [Fault("create", error, "Service")]
        await world.settle(for_seconds=30)

        kinds = [one.ref.kind for one in world.kube.writes]
        told, written = kinds.index("Event"), kinds.index("Service")
        assert kinds[0] == "Deployment"
        assert (told < written) is refused

    play(scenario, deciding(decision))


def test_no_event_tells_of_what_was_not_stored() -> None:
    happened = Event(EventType.NORMAL, "Promoted", "it is better")
    decision = Decision({"phase": "Healthy"}, events=(happened,))

    async def scenario(world: World) -> None:
        world.kube.put(owner())
        refusal = Transient("PUT", code=500, reason="", message="no")
        world.kube.faults = [Fault("replace", refusal)]
        await world.settle()

        assert world.kube.writes == []
        assert world.passes.results == [PassResult.ERROR]

    play(scenario, deciding(decision))


@pytest.mark.parametrize(
    ("operation", "error", "said"),
    [
        (
            "replace",
            Invalid("PUT /status", code=422, reason="Invalid", message="state: Too long"),
            "PUT /status was refused (Invalid: state: Too long); it is tried again",
        ),
        (
            "create",
            Forbidden("POST /services", code=403, reason="Forbidden", message="exceeded quota"),
            "POST /services was refused (Forbidden: exceeded quota); it is tried again",
        ),
    ],
)
def test_what_the_server_refuses_is_told_on_the_object_once_and_tried_again(
    operation: str, error: KubeError, said: str
) -> None:
    async def scenario(world: World) -> None:
        world.kube.put(owner())
        kind = "Service" if operation == "create" else None
        world.kube.faults = [Fault(operation, error, kind) for _ in range(3)]
        await world.settle(for_seconds=120)

        events = [body for ref, body in world.kube.objects.items() if ref.kind == "Event"]
        assert [(one["reason"], one["type"], one["note"]) for one in events] == [
            ("WriteRefused", "Warning", said)
        ]
        assert SERVICE in world.kube.objects
        assert world.status()["phase"] == "Progressing"

    play(scenario)


def test_a_namespace_that_goes_away_is_no_refusal() -> None:
    error = NamespaceTerminating("POST", code=403, reason="Forbidden", message="is terminating")

    async def scenario(world: World) -> None:
        world.kube.put(owner())
        world.kube.faults = [Fault("create", error)]
        await world.settle()

        assert not [ref for ref in world.kube.objects if ref.kind == "Event"]

    play(scenario)


def test_evidence_waits_for_its_turn_and_intents_dont() -> None:
    """A burst of evidence from many objects is spread; an intent among it passes at once."""
    names = [f"d{number}" for number in range(int(EVIDENCE_BURST) + 40)]

    def decide(_w: World, resource: JsonObject, _t: object, _n: datetime) -> Decision:
        intent = resource["metadata"]["name"] == names[-1]
        return Decision({"phase": "Progressing"}, status_precedes_action=intent)

    async def scenario(world: World) -> None:
        for name in names:
            world.kube.put(owner(name))
        await world.settle()
        at_once = len(world.kube.writes)
        intent_written = world.status(replace(KEY, name=names[-1]))
        began = asyncio.get_running_loop().time()
        await world.settle(for_seconds=30)

        assert at_once == EVIDENCE_BURST + 1
        assert intent_written
        assert len(world.kube.writes) == len(names)
        assert asyncio.get_running_loop().time() > began

    play(scenario, decide)


def test_writing_evidence_leads_to_no_further_pass_and_an_intent_does() -> None:
    async def passes(*, intent: bool) -> int:
        status = {"phase": "Progressing"}
        world = World(deciding(Decision(status, status_precedes_action=intent)))
        world.kube.put(owner())
        world.kube.watching = False  # a watch tells of the write only after its answer
        await world.settle()
        world.kube.watching = True
        world.kube.relist()
        await world.settle()
        return world.decided

    assert run_in_virtual_time(passes(intent=False)) == 1
    assert run_in_virtual_time(passes(intent=True)) == 2


def test_a_status_that_the_server_stores_otherwise_is_written_once() -> None:
    async def scenario(world: World) -> None:
        world.kube.put(owner())
        real = world.kube.replace

        async def with_default(body: JsonObject, *, subresource: str | None = None) -> JsonObject:
            status = {**body["status"], "replicas": 0}
            return await real({**body, "status": status}, subresource=subresource)

        world.kube.replace = with_default  # type: ignore[method-assign]
        await world.settle()

        assert world.status() == {"phase": "Healthy", "replicas": 0}
        assert await world.full_pass() == []

    play(scenario, deciding(Decision({"phase": "Healthy"})))


@pytest.mark.parametrize("operation", ["replace", "create"])
@pytest.mark.parametrize("after_commit", [False, True], ids=["before it", "after it"])
def test_the_end_is_the_same_when_a_request_fails(operation: str, after_commit: bool) -> None:
    async def scenario(world: World) -> None:
        world.kube.put(owner())
        lost = Transient("", code=0, reason="NoConnection", message="reset")
        world.kube.faults = [Fault(operation, lost, after_commit=after_commit)]
        await world.settle(for_seconds=5)

        assert world.status()["phase"] == "Progressing"
        creations = [one for one in world.kube.writes if one.operation == "create"]
        assert [one.ref for one in creations] == [SERVICE]
        assert await world.full_pass() == []

    play(scenario)
