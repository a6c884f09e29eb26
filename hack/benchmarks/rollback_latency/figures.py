"""Percentiles of what was measured, beside what is to be reached and beside the control."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

SHARES = {"p50": 0.50, "p95": 0.95, "p99": 0.99}
TO_WEIGHT_ZERO = "scrape to weight 0"
TARGETS_SECONDS = {(TO_WEIGHT_ZERO, "p50"): 0.4, (TO_WEIGHT_ZERO, "p99"): 1.0}


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` of all don't exceed (nearest rank)."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def percentiles(values: Sequence[float]) -> dict[str, float]:
    """p50, p95 and p99 of seconds."""
    return {name: percentile(values, share) for name, share in SHARES.items()}


def missed(measured: Mapping[str, Sequence[float]]) -> list[str]:
    """Targets that weren't reached, each in words."""
    return [
        f"{what} {name} is {found:.2f} s, more than {target} s"
        for (what, name), target in TARGETS_SECONDS.items()
        if (found := percentile(measured[what], SHARES[name])) > target
    ]


def lines(measured: Mapping[str, Sequence[float]], control: Sequence[float]) -> list[str]:
    """A table: a row for each span, with its median as a multiple of the control's."""
    width = max(len(what) for what in [*measured, "control"])
    rows = [f"{'seconds':<{width}}" + "".join(f"{name:>9}" for name in SHARES) + "  x control"]
    middle = percentile(control, SHARES["p50"])
    for what, values in {**measured, "control": control}.items():
        found = percentiles(values)
        shown = "".join(f"{value:9.3f}" for value in found.values())
        rows.append(f"{what:<{width}}{shown}{found['p50'] / middle:11.0f}")
    return rows
