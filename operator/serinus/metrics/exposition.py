"""The operator's own metrics: one table with name, help and labels.

Labels are closed and few. Objects are named only by gauges that say how an object is, and those
are taken away with the object.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from serinus import __version__

PASS_BUCKETS_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


@dataclass(frozen=True, slots=True)
class LabelledValue:
    """One series: the values of the family's labels, and the number."""

    labels: tuple[str, ...]
    value: float


@dataclass(frozen=True, slots=True)
class GaugeFamily:
    """A gauge with all its series."""

    name: str
    help: str
    labels: tuple[str, ...]
    values: Sequence[LabelledValue]


ReadGauges = Callable[[], Iterable[GaugeFamily]]


class Mistakes(Protocol):
    """What the watch was wrong about."""

    @property
    def ghosts(self) -> int:
        """Objects that were gone."""
        ...

    @property
    def unseen(self) -> int:
        """Objects that it hadn't told of."""
        ...


class OperatorMetrics:
    """All metrics of one operator process."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        self.passes = Histogram(
            "serinus_reconcile_duration_seconds",
            "Duration of a pass over one object, with all its reads and writes.",
            ["kind", "result"],
            buckets=PASS_BUCKETS_SECONDS,
            registry=self.registry,
        )
        self.requests = Counter(
            "serinus_apply_requests_total",
            "Requests to the API server; code 0: no answer.",
            ["kind", "operation", "code"],
            registry=self.registry,
        )
        self.last_event = Gauge(
            "serinus_watch_last_event_timestamp_seconds",
            "When the watch of a resource last told of a change.",
            ["resource"],
            registry=self.registry,
        )
        self.missed = Counter(
            "serinus_watch_missed_objects_total",
            "Objects about which the watch was wrong, found by comparing with a list.",
            ["mistake"],
            registry=self.registry,
        )
        self.notices = Counter(
            "serinus_notices_total",
            "Notices of decisions by what came of them: sent, failed, dropped.",
            ["sink", "outcome"],
            registry=self.registry,
        )
        self.hooks = Counter(
            "serinus_hook_answers_total",
            "Questions to hooks by their answers: yes, no, nothing.",
            ["hook", "answer"],
            registry=self.registry,
        )
        build = Gauge(
            "serinus_build_info",
            "1, labelled with the version that runs.",
            ["version"],
            registry=self.registry,
        )
        build.labels(__version__).set(1)

    def passed(self, kind: str, result: str, seconds: float) -> None:
        """A pass over an object of `kind` ended."""
        self.passes.labels(kind, str(result)).observe(seconds)

    def requested(self, operation: str, kind: str, code: int) -> None:
        """A request to the API server ended."""
        self.requests.labels(kind, operation, str(code)).inc()

    def noticed(self, sink: str, outcome: str) -> None:
        """A notice was sent, failed or dropped."""
        self.notices.labels(sink, str(outcome)).inc()

    def answered(self, hook: str, answer: str) -> None:
        """A hook was asked."""
        self.hooks.labels(hook, str(answer)).inc()

    def audited(self, found: Mistakes) -> None:
        """The store was compared with a list."""
        self.missed.labels("ghost").inc(found.ghosts)
        self.missed.labels("unseen").inc(found.unseen)

    def read_when_scraped(self, read: ReadGauges) -> None:
        """Gauges whose values are looked up at each scrape."""
        self.registry.register(_Gauges(read))

    def text(self) -> bytes:
        """The exposition in Prometheus' text format."""
        return generate_latest(self.registry)


class _Gauges(Collector):
    def __init__(self, read: ReadGauges) -> None:
        self._read = read

    def collect(self) -> list[Metric]:
        return [_exposed(family) for family in self._read()]


def _exposed(family: GaugeFamily) -> Metric:
    exposed = GaugeMetricFamily(family.name, family.help, labels=family.labels)
    for one in family.values:
        exposed.add_metric(one.labels, one.value)
    return exposed
