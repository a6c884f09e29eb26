"""What the platform team decides once for all objects; builders read it, nothing changes it."""

from __future__ import annotations

from dataclasses import dataclass, field

from serinus.api.declared import is_for
from serinus.api.tracing import TraceCollector


@dataclass(frozen=True, slots=True)
class StoreSettings:
    """The PersistentVolumeClaim that is made where a namespace has none."""

    claim_name: str = "serinus-store"
    size: str = "20Gi"
    access_mode: str = "ReadWriteOnce"
    storage_class: str | None = None
    """None: the cluster's default class."""


@dataclass(frozen=True, slots=True)
class ScratchSettings:
    """Disk of its node that a pod may take at most, where its object doesn't say."""

    jobs_size: str = "10Gi"
    server_size: str = "1Gi"


@dataclass(frozen=True, slots=True)
class Settings:
    """Images, the store, bounds, and where spans may go."""

    jobs_image: str
    server_image: str
    image_pull_policy: str = "IfNotPresent"
    image_pull_secrets: tuple[str, ...] = ()
    """Names of Secrets that each namespace with our pods has to have."""
    store: StoreSettings = field(default_factory=StoreSettings)
    scratch: ScratchSettings = field(default_factory=ScratchSettings)
    trace_collectors: tuple[TraceCollector, ...] = ()

    def collectors_for(self, namespace: str) -> dict[str, TraceCollector]:
        """By name, those that Deployments of the namespace may choose among."""
        return {one.name: one for one in self.trace_collectors if is_for(one, namespace)}
