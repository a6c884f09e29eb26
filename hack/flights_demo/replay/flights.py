"""The flights that are replayed: what a caller knows of each, and what became of it."""

from __future__ import annotations

import gzip
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import orjson


@dataclass(frozen=True, slots=True)
class Flight:
    """One question.

    `asked_at` and `known_at` are seconds since 1970: when the prediction is asked, and when it is
    known whether the flight was `late`. `body` is the request as it is sent.
    """

    asked_at: float
    known_at: float
    late: bool
    body: bytes


def flights_of(content: bytes) -> list[Flight]:
    """Flights of gzipped JSON lines `{"asked_at", "known_at", "late", "row"}`, in order."""
    lines = gzip.decompress(content).splitlines()
    return [_flight(orjson.loads(line)) for line in lines]


def share_of(flights: Sequence[Flight], number: int, callers: int) -> list[Flight]:
    """Every `callers`-th flight from `number` on: what one of several callers asks."""
    return list(flights[number::callers])


def _flight(line: dict[str, Any]) -> Flight:
    body = orjson.dumps({"rows": [line["row"]]})
    return Flight(line["asked_at"], line["known_at"], line["late"], body)


def known_positions(flights: Sequence[Flight]) -> list[int]:
    """For each flight, the position of the first flight asked when its label was known."""
    asked = [flight.asked_at for flight in flights]
    return [bisect_left(asked, flight.known_at) for flight in flights]


def position_at(flights: Sequence[Flight], moment: float) -> int:
    """Position of the first flight asked at `moment` (seconds since 1970) or later."""
    return bisect_left([flight.asked_at for flight in flights], moment)


def gzipped(lines: Iterable[dict[str, Any]]) -> bytes:
    """The bytes that `flights_of` reads."""
    return gzip.compress(b"\n".join(orjson.dumps(line) for line in lines), 1, mtime=0)
