"""Which of the operator's processes may write: the one that holds the Lease.

The holder writes its Lease each second and may write other things for three seconds from the
moment at which it *sent* the last renewal that succeeded. Another process takes the Lease once it
has seen it unchanged for four seconds by its own monotonic clock; wall clocks don't count. So the
two never overlap, however slow the network, and one that was frozen finds itself expired when it
wakes. Holder is the pod's uid: a restarted container goes on at once. Who loses the Lease ends the
process; there is no way back to a known state inside it.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import Any

from serinus.api.conditions import format_micro_time
from serinus.cluster.errors import AlreadyExists, Conflict, KubeError, LeaseLost, NotFound
from serinus.cluster.ports import Clock, Kube
from serinus.cluster.resources import LEASE
from serinus.reconcile.decision import JsonObject, ObjectRef

LEASE_DURATION_SECONDS = 4
RENEW_DEADLINE_SECONDS = 3.0
RETRY_PERIOD_SECONDS = 1.0
ATTEMPT_TIMEOUT_SECONDS = 1.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Sighting:
    """A Lease held by somebody else, and since when it has looked like this."""

    resource_version: str
    since: float


class Lease:
    """One Lease object, and whether this process holds it."""

    def __init__(
        self, kube: Kube, clock: Clock, *, namespace: str, name: str, identity: str
    ) -> None:
        self._kube = kube
        self._clock = clock
        self._ref = ObjectRef(LEASE.api_version, LEASE.kind, namespace, name)
        self._identity = identity
        self._body: JsonObject | None = None
        self._held_since = float("inf")
        self._held_until = float("-inf")
        self._sighting: _Sighting | None = None

    def seconds_held(self) -> float:
        """For how long this process has been allowed to write; 0: it isn't."""
        return self._clock.monotonic() - self._held_since if self.seconds_left() > 0 else 0.0

    def seconds_left(self) -> float:
        """For how long this process may still write; not positive: it may not."""
        return self._held_until - self._clock.monotonic()

    async def acquire(self) -> None:
        """Wait until this process holds the Lease."""
        while True:
            await self._attempt()
            if self.seconds_left() > 0:
                _log.info("lease acquired", extra={"lease": self._ref.name})
                return
            await asyncio.sleep(RETRY_PERIOD_SECONDS)

    async def keep(self) -> None:
        """Renew the Lease until it is lost.

        Raises
        ------
        LeaseLost
            When somebody else holds it, or no renewal got through in time.
        """
        while self.seconds_left() > 0:
            await asyncio.sleep(min(RETRY_PERIOD_SECONDS, self.seconds_left()))
            await self._attempt()
        raise LeaseLost(f"lease {self._ref.name} was not renewed in {RENEW_DEADLINE_SECONDS} s")

    async def release(self) -> None:
        """Give the Lease up at an orderly end, so that the next takes over at once."""
        if self.seconds_left() <= 0 or self._body is None:
            return
        self._held_until = float("-inf")
        try:
            async with asyncio.timeout(ATTEMPT_TIMEOUT_SECONDS):
                await self._kube.replace(self._renewed(self._body, holder=""))
        except (KubeError, TimeoutError) as error:
            _log.warning("lease not released", extra={"error": str(error)})

    async def _attempt(self) -> None:
        """One try to get or renew; a failure leaves what was known."""
        try:
            async with asyncio.timeout(ATTEMPT_TIMEOUT_SECONDS):
                await self._try()
        except (KubeError, TimeoutError) as error:
            _log.warning("lease attempt failed", extra={"error": str(error) or "timeout"})

    async def _try(self) -> None:
        if self._body is None or self.seconds_left() <= 0:
            self._body = await self._found()
            if self._body is None:
                return
        await self._write(self._body)

    async def _found(self) -> JsonObject | None:
        """The Lease if this process may write it; made where there is none."""
        try:
            body = await self._kube.get(self._ref)
        except NotFound:
            return await self._made()
        spec, version = body.get("spec") or {}, str(body["metadata"]["resourceVersion"])
        if spec.get("holderIdentity", "") in ("", self._identity):
            return body
        now = self._clock.monotonic()
        if self._sighting is None or self._sighting.resource_version != version:
            self._sighting = _Sighting(version, now)
            return None
        duration = float(spec.get("leaseDurationSeconds") or LEASE_DURATION_SECONDS)
        return body if now - self._sighting.since >= duration else None

    async def _made(self) -> JsonObject | None:
        metadata = {"name": self._ref.name, "namespace": self._ref.namespace}
        body = {"apiVersion": LEASE.api_version, "kind": LEASE.kind, "metadata": metadata}
        try:
            return await self._kube.create({**body, "spec": {"holderIdentity": ""}})
        except AlreadyExists:
            return None

    async def _write(self, body: JsonObject) -> None:
        sent_at = self._clock.monotonic()
        try:
            self._body = await self._kube.replace(self._renewed(body, holder=self._identity))
        except Conflict:
            # Our own renewal whose answer was lost, or somebody who took it: look again.
            self._body = await self._after_conflict()
            return
        if self.seconds_left() <= 0:
            self._held_since = self._clock.monotonic()
        self._held_until = sent_at + RENEW_DEADLINE_SECONDS
        self._sighting = None

    async def _after_conflict(self) -> JsonObject | None:
        body = await self._kube.get(self._ref)
        if (body.get("spec") or {}).get("holderIdentity") == self._identity:
            return body
        self._held_until = float("-inf")
        return None

    def _renewed(self, body: JsonObject, *, holder: str) -> JsonObject:
        spec: dict[str, Any] = dict(body.get("spec") or {})
        now = format_micro_time(self._clock.now())
        if spec.get("holderIdentity") != holder:
            spec["leaseTransitions"] = int(spec.get("leaseTransitions") or 0) + 1
            spec["acquireTime"] = now
        spec |= {
            "holderIdentity": holder,
            "leaseDurationSeconds": LEASE_DURATION_SECONDS,
            "renewTime": now,
        }
        return {**body, "spec": spec}
