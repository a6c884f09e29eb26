"""Times, counts and shares as people read them."""

from __future__ import annotations

from datetime import UTC, datetime

_MINUTE, _HOUR, _DAY = 60, 3600, 86400


def age(since: datetime | None, now: datetime) -> str:
    """How long ago, in one unit as kubectl has it: `45s`, `12m`, `5h`, `3d`; `-` if unknown."""
    if since is None:
        return "-"
    seconds = max(0, int((now - since).total_seconds()))
    if seconds < 2 * _MINUTE:
        return f"{seconds}s"
    if seconds < 2 * _HOUR:
        return f"{seconds // _MINUTE}m"
    if seconds < 2 * _DAY:
        return f"{seconds // _HOUR}h"
    return f"{seconds // _DAY}d"


def in_utc(moment: datetime) -> str:
    """`2026-11-21T14:00:00Z`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def count(number: int) -> str:
    """`336,776`."""
    return f"{number:,}"


def share(bad: str, total: int) -> str:
    """`3 of 1,204 (0.25 %)`; counts may be fractional."""
    shown = f"{float(bad):,.1f}".removesuffix(".0")
    percent = f" ({float(bad) / total * 100:.2f} %)" if total else ""
    return f"{shown} of {count(total)}{percent}"


def short_digest(digest: str) -> str:
    """`sha256:1f2e3d4c5b6a`."""
    algorithm, _, digits = digest.partition(":")
    return f"{algorithm}:{digits[:12]}" if digits else digest
