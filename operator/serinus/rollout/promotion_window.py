"""When a rollout may be promoted: on which days, at which hours, by the clock of a time zone.

A window is a span between two moments, not a look at a clock on the wall: so it opens once also on
the day on which clocks are put back, and opens at all on the day on which its hour is left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_DAY = timedelta(days=1)
_LOOKED_AHEAD_DAYS = 8
"""Any window opens within a week; a day more for the one that goes over midnight."""


@dataclass(frozen=True, slots=True)
class PromotionWindow:
    """Hours of some days.

    Attributes
    ----------
    weekdays
        Days on which it opens, Monday is 0.
    starts, ends
        Hours and minutes by the clock there; where `ends` isn't later, it is of the next day.
    """

    weekdays: frozenset[int]
    starts: time
    ends: time
    time_zone: str


@dataclass(frozen=True, slots=True)
class Closed:
    """No window is open; `opens_at` is None where nobody knows when one is."""

    opens_at: datetime | None


def is_time_zone(name: str) -> bool:
    """Whether the zone is known here."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def closed_at(windows: tuple[PromotionWindow, ...], now: datetime) -> Closed | None:
    """Until when promotion waits at `now`; None when it may be.

    Without windows it always may. A zone that isn't known here opens nothing: a promotion that
    nobody wanted is worse than one that waits for a person.
    """
    if not windows:
        return None
    spans = [span for window in windows for span in _spans(window, now)]
    if any(begin <= now < end for begin, end in spans):
        return None
    return Closed(min((begin for begin, _ in spans if begin > now), default=None))


def _spans(window: PromotionWindow, now: datetime) -> Iterator[tuple[datetime, datetime]]:
    if not is_time_zone(window.time_zone):
        return
    zone = ZoneInfo(window.time_zone)
    today = now.astimezone(zone).date()
    overnight = window.ends <= window.starts
    for offset in range(-1, _LOOKED_AHEAD_DAYS + 1):
        day = today + offset * _DAY
        if day.weekday() in window.weekdays:
            last_day = day + _DAY if overnight else day
            begin, end = _moment(day, window.starts, zone), _moment(last_day, window.ends, zone)
            yield begin, end if end > begin else begin + _length(window)


def _length(window: PromotionWindow) -> timedelta:
    """How long it is where no clock is put: one whose whole hour is left out is as long later."""
    day = date.min + _DAY
    starts, ends = datetime.combine(day, window.starts), datetime.combine(day, window.ends)
    return ends - starts if ends > starts else ends - starts + _DAY


def _moment(day: date, clock: time, zone: ZoneInfo) -> datetime:
    """The first moment at which the clock shows it; after the gap, where it never does."""
    return datetime.combine(day, clock, zone).astimezone(UTC)
