import asyncio

from serinus.app.process_gauges import process_gauges
from serinus.cluster.queue import Priority, WorkQueue
from serinus.reconcile.decision import ObjectRef
from tests.support.clock import run_in_virtual_time


class Held:
    def seconds_left(self) -> float:
        return 2.5


def test_queue_and_lease_are_shown() -> None:
    async def scenario() -> dict[tuple[str, tuple[str, ...]], float]:
        queue = WorkQueue[ObjectRef]()
        queue.add(ObjectRef("v1", "X", "n", "changed"))
        queue.add(ObjectRef("v1", "X", "n", "listed"), Priority.LOW)
        await asyncio.sleep(7)
        families = process_gauges(queue, Held())
        return {(one.name, item.labels): item.value for one in families for item in one.values}

    found = run_in_virtual_time(scenario())

    assert found["serinus_workqueue_depth", ("normal",)] == 1
    assert found["serinus_workqueue_depth", ("low",)] == 1
    assert found["serinus_workqueue_oldest_age_seconds", ("normal",)] == 7
    assert found["serinus_lease_held", ()] == 1
