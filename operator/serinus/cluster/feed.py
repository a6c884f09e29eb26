"""Where observations enter: into the store, and the keys that they concern into the queue."""

from __future__ import annotations

from serinus.api.enums import Kind
from serinus.api.schema_model import API_VERSION
from serinus.cluster.dependants import dependants
from serinus.cluster.queue import Priority, WorkQueue
from serinus.cluster.store import Change, Store, WatchEvent
from serinus.reconcile.decision import JsonObject, ObjectRef
from serinus.reconcile.json_values import value_at


class Feed:
    """Put and enqueue; it decides nothing and can't fail."""

    def __init__(self, store: Store, queue: WorkQueue[ObjectRef]) -> None:
        self._store = store
        self._queue = queue

    def observe(self, event: WatchEvent, body: JsonObject) -> None:
        """Take in what the watch says.

        What is listed at the start waits behind what changes, but for rollouts that run: nobody
        judged their canaries while there was no leader.
        """
        change = self._store.observe(event, body)
        if event is not WatchEvent.LISTED:
            self._enqueue(change, Priority.NORMAL)
            return
        self._enqueue(change, Priority.LOW)
        if change is not None and _rollout_runs(change):
            self._queue.add(change.ref, Priority.NORMAL)

    def put_answer(self, body: JsonObject, *, before: JsonObject | None) -> None:
        """Take in the server's answer to a write of ours.

        The watch will tell the same later, when it is no news any more: who looks at the object
        has to be woken now.
        """
        self._enqueue(self._store.put_answer(body, before=before), Priority.NORMAL)

    def put_read(self, body: JsonObject, *, before: JsonObject | None) -> None:
        """Take in what the server answered when asked for an object."""
        self._enqueue(self._store.put_read(body, before=before), Priority.NORMAL)

    def forget(self, ref: ObjectRef, uid: str) -> None:
        """Take in that an object is gone."""
        self._enqueue(self._store.forget(ref, uid), Priority.NORMAL)

    def _enqueue(self, change: Change | None, priority: Priority) -> None:
        if change is None:
            return
        for key in dependants(change, self._store):
            self._queue.add(key, priority)


def _rollout_runs(change: Change) -> bool:
    is_ours = (change.ref.api_version, change.ref.kind) == (API_VERSION, Kind.DEPLOYMENT)
    return is_ours and value_at(change.new, "status", "canary") is not None
