"""Promises of a FeatureSet, and what a broken one means."""

from typing import Any

import polars as pl
import pytest

from serinus.api.featureset import FeatureSetSpec
from serinus_runtime.features.expectations import Broken, broken_promises, failures
from serinus_runtime.user_error import ColumnError
from tests.support.feature_sets import feature_set


def broken(
    values: list[Any], expect: dict[str, Any], column_type: str = "float64", **more: Any
) -> tuple[Broken, ...]:
    feature = {"name": "x", "type": column_type, "expect": expect, **more}
    spec = FeatureSetSpec.model_validate(feature_set(features=[feature]))
    return broken_promises(pl.DataFrame({"x": values}), spec)


@pytest.mark.parametrize(
    ("values", "column_type", "expect", "rule", "rows"),
    [
        ([-1.0, 0.0, None], "float64", {"min": "0"}, "min 0", 1),
        ([1.0, 3.0, 4.0], "float64", {"max": "2.5"}, "max 2.5", 2),
        (["AA", "ZZ", None], "string", {"in": ["AA"]}, "in [AA]", 1),
        ([1, 7], "int64", {"in": ["1", "2"]}, "in [1, 2]", 1),
        ([True, False], "boolean", {"in": ["true"]}, "in [true]", 1),
        ([1.0, None, None], "float64", {"maxNullFraction": "0.5"}, "maxNullFraction 0.5", 2),
    ],
)
def test_a_broken_promise_is_counted_by_rule_and_column(
    values: list[Any], column_type: str, expect: dict[str, Any], rule: str, rows: int
) -> None:
    found = broken(values, expect, column_type)

    assert found == (Broken("x", rule, rows, len(values), None),)
    assert found[0].message.startswith(f"`x` {rule}: broken by {rows} of {len(values)} rows")


def test_kept_promises_are_not_mentioned() -> None:
    expect = {"min": "0", "max": "2", "maxNullFraction": "0.5"}

    assert broken([0.0, 2.0, None], expect) == ()


def test_what_has_a_policy_fails_no_snapshot() -> None:
    found = broken([-1.0], {"min": "0"}, onViolation={"action": "flag"})

    assert found[0].policy == "flag"
    assert failures(found) == ()


def test_nulls_fail_the_snapshot_whatever_the_policy_of_violations() -> None:
    found = broken([None, 1.0], {"maxNullFraction": "0"}, onViolation={"action": "flag"})

    assert failures(found) == found


def test_too_few_rows_fail_the_snapshot() -> None:
    spec = FeatureSetSpec.model_validate(feature_set(validation={"minRows": 5}))
    frame = pl.DataFrame(
        {f.name: [None] for f in spec.features}, schema_overrides={"distance": pl.Float64}
    )

    assert broken_promises(frame, spec) == (Broken("(rows)", "minRows 5", 1, 5, None),)


def test_a_range_of_texts_is_refused() -> None:
    with pytest.raises(ColumnError, match="are for numbers, the type is string"):
        broken(["a"], {"min": "0"}, "string")


@pytest.mark.parametrize(
    ("rows", "share"), [(600, "100 %"), (597, "100 %"), (99, "16 %"), (20, "3.3 %"), (1, "0.17 %")]
)
def test_a_share_is_shown_as_people_write_it(rows: int, share: str) -> None:
    broken = Broken(column="x", rule="max 1", rows=rows, of=600, policy=None)

    assert broken.message == f"`x` max 1: broken by {rows} of 600 rows ({share})"
