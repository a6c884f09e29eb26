"""What all pods of callers saw, added up. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from flights_demo.replay.measurements import LATENCY_BOUNDS_SECONDS, Asked

_OK = "200"
SLOW_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class TrafficReport:
    """Sums of `replay.measurements.Measurements` over pods.

    `clock` is in seconds since 1970; `waiting` callers have no answer yet; `failures` are the first
    requests that got none.
    """

    clock: float = 0.0
    waiting: int = 0
    outcomes: Mapping[tuple[str, str, str, str], int] = field(default_factory=dict)
    latencies: Mapping[tuple[str, str], Sequence[int]] = field(default_factory=dict)
    last_answered_at: Mapping[tuple[str, str], float] = field(default_factory=dict)
    failures: Sequence[Mapping[str, Any]] = ()

    def predictions(self, scene: str | None = None) -> Counter[str]:
        """Answered predictions by revision."""
        counts: Counter[str] = Counter()
        for (in_scene, asked, revision, _), count in self.outcomes.items():
            if asked == Asked.PREDICTION and revision and scene in (None, in_scene):
                counts[revision] += count
        return counts

    def failed_answers(self, scene: str | None = None) -> Counter[tuple[str, str]]:
        """Answers other than 200, by revision and status; of predictions and labels."""
        return self._failures(scene, answered=True)

    def unanswered(self, scene: str | None = None) -> Counter[str]:
        """Requests without an answer, by how."""
        counts: Counter[str] = Counter()
        for (_, outcome), count in self._failures(scene, answered=False).items():
            counts[outcome] += count
        return counts

    def _failures(self, scene: str | None, *, answered: bool) -> Counter[tuple[str, str]]:
        counts: Counter[tuple[str, str]] = Counter()
        for (in_scene, _, revision, outcome), count in self.outcomes.items():
            if outcome != _OK and outcome.isdigit() is answered and scene in (None, in_scene):
                counts[revision, outcome] += count
        return counts

    def slow_share(self, scene: str, revision: str) -> float | None:
        """Share of a revision's predictions that took longer than 250 ms; None without any."""
        counts = self.latencies.get((scene, revision))
        if not counts or not sum(counts):
            return None
        return sum(counts[LATENCY_BOUNDS_SECONDS.index(SLOW_SECONDS) + 1 :]) / sum(counts)


def added(reports: Iterable[Mapping[str, Any]]) -> TrafficReport:
    """One report of those of the pods."""
    clock, waiting = 0.0, 0
    outcomes: Counter[tuple[str, str, str, str]] = Counter()
    latencies: dict[tuple[str, str], list[int]] = {}
    last: dict[tuple[str, str], float] = {}
    failures: list[Mapping[str, Any]] = []
    for report in reports:
        failures += report["failures"]
        clock = max(clock, report["clock"])
        waiting += report["waiting"]
        for scene, asked, revision, outcome, count in report["outcomes"]:
            outcomes[scene, asked, revision, outcome] += count
        for scene, revision, counts in report["latencies"]:
            known = latencies.get((scene, revision), [0] * len(counts))
            latencies[scene, revision] = [a + b for a, b in zip(known, counts, strict=True)]
        for scene, revision, at in report["lastAnsweredAt"]:
            last[scene, revision] = max(at, last.get((scene, revision), 0.0))
    return TrafficReport(clock, waiting, outcomes, latencies, last, failures)
