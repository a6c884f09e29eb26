"""What the watch missed: the metadata of all observed objects, compared with the store.

A watch that was blind for too long lists anew and doesn't say what was deleted meanwhile. What the
store has and the list hasn't is therefore asked for by name before it is forgotten; nothing is
ever deleted in the cluster because it is missing here.

A namespace that is watched by name may be gone, and with it the operator's rights there. It is out
of reach then: passed over, and not watched, because kopf ends where it is refused for long. Once it
is back the process starts anew.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from serinus.api.enums import Kind
from serinus.api.schema_model import API_VERSION
from serinus.cluster.errors import Forbidden, KubeError, NotFound
from serinus.cluster.feed import Feed
from serinus.cluster.ports import Kube
from serinus.cluster.queue import Priority, WorkQueue
from serinus.cluster.resources import OBSERVED, OWNERS, Resource
from serinus.cluster.store import Store, uid_of
from serinus.reconcile.decision import ObjectRef

KIND_RETRY_SECONDS = 1.0
SYNC_POLL_SECONDS = 0.05
SYNC_STANDSTILL_SECONDS = 2.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Found:
    """What an audit set right, and the namespaces that it might not list."""

    ghosts: int = 0
    unseen: int = 0
    out_of_reach: frozenset[str] = frozenset()


class NamespaceIsBack(Exception):
    """A namespace that isn't watched may be listed by now."""


@dataclass(frozen=True, slots=True)
class _Listing:
    """Uids of a resource's objects, in all namespaces but those that may not be listed."""

    uids: dict[ObjectRef, str]
    out_of_reach: frozenset[str]


@dataclass(frozen=True, slots=True)
class Audit:
    """Compares the store with the API server. No `namespaces`: all of them."""

    kube: Kube
    store: Store
    feed: Feed
    queue: WorkQueue[ObjectRef]
    namespaces: Sequence[str] = ()
    report: Callable[[Found], None] = lambda _: None
    observed: Callable[[], Sequence[Resource]] = lambda: OBSERVED

    async def run(self) -> Found:
        """Set the store right, kind by kind.

        Raises
        ------
        KubeError
            If the server doesn't answer; what was set right until then stays so.
        """
        ghosts = unseen = 0
        out_of_reach: set[str] = set()
        for resource in self.observed():
            before = {ref: self._uid(ref) for ref in self._refs(resource)}
            listed = await self._listed(resource)
            out_of_reach |= listed.out_of_reach
            for ref, uid in before.items():
                if ref.namespace not in listed.out_of_reach and listed.uids.get(ref) != uid:
                    ghosts += await self._look_at(ref)
            for ref, uid in listed.uids.items():
                if ref not in before and self._uid(ref) != uid:
                    unseen += await self._look_at(ref)
        found = Found(ghosts, unseen, frozenset(out_of_reach))
        self.report(found)
        if ghosts or unseen:
            _log.warning("watch missed changes", extra={"ghosts": ghosts, "unseen": unseen})
        if out_of_reach:
            names = ", ".join(sorted(out_of_reach))
            _log.warning("namespaces out of reach", extra={"namespaces": names})
        return found

    async def wait_for_kinds(self) -> frozenset[str]:
        """Wait until the server knows the four kinds, and may be listed by us in some namespace.

        Namespaces that are out of reach are the answer.
        """
        out_of_reach: set[str] = set()
        for resource in OWNERS.values():
            while True:
                try:
                    out_of_reach |= (await self._listed(resource)).out_of_reach
                    break
                except KubeError as error:
                    details = {"resource": resource.label, "error": str(error)}
                    _log.warning("waiting for resource", extra=details)
                    await asyncio.sleep(KIND_RETRY_SECONDS)
        return frozenset(out_of_reach)

    async def wait_until_synced(self) -> None:
        """Wait until the store has every object that the server lists now.

        Decisions before that would be made on half of the picture. As long as the watch brings
        objects it is waited for. What it doesn't bring is asked for by name: it may be gone by
        now, as pods come and go.
        """
        missing: list[ObjectRef] = []
        for resource in self.observed():
            missing.extend((await self._listed(resource)).uids)
        loop = asyncio.get_running_loop()
        seen, since = len(self.store), loop.time()
        while missing:
            if self.store.get(missing[-1]) is not None:
                missing.pop()
            elif len(self.store) != seen:
                seen, since = len(self.store), loop.time()
            elif loop.time() - since >= SYNC_STANDSTILL_SECONDS:
                await self._look_at(missing.pop())
                seen = len(self.store)
            else:
                await asyncio.sleep(SYNC_POLL_SECONDS)

    def enqueue_all(self) -> None:
        """Have every object of the four kinds looked at again, behind all that changes."""
        for kind in Kind:
            for ref in self.store.refs(API_VERSION, kind.value):
                self.queue.add(ref, Priority.LOW)

    async def run_every(self, seconds: float, *, unwatched: frozenset[str] = frozenset()) -> None:
        """Audit and pass over everything, time and again.

        Raises
        ------
        NamespaceIsBack
            When one of the `unwatched` is in reach.
        """
        while True:
            await asyncio.sleep(seconds)
            try:
                found = await self.run()
            except KubeError as error:
                _log.warning("audit failed", extra={"error": str(error)})
            else:
                if back := unwatched - found.out_of_reach:
                    raise NamespaceIsBack(", ".join(sorted(back)))
            self.enqueue_all()

    def _refs(self, resource: Resource) -> tuple[ObjectRef, ...]:
        return tuple(self.store.refs(resource.api_version, resource.kind))

    def _uid(self, ref: ObjectRef) -> str | None:
        body = self.store.get(ref)
        return uid_of(body) if body is not None else None

    async def _listed(self, resource: Resource) -> _Listing:
        """What may be listed of it; raises what the server says if that is nothing."""
        found: dict[ObjectRef, str] = {}
        refused: dict[str, Forbidden] = {}
        for namespace in self.namespaces or (None,):
            try:
                bodies = await self.kube.list_metadata(resource, namespace)
            except Forbidden as error:
                refused[namespace or ""] = error
                continue
            for body in bodies:
                metadata = body["metadata"]
                ref = ObjectRef(
                    resource.api_version, resource.kind, metadata["namespace"], metadata["name"]
                )
                found[ref] = str(metadata["uid"])
        if len(refused) == max(1, len(self.namespaces)):
            raise next(iter(refused.values()))
        return _Listing(found, frozenset(refused))

    async def _look_at(self, ref: ObjectRef) -> bool:
        """Ask for the object by name; whether the store was wrong about it."""
        stored = self.store.get(ref)
        try:
            body = await self.kube.get(ref)
        except NotFound:
            if stored is not None and self.store.get(ref) is stored:
                self.feed.forget(ref, uid_of(stored))
                return True
            return False
        if stored is not None and uid_of(stored) == uid_of(body):
            return False
        self.feed.put_read(body, before=stored)
        return True
