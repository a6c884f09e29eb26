"""The only loop: a key from the queue, its snapshot, the reconciler's decision, its effects.

A new kind adds a row to the table of `Reconciler`s and a pure function. Whatever goes wrong in a
pass ends that pass only: the key is tried again after a growing time. `LeaseLost` alone ends the
process.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from serinus.api.enums import Kind
from serinus.cluster.apply import Applier, Outcome
from serinus.cluster.errors import Conflict, KubeError, LeaseLost, NamespaceTerminating, NotFound
from serinus.cluster.ports import Clock, Kube
from serinus.cluster.queue import WorkQueue
from serinus.cluster.store import Store, uid_of
from serinus.cluster.taken_names import TakenNames
from serinus.reconcile.decision import Decision, JsonObject, ObjectRef
from serinus.reconcile.snapshot import controller_uid

WORKERS = 16
TERMINATING_LOOK_SECONDS = 60.0

_log = logging.getLogger(__name__)

Decide = Callable[[JsonObject, frozenset[ObjectRef], datetime], Awaitable[Decision]]
"""Gather the snapshot of an object, given the names that are taken, and decide.

It waits for the API server, and for its turn to count samples; whatever else takes time is waited
for between two passes.
"""


class PassResult(StrEnum):
    """How a pass ended."""

    DONE = "done"
    CONFLICT = "conflict"
    ERROR = "error"


class PassObserver(Protocol):
    """Told of each pass."""

    def passed(self, kind: str, result: PassResult, seconds: float) -> None:
        """A pass over an object of `kind` ended."""
        ...


@dataclass(frozen=True, slots=True)
class Worker:
    """Works on keys, one after the other; several run at once, never on the same key.

    `gone` is told of each key whose object isn't there any more.
    """

    queue: WorkQueue[ObjectRef]
    store: Store
    kube: Kube
    applier: Applier
    taken: TakenNames
    clock: Clock
    reconcilers: Mapping[Kind, Decide]
    observer: PassObserver
    gone: Callable[[ObjectRef], None] = lambda _: None

    async def run(self) -> None:
        """Work until cancelled.

        Raises
        ------
        LeaseLost
            When a write was refused because the Lease is gone.
        """
        while True:
            await self.work_on(await self.queue.get())
            # A pass that writes nothing waits for nothing: without this, thousands of them would
            # run in one go, and the Lease would go unrenewed meanwhile.
            await asyncio.sleep(0)

    async def work_on(self, key: ObjectRef) -> None:
        """One pass, and what it means for the queue."""
        began = self.clock.monotonic()
        try:
            outcome = await self._pass(key)
        except LeaseLost:
            raise
        except NamespaceTerminating:
            # What is in it goes by itself; another look in case that it takes long.
            result = PassResult.DONE
            self.queue.done(key, again_after_seconds=TERMINATING_LOOK_SECONDS)
        except KubeError as error:
            result = PassResult.CONFLICT if isinstance(error, Conflict) else PassResult.ERROR
            self._failed(key, error, expected=True)
        except Exception as error:  # noqa: BLE001 - a bug in one object's pass is that object's only
            result = PassResult.ERROR
            self._failed(key, error, expected=False)
        else:
            result = PassResult.DONE
            self.queue.done(key, again_after_seconds=outcome.again_after_seconds)
        self.observer.passed(key.kind, result, self.clock.monotonic() - began)

    async def _pass(self, key: ObjectRef) -> Outcome:
        await self._look_at_taken_names(key)
        try:
            return await self._decide_and_carry_out(key)
        except Conflict:
            # Almost always a person or a controller wrote at the same time. Look and try once more.
            await self._refresh(key)
            return await self._decide_and_carry_out(key)

    async def _decide_and_carry_out(self, key: ObjectRef) -> Outcome:
        resource = self.store.get(key)
        if resource is None:
            self.applier.forget(key)
            self.gone(key)
            return Outcome(None)
        # What is on its way out has no children made any more; Kubernetes collects those it has.
        if resource["metadata"].get("deletionTimestamp"):
            return Outcome(None)
        decide = self.reconcilers[Kind(key.kind)]
        decision = await decide(resource, self.taken.of(key), self.clock.now())
        if decision.log:
            _log.info("decided", extra={"about": key, "decision": dict(decision.log)})
        return await self.applier.carry_out(resource, decision)

    async def _refresh(self, key: ObjectRef) -> None:
        stored = self.store.get(key)
        try:
            self.store.put_read(await self.kube.get(key), before=stored)
        except NotFound:
            if stored is not None:
                self.store.forget(key, uid_of(stored))

    async def _look_at_taken_names(self, key: ObjectRef) -> None:
        """Let a name go that is free by now, or whose object is ours after all."""
        resource = self.store.get(key)
        for ref in self.taken.due(key):
            try:
                body = await self.kube.get(ref)
            except NotFound:
                self.taken.discard(key, ref)
                stored = self.store.get(ref)
                if stored is not None:
                    self.store.forget(ref, uid_of(stored))
                continue
            if resource is not None and controller_uid(body) == uid_of(resource):
                self.taken.discard(key, ref)
            else:
                self.taken.add(key, ref)

    def _failed(self, key: ObjectRef, error: Exception, *, expected: bool) -> None:
        seconds = self.queue.failed(key)
        details: dict[str, object] = {
            "about": key,
            "error": str(error),
            "failures": self.queue.failures(key),
            "retry_after_seconds": round(seconds, 1),
        }
        if expected:
            _log.warning("pass failed", extra=details)
        else:
            _log.error("pass failed", extra=details, exc_info=error)


async def run_workers(worker: Worker, number: int = WORKERS) -> None:
    """Run several workers until one raises."""
    async with asyncio.TaskGroup() as group:
        for _ in range(number):
            group.create_task(worker.run())
