"""The machine's clock."""

from __future__ import annotations

import time
from datetime import UTC, datetime


class SystemClock:
    """Implements `Clock`."""

    def now(self) -> datetime:
        """Wall-clock time."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """The clock that asyncio's loop counts by."""
        return time.monotonic()
