"""The server's own metrics: plain cells on the hot path, Prometheus text when scraped.

A cell costs a tenth of a client library's labelled child. Names, labels and help stand in one
table each; children that a rate is computed from exist from the start, so that their first
increment isn't lost. Cohorts are bounded: the newest `COHORTS_KEPT`, in whole cohort lengths.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import accumulate
from typing import TypeAlias

COHORTS_KEPT = 64
SHADOWS_KEPT = 4
"""Revisions that were a shadow whose counts are kept."""
LATENCY_BOUNDS_SECONDS = (
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
)  # fmt: skip
CONTENT_TYPE = b"text/plain; version=0.0.4; charset=utf-8"
_CODES_FROM_START = (200, 400, 413, 500, 503)

_HELP = {
    "serinus_model_info": ("gauge", "The model that this pod serves; always 1."),
    "serinus_requests_total": ("counter", "Prediction requests by status code of the answer."),
    "serinus_request_duration_seconds": (
        "histogram",
        "Time from the last byte of a prediction request to its answer.",
    ),
    "serinus_requests_in_flight": (
        "gauge",
        "Prediction requests that were read and are being answered now.",
    ),
    "serinus_requests_unread_total": (
        "counter",
        "Prediction requests that never came whole: the client left or was too slow.",
    ),
    "serinus_connections": ("gauge", "Open connections."),
    "serinus_requests_coming": ("gauge", "Requests that have begun and haven't come whole yet."),
    "serinus_predictions_total": ("counter", "Rows predicted."),
    "serinus_predictions_out_of_range_total": (
        "counter",
        "Rows predicted of which a value broke a promise of the data.",
    ),
    "serinus_predictions_binned_total": (
        "counter",
        "Rows predicted by tenth of the probability, by class, or by the value's power of two.",
    ),
    "serinus_flagged_values_total": (
        "counter",
        "Values that break a promise of the data and were used all the same.",
    ),
    "serinus_labels_total": (
        "counter",
        "Labels by the revision that answered, the cohort of its answer, and whether it was right.",
    ),
    "serinus_label_loss_total": (
        "counter",
        "Sum of the predictions' scores against their labels, each as a share of the worst.",
    ),
    "serinus_labels_of_two_total": (
        "counter",
        "Labels of models with two classes, by what was so and whether the answer was right.",
    ),
    "serinus_labels_late_total": ("counter", "Labels that came after their cohort was closed."),
    "serinus_labels_repeated_total": ("counter", "Labels that had been counted before."),
    "serinus_labels_refused_total": (
        "counter",
        "Labels that weren't counted, since no more could be kept.",
    ),
    "serinus_labels_forwarded_total": (
        "counter",
        "Requests with labels that another pod counted: the one that had made the prediction.",
    ),
    "serinus_shadow_requests_total": (
        "counter",
        "Requests mirrored to a shadow, by its revision and by whether it answered the same.",
    ),
}
Labels: TypeAlias = Mapping[str, str]


class ShadowOutcome(StrEnum):
    """What came of a request that was mirrored, or should have been."""

    SAME = "same"
    DIFFERENT = "different"
    ERROR = "error"
    TIMEOUT = "timeout"
    DROPPED = "dropped"


@dataclass(slots=True)
class CohortCells:
    """Labels of one revision and cohort.

    `of_two` counts them by (actual, outcome) where the model has two classes.
    """

    right: int = 0
    wrong: int = 0
    loss: float = 0.0
    of_two: dict[tuple[str, str], int] = field(default_factory=dict)

    def count_of_two(self, *, positive: bool, right: bool) -> None:
        """One label of a model of two classes."""
        key = ("positive" if positive else "negative", "right" if right else "wrong")
        self.of_two[key] = self.of_two.get(key, 0) + 1


@dataclass(slots=True)
class Metrics:
    """All cells of the server. `cohorts` is keyed by (revision, cohort).

    `predictions_binned` has a cell for each of the `bins`.
    """

    deployment: str
    revision: str
    model: str
    digest: str
    requests: dict[int, int] = field(default_factory=lambda: dict.fromkeys(_CODES_FROM_START, 0))
    duration_buckets: list[int] = field(
        default_factory=lambda: [0] * (len(LATENCY_BOUNDS_SECONDS) + 1)
    )
    duration_seconds: float = 0.0
    in_flight: int = 0
    unread: int = 0
    predictions: int = 0
    predictions_out_of_range: int = 0
    bins: tuple[str, ...] = ()
    predictions_binned: list[int] = field(default_factory=list)
    cohorts: dict[tuple[str, int], CohortCells] = field(default_factory=dict)
    late: dict[str, int] = field(default_factory=dict)
    repeated: int = 0
    refused: int = 0
    forwarded: int = 0
    shadows: dict[str, dict[ShadowOutcome, int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.late.setdefault(self.revision, 0)
        self.predictions_binned = [0] * len(self.bins)

    def observe(self, code: int, seconds: float) -> None:
        """One prediction request was answered."""
        self.requests[code] = self.requests.get(code, 0) + 1
        self.duration_buckets[bisect_left(LATENCY_BOUNDS_SECONDS, seconds)] += 1
        self.duration_seconds += seconds

    def shadowed(self, revision: str, outcome: ShadowOutcome) -> None:
        """One request was mirrored to `revision`; the oldest shadow's counts are forgotten."""
        counts = self.shadows.get(revision)
        if counts is None:
            counts = self.shadows[revision] = dict.fromkeys(ShadowOutcome, 0)
            while len(self.shadows) > SHADOWS_KEPT:
                del self.shadows[next(iter(self.shadows))]
        counts[outcome] += 1

    def cohort_cells(self, revision: str, cohort: int) -> CohortCells:
        """Cells of a cohort, made at the first use."""
        key = (revision, cohort)
        cells = self.cohorts.get(key)
        if cells is None:
            cells = self.cohorts[key] = CohortCells()
        return cells

    def forget_cohorts_before(self, oldest: int) -> None:
        """Drop cohorts that are no longer kept."""
        for key in [key for key in self.cohorts if key[1] < oldest]:
            del self.cohorts[key]


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """What others count: values flagged, connections open, requests begun that aren't whole."""

    flagged: int
    connections: int
    coming: int


def rendered(metrics: Metrics, elsewhere: Elsewhere) -> bytes:
    """Prometheus text of all cells."""
    families = _families(metrics, elsewhere)
    lines = []
    for name, (kind, text) in _HELP.items():
        lines += [f"# HELP {name} {text}", f"# TYPE {name} {kind}", *families[name]]
    return ("\n".join(lines) + "\n").encode()


def _families(metrics: Metrics, elsewhere: Elsewhere) -> dict[str, list[str]]:
    own = {"deployment": metrics.deployment, "revision": metrics.revision}
    model = own | {"model": metrics.model, "digest": metrics.digest}
    cohorts = sorted(metrics.cohorts.items())
    return {
        "serinus_model_info": [_sample("serinus_model_info", model, 1)],
        "serinus_requests_total": [
            _sample("serinus_requests_total", own | {"code": str(code)}, count)
            for code, count in sorted(metrics.requests.items())
        ],
        "serinus_request_duration_seconds": list(_histogram(metrics, own)),
        "serinus_requests_in_flight": [
            _sample("serinus_requests_in_flight", own, metrics.in_flight)
        ],
        "serinus_requests_unread_total": [
            _sample("serinus_requests_unread_total", own, metrics.unread)
        ],
        "serinus_predictions_total": [
            _sample("serinus_predictions_total", own, metrics.predictions)
        ],
        "serinus_predictions_out_of_range_total": [
            _sample("serinus_predictions_out_of_range_total", own, metrics.predictions_out_of_range)
        ],
        "serinus_predictions_binned_total": [
            _sample("serinus_predictions_binned_total", own | {"bin": name}, count)
            for name, count in zip(metrics.bins, metrics.predictions_binned, strict=True)
        ],
        "serinus_connections": [_sample("serinus_connections", own, elsewhere.connections)],
        "serinus_requests_coming": [_sample("serinus_requests_coming", own, elsewhere.coming)],
        "serinus_flagged_values_total": [
            _sample("serinus_flagged_values_total", own, elsewhere.flagged)
        ],
        "serinus_labels_total": [
            _sample("serinus_labels_total", _of_cohort(metrics, key) | {"outcome": outcome}, count)
            for key, cells in cohorts
            for outcome, count in (("right", cells.right), ("wrong", cells.wrong))
        ],
        "serinus_label_loss_total": [
            _sample(
                "serinus_label_loss_total",
                _of_cohort(metrics, key) | {"score": "brier"},
                cells.loss,
            )
            for key, cells in cohorts
        ],
        "serinus_labels_of_two_total": [
            _sample(
                "serinus_labels_of_two_total",
                _of_cohort(metrics, key) | {"actual": actual, "outcome": outcome},
                count,
            )
            for key, cells in cohorts
            for (actual, outcome), count in sorted(cells.of_two.items())
        ],
        "serinus_labels_late_total": [
            _sample("serinus_labels_late_total", own | {"revision": revision}, count)
            for revision, count in sorted(metrics.late.items())
        ],
        "serinus_labels_repeated_total": [
            _sample("serinus_labels_repeated_total", own, metrics.repeated)
        ],
        "serinus_labels_refused_total": [
            _sample("serinus_labels_refused_total", own, metrics.refused)
        ],
        "serinus_labels_forwarded_total": [
            _sample("serinus_labels_forwarded_total", own, metrics.forwarded)
        ],
        "serinus_shadow_requests_total": [
            _sample(
                "serinus_shadow_requests_total",
                own | {"revision": revision, "outcome": outcome.value},
                count,
            )
            for revision, counts in metrics.shadows.items()
            for outcome, count in counts.items()
        ],
    }


def _of_cohort(metrics: Metrics, key: tuple[str, int]) -> dict[str, str]:
    revision, cohort = key
    return {"deployment": metrics.deployment, "revision": revision, "cohort": str(cohort)}


def _histogram(metrics: Metrics, own: Labels) -> Iterator[str]:
    name = "serinus_request_duration_seconds"
    counts = list(accumulate(metrics.duration_buckets))
    for bound, count in zip((*LATENCY_BOUNDS_SECONDS, None), counts, strict=True):
        limit = "+Inf" if bound is None else f"{bound:g}"
        yield _sample(f"{name}_bucket", {**own, "le": limit}, count)
    yield _sample(f"{name}_sum", own, metrics.duration_seconds)
    yield _sample(f"{name}_count", own, counts[-1])


def _sample(name: str, labels: Labels, value: float) -> str:
    pairs = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels.items())
    return f"{name}{{{pairs}}} {value!r}"


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
