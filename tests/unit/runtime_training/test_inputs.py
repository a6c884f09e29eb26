"""Inputs of a model, learnt from the training rows only."""

from typing import Any

import polars as pl
import pytest

from serinus.api.featureset import Feature, FeatureSetSpec
from serinus_runtime.artifact.signature import Datatype, InputSpec, PolicyAction
from serinus_runtime.training.inputs import chosen_features, input_specs
from serinus_runtime.user_error import ColumnError, TrainerError
from tests.support.feature_sets import feature_set


def made(values: list[Any], column_type: str = "float64", **more: Any) -> InputSpec:
    feature = Feature.model_validate({"name": "x", "type": column_type, **more})
    return input_specs([feature], pl.DataFrame({"x": values}))[0]


def test_a_number_carries_unit_and_range() -> None:
    spec = made(
        [1.0], unit="mi", expect={"min": "0", "max": "10"}, onViolation={"action": "reject"}
    )

    assert spec == InputSpec(
        "x",
        Datatype.FP64,
        unit="mi",
        minimum=0.0,
        maximum=10.0,
        on_violation=PolicyAction.REJECT,
    )


def test_categories_are_those_of_the_training_rows_that_are_allowed() -> None:
    spec = made(["UA", "AA", None, "ZZ", "AA"], "string", expect={"in": ["AA", "UA"]})

    assert spec.categories == ("AA", "UA")
    assert spec.allowed == ("AA", "UA")


@pytest.mark.parametrize(
    ("values", "column_type", "policy", "constant"),
    [
        ([1.0, 2.0, 9.0, None], "float64", {}, 2.0),
        ([1.0, 2.0, 9.0, None], "float64", {"strategy": "mean"}, 4.0),
        ([1, 5, 5, 9], "int64", {"strategy": "mostFrequent"}, 5.0),
        (["b", "a", "b", None], "string", {}, "b"),
        ([True, True, False], "boolean", {}, True),
        ([1.0], "float64", {"strategy": "constant", "value": "-1"}, -1.0),
        (["a"], "string", {"strategy": "constant", "value": "none"}, "none"),
    ],
)
def test_the_constant_of_missing_values(
    values: list[Any], column_type: str, policy: dict[str, str], constant: Any
) -> None:
    assert made(values, column_type, onMissing={"action": "impute", **policy}).constant == constant


def test_values_out_of_range_dont_count_for_the_constant() -> None:
    spec = made(
        [1.0, 3.0, 1e9], expect={"max": "10"}, onMissing={"action": "impute", "strategy": "mean"}
    )

    assert spec.constant == 2.0


def test_a_rejecting_input_takes_no_null() -> None:
    assert not made([1.0], onMissing={"action": "reject"}).nullable


@pytest.mark.parametrize(
    ("values", "column_type", "more", "told"),
    [
        ([None], "float64", {}, "`x` has no value in the training rows"),
        (
            ["a"],
            "string",
            {"onMissing": {"action": "impute", "strategy": "mean"}},
            "mean is for numbers",
        ),
        (
            [1.0],
            "float64",
            {"onMissing": {"action": "impute", "strategy": "constant", "value": "a"}},
            "`a` is no float64",
        ),
        ([f"v{n}" for n in range(10_001)], "string", {}, "10001 different texts"),
    ],
)
def test_what_cant_be_an_input_is_told(
    values: list[Any], column_type: str, more: dict[str, Any], told: str
) -> None:
    with pytest.raises(TrainerError, match=told):
        made(values, column_type, **more)


SPEC = FeatureSetSpec.model_validate(
    feature_set(
        features=[
            {"name": "a", "type": "float64"},
            {"name": "b", "type": "timestamp"},
            {"name": "late", "type": "boolean"},
        ]
    )
)


def test_features_come_in_the_order_of_the_feature_set() -> None:
    spec = FeatureSetSpec.model_validate(feature_set())

    names = [f.name for f in chosen_features(spec, ["distance", "carrier"], "late")]

    assert names == ["carrier", "distance"]


@pytest.mark.parametrize(
    ("wanted", "told"),
    [
        (["z"], "`z` is no feature of the FeatureSet; it has a, b, late"),
        (["b"], "`b` is a timestamp"),
        (["late"], "`late` is the label"),
    ],
)
def test_a_feature_that_cant_be_used_is_told(wanted: list[str], told: str) -> None:
    with pytest.raises(ColumnError, match=told):
        chosen_features(SPEC, wanted, "late")
