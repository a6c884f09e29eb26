"""The server's own metrics: plain cells on the hot path, Prometheus text when scraped.

A cell costs a tenth of a client library's labelled child. Names, labels and help stand in one
table each; children that a rate is computed from exist from the start, so that their first
increment isn't lost. Cohorts are bounded: the newest `COHORTS_KEPT`, in whole cohort lengths.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

from serinus.api.label_scores import LabelScore
from serinus_runtime.prediction_log.buffer import LogCounts
from serinus_runtime.server.ab_test_cells import AbTestCells, ab_test_samples
from serinus_runtime.server.access_log import AccessCounts
from serinus_runtime.server.exchange import LookedUp
from serinus_runtime.server.label_rules import LabelRules
from serinus_runtime.server.request_cells import RequestCells, request_samples
from serinus_runtime.server.request_cells import sample as _sample
from serinus_runtime.server.tracing import SpanCounts

SHADOWS_KEPT = 4
"""Revisions that were a shadow whose counts are kept."""
CONTENT_TYPE = b"text/plain; version=0.0.4; charset=utf-8"

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
    "serinus_connections": ("gauge", "Open connections, and calls over gRPC."),
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
    "serinus_online_values_total": (
        "counter",
        "Values that requests left out and that were looked up: present, stale or missing.",
    ),
    "serinus_online_entities": ("gauge", "Entities in the online tables of this pod."),
    "serinus_labels_total": (
        "counter",
        "Labels by the revision that answered, the cohort of its answer, and whether it was right.",
    ),
    "serinus_label_loss_total": (
        "counter",
        "Sum of the predictions' scores against their labels, each as a share of its bound.",
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
    "serinus_exposures_total": (
        "counter",
        "Units that this pod gave to an arm of an A/B test, each counted once.",
    ),
    "serinus_ab_test_fallbacks_total": (
        "counter",
        "Requests of the canary's units in an A/B test that stable answered, by why.",
    ),
    "serinus_prediction_log_rows_total": (
        "counter",
        "Rows predicted while the log is on: written, dropped, or not in the sample.",
    ),
    "serinus_access_log_lines_total": (
        "counter",
        "Lines of the access log: written, or dropped because nobody read them in time.",
    ),
    "serinus_trace_spans_total": (
        "counter",
        "Spans of requests: exported, dropped because too many waited, or failed.",
    ),
    "serinus_prediction_log_rows_waiting": ("gauge", "Rows that wait to be written to the log."),
    "serinus_worker_deaths_total": (
        "counter",
        "Worker processes of this pod that ended without being told to.",
    ),
}
_CohortKey: TypeAlias = tuple[str, int]


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

    `losses` has a sum for each score in force. `of_two` counts labels by (actual, outcome) where
    the model has two classes.
    """

    right: int = 0
    wrong: int = 0
    losses: dict[LabelScore, float] = field(default_factory=dict)
    of_two: dict[tuple[str, str], int] = field(default_factory=dict)

    def count_of_two(self, *, positive: bool, right: bool) -> None:
        """One label of a model of two classes."""
        key = ("positive" if positive else "negative", "right" if right else "wrong")
        self.of_two[key] = self.of_two.get(key, 0) + 1


@dataclass(slots=True, kw_only=True)
class Metrics(RequestCells):
    """All cells of the server. `cohorts` is keyed by (revision, cohort).

    `label_rules` say how labels are judged.

    `predictions_binned` has a cell for each of the `bins`. `ab_test` is None where there never was
    an A/B test; labels of its units are in `exposed_cohorts`.
    """

    deployment: str
    revision: str
    model: str
    digest: str
    label_rules: LabelRules = field(default_factory=LabelRules)
    in_flight: int = 0
    unread: int = 0
    bins: tuple[str, ...] = ()
    predictions_binned: list[int] = field(default_factory=list)
    cohorts: dict[_CohortKey, CohortCells] = field(default_factory=dict)
    exposed_cohorts: dict[_CohortKey, CohortCells] = field(default_factory=dict)
    late: dict[str, int] = field(default_factory=dict)
    repeated: int = 0
    refused: int = 0
    forwarded: int = 0
    shadows: dict[str, dict[ShadowOutcome, int]] = field(default_factory=dict)
    ab_test: AbTestCells | None = None
    worker_deaths: int = 0
    looked_up: dict[str, int] = field(default_factory=lambda: dict.fromkeys(LookedUp._fields, 0))

    def __post_init__(self) -> None:
        self.late.setdefault(self.revision, 0)
        self.predictions_binned = [0] * len(self.bins)

    def count_looked_up(self, counts: LookedUp) -> None:
        """Values of one request were looked up."""
        for state, count in counts._asdict().items():
            self.looked_up[state] += count

    def shadowed(self, revision: str, outcome: ShadowOutcome) -> None:
        """One request was mirrored to `revision`; the oldest shadow's counts are forgotten."""
        counts = self.shadows.get(revision)
        if counts is None:
            counts = self.shadows[revision] = dict.fromkeys(ShadowOutcome, 0)
            while len(self.shadows) > SHADOWS_KEPT:
                del self.shadows[next(iter(self.shadows))]
        counts[outcome] += 1

    def cohort_cells(self, revision: str, cohort: int, *, exposed: bool = False) -> CohortCells:
        """Cells of a cohort, made at the first use; `exposed`: of units in an A/B test."""
        key, cohorts = (revision, cohort), self.exposed_cohorts if exposed else self.cohorts
        cells = cohorts.get(key)
        if cells is None:
            losses = dict.fromkeys(self.label_rules.scores, 0.0)
            cells = cohorts[key] = CohortCells(losses=losses)
        return cells

    def forget_cohorts_before(self, oldest: int) -> None:
        """Drop cohorts that are no longer kept."""
        for cohorts in (self.cohorts, self.exposed_cohorts):
            for key in [key for key in cohorts if key[1] < oldest]:
                del cohorts[key]


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """What others count: values flagged, connections open, requests begun that aren't whole, rows
    of the log, lines of the access log, spans, entities in online tables.
    """

    flagged: int
    connections: int
    coming: int
    log: LogCounts = field(default_factory=LogCounts)
    access: AccessCounts = field(default_factory=AccessCounts)
    spans: SpanCounts = field(default_factory=SpanCounts)
    online_entities: int = 0


def rendered(metrics: Metrics, elsewhere: Elsewhere) -> bytes:
    """Prometheus text of all cells."""
    families = _families(metrics, elsewhere)
    lines = []
    for name, (kind, text) in _HELP.items():
        lines += [f"# HELP {name} {text}", f"# TYPE {name} {kind}", *families[name]]
    return ("\n".join(lines) + "\n").encode()


def _families(metrics: Metrics, elsewhere: Elsewhere) -> dict[str, list[str]]:
    own = {"deployment": metrics.deployment, "revision": metrics.revision}
    families = _own_families(metrics, elsewhere, own)
    if metrics.ab_test is not None:
        for name, lines in ab_test_samples(metrics.ab_test, own).items():
            families[name] += lines
    return families


def _own_families(
    metrics: Metrics, elsewhere: Elsewhere, own: dict[str, str]
) -> dict[str, list[str]]:
    model = own | {"model": metrics.model, "digest": metrics.digest}
    cohorts = list(_cohorts(metrics))
    wrong_beyond = metrics.label_rules.wrong_beyond
    beyond = {} if wrong_beyond is None else {"beyond": wrong_beyond}
    return {
        **request_samples(metrics, own),
        "serinus_exposures_total": [],
        "serinus_ab_test_fallbacks_total": [],
        "serinus_model_info": [_sample("serinus_model_info", model, 1)],
        "serinus_requests_in_flight": [
            _sample("serinus_requests_in_flight", own, metrics.in_flight)
        ],
        "serinus_requests_unread_total": [
            _sample("serinus_requests_unread_total", own, metrics.unread)
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
        "serinus_online_values_total": [
            _sample("serinus_online_values_total", own | {"state": state}, count)
            for state, count in metrics.looked_up.items()
        ],
        "serinus_online_entities": [
            _sample("serinus_online_entities", own, elsewhere.online_entities)
        ],
        "serinus_labels_total": [
            _sample("serinus_labels_total", labels | beyond | {"outcome": outcome}, count)
            for labels, cells in cohorts
            for outcome, count in (("right", cells.right), ("wrong", cells.wrong))
        ],
        "serinus_label_loss_total": [
            _sample(
                "serinus_label_loss_total",
                labels | score.labels(),
                loss,
            )
            for labels, cells in cohorts
            for score, loss in cells.losses.items()
        ],
        "serinus_labels_of_two_total": [
            _sample(
                "serinus_labels_of_two_total",
                labels | {"actual": actual, "outcome": outcome},
                count,
            )
            for labels, cells in cohorts
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
        "serinus_prediction_log_rows_total": [
            _sample("serinus_prediction_log_rows_total", own | {"outcome": outcome}, count)
            for outcome, count in (
                ("written", elsewhere.log.written),
                ("dropped", elsewhere.log.dropped),
                ("unsampled", elsewhere.log.unsampled),
            )
        ],
        "serinus_access_log_lines_total": [
            _sample("serinus_access_log_lines_total", own | {"outcome": outcome}, count)
            for outcome, count in (
                ("written", elsewhere.access.written),
                ("dropped", elsewhere.access.dropped),
            )
        ],
        "serinus_trace_spans_total": [
            _sample("serinus_trace_spans_total", own | {"outcome": outcome}, count)
            for outcome, count in (
                ("exported", elsewhere.spans.exported),
                ("dropped", elsewhere.spans.dropped),
                ("failed", elsewhere.spans.failed),
            )
        ],
        "serinus_prediction_log_rows_waiting": [
            _sample("serinus_prediction_log_rows_waiting", own, elsewhere.log.waiting)
        ],
        "serinus_worker_deaths_total": [
            _sample("serinus_worker_deaths_total", own, metrics.worker_deaths)
        ],
    }


def _cohorts(metrics: Metrics) -> Iterator[tuple[dict[str, str], CohortCells]]:
    """Labels and cells of all cohorts."""
    for cohorts, more in ((metrics.cohorts, {}), (metrics.exposed_cohorts, {"exposed": "true"})):
        for (revision, cohort), cells in sorted(cohorts.items()):
            of = {"deployment": metrics.deployment, "revision": revision, "cohort": str(cohort)}
            yield of | more, cells
