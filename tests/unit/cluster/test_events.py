"""Each thing is said once, and no object talks without end."""

import asyncio
from collections.abc import Awaitable, Callable

from serinus.cluster.errors import Forbidden
from serinus.cluster.events import BURST, EventRecorder
from serinus.reconcile.decision import Event, EventType
from tests.support.clock import VirtualClock, run_in_virtual_time
from tests.support.fake_kube import FakeKube, Fault
from tests.support.shell_world import owner

PROMOTED = Event(EventType.NORMAL, "Promoted", "the canary is better")


def play(scenario: Callable[[FakeKube, EventRecorder], Awaitable[None]]) -> None:
    async def run() -> None:
        kube = FakeKube()
        await scenario(kube, EventRecorder(kube, VirtualClock(), instance="serinus-0"))

    run_in_virtual_time(run())


def sent(kube: FakeKube) -> list[str]:
    return [body["note"] for body in kube.of_kind("Event")]


def test_an_event_says_about_whom_by_whom_and_why() -> None:
    async def scenario(kube: FakeKube, recorder: EventRecorder) -> None:
        about = kube.put(owner())
        await recorder.record(about, PROMOTED)

        body = next(iter(kube.of_kind("Event")))
        assert body["regarding"]["uid"] == about["metadata"]["uid"]
        assert body["regarding"]["apiVersion"] == "serinus.dev/v1alpha1"
        assert (body["reason"], body["type"]) == ("Promoted", "Normal")
        assert body["reportingInstance"] == "serinus-0"
        assert body["metadata"]["namespace"] == about["metadata"]["namespace"]

    play(scenario)


def test_the_same_is_said_once_an_hour() -> None:
    async def scenario(kube: FakeKube, recorder: EventRecorder) -> None:
        about = kube.put(owner())
        for _ in range(3):
            await recorder.record(about, PROMOTED)
        await asyncio.sleep(3601)
        await recorder.record(about, PROMOTED)

        assert len(sent(kube)) == 2

    play(scenario)


def test_another_message_or_object_is_something_else() -> None:
    async def scenario(kube: FakeKube, recorder: EventRecorder) -> None:
        await recorder.record(kube.put(owner()), PROMOTED)
        await recorder.record(kube.put(owner("orders")), PROMOTED)
        await recorder.record(kube.put(owner()), Event(EventType.NORMAL, "Promoted", "again"))

        assert len(sent(kube)) == 3

    play(scenario)


def test_an_object_that_talks_without_end_is_cut_short_and_others_arent() -> None:
    async def scenario(kube: FakeKube, recorder: EventRecorder) -> None:
        loud, quiet = kube.put(owner()), kube.put(owner("orders"))
        for number in range(200):
            await recorder.record(loud, Event(EventType.WARNING, "Failed", f"number {number}"))
        await recorder.record(quiet, PROMOTED)

        assert len(sent(kube)) == BURST + 1

    play(scenario)


def test_an_event_that_is_refused_is_forgotten_and_may_be_said_again() -> None:
    async def scenario(kube: FakeKube, recorder: EventRecorder) -> None:
        about = kube.put(owner())
        kube.faults = [Fault("create", Forbidden("", code=403, reason="", message="no right"))]
        await recorder.record(about, PROMOTED)
        await recorder.record(about, PROMOTED)

        assert len(sent(kube)) == 1

    play(scenario)
