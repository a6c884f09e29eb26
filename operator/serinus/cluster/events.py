"""Kubernetes events about our objects: each said once, and no object talks without end.

An event with the same object, reason and message isn't sent again within an hour. One object may
send 25 at once and one every five minutes in the long run. Events are for people: one that can't
be sent is logged and forgotten.
"""

from __future__ import annotations

import hashlib
import logging
from collections import OrderedDict

from serinus.api.conditions import format_micro_time
from serinus.cluster.errors import KubeError, NamespaceTerminating
from serinus.cluster.ports import Clock, Kube
from serinus.cluster.resources import EVENT
from serinus.cluster.store import uid_of
from serinus.cluster.token_bucket import TokenBucket
from serinus.reconcile.decision import Event, JsonObject

REPEAT_AFTER_SECONDS = 3600.0
BURST = 25
REFILL_PER_SECOND = 1 / 300
REMEMBERED_MAX = 20_000
NOTE_MAX_LENGTH = 1024
CONTROLLER = "serinus.dev/operator"

_log = logging.getLogger(__name__)


class EventRecorder:
    """Sends events as events.k8s.io/v1."""

    def __init__(self, kube: Kube, clock: Clock, *, instance: str) -> None:
        self._kube = kube
        self._clock = clock
        self._instance = instance
        self._sent_at: OrderedDict[tuple[str, str, str], float] = OrderedDict()
        self._buckets: OrderedDict[str, TokenBucket] = OrderedDict()

    async def record(self, about: JsonObject, event: Event) -> None:
        """Send the event, unless it was said already or its object says too much."""
        uid, now = uid_of(about), self._clock.monotonic()
        message_hash = hashlib.sha256(event.message.encode()).hexdigest()[:16]
        key = (uid, event.reason, message_hash)
        if now - self._sent_at.get(key, float("-inf")) < REPEAT_AFTER_SECONDS:
            return
        if not self._bucket(uid).take():
            return
        try:
            await self._kube.create(self._body(about, event, message_hash))
        except NamespaceTerminating:
            return
        except KubeError as error:
            _log.warning("event not sent", extra={"reason": event.reason, "error": str(error)})
            return
        self._sent_at[key] = now
        self._sent_at.move_to_end(key)
        while len(self._sent_at) > REMEMBERED_MAX:
            self._sent_at.popitem(last=False)

    def _bucket(self, uid: str) -> TokenBucket:
        bucket = self._buckets.get(uid)
        if bucket is None:
            bucket = TokenBucket(self._clock, rate_per_second=REFILL_PER_SECOND, burst=BURST)
            self._buckets[uid] = bucket
        self._buckets.move_to_end(uid)
        while len(self._buckets) > REMEMBERED_MAX:
            self._buckets.popitem(last=False)
        return bucket

    def _body(self, about: JsonObject, event: Event, message_hash: str) -> JsonObject:
        metadata, moment = about["metadata"], self._clock.now()
        name = f"{metadata['name']}.{message_hash[:8]}{int(moment.timestamp() * 1e6):x}"
        return {
            "apiVersion": EVENT.api_version,
            "kind": EVENT.kind,
            "metadata": {"name": name, "namespace": metadata["namespace"]},
            "eventTime": format_micro_time(moment),
            "reportingController": CONTROLLER,
            "reportingInstance": self._instance[:128],
            "action": event.reason,
            "reason": event.reason,
            "type": event.type.value,
            "note": event.message[:NOTE_MAX_LENGTH],
            "regarding": {
                "apiVersion": about["apiVersion"],
                "kind": about["kind"],
                "namespace": metadata["namespace"],
                "name": metadata["name"],
                "uid": uid_of(about),
            },
        }
