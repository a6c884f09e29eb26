"""All cases, by name."""

from __future__ import annotations

from collections.abc import Mapping

from benchmarks.decisions.case import Case
from benchmarks.decisions.harmful import harmful_cases
from benchmarks.decisions.healthy import healthy_cases
from benchmarks.decisions.late_labels import label_cases
from benchmarks.decisions.promotion import promotion_cases


def catalogue() -> Mapping[str, Case]:
    """Cases in the order in which they are shown."""
    cases = [*healthy_cases(), *harmful_cases(), *promotion_cases(), *label_cases()]
    by_name = {case.name: case for case in cases}
    assert len(by_name) == len(cases), "two cases have one name"
    return by_name
