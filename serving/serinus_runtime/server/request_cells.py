"""Cells of prediction requests: plain numbers on the hot path, Prometheus text when scraped.

A server has them twice where it takes part in an A/B test: requests of units that take part are
counted for themselves, with the label `exposed`, so that like is compared with like. The sums over
both are all requests.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import accumulate
from typing import TypeAlias

LATENCY_BOUNDS_SECONDS = (
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
)  # fmt: skip
CODES_FROM_START = (200, 400, 413, 500, 503, 504)

Labels: TypeAlias = Mapping[str, str]


@dataclass(slots=True, kw_only=True)
class RequestCells:
    """Prediction requests that were answered, and their rows.

    `exposed` says whether they are those of units that take part in an A/B test.
    """

    requests: dict[int, int] = field(default_factory=lambda: dict.fromkeys(CODES_FROM_START, 0))
    duration_buckets: list[int] = field(
        default_factory=lambda: [0] * (len(LATENCY_BOUNDS_SECONDS) + 1)
    )
    duration_seconds: float = 0.0
    predictions: int = 0
    predictions_out_of_range: int = 0
    exposed: bool = False

    def observe(self, code: int, seconds: float) -> None:
        """One prediction request was answered."""
        self.requests[code] = self.requests.get(code, 0) + 1
        self.duration_buckets[bisect_left(LATENCY_BOUNDS_SECONDS, seconds)] += 1
        self.duration_seconds += seconds


def request_samples(cells: RequestCells, labels: Labels) -> dict[str, list[str]]:
    """Lines of all families that the cells make, by family."""
    return {
        "serinus_requests_total": [
            sample("serinus_requests_total", {**labels, "code": str(code)}, count)
            for code, count in sorted(cells.requests.items())
        ],
        "serinus_request_duration_seconds": list(_histogram(cells, labels)),
        "serinus_predictions_total": [
            sample("serinus_predictions_total", labels, cells.predictions)
        ],
        "serinus_predictions_out_of_range_total": [
            sample("serinus_predictions_out_of_range_total", labels, cells.predictions_out_of_range)
        ],
    }


def _histogram(cells: RequestCells, labels: Labels) -> Iterator[str]:
    name = "serinus_request_duration_seconds"
    counts = list(accumulate(cells.duration_buckets))
    for bound, count in zip((*LATENCY_BOUNDS_SECONDS, None), counts, strict=True):
        limit = "+Inf" if bound is None else f"{bound:g}"
        yield sample(f"{name}_bucket", {**labels, "le": limit}, count)
    yield sample(f"{name}_sum", labels, cells.duration_seconds)
    yield sample(f"{name}_count", labels, counts[-1])


def sample(name: str, labels: Labels, value: float) -> str:
    """One line of Prometheus text."""
    pairs = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels.items())
    return f"{name}{{{pairs}}} {value!r}"


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
