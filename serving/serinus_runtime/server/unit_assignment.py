"""To which arm of an A/B test a unit belongs: a pure function, the same in every pod and for ever.

A unit (a user, a session) is hashed with BLAKE2b (RFC 7693), keyed with the name of what it is
hashed for, to a place in [0, 2^64). Splitting units by a salted hash, and layers whose hashes are
independent of each other, so that any number of tests run at a time, are the design of Tang,
Agarwal, O'Brien, Meyer: "Overlapping Experiment Infrastructure" (KDD 2010).

- With a layer, the layer's hash says whether the unit takes part: tests with disjoint ranges of one
  layer never share a unit.
- The salt's hash splits the units that take part. Another salt is a fresh assignment.
- Further bits of the salt's hash, which say nothing of the arm, tell units apart for counting.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum

from serinus.api.ab_test_document import LayerRange

BUCKETS = 10_000
_BUCKETS_A_PERCENT = BUCKETS // 100
_BYTES = 8


class Arm(StrEnum):
    """Which revision answers a unit."""

    STABLE = "stable"
    CANARY = "canary"


@dataclass(frozen=True, slots=True)
class Assigned:
    """The arm of a unit, and a number in [0, 2^64) that tells the unit from others."""

    arm: Arm
    mark: int


class Assignment:
    """Splits units between two arms; `canary_percent` of those that take part get the canary."""

    def __init__(self, salt: str, canary_percent: int, layer: LayerRange | None = None) -> None:
        self._canary_buckets = canary_percent * _BUCKETS_A_PERCENT
        self._split = _keyed("salt", salt)
        self._layer = None if layer is None else _keyed("layer", layer.name)
        self._from, self._to = (
            (0, BUCKETS)
            if layer is None
            else (
                layer.from_percent * _BUCKETS_A_PERCENT,
                layer.to_percent * _BUCKETS_A_PERCENT,
            )
        )

    def of(self, unit: bytes) -> Assigned | None:
        """The arm of a unit; None where it takes no part."""
        if self._layer is not None:
            bucket, _ = _hashed(self._layer, unit)
            if not self._from <= bucket < self._to:
                return None
        bucket, mark = _hashed(self._split, unit)
        return Assigned(Arm.CANARY if bucket < self._canary_buckets else Arm.STABLE, mark)


def _keyed(kind: str, name: str) -> bytes:
    """The key of a hash; a name may be longer than BLAKE2b's keys are."""
    return hashlib.blake2b(f"serinus/{kind}\n{name}".encode()).digest()


def _hashed(key: bytes, unit: bytes) -> tuple[int, int]:
    """A unit's bucket of `BUCKETS`, and bits that are independent of it."""
    digest = hashlib.blake2b(unit, digest_size=2 * _BYTES, key=key).digest()
    place = int.from_bytes(digest[:_BYTES], "big")
    return place * BUCKETS >> 64, int.from_bytes(digest[_BYTES:], "big")
