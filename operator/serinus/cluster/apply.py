"""Carry out a Decision: status first, then what should exist, then what should not.

Nothing is written that is so already. An object of ours is told from a foreign one by its owner's
uid; a foreign one in the way is left alone, remembered, and ends the pass. A conflict ends the
pass, too: what was decided on is no longer so.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass, field

from serinus.api.enums import Reason
from serinus.cluster.coverage import uncovered_path
from serinus.cluster.errors import (
    AlreadyExists,
    Conflict,
    Forbidden,
    Invalid,
    KubeError,
    NamespaceTerminating,
    NotFound,
)
from serinus.cluster.events import EventRecorder
from serinus.cluster.feed import Feed
from serinus.cluster.ports import Clock, Kube
from serinus.cluster.records import Recorded, Records
from serinus.cluster.secret_key import with_random_key
from serinus.cluster.settled import Settled
from serinus.cluster.store import Store, ref_of, uid_of
from serinus.cluster.taken_names import RETRY_AFTER_SECONDS, TakenNames
from serinus.cluster.turns import Turns
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
from serinus.reconcile.snapshot import controller_uid

EVIDENCE_WRITES_PER_SECOND = 20.0
EVIDENCE_BURST = 20.0
_REFUSAL_SHOWN = 600

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a pass came to; the key is due again after `again_after_seconds`, None: on a change."""

    again_after_seconds: float | None


@dataclass
class Applier:
    """Writes to the cluster; the only module that does, but for Lease and events."""

    kube: Kube
    store: Store
    feed: Feed
    taken: TakenNames
    events: EventRecorder
    clock: Clock
    recorded: Recorded = lambda _owner, _record: None
    records: Records = field(init=False)
    _evidence: Turns = field(init=False)
    _settled: Settled = field(init=False, default_factory=Settled)

    def __post_init__(self) -> None:
        self.records = Records(self.kube, self.events, self.clock, self.recorded)
        self._evidence = Turns(
            self.clock, rate_per_second=EVIDENCE_WRITES_PER_SECOND, burst=EVIDENCE_BURST
        )

    async def carry_out(self, resource: JsonObject, decision: Decision) -> Outcome:
        """Make the cluster as decided; raises a `KubeError` where that fails.

        `resource` is the object as the decision saw it. What the server refuses it refuses again,
        so that nothing would go on and no status could say why: an event tells it.
        """
        try:
            return await self._carried_out(resource, decision)
        except (Invalid, Forbidden) as error:
            if not isinstance(error, NamespaceTerminating):
                await self.events.record(resource, _refusal(error))
            raise

    async def _carried_out(self, resource: JsonObject, decision: Decision) -> Outcome:
        postponed = await self._write_status(resource, decision)
        # What isn't in the status yet is neither told nor recorded.
        events, records = (decision.events, decision.records) if postponed is None else ((), ())
        try:
            names_are_ours = await self._acted(resource, decision)
        except KubeError:
            await self._told(resource, events)
            await self.records.write(resource, records)
            raise
        await self._told(resource, events)  # after what moves requests: that is what is waited for
        if not names_are_ours:
            return Outcome(0.0)  # the reconciler has to say that a name is taken
        waits = [postponed, decision.requeue_after_seconds]
        waits.append(await self.records.write(resource, records))
        if self.taken.of(ref_of(resource)):
            waits.append(RETRY_AFTER_SECONDS)
        return Outcome(min((wait for wait in waits if wait is not None), default=None))

    async def _acted(self, resource: JsonObject, decision: Decision) -> bool:
        """Make objects as they should be; False, at once, where a name is somebody else's."""
        for wanted in decision.desired:
            if not await self._ensure(resource, wanted):
                return False
        for pruned in decision.prune:
            await self._delete(pruned)
        return True

    async def _told(self, resource: JsonObject, events: Iterable[Event]) -> None:
        for event in events:
            await self.events.record(resource, event)

    def forget(self, owner: ObjectRef) -> None:
        """The owner is gone, and with it what was remembered for it."""
        self.taken.forget(owner)
        self.records.forget(owner)
        self._evidence.forget(owner)
        self._settled.forget(owner)

    # Status

    async def _write_status(self, resource: JsonObject, decision: Decision) -> float | None:
        """Store the status if it differs; the seconds by which evidence has to wait, else None."""
        status, stored, owner = decision.status, resource.get("status"), ref_of(resource)
        if status is None or status == stored:
            return None
        if self._settled.has(owner, owner, wanted=status, stored=stored):
            return None
        if not decision.status_precedes_action:
            wait = self._evidence.wait_seconds(owner)
            if wait > 0:
                return wait
        metadata = resource["metadata"]
        body = {
            "apiVersion": resource["apiVersion"],
            "kind": resource["kind"],
            "metadata": {
                name: metadata[name] for name in ("name", "namespace", "uid", "resourceVersion")
            },
            "status": status,
        }
        answer = await self.kube.replace(body, subresource="status")
        if decision.status_precedes_action:
            self.feed.put_answer(answer, before=resource)
        else:
            # Evidence alone wakes nobody: another pass now would ask the metrics provider again.
            self.store.put_answer(answer, before=resource)
        became = answer.get("status")
        if became == status:
            self._settled.discard(owner, owner)
        else:
            self._settled.add(owner, owner, wanted=status, stored=became)
            _log.warning("status stored with other values", extra={"about": owner})
        return None

    # What should exist

    async def _ensure(self, owner: JsonObject, wanted: DesiredObject) -> bool:
        """Make `wanted` so; False if somebody else's object bears the name."""
        if wanted.ref in self.taken.of(ref_of(owner)):
            return True
        if wanted.policy is ApplyPolicy.CREATE_SECRET:
            return await self._ensure_secret(owner, wanted)
        observed = self.store.get(wanted.ref)
        if observed is None:
            observed = await self._create(owner, wanted)
        if not _is_ours(observed, owner, wanted):
            self.taken.add(ref_of(owner), wanted.ref)
            return False
        if wanted.policy is ApplyPolicy.APPLY and wanted.ownership is Ownership.CONTROLLED:
            await self._update(owner, wanted, observed)
        return True

    async def _create(self, owner: JsonObject, wanted: DesiredObject) -> JsonObject:
        """The object, made now or found to be there."""
        try:
            answer = await self.kube.create(_owned(wanted.body, owner, wanted))
        except AlreadyExists:
            found = await self.kube.get(wanted.ref)
            self.feed.put_read(found, before=None)
            return found
        _log.info("object created", extra={"about": wanted.ref})
        self.feed.put_answer(answer, before=None)
        return answer

    async def _ensure_secret(self, owner: JsonObject, wanted: DesiredObject) -> bool:
        """Make the Secret; that it exists is all that the operator may learn of it.

        That it was made before says nothing: who wants it again knows that somebody misses it.
        """
        try:
            await self.kube.create(with_random_key(_owned(wanted.body, owner, wanted)))
        except AlreadyExists:
            return True
        _log.info("object created", extra={"about": wanted.ref})
        return True

    async def _update(self, owner: JsonObject, wanted: DesiredObject, observed: JsonObject) -> None:
        owner_ref, body = ref_of(owner), _owned(wanted.body, owner, wanted)
        differs, version = uncovered_path(observed, body), _version(observed)
        if differs is None:
            return
        if self._settled.has(owner_ref, wanted.ref, wanted=body, stored=version):
            return
        preconditions = {"uid": uid_of(observed)}
        if wanted.resource_version is not None:
            preconditions["resourceVersion"] = wanted.resource_version
        applied = {**body, "metadata": {**body["metadata"], **preconditions}}
        try:
            answer = await self.kube.apply(applied)
        except Conflict:
            await self._refresh(wanted.ref)
            raise
        self.feed.put_answer(answer, before=observed)
        _log.info("object applied", extra={"about": wanted.ref, "field": differs})
        left = uncovered_path(answer, body)
        if left is None:
            self._settled.discard(owner_ref, wanted.ref)
            return
        # Somebody (a webhook, a default) keeps a field at another value: say so, don't fight.
        self._settled.add(owner_ref, wanted.ref, wanted=body, stored=_version(answer))
        _log.warning("object stays different", extra={"about": wanted.ref, "field": left})

    # What should not exist

    async def _delete(self, pruned: PrunedObject) -> None:
        stored = self.store.get(pruned.ref)
        if stored is not None and stored["metadata"].get("deletionTimestamp"):
            return
        try:
            await self.kube.delete(
                pruned.ref, uid=pruned.uid, resource_version=pruned.resource_version
            )
        except NotFound:
            pass
        except Conflict:
            await self._refresh(pruned.ref)
            raise
        else:
            _log.info("object deleted", extra={"about": pruned.ref})
        await self._refresh(pruned.ref)

    async def _refresh(self, ref: ObjectRef) -> None:
        """Look what became of the object: gone, going, or another one of that name."""
        stored = self.store.get(ref)
        try:
            answer = await self.kube.get(ref)
        except NotFound:
            if stored is not None:
                self.feed.forget(ref, uid_of(stored))
        else:
            self.feed.put_read(answer, before=stored)


def _version(body: JsonObject) -> str | None:
    version: str | None = body["metadata"].get("resourceVersion")
    return version


def _refusal(error: KubeError) -> Event:
    said = error.message[:_REFUSAL_SHOWN]
    message = f"{error.request} was refused ({error.reason}: {said}); it is tried again"
    return Event(EventType.WARNING, Reason.WRITE_REFUSED, message)


def _is_ours(observed: JsonObject, owner: JsonObject, wanted: DesiredObject) -> bool:
    return wanted.ownership is Ownership.KEPT or controller_uid(observed) == uid_of(owner)


def _owned(body: JsonObject, owner: JsonObject, wanted: DesiredObject) -> JsonObject:
    """The body with the owner's reference, where it is to go with its owner."""
    if wanted.ownership is Ownership.KEPT:
        return body
    reference = {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": uid_of(owner),
        "controller": True,
        "blockOwnerDeletion": True,
    }
    return {**body, "metadata": {**body["metadata"], "ownerReferences": [reference]}}
