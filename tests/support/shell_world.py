"""The whole shell but kopf and HTTP: a fake API server, one worker, a reconciler of the test's own.

The default reconciler wants one Service with the selector that the object's spec names, and says in
status what it saw: small, but with an intent that is written ahead, a child and a status.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from serinus.api.enums import Kind
from serinus.api.schema_model import API_VERSION
from serinus.cluster.apply import Applier
from serinus.cluster.audit import Audit
from serinus.cluster.events import EventRecorder
from serinus.cluster.feed import Feed
from serinus.cluster.queue import WorkQueue
from serinus.cluster.store import Store
from serinus.cluster.taken_names import TakenNames
from serinus.cluster.worker import PassResult, Worker
from serinus.manifests.naming import owner_labels
from serinus.reconcile.decision import (
    Decision,
    DesiredObject,
    JsonObject,
    ObjectRef,
)
from tests.support.clock import VirtualClock
from tests.support.fake_kube import FakeKube, Write

NAMESPACE, NAME = "flights", "delay"
KEY = ObjectRef(API_VERSION, Kind.DEPLOYMENT.value, NAMESPACE, NAME)
SERVICE = ObjectRef("v1", "Service", NAMESPACE, NAME)

Decide = Callable[["World", JsonObject, frozenset[ObjectRef], datetime], Decision]


def owner(name: str = NAME, **spec: Any) -> dict[str, Any]:
    """A Deployment of ours; its spec is what the test's reconciler reads."""
    metadata = {"name": name, "namespace": NAMESPACE}
    return {"apiVersion": API_VERSION, "kind": "Deployment", "metadata": metadata, "spec": spec}


def service(name: str = NAME, **selector: str) -> dict[str, Any]:
    """A Service with our labels."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": name,
            "namespace": NAMESPACE,
            "labels": owner_labels(Kind.DEPLOYMENT, name),
        },
        "spec": {"selector": selector, "ports": [{"name": "http", "port": 80}]},
    }


def one_service(
    world: "World", resource: JsonObject, taken: frozenset[ObjectRef], now: datetime
) -> Decision:
    """Want the Service; say whether its name is taken and which selector it has."""
    seen = world.store.get(SERVICE)
    selector = resource["spec"].get("selector", {"app": "delay"})
    status = {
        "observedGeneration": resource["metadata"]["generation"],
        "phase": "Degraded" if SERVICE in taken else "Progressing",
        "message": "name conflict" if SERVICE in taken else str(bool(seen)),
    }
    return Decision(status, (DesiredObject(service(**selector)),))


@dataclass
class Passes:
    """Implements `PassObserver`."""

    results: list[PassResult] = field(default_factory=list)

    def passed(self, kind: str, result: PassResult, seconds: float) -> None:
        self.results.append(result)


@dataclass
class World:
    """Everything of one operator process. Make it inside a running loop."""

    decide: Decide = one_service
    kube: FakeKube = field(default_factory=FakeKube)
    clock: VirtualClock = field(default_factory=VirtualClock)
    store: Store = field(default_factory=Store)
    queue: WorkQueue[ObjectRef] = field(default_factory=lambda: WorkQueue(chance=lambda: 1.0))
    passes: Passes = field(default_factory=Passes)
    decided: int = 0

    def __post_init__(self) -> None:
        self.feed = Feed(self.store, self.queue)
        self.kube.observers = [self.feed.observe]
        self.taken = TakenNames(self.clock)
        self.events = EventRecorder(self.kube, self.clock, instance="test")
        self.applier = Applier(
            self.kube, self.store, self.feed, self.taken, self.events, self.clock
        )
        self.audit = Audit(self.kube, self.store, self.feed, self.queue)
        self.worker = Worker(
            queue=self.queue,
            store=self.store,
            kube=self.kube,
            applier=self.applier,
            taken=self.taken,
            clock=self.clock,
            reconcilers=dict.fromkeys(Kind, self._decide),
            observer=self.passes,
        )
        self.kube.relist()

    async def _decide(
        self, resource: JsonObject, taken: frozenset[ObjectRef], now: datetime
    ) -> Decision:
        self.decided += 1
        return self.decide(self, resource, taken, now)

    async def settle(self, *, for_seconds: float = 0.0) -> None:
        """Work on all keys that are due now or become due within the time."""
        deadline = asyncio.get_running_loop().time() + for_seconds
        while True:
            try:
                async with asyncio.timeout_at(deadline):
                    key = await self.queue.get()
            except TimeoutError:
                return
            await self.worker.work_on(key)
            await asyncio.sleep(0)  # what the pass has started gets its turn

    async def full_pass(self) -> list[Write]:
        """Look at everything again; what was sent to the server but reads."""
        self.kube.requests.clear()
        self.audit.enqueue_all()
        await self.settle()
        return [one for one in self.kube.requests if one.operation not in ("get", "list")]

    def status(self, key: ObjectRef = KEY) -> Mapping[str, Any]:
        return self.kube.objects[key].get("status") or {}

    def restarted(self) -> "World":
        """The process anew, with nothing but what the server has."""
        self.kube.observers = []
        return World(self.decide, self.kube, self.clock)
