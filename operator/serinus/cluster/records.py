"""Write the records of decisions, and know which are there. They aren't watched: they never end.

A record is a ConfigMap that is made once and never changed. Where its name is taken, its content
says whether it is ours. Nothing waits for a record: what can't be written now is tried again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field

from serinus.api.enums import Reason
from serinus.api.record_contract import RECORD_LABEL, RECORD_OF_LABEL
from serinus.cluster.errors import (
    AlreadyExists,
    Forbidden,
    Invalid,
    KubeError,
    NamespaceTerminating,
    NotFound,
)
from serinus.cluster.events import EventRecorder
from serinus.cluster.ports import Clock, Kube
from serinus.cluster.resources import Resource
from serinus.cluster.store import ref_of
from serinus.cluster.turns import Turns
from serinus.reconcile.decision import (
    DesiredObject,
    Event,
    EventType,
    JsonObject,
    ObjectRef,
)
from serinus.reconcile.json_values import objects_at, value_at
from serinus.reconcile.snapshot import RecordsSeen

WRITES_PER_SECOND = 20.0
BURST = 20.0
RETRY_AFTER_SECONDS = 30.0
_DIGITS_MAX = 9

Recorded = Callable[[JsonObject, JsonObject], None]
"""Told of the owner and of its new record, after a restart once more; it returns at once. Also of
one that the server refuses: nobody should miss a rollback because ConfigMaps are at their quota."""

_log = logging.getLogger(__name__)


@dataclass
class _Found:
    """Numbers of an owner's pending records: those written, those that others' objects bear, and
    those that were told of though they couldn't be written.
    """

    written: set[int] = field(default_factory=set)
    taken: set[int] = field(default_factory=set)
    told: set[int] = field(default_factory=set)


class Records:
    """The records of all Deployments; what it remembers is forgotten once the status says it."""

    def __init__(
        self,
        kube: Kube,
        events: EventRecorder,
        clock: Clock,
        recorded: Recorded = lambda _owner, _record: None,
    ) -> None:
        self._kube = kube
        self._recorded = recorded
        self._events = events
        self._turns = Turns(clock, rate_per_second=WRITES_PER_SECOND, burst=BURST)
        self._found: dict[ObjectRef, _Found] = {}

    async def seen(self, resource: JsonObject) -> RecordsSeen:
        """What is known of the records of a Deployment.

        Which number is the newest is asked of the API server only where the status doesn't say it:
        at the first pass, and after the status was lost.
        """
        ref = ref_of(resource)
        if value_at(resource, "status", "record", "number") is None:
            self._found.pop(ref, None)
            return RecordsSeen(newest=await self._newest(ref))
        pending = {one.get("number") for one in objects_at(resource, "status", "record", "pending")}
        found = self._found.get(ref)
        if found is None:
            return RecordsSeen()
        found.written &= pending
        found.taken &= pending
        found.told &= pending
        if not (found.written or found.taken or found.told):
            del self._found[ref]
        return RecordsSeen(written=frozenset(found.written), taken=frozenset(found.taken))

    async def write(self, owner: JsonObject, wanted: tuple[DesiredObject, ...]) -> float | None:
        """Write what isn't there; seconds until the next look, None where none is needed.

        Raises
        ------
        LeaseLost
            When the right to write is gone; nothing else.
        """
        ref, news = ref_of(owner), False
        for index, one in enumerate(wanted):
            number = _number(one)
            found = self._found.get(ref, _Found())
            if number in found.written or number in found.taken:
                continue
            wait = self._turns.wait_seconds(ref)
            if wait > 0:
                return wait
            try:
                is_ours = await self._make(one)
            except KubeError as error:
                await self._tell(owner, error)
                if _is_refused(error):
                    self._found[ref] = found
                    for waiting in wanted[index:]:
                        self._announce(owner, waiting, found)
                return RETRY_AFTER_SECONDS
            found = self._found.setdefault(ref, found)
            news = True
            if not is_ours:
                found.taken.add(number)
                break  # the numbers of all that follow change
            found.written.add(number)
            self._announce(owner, one, found)
        return 0.0 if news else None

    def forget(self, owner: ObjectRef) -> None:
        """The owner is gone; its records stay."""
        self._found.pop(owner, None)
        self._turns.forget(owner)

    def _announce(self, owner: JsonObject, record: DesiredObject, found: _Found) -> None:
        if _number(record) not in found.told:
            found.told.add(_number(record))
            self._recorded(owner, record.body)

    async def _make(self, wanted: DesiredObject) -> bool:
        """Make the record; whether the object of its name is this one."""
        try:
            await self._kube.create(wanted.body)
        except AlreadyExists:
            there = await self._kube.get(wanted.ref)
            return bool(there.get("data") == wanted.body["data"])
        _log.info("decision recorded", extra={"about": wanted.ref})
        return True

    async def _newest(self, owner: ObjectRef) -> int:
        selector = f"{RECORD_OF_LABEL}={owner.name}"
        resource = Resource("v1", "ConfigMap", "configmaps", selector)
        try:
            found = await self._kube.list_metadata(resource, owner.namespace)
        except NotFound:
            return 0
        labels = [one["metadata"].get("labels", {}).get(RECORD_LABEL, "") for one in found]
        numbers = [int(one) for one in labels if one.isdecimal() and len(one) <= _DIGITS_MAX]
        return max(numbers, default=0)

    async def _tell(self, owner: JsonObject, error: KubeError) -> None:
        about = {"about": ref_of(owner), "error": str(error)}
        _log.warning("decision not recorded yet", extra=about)
        if _is_refused(error):
            message = (
                f"{error.request} was refused ({error.reason}: {error.message[:600]}); the "
                "decision counts, and its record is tried again"
            )
            told = Event(EventType.WARNING, Reason.WRITE_REFUSED, message)
            await self._events.record(owner, told)


def _number(record: DesiredObject) -> int:
    return int(record.body["metadata"]["labels"][RECORD_LABEL])


def _is_refused(error: KubeError) -> bool:
    refused = isinstance(error, (Forbidden, Invalid))
    return refused and not isinstance(error, NamespaceTerminating)
