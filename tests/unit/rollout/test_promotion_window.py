"""When a rollout may be promoted: days, hours, midnight, and the two days of the other time."""

from datetime import UTC, datetime, time

import pytest

from serinus.rollout.promotion_window import Closed, PromotionWindow, closed_at, is_time_zone

AMSTERDAM = "Europe/Amsterdam"
WORKDAYS = frozenset(range(4))
EVERY_DAY = frozenset(range(7))
OFFICE = PromotionWindow(WORKDAYS, time(9), time(16), AMSTERDAM)
NIGHT = PromotionWindow(frozenset({0}), time(22), time(2), "UTC")
ALL_DAY = PromotionWindow(frozenset({5}), time(0), time(0), "UTC")
AT_THE_CHANGE = PromotionWindow(EVERY_DAY, time(2, 30), time(2, 45), AMSTERDAM)
THE_HOUR = PromotionWindow(EVERY_DAY, time(2), time(3), AMSTERDAM)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


CASES = [
    # 2026-11-23 is a Monday; Amsterdam is an hour ahead of UTC in winter
    ("before it opens", OFFICE, "2026-11-23T07:59:59", "2026-11-23T08:00:00"),
    ("the moment at which it opens", OFFICE, "2026-11-23T08:00:00", None),
    ("the last moment", OFFICE, "2026-11-23T14:59:59", None),
    ("the moment at which it closes", OFFICE, "2026-11-23T15:00:00", "2026-11-24T08:00:00"),
    ("no promotion on Friday", OFFICE, "2026-11-27T10:00:00", "2026-11-30T08:00:00"),
    ("nor after the last hour of Thursday", OFFICE, "2026-11-26T15:00:00", "2026-11-30T08:00:00"),
    ("summer time is two hours ahead", OFFICE, "2026-07-06T07:00:00", None),
    ("and closes as much earlier in UTC", OFFICE, "2026-07-06T14:00:00", "2026-07-07T07:00:00"),
    ("over midnight, before it", NIGHT, "2026-11-23T23:59:59", None),
    ("over midnight, after it, on a day that isn't named", NIGHT, "2026-11-24T01:59:59", None),
    ("over midnight, closed", NIGHT, "2026-11-24T02:00:00", "2026-11-30T22:00:00"),
    ("midnight to midnight is a whole day", ALL_DAY, "2026-11-28T23:59:59", None),
    ("and no more", ALL_DAY, "2026-11-29T00:00:00", "2026-12-05T00:00:00"),
    # 2026-03-29, 01:00 UTC: 02:00 becomes 03:00
    ("an hour left out comes later", AT_THE_CHANGE, "2026-03-29T01:29:59", "2026-03-29T01:30:00"),
    ("and is as long", AT_THE_CHANGE, "2026-03-29T01:44:59", None),
    ("one that is left out as a whole", THE_HOUR, "2026-03-29T00:59:59", "2026-03-29T01:00:00"),
    ("comes later as a whole", THE_HOUR, "2026-03-29T01:59:59", None),
    ("and no longer", THE_HOUR, "2026-03-29T02:00:00", "2026-03-30T00:00:00"),
    ("the first time", AT_THE_CHANGE, "2026-10-25T00:30:00", None),
    # 2026-10-25, 01:00 UTC: 03:00 becomes 02:00
    ("an hour twice opens once", AT_THE_CHANGE, "2026-10-25T01:30:00", "2026-10-26T01:30:00"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("window", "now", "opens_at"), [row[1:] for row in CASES], ids=[row[0] for row in CASES]
)
def test_until_when_promotion_waits(
    window: PromotionWindow, now: str, opens_at: str | None
) -> None:
    assert closed_at((window,), at(now)) == (Closed(at(opens_at)) if opens_at else None)


def test_of_several_windows_one_that_is_open_is_enough_and_the_next_is_told() -> None:
    assert closed_at((OFFICE, ALL_DAY), at("2026-11-28T12:00:00")) is None
    assert closed_at((OFFICE, ALL_DAY), at("2026-11-27T12:00:00")) == Closed(
        at("2026-11-28T00:00:00")
    )


def test_without_windows_it_always_may() -> None:
    assert closed_at((), at("2026-11-27T12:00:00")) is None


@pytest.mark.parametrize("name", ["Europe/Atlantis", "../etc/passwd", "", "UTC/"])
def test_a_zone_that_nobody_knows_opens_nothing(name: str) -> None:
    window = PromotionWindow(EVERY_DAY, time(0), time(0), name)

    assert not is_time_zone(name)
    assert closed_at((window,), at("2026-11-27T12:00:00")) == Closed(None)


def test_a_known_zone_is_one() -> None:
    assert is_time_zone("UTC")
    assert is_time_zone(AMSTERDAM)
