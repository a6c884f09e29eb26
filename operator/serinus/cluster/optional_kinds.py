"""Kinds that a cluster may have or lack, such as those of the Gateway API.

They are looked for before anything is watched. A watch is set up once, so a process that learns
that a kind came or went ends, and the one that follows finds the cluster as it is.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from serinus.cluster.errors import KubeError
from serinus.cluster.resources import HTTP_ROUTE, OBSERVED, OPTIONAL, Resource

LOOK_EVERY_SECONDS = 15.0
RETRY_SECONDS = 1.0

_log = logging.getLogger(__name__)


class Discovery(Protocol):
    """Knows which kinds the API server serves."""

    async def serves(self, resource: Resource) -> bool:
        """Whether the kind is there; raises a `KubeError` where the server doesn't say."""
        ...


class KindsChanged(Exception):
    """An optional kind came or went; the process has to start anew to watch what there is."""


@dataclass(slots=True)
class OptionalKinds:
    """Looks for the optional kinds; `known` are those that were found at the start."""

    discovery: Discovery
    known: tuple[Resource, ...] = ()

    def observed(self) -> Sequence[Resource]:
        """All kinds that are observed in this cluster."""
        return (*OBSERVED, *self.known)

    def knows_routes(self) -> bool:
        """Whether the cluster has HTTPRoutes."""
        return HTTP_ROUTE in self.known

    async def find(self) -> None:
        """Learn which there are, as soon as the server says so."""
        while True:
            try:
                self.known = await self._present()
            except KubeError as error:
                _log.warning("waiting for discovery", extra={"error": str(error)})
                await asyncio.sleep(RETRY_SECONDS)
            else:
                return

    async def watch(self) -> None:
        """Look now and then.

        Raises
        ------
        KindsChanged
            When others are served than the `known` ones.
        """
        while True:
            await asyncio.sleep(LOOK_EVERY_SECONDS)
            try:
                found = await self._present()
            except KubeError as error:
                _log.warning("discovery failed", extra={"error": str(error)})
                continue
            if changed := {*found} ^ {*self.known}:
                raise KindsChanged(", ".join(sorted(one.label for one in changed)))

    async def _present(self) -> tuple[Resource, ...]:
        return tuple([one for one in OPTIONAL if await self.discovery.serves(one)])
