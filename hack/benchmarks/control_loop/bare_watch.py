"""The control: kopf with handlers that do nothing, on the resources that the operator watches.

It says when each object has come by once; the time until then, and its memory, is what the event
source alone costs on this machine.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from typing import Any

import kopf

from serinus.app.handlers import event_registry
from serinus.cluster.credentials import find_api_server
from serinus.cluster.feed import Feed
from serinus.cluster.queue import WorkQueue
from serinus.cluster.resources import OBSERVED
from serinus.cluster.store import Store, WatchEvent
from serinus.reconcile.decision import JsonObject, ObjectRef


class Uninterested(Feed):
    """Takes nothing in."""

    def __init__(self) -> None:
        super().__init__(Store(), WorkQueue[ObjectRef]())

    def observe(self, event: WatchEvent, body: JsonObject) -> None:
        """Pass over it."""


async def main(expected: int) -> None:
    """Run until so many events were seen, then until killed."""
    seen, all_seen = 0, asyncio.Event()

    def saw(_resource: str, _at: float) -> None:
        nonlocal seen
        seen += 1
        if seen >= expected:
            all_seen.set()

    registry = event_registry(await find_api_server(), Uninterested(), saw, OBSERVED)
    tasks = await kopf.spawn_tasks(
        registry=registry, settings=kopf_settings(), standalone=True, clusterwide=True
    )
    await all_seen.wait()
    print("seen", flush=True)
    await asyncio.wait(tasks)


def kopf_settings() -> kopf.OperatorSettings:
    """kopf's own, but for what is watched: the control stays what it is when we tune ours."""
    settings: Any = kopf.OperatorSettings()
    settings.posting.enabled = False
    settings.scanning.disabled = True
    settings.peering.standalone = True
    for resource in OBSERVED:
        place = resource.group, resource.version, resource.plural
        if resource.label_selector:
            settings.watching.label_selectors[place] = resource.label_selector
        if resource.field_selector:
            settings.watching.field_selectors[place] = resource.field_selector
    found: kopf.OperatorSettings = settings
    return found


if __name__ == "__main__":
    logging.disable(logging.WARNING)
    asyncio.run(main(int(sys.argv[1])))
