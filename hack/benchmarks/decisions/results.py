"""What a run found, as plain data: what is printed, kept and shown in the docs is made of this."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from benchmarks.decisions.bound import information_bound
from benchmarks.decisions.case import Case, Measure, Requirement
from benchmarks.decisions.tally import Decisions, Tally, interval, measured

_DIGITS = 4
_SHARES = (Measure.ROLLED_BACK, Measure.PROMOTED)


def case_result(case: Case, tally: Tally) -> dict[str, Any]:
    """One case: counts, delays, and each figure that has to be reached beside what it is."""
    bound = information_bound(case)
    return {
        "name": case.name,
        "title": case.title,
        "group": case.group.value,
        "row": case.row,
        "rollouts": tally.product.rollouts,
        "whole_way": tally.whole_way,
        "whole_way_differs": tally.whole_way_differs,
        "bound": {"requests": round(bound.requests, 1), "seconds": round(bound.seconds, 1)}
        if bound
        else None,
        "product": _of_product(tally.product, bound.requests if bound else None),
        "peers": {name: _decisions(found) for name, found in tally.peers.items()},
        "requirements": [
            _requirement(one, tally, bound.requests if bound else None) for one in case.requirements
        ],
    }


def _decisions(found: Decisions) -> dict[str, Any]:
    return {
        "rolled_back": found.rolled_back,
        "promoted": found.promoted,
        "median_seconds": _finite(found.quantile(found.seconds, 0.5)),
        "p95_seconds": _finite(found.quantile(found.seconds, 0.95)),
    }


def _of_product(found: Decisions, bound_requests: float | None) -> dict[str, Any]:
    mean = math.fsum(found.requests) / len(found.requests) if found.requests else None
    return _decisions(found) | {
        "rolled_back_interval": _rounded_pair(interval(found.rolled_back, found.rollouts)),
        "promoted_interval": _rounded_pair(interval(found.promoted, found.rollouts)),
        "median_requests": _finite(found.quantile(found.requests, 0.5)),
        "p95_requests": _finite(found.quantile(found.requests, 0.95)),
        "mean_over_bound": round(mean / bound_requests, 2) if mean and bound_requests else None,
    }


def _requirement(one: Requirement, tally: Tally, bound_requests: float | None) -> dict[str, Any]:
    found = measured(tally, one.measure, bound_requests)
    return {
        "measure": one.measure.value,
        "sense": one.sense.value,
        "limit": one.limit,
        "share": one.measure in _SHARES,
        "measured": _finite(found),
        "reached": one.is_met(found),
    }


def is_reached(result: Mapping[str, Any]) -> bool:
    """Whether all figures of a case are, and both ways led to the same evidence."""
    figures = all(one["reached"] for one in result["requirements"])
    return figures and not result["whole_way_differs"]


def _finite(value: float) -> float | None:
    return round(value, _DIGITS) if math.isfinite(value) else None


def _rounded_pair(pair: tuple[float, float]) -> list[float]:
    return [round(one, 6) for one in pair]
