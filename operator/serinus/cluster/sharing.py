"""Equal parts of different objects, kept once.

The objects of a cluster are much alike: pod templates, steps, signatures and conditions of
thousands of them differ in a name and a digest. Bodies in the store are never changed in place, so
their equal parts may be one and the same; that is more than half of the memory.
"""

from __future__ import annotations

import sys
from typing import Any

REMEMBERED_PARTS = 10_000
INTERNED_LENGTH = 80


class Sharing:
    """Gives the part that was seen before, where an equal one was.

    Remembered are the parts of late: two generations, of which the older one is forgotten when the
    younger one is full. A part that is forgotten and seen again is kept twice, no more.
    """

    def __init__(self, *, remembered: int = REMEMBERED_PARTS) -> None:
        self._generation_max = remembered // 2
        self._young: dict[Any, Any] = {}
        self._old: dict[Any, Any] = {}

    def of(self, value: Any) -> Any:
        """`value` made of shared parts. Only decoded JSON; no part of it may be changed later."""
        if type(value) is str:
            return sys.intern(value) if len(value) <= INTERNED_LENGTH else value
        if isinstance(value, dict):
            made = {self.of(key): self.of(inner) for key, inner in value.items()}
            return self._known(made, (dict, *made, *map(_mark, made.values())))
        if isinstance(value, list):
            items = [self.of(inner) for inner in value]
            return self._known(items, (list, *map(_mark, items)))
        return value

    def _known(self, part: Any, mark: Any) -> Any:
        known = self._young.get(mark)
        if known is None:
            known = self._old.get(mark, part)
            if len(self._young) >= self._generation_max:
                self._old, self._young = self._young, {}
            self._young[mark] = known
        return known


def _mark(inner: Any) -> Any:
    """What tells two parts apart: a scalar by type and value, a part by being the same one.

    A part stays alive with the part that it is in, so nothing else can get its identity.
    """
    if isinstance(inner, dict | list):
        return id(inner)
    return inner if isinstance(inner, str) else (type(inner), repr(inner))
