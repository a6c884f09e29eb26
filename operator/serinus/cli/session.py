"""What every command works with."""

from __future__ import annotations

from dataclasses import dataclass

from rich.console import Console

from serinus.api.enums import Kind
from serinus.cli.kubectl import Cluster
from serinus.cli.lineage import Namespace
from serinus.cli.objects import MANAGED_BY_SELECTOR, RESOURCES, Resource
from serinus.cli.reading import pods_of, resource_of, resources_of
from serinus.cli.terminal import Clock


@dataclass(frozen=True, slots=True)
class Session:
    """The cluster, the terminal and the time."""

    cluster: Cluster
    console: Console
    clock: Clock

    def find(self, kind: Kind, name: str) -> Resource:
        """One object."""
        return resource_of(self.cluster.get(RESOURCES[kind], name))

    def namespace(self) -> Namespace:
        """Everything of Serinus in the current namespace."""
        objects = self.cluster.list(tuple(RESOURCES.values()))
        pods = self.cluster.list(("pods",), selector=MANAGED_BY_SELECTOR)
        return Namespace(resources_of(objects), pods_of(pods))
