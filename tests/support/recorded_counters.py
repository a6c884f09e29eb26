"""Counters as a metrics provider has recorded them: scrape them in, ask for them with a query."""

import math
import re
from collections import defaultdict
from collections.abc import Mapping
from datetime import UTC, datetime

from serinus.analysis.samples import Query, RangeVector

_SELECTOR = re.compile(r"\{(?P<matchers>.*)\}\[(?P<range>\d+)ms\]")
_SUMMED = re.compile(
    r"sum by \((?P<by>[\w,]+)\) \(clamp_min\((?P<of>\{.*?\}) - "
    r".* and on \(pod\) (?P<pods>\{.*\}) .*\)\)\[(?P<range>\d+)ms:(?P<step>\d+)ms\]"
)
_STALE_AFTER_SECONDS = 300
_HIGHEST = re.compile(r"max_over_time\((.*)\)")
_MATCHER = re.compile(r'(\w+)(=~|=)"((?:[^"\\]|\\.)*)"')


def moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, tz=UTC)


class RecordedCounters:
    """Answers raw range-vector selectors as Prometheus does: ranges are open on the left."""

    def __init__(self) -> None:
        self._series: defaultdict[tuple[tuple[str, str], ...], list[tuple[float, float]]] = (
            defaultdict(list)
        )

    def scrape(self, at: float, values: Mapping[tuple[tuple[str, str], ...], float]) -> None:
        """Record one pod's counters, given by `labels(...)`.

        A sample that is no newer than the last of its series is refused, as by Prometheus.
        """
        for series, value in values.items():
            kept = self._series[series]
            if not kept or at > kept[-1][0]:
                kept.append((at, value))

    def answer(self, query: Query, *, known_until: float | None = None) -> tuple[RangeVector, ...]:
        """Series that the query selects; samples after `known_until` haven't arrived yet."""
        summed = _SUMMED.fullmatch(query.promql)
        if summed:
            return self._summed(query, summed, known_until=known_until)
        highest = _HIGHEST.fullmatch(query.promql)
        selector = _SELECTOR.fullmatch(highest[1] if highest else query.promql)
        assert selector, f"not a raw range-vector selector: {query.promql}"
        matchers = _MATCHER.findall(selector["matchers"])
        until = query.evaluated_at.timestamp()
        since = until - int(selector["range"]) / 1000
        last = until if known_until is None else min(until, known_until)
        found = []
        for series, samples in sorted(self._series.items()):
            wanted = tuple((at, v) for at, v in sorted(samples) if since < at <= last)
            if wanted and _selected(dict(series), matchers):
                found.append(RangeVector(dict(series), wanted))
        if highest:
            return tuple(
                RangeVector(one.labels, ((until, max(value for _, value in one.samples)),))
                for one in found
            )
        return tuple(found)

    def _summed(
        self, query: Query, summed: re.Match[str], *, known_until: float | None
    ) -> tuple[RangeVector, ...]:
        """Sums of what each series grew by from one whole step to the next."""
        by, step = summed["by"].split(","), int(summed["step"]) / 1000
        until = query.evaluated_at.timestamp()
        first = math.floor((until - int(summed["range"]) / 1000) / step) + 1
        sums: defaultdict[tuple[tuple[str, str], ...], dict[float, float]] = defaultdict(dict)

        def newest(selector: str, at: float) -> tuple[RangeVector, ...]:
            asked = Query(query.metric, f"{selector}[{_STALE_AFTER_SECONDS * 1000}ms]", moment(at))
            return self.answer(asked, known_until=known_until)

        for number in range(first, math.floor(until / step) + 1):
            at, ago = number * step, (number - 1) * step
            pods = {one.labels["pod"] for one in newest(summed["pods"], ago)}
            known = {
                tuple(one.labels.items()): one.samples[-1][1] for one in newest(summed["of"], ago)
            }
            for one in newest(summed["of"], at):
                before = known.get(
                    tuple(one.labels.items()), 0.0 if one.labels["pod"] in pods else math.inf
                )
                grown = one.samples[-1][1] - before
                key = tuple((label, one.labels[label]) for label in by if one.labels.get(label))
                sums[key][at] = sums[key].get(at, 0.0) + max(0.0, grown)
        return tuple(RangeVector(dict(key), tuple(at.items())) for key, at in sorted(sums.items()))


def labels(name: str, **own: str) -> tuple[tuple[str, str], ...]:
    """The labels of a series, in the deployment `flights/delay` unless they say otherwise."""
    common = {"__name__": name, "namespace": "flights", "deployment": "delay"}
    return tuple(sorted((common | own).items()))


def _selected(found: Mapping[str, str], matchers: list[tuple[str, str, str]]) -> bool:
    for label, operator, escaped in matchers:
        value = escaped.replace('\\"', '"').replace("\\\\", "\\")
        actual = found.get(label, "")
        if operator == "=" and actual != value:
            return False
        if operator == "=~" and not re.fullmatch(value, actual):
            return False
    return True
