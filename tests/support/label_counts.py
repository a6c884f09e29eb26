"""What a pod counts of labels of values, by what its environment says: each comes with its answer.

The losses are computed from their definitions, not by the server's code: a world has no server.
"""

import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from serinus.api.label_scores import canonical_decimal
from tests.support.recorded_counters import labels


@dataclass
class LabelCounts:
    """Labels of one pod, by cohort."""

    cohort_seconds: int
    wrong_beyond: float
    scores: list[dict[str, str]]
    answers: int = 0
    right: defaultdict[int, int] = field(default_factory=lambda: defaultdict(int))
    wrong: defaultdict[int, int] = field(default_factory=lambda: defaultdict(int))
    lost: defaultdict[tuple[int, int], float] = field(default_factory=lambda: defaultdict(float))

    def add(self, off_by: float, at: int) -> None:
        """One label; an answer is too low by half of `off_by`, by all of it, or by half more."""
        self.answers += 1
        error = off_by * (0.5 + self.answers % 3 * 0.5)
        cohort = at // self.cohort_seconds * self.cohort_seconds
        (self.wrong if error > self.wrong_beyond else self.right)[cohort] += 1
        for index, one in enumerate(self.scores):
            bound = float(one["bound"])
            self.lost[cohort, index] += min(_loss(one, error), bound) / bound

    def counters(self, own: Mapping[str, str]) -> dict[tuple[tuple[str, str], ...], float]:
        """The counters as they are scraped."""
        found: dict[tuple[tuple[str, str], ...], float] = {}
        for cohort in {*self.right, *self.wrong}:
            of_cohort = {**own, "cohort": str(cohort)}
            for outcome, counted in (("right", self.right), ("wrong", self.wrong)):
                told = {"outcome": outcome, "beyond": canonical_decimal(str(self.wrong_beyond))}
                series = labels("serinus_labels_total", **told, **of_cohort)
                found[series] = float(counted[cohort])
            for index, one in enumerate(self.scores):
                series = labels("serinus_label_loss_total", **one, **of_cohort)
                found[series] = self.lost[cohort, index]
        return found


def counts_of(template: Mapping[str, Any]) -> LabelCounts | None:
    """What a pod of this template counts; None where labels of values aren't taken."""
    (container,) = template["spec"]["containers"]
    environment = {one["name"]: one.get("value", "") for one in container.get("env", ())}
    beyond = environment.get("SERINUS_FEEDBACK_WRONG_BEYOND")
    if beyond is None:
        return None
    return LabelCounts(
        cohort_seconds=int(environment["SERINUS_COHORT_LENGTH_SECONDS"]),
        wrong_beyond=float(beyond),
        scores=json.loads(environment.get("SERINUS_FEEDBACK_SCORES", "[]")),
    )


def _loss(score: Mapping[str, str], error: float) -> float:
    match score["score"]:
        case "absoluteError":
            return error
        case "squaredError":
            return error**2
        case "pinball":
            return float(score["quantile"]) * error
        case other:
            raise AssertionError(f"not of values: {other}")
