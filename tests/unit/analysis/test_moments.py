"""Moments survive the way into a state and back."""

from datetime import UTC, datetime, timedelta, timezone

from serinus.analysis.moments import from_ms, to_ms


def test_a_moment_is_kept_to_the_millisecond() -> None:
    moment = datetime(2026, 3, 1, 12, 0, 0, 123_000, tzinfo=UTC)

    assert to_ms(moment) == 1_772_366_400_123
    assert from_ms(to_ms(moment)) == moment


def test_the_time_zone_doesn_t_matter() -> None:
    east = datetime(2026, 3, 1, 14, 0, tzinfo=timezone(timedelta(hours=2)))

    assert from_ms(to_ms(east)) == east
    assert from_ms(to_ms(east)).tzinfo is UTC
