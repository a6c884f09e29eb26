"""Moments as states keep them: whole milliseconds of Unix time."""

from __future__ import annotations

from datetime import UTC, datetime


def to_ms(moment: datetime) -> int:
    """Unix milliseconds of an aware moment."""
    return round(moment.timestamp() * 1000)


def from_ms(at_ms: int) -> datetime:
    """The aware moment."""
    return datetime.fromtimestamp(at_ms / 1000, tz=UTC)
