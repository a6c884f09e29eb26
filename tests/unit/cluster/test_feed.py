"""In which order what is observed is worked on."""

from typing import Any

from serinus.api.enums import Kind
from serinus.cluster.feed import Feed
from serinus.cluster.queue import Priority, WorkQueue
from serinus.cluster.store import Store, WatchEvent
from serinus.reconcile.decision import ObjectRef
from tests.support.clock import run_in_virtual_time
from tests.support.observed import child, our

Body = dict[str, Any]
SETTLED = our(Kind.DEPLOYMENT, "settled", status={"stable": {"modelVersion": "v1"}})
IN_ROLLOUT = our(Kind.DEPLOYMENT, "in-rollout", status={"canary": {"modelVersion": "v2"}})
UNREADABLE = our(Kind.DEPLOYMENT, "unreadable", status={})
UNREADABLE["status"] = "text"


def order_of_work(*events: tuple[WatchEvent, Body]) -> list[str]:
    """Names of what is worked on after the events, without the versions that are served."""

    async def run() -> list[str]:
        queue = WorkQueue[ObjectRef]()
        feed = Feed(Store(), queue)
        for event, body in events:
            feed.observe(event, body)
        keys: list[ObjectRef] = []
        while any(queue.depth(priority) for priority in Priority):
            keys.append(await queue.get())
        return [key.name for key in keys if key.kind != Kind.MODEL_VERSION]

    return run_in_virtual_time(run())


def test_after_a_start_running_rollouts_go_first() -> None:
    listed = [(WatchEvent.LISTED, body) for body in (UNREADABLE, SETTLED, IN_ROLLOUT)]

    assert order_of_work(*listed) == ["in-rollout", "unreadable", "settled"]


def test_what_is_listed_of_it_later_puts_no_rollout_back() -> None:
    pod = child("Pod", "p", deployment="in-rollout")
    listed = [(WatchEvent.LISTED, body) for body in (SETTLED, IN_ROLLOUT, pod)]

    assert order_of_work(*listed) == ["in-rollout", "settled"]


def test_what_changes_goes_before_what_is_listed() -> None:
    changed = our(Kind.FEATURE_SET, "changed")

    found = order_of_work((WatchEvent.LISTED, SETTLED), (WatchEvent.ADDED, changed))

    assert found == ["changed", "settled"]
