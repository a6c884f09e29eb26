"""Names that we need and somebody else's object bears; looked at again every 30 seconds."""

from __future__ import annotations

from serinus.cluster.ports import Clock
from serinus.reconcile.decision import ObjectRef

RETRY_AFTER_SECONDS = 30.0
_DUE_AFTER_SECONDS = 25.0  # less, so that a pass after `RETRY_AFTER_SECONDS` is never too early


class TakenNames:
    """What was in the way, by the key of the owner that wanted the name."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._seen_at: dict[ObjectRef, dict[ObjectRef, float]] = {}

    def of(self, owner: ObjectRef) -> frozenset[ObjectRef]:
        """Objects in the way of `owner`."""
        return frozenset(self._seen_at.get(owner, {}))

    def add(self, owner: ObjectRef, ref: ObjectRef) -> None:
        """`ref` was in the way just now."""
        self._seen_at.setdefault(owner, {})[ref] = self._clock.monotonic()

    def due(self, owner: ObjectRef) -> frozenset[ObjectRef]:
        """Those that it is time to look at again."""
        latest = self._clock.monotonic() - _DUE_AFTER_SECONDS
        seen = self._seen_at.get(owner, {})
        return frozenset(ref for ref, seen_at in seen.items() if seen_at <= latest)

    def discard(self, owner: ObjectRef, ref: ObjectRef) -> None:
        """`ref` is no longer in the way."""
        seen = self._seen_at.get(owner, {})
        seen.pop(ref, None)
        if not seen:
            self._seen_at.pop(owner, None)

    def forget(self, owner: ObjectRef) -> None:
        """The owner is gone."""
        self._seen_at.pop(owner, None)
