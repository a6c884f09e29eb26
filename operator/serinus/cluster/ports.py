"""What the shell needs of the world, as Protocols with their error contracts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Protocol

from serinus.analysis.samples import Query, QueryResult
from serinus.cluster.resources import Resource
from serinus.reconcile.decision import JsonObject, ObjectRef


class Kube(Protocol):
    """The API server.

    Every method raises a `KubeError` by what is to be done about it (`cluster/errors.py`), and
    nothing else; each ends within its timeout. A write that failed as `Transient` may have been
    carried out. Writes by a process that doesn't lead raise `LeaseLost`.
    """

    async def list_metadata(
        self, resource: Resource, namespace: str | None
    ) -> tuple[JsonObject, ...]:
        """Metadata of all observed objects, as the server has them now."""
        ...

    async def get(self, ref: ObjectRef) -> JsonObject:
        """The object as the server has it now."""
        ...

    async def create(self, body: JsonObject) -> JsonObject:
        """Make the object; `AlreadyExists` where the name is taken."""
        ...

    async def apply(self, body: JsonObject) -> JsonObject:
        """Bring the fields in `body` to their values, whoever set them before.

        With `metadata.uid` it never makes an object: another or none of that name is a `Conflict`.
        """
        ...

    async def replace(self, body: JsonObject, *, subresource: str | None = None) -> JsonObject:
        """Store `body`, or its `subresource`; `Conflict` if its resourceVersion isn't current."""
        ...

    async def delete(self, ref: ObjectRef, *, uid: str, resource_version: str | None) -> None:
        """Delete the object and, in the background, what it owns; `Conflict` if it is another."""
        ...


class Vouching(Protocol):
    """Whether somebody vouches that a request's actor is who wrote it. It never raises."""

    async def vouched_since(self) -> datetime | None:
        """Since when, without a break until now; None: nobody does."""
        ...


class Clock(Protocol):
    """Time. Waiting is asyncio's, whose loop counts as `monotonic` does."""

    def now(self) -> datetime:
        """Wall-clock time, aware, UTC; it may jump."""
        ...

    def monotonic(self) -> float:
        """Seconds that only grow, from an arbitrary start."""
        ...


class MetricSource(Protocol):
    """The provider of metric samples. It never raises: a failure is an answer."""

    async def fetch(self, queries: Iterable[Query]) -> Mapping[Query, QueryResult]:
        """An answer to each query, within the source's timeout."""
        ...
