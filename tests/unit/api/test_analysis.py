"""Block `analysis`: what a user may write there."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from serinus.api.analysis import METRICS_MAX, Analysis, AnalysisMetric, CompareTo


def a_metric(name: str, **fields: object) -> dict[str, object]:
    return {"name": name, "template": "error-rate", "compareTo": "stable", **fields}


def test_left_out_nothing_is_chosen_so_that_defaults_sit_on_the_object() -> None:
    metric = AnalysisMetric.model_validate(a_metric("errors"))

    assert metric.compare_to is CompareTo.STABLE
    assert (metric.tolerance, metric.non_inferiority_margin, metric.gate) == (None, None, None)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("max", 0.05),
        ("max", "five percent"),
        ("weight", "1.5"),
        ("tolerance", {"ratio": 2}),
        ("failureLimit", -1),
        ("name", "Errors"),
    ],
)
def test_a_value_that_is_none_is_refused_with_the_name_of_its_field(
    field: str, value: object
) -> None:
    with pytest.raises(ValidationError, match=rf"(?s)metrics.0.{field}"):
        Analysis.model_validate({"metrics": [a_metric("errors", min="0") | {field: value}]})


def test_metrics_are_bounded_as_the_schema_says() -> None:
    metrics = [a_metric(f"errors-{n}") for n in range(METRICS_MAX + 1)]

    with pytest.raises(ValidationError, match="at most 20 items"):
        Analysis.model_validate({"metrics": metrics})
