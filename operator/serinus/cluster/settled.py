"""What the server made of something that we wrote, where that isn't what we wrote.

A default, or a webhook that keeps a field at another value: writing it again would change nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from serinus.reconcile.decision import ObjectRef


@dataclass(slots=True)
class _Made:
    wanted: Any
    stored: Any


class Settled:
    """Remembered by the owner in whose pass it was written, and forgotten with it."""

    def __init__(self) -> None:
        self._made: dict[ObjectRef, dict[ObjectRef, _Made]] = {}

    def has(self, owner: ObjectRef, ref: ObjectRef, *, wanted: Any, stored: Any) -> bool:
        """Whether `stored` is what became of `wanted` before."""
        return self._made.get(owner, {}).get(ref) == _Made(wanted, stored)

    def add(self, owner: ObjectRef, ref: ObjectRef, *, wanted: Any, stored: Any) -> None:
        """`wanted` was written, and became `stored`."""
        self._made.setdefault(owner, {})[ref] = _Made(wanted, stored)

    def discard(self, owner: ObjectRef, ref: ObjectRef) -> None:
        """What was written is what is stored."""
        self._made.get(owner, {}).pop(ref, None)

    def forget(self, owner: ObjectRef) -> None:
        """The owner is gone."""
        self._made.pop(owner, None)
