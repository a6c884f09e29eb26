"""Records are written once, in order, and hold nobody up."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from serinus.api.deployment_status import PendingRecord
from serinus.cluster.errors import Forbidden, Transient
from serinus.cluster.records import BURST, RETRY_AFTER_SECONDS, Records
from serinus.cluster.store import ref_of
from serinus.manifests.decision_record import make_decision_record
from serinus.reconcile.decision import (
    ApplyPolicy,
    Decision,
    DesiredObject,
    ObjectRef,
    Ownership,
)
from serinus.reconcile.snapshot import RecordsSeen
from tests.support.clock import run_in_virtual_time
from tests.support.fake_kube import Fault
from tests.support.shell_world import NAME, NAMESPACE, SERVICE, World, owner, service


def pending(*numbers: int) -> list[dict[str, Any]]:
    return [
        {"number": number, "action": "step", "decision": f'{{"step":{number}}}'}
        for number in numbers
    ]


def wanted(*numbers: int) -> tuple[DesiredObject, ...]:
    return tuple(
        DesiredObject(
            make_decision_record(NAME, NAMESPACE, PendingRecord.model_validate(one)),
            ApplyPolicy.CREATE_ONLY,
            Ownership.KEPT,
        )
        for one in pending(*numbers)
    )


def with_record(newest: int, *numbers: int) -> dict[str, Any]:
    return owner() | {"status": {"record": {"number": newest, "pending": pending(*numbers)}}}


def record(number: int) -> ObjectRef:
    return ObjectRef("v1", "ConfigMap", NAMESPACE, f"{NAME}-record-{number}")


def play(scenario: Callable[[World, Records], Awaitable[None]]) -> None:
    async def run() -> None:
        world = World()
        await scenario(world, world.applier.records)

    run_in_virtual_time(run())


def test_a_record_is_made_and_known_until_the_status_no_longer_waits_for_it() -> None:
    async def scenario(world: World, records: Records) -> None:
        resource = with_record(2, 1, 2)

        assert await records.write(resource, wanted(1, 2)) == 0.0
        assert await records.write(resource, wanted(1, 2)) is None
        assert await records.seen(resource) == RecordsSeen(written=frozenset({1, 2}))
        assert await records.seen(with_record(2)) == RecordsSeen()
        assert [one.ref for one in world.kube.writes] == [record(1), record(2)]
        assert "ownerReferences" not in world.kube.objects[record(1)]["metadata"]

    play(scenario)


def test_another_process_finds_what_was_written_and_makes_no_second_one() -> None:
    async def scenario(world: World, records: Records) -> None:
        await records.write(with_record(1, 1), wanted(1))
        another = Records(world.kube, world.events, world.clock)

        assert await another.write(with_record(1, 1), wanted(1)) == 0.0
        assert await another.seen(with_record(1, 1)) == RecordsSeen(written=frozenset({1}))
        assert [one.operation for one in world.kube.writes] == ["create"]

    play(scenario)


def test_a_write_whose_answer_was_lost_is_found_again() -> None:
    async def scenario(world: World, records: Records) -> None:
        lost = Transient("POST", code=0, reason="Timeout", message="")
        world.kube.faults.append(Fault("create", lost, after_commit=True))

        assert await records.write(with_record(1, 1), wanted(1)) == RETRY_AFTER_SECONDS
        assert await records.write(with_record(1, 1), wanted(1)) == 0.0
        assert await records.seen(with_record(1, 1)) == RecordsSeen(written=frozenset({1}))

    play(scenario)


def test_somebody_elses_object_is_told_from_ours_and_what_follows_waits() -> None:
    async def scenario(world: World, records: Records) -> None:
        theirs = {**wanted(1)[0].body, "data": {"mine": "yes"}}
        world.kube.put(theirs)
        resource = with_record(2, 1, 2)

        assert await records.write(resource, wanted(1, 2)) == 0.0
        assert await records.seen(resource) == RecordsSeen(taken=frozenset({1}))
        assert record(2) not in world.kube.objects
        assert world.kube.objects[record(1)]["data"] == {"mine": "yes"}

    play(scenario)


def test_the_newest_number_is_asked_for_only_where_the_status_doesnt_say_it() -> None:
    async def scenario(world: World, records: Records) -> None:
        await records.write(with_record(12, 9, 12), wanted(9, 12))
        world.kube.requests.clear()

        assert await records.seen(owner()) == RecordsSeen(newest=12)
        assert [one.operation for one in world.kube.requests] == ["list"]
        assert await records.seen(with_record(12)) == RecordsSeen()
        assert len(world.kube.requests) == 1

    play(scenario)


def test_labels_that_are_no_number_count_for_nothing() -> None:
    async def scenario(world: World, records: Records) -> None:
        body = make_decision_record(
            NAME, NAMESPACE, PendingRecord(number=3, action="step", decision="{}")
        )
        for number, label in enumerate(("many", "²", "9" * 40), start=1):
            odd = {**body["metadata"], "name": f"odd-{number}"}
            odd["labels"] = {**odd["labels"], "serinus.dev/record": label}
            world.kube.put({**body, "metadata": odd})
        world.kube.put(body)

        assert await records.seen(owner()) == RecordsSeen(newest=3)

    play(scenario)


def test_who_wants_to_know_is_told_of_each_record_once_and_of_no_other_object() -> None:
    async def scenario(world: World, _: Records) -> None:
        told: list[str] = []
        records = Records(
            world.kube,
            world.events,
            world.clock,
            lambda owner, record: told.append(f"{ref_of(owner).name} {ref_of(record).name}"),
        )
        world.kube.put({**wanted(2)[0].body, "data": {"mine": "yes"}})
        for _attempt in range(3):
            await records.write(with_record(2, 1, 2), wanted(1, 2))

        assert told == [f"{NAME} {NAME}-record-1"]

    play(scenario)


def test_who_wants_to_know_is_told_once_of_what_the_server_refuses_too() -> None:
    """A quota of ConfigMaps keeps records waiting, and nobody uninformed."""

    async def scenario(world: World, _: Records) -> None:
        told: list[int] = []
        records = Records(
            world.kube,
            world.events,
            world.clock,
            lambda _, record: told.append(int(ref_of(record).name.rpartition("-")[2])),
        )
        quota = Forbidden("POST", code=403, reason="Forbidden", message="exceeded quota")
        down = Transient("POST", code=503, reason="ServiceUnavailable", message="down")
        world.kube.faults += [Fault("create", one, kind="ConfigMap") for one in (down, quota)]
        seen = []
        for numbers in ((1, 2), (1, 2), (1, 2, 3), (1, 2, 3)):
            resource = with_record(numbers[-1], *numbers)
            await records.seen(resource)
            await records.write(resource, wanted(*numbers))
            seen.append([*told])

        assert seen == [[], [1, 2], [1, 2, 3], [1, 2, 3]]
        assert {record(1), record(2), record(3)} <= world.kube.objects.keys()
        await records.seen(with_record(3))
        assert not records._found

    play(scenario)


def test_what_the_server_refuses_is_told_and_tried_again_while_everything_else_goes_on() -> None:
    decision = Decision({"phase": "Healthy"}, (DesiredObject(service()),), records=wanted(1))

    async def run() -> None:
        world = World(lambda *_: decision)
        quota = Forbidden("POST", code=403, reason="Forbidden", message="exceeded quota")
        world.kube.faults += [Fault("create", quota, kind="ConfigMap") for _ in range(2)]
        world.kube.put(owner())
        await world.settle()

        told = [body["note"] for ref, body in world.kube.objects.items() if ref.kind == "Event"]
        assert SERVICE in world.kube.objects
        assert record(1) not in world.kube.objects
        assert len(told) == 1
        assert "exceeded quota" in told[0]
        assert "the decision counts" in told[0]
        await world.settle(for_seconds=RETRY_AFTER_SECONDS + 1)
        assert record(1) in world.kube.objects

    run_in_virtual_time(run())


def test_a_decision_whose_children_are_refused_is_recorded_all_the_same() -> None:
    decision = Decision({"phase": "Healthy"}, (DesiredObject(service()),), records=wanted(1))

    async def run() -> None:
        world = World(lambda *_: decision)
        refused = Forbidden("POST", code=403, reason="Forbidden", message="no right")
        world.kube.faults.append(Fault("create", refused, kind="Service"))
        world.kube.put(owner())
        await world.settle()

        assert record(1) in world.kube.objects

    run_in_virtual_time(run())


def test_nothing_is_recorded_of_a_status_that_isnt_stored() -> None:
    decision = Decision({"phase": "Healthy"}, records=wanted(1))

    async def run() -> None:
        world = World(lambda *_: decision)
        lost = Transient("PUT", code=500, reason="InternalError", message="")
        world.kube.faults.append(Fault("replace", lost))
        world.kube.put(owner())
        await asyncio.wait_for(world.settle(), 1)

        assert record(1) not in world.kube.objects

    run_in_virtual_time(run())


def test_records_of_all_deployments_share_a_limited_number_of_writes() -> None:
    async def scenario(world: World, records: Records) -> None:
        many = int(BURST) + 5
        numbers = range(1, many + 1)
        wait = await records.write(with_record(many, *numbers), wanted(*numbers))

        assert wait is not None
        assert 0 < wait <= 1
        assert len(world.kube.writes) == int(BURST)

    play(scenario)
