"""What a reconciler answers: the next state, as data.

The shell carries a Decision out in this order: `status` first (so that an intent is stored before
it is acted on), then `desired` in the given order, then `prune`, then `records`. What came of it is
seen by the next pass, on any change of what was observed or after `requeue_after_seconds`. A
Decision whose status equals the stored one, whose desired objects are all there already and whose
prune and records are empty means: converged; it leads to no write.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

JsonObject = Mapping[str, Any]
"""A Kubernetes object as decoded JSON; never changed in place."""


@dataclass(frozen=True, slots=True, order=True)
class ObjectRef:
    """Which object: enough to read or delete it."""

    api_version: str
    kind: str
    namespace: str
    name: str


class Ownership(StrEnum):
    """What ties a child to its owner."""

    CONTROLLED = "Controlled"
    """Bears a controller ownerReference; goes when the owner goes."""
    KEPT = "Kept"
    """Holds data: no ownerReference, never updated, never deleted by the operator."""


class ApplyPolicy(StrEnum):
    """What the shell does with an object that is there already."""

    APPLY = "Apply"
    """Bring it to the desired state by server-side apply, if it is ours and differs."""
    CREATE_ONLY = "CreateOnly"
    """Leave it as it is (Jobs, ControllerRevisions, ConfigMaps of runs, claims, ModelVersions)."""
    CREATE_SECRET = "CreateSecret"
    """Create it with random bytes under the key `key`; the operator may not read Secrets."""


@dataclass(frozen=True, slots=True)
class DesiredObject:
    """An object that should exist.

    `body` is the full manifest without ownerReferences, which the shell adds for `CONTROLLED`.
    With `resource_version` the write carries it, and a conflict ends the pass (gather again).
    """

    body: JsonObject
    policy: ApplyPolicy = ApplyPolicy.APPLY
    ownership: Ownership = Ownership.CONTROLLED
    resource_version: str | None = None

    @property
    def ref(self) -> ObjectRef:
        """Which object it is."""
        metadata = self.body["metadata"]
        return ObjectRef(
            self.body["apiVersion"], self.body["kind"], metadata["namespace"], metadata["name"]
        )


@dataclass(frozen=True, slots=True)
class PrunedObject:
    """An object of ours that should not exist; deleted with uid precondition, in the background."""

    ref: ObjectRef
    uid: str
    resource_version: str | None = None


class EventType(StrEnum):
    """Type of a Kubernetes event."""

    NORMAL = "Normal"
    WARNING = "Warning"


@dataclass(frozen=True, slots=True)
class Event:
    """A Kubernetes event about the object; sent once the status is stored."""

    type: EventType
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Decision:
    """The next state of one object and its children; see the module's docstring.

    Attributes
    ----------
    status
        The whole new status, camelCase JSON; None leaves the stored one as it is.
    records
        Written last, in this order, and at most once; nothing waits for them, and where one can't
        be written the rest of the Decision counts all the same.
    status_precedes_action
        True when the status carries an intent that `desired` or `prune` act on: it is written at
        once and never waits in the bucket for writes that only carry evidence.
    requeue_after_seconds
        When to look again though nothing changed; None: only on a change.
    """

    status: JsonObject | None = None
    desired: tuple[DesiredObject, ...] = ()
    prune: tuple[PrunedObject, ...] = ()
    requeue_after_seconds: float | None = None
    records: tuple[DesiredObject, ...] = ()
    events: tuple[Event, ...] = ()
    status_precedes_action: bool = True
    log: Mapping[str, str] = field(default_factory=dict)
