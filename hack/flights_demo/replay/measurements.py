"""What callers saw, counted by scene, by what was asked and by the revision that answered."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

LATENCY_BOUNDS_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
_FAILURES_KEPT = 20


class Asked(StrEnum):
    """What a request asks."""

    PREDICTION = "prediction"
    FEEDBACK = "feedback"


@dataclass(slots=True)
class Measurements:
    """Counts since the start of the process; all of them only grow.

    `outcomes` counts by (scene, asked, revision, outcome), where the outcome is an HTTP status or
    the word for getting no answer. `latencies` counts answered predictions by (scene, revision) and
    bucket, the last of which has no bound. `last_answered_at` is a wall-clock time.
    """

    outcomes: Counter[tuple[str, str, str, str]] = field(default_factory=Counter)
    latencies: dict[tuple[str, str], list[int]] = field(
        default_factory=lambda: defaultdict(lambda: [0] * (len(LATENCY_BOUNDS_SECONDS) + 1))
    )
    last_answered_at: dict[tuple[str, str], float] = field(default_factory=dict)
    failures: list[dict[str, Any]] = field(default_factory=list)

    def answered(
        self, scene: str, asked: Asked, revision: str, status: int, seconds: float, now: float
    ) -> None:
        """An answer came after `seconds`."""
        self.outcomes[scene, asked, revision, str(status)] += 1
        if asked is Asked.PREDICTION:
            self.latencies[scene, revision][bisect_left(LATENCY_BOUNDS_SECONDS, seconds)] += 1
            self.last_answered_at[scene, revision] = now

    def unanswered(self, scene: str, asked: Asked, failure: str, now: float) -> None:
        """No answer came."""
        self.outcomes[scene, asked, "", failure] += 1
        if len(self.failures) < _FAILURES_KEPT:
            self.failures.append({"scene": scene, "asked": asked, "failure": failure, "at": now})

    def report(self) -> dict[str, Any]:
        """All counts as JSON."""
        return {
            "outcomes": [[*key, count] for key, count in self.outcomes.items()],
            "latencies": [[*key, counts] for key, counts in self.latencies.items()],
            "lastAnsweredAt": [[*key, at] for key, at in self.last_answered_at.items()],
            "failures": self.failures,
        }
