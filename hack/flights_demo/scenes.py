"""The scenes: what happens in each, from which date traffic is replayed, and how it has to end."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum


class End(StrEnum):
    """How a scene ends."""

    SERVES = "serves"
    PROMOTED = "promoted"
    ROLLED_BACK = "rolled back"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True)
class Scene:
    """One scene.

    `version` is the ModelVersion that the Deployment is told to serve, `because` the metrics that
    may tell a bad one (none for a good one).
    """

    key: str
    title: str
    version: str
    start: datetime
    end: End
    because: tuple[str, ...] = ()
    requests_per_second: int = 300


def _day(month: int, day: int) -> datetime:
    return datetime(2013, month, day, tzinfo=UTC)


# Few ask in the first scene: the machine is busy with trainings, and nothing is compared yet.
FIRST = Scene(
    "a",
    "The first version serves",
    "delay-schedule-1",
    _day(10, 1),
    End.SERVES,
    requests_per_second=60,
)
# Wrong predictions are looked for in calm weeks: in the storms of early December, when nearly
# every flight is late, a version that says so of all of them is hardly worse.
_CALM = _day(11, 11)
RELEASES = (
    Scene("b", "A better version", "delay-boosted-1", _day(10, 1), End.PROMOTED),
    Scene(
        "c",
        "A version that answers with errors",
        "delay-short-haul-1",
        _day(10, 20),
        End.ROLLED_BACK,
        ("errors",),
    ),
    Scene(
        "d",
        "A version that is too slow",
        "delay-committee-1",
        _day(11, 5),
        End.ROLLED_BACK,
        ("slow",),
    ),
    Scene(
        "e",
        "A version that predicts wrongly, fast and healthy",
        "delay-hours-1",
        _CALM,
        End.ROLLED_BACK,
        ("wrong", "brier"),
    ),
)
ENCORE = Scene(
    "f",
    "A version that saw the future in training",
    "delay-peeking-1",
    _CALM,
    End.ROLLED_BACK,
    ("wrong", "brier"),
)
ENCORE_IS_TRAINED = replace(ENCORE, requests_per_second=FIRST.requests_per_second)
DECISION_SECONDS_MAX = 120
