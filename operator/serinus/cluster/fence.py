"""The API server as the leader may use it: each write ends before the Lease does.

A write by a process that no longer holds the Lease isn't sent, and one that takes too long is
given up while the Lease still holds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Protocol, TypeVar

from serinus.cluster.errors import LeaseLost, Transient
from serinus.cluster.ports import Kube
from serinus.cluster.resources import Resource
from serinus.reconcile.decision import JsonObject, ObjectRef

T = TypeVar("T")


class Tenure(Protocol):
    """Whoever knows for how long this process may write."""

    def seconds_left(self) -> float:
        """Not positive: it may not."""
        ...


class FencedKube:
    """Implements `Kube`; reads pass freely."""

    def __init__(self, kube: Kube, tenure: Tenure) -> None:
        self._kube = kube
        self._tenure = tenure

    async def list_metadata(
        self, resource: Resource, namespace: str | None
    ) -> tuple[JsonObject, ...]:
        """As `Kube`."""
        return await self._kube.list_metadata(resource, namespace)

    async def get(self, ref: ObjectRef) -> JsonObject:
        """As `Kube`."""
        return await self._kube.get(ref)

    async def create(self, body: JsonObject) -> JsonObject:
        """As `Kube`, while the Lease holds."""
        return await self._in_time(self._kube.create(body), "create")

    async def apply(self, body: JsonObject) -> JsonObject:
        """As `Kube`, while the Lease holds."""
        return await self._in_time(self._kube.apply(body), "apply")

    async def replace(self, body: JsonObject, *, subresource: str | None = None) -> JsonObject:
        """As `Kube`, while the Lease holds."""
        return await self._in_time(self._kube.replace(body, subresource=subresource), "replace")

    async def delete(self, ref: ObjectRef, *, uid: str, resource_version: str | None) -> None:
        """As `Kube`, while the Lease holds."""
        write = self._kube.delete(ref, uid=uid, resource_version=resource_version)
        await self._in_time(write, "delete")

    async def _in_time(self, write: Coroutine[None, None, T], operation: str) -> T:
        left = self._tenure.seconds_left()
        if left <= 0:
            write.close()
            raise LeaseLost(f"{operation}: the lease has expired")
        try:
            async with asyncio.timeout(left):
                return await write
        except TimeoutError as error:
            message = f"no answer within the {left:.1f} s that the lease still held"
            raise Transient(operation, code=0, reason="Timeout", message=message) from error
