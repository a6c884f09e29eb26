"""What was seen of a server under load, and what it says of itself at its end."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from benchmarks.serving.load import Seen

_END = "model server ended"


@dataclass(frozen=True, slots=True)
class Totals:
    """Requests answered with 200, rows predicted, and what came of these in the log."""

    requests: int = 0
    rows: int = 0
    logged: int = 0
    dropped: int = 0


def totals_in(log: str) -> Totals:
    """The totals that our server writes when it ends; none of another server."""
    for line in reversed(log.splitlines()):
        if _END in line:
            told: dict[str, Any] = json.loads(line)
            rows = told.get("prediction_log_rows", {})
            return Totals(
                requests=int(told["requests"]["200"]),
                rows=int(told["predictions"]),
                logged=sum(rows.values()),
                dropped=int(rows.get("dropped", 0)),
            )
    return Totals()


@dataclass(frozen=True, slots=True)
class Soaked:
    """Parts of a load, the first to warm up, and the memory after each."""

    parts: tuple[Seen, ...]
    pss_mb: tuple[float, ...]
    totals: Totals

    @property
    def answered(self) -> int:
        """Requests that clients saw answered, and the one that asked whether the server is up."""
        return 1 + sum(part.requests for part in self.parts)

    @property
    def failed(self) -> int:
        """Requests that got no answer, or another status than 2xx."""
        return sum(part.failed for part in self.parts)

    @property
    def kept_kb(self) -> float:
        """Memory kept of each request since the warm-up, in kilobytes."""
        requests = sum(part.requests for part in self.parts[1:])
        return (self.pss_mb[-1] - self.pss_mb[0]) * 1024 / max(1, requests)
