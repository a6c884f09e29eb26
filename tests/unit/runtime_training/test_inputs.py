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


@pytest.mark.parametrize("column_type", ["float64", "float32", "int64", "int32"])
def test_allowed_numbers_are_kept_for_serving_and_learnt_from_alone(column_type: str) -> None:
    spec = made(
        [1, 2, 2, 99],
        column_type,
        expect={"in": ["1", "2"]},
        onViolation={"action": "impute"},
        onMissing={"action": "impute", "strategy": "mean"},
    )

    assert spec.allowed == ("1", "2")
    assert spec.constant == pytest.approx(5 / 3)


def test_a_limit_is_met_by_a_number_of_32_bits() -> None:
    values = pl.Series("x", [0.1, 0.2], dtype=pl.Float32)
    feature = Feature.model_validate(
        {"name": "x", "type": "float32", "expect": {"max": "0.1"},
         "onMissing": {"action": "impute", "strategy": "mean"}}
    )  # fmt: skip

    (spec,) = input_specs([feature], values.to_frame())

    assert spec.constant == pytest.approx(0.1)  # the second is beyond, the first is not


def test_allowed_values_of_a_boolean_are_told() -> None:
    with pytest.raises(ColumnError, match=r"`x`: `expect\.in` isn't for a boolean"):
        made([True, False], "boolean", expect={"in": ["true"]})


@pytest.mark.parametrize("value", ["nan", "inf", "-Infinity"])
def test_a_constant_is_a_number_that_can_be_written(value: str) -> None:
    policy = {"action": "impute", "strategy": "constant", "value": value}

    with pytest.raises(TrainerError, match="is no float64"):
        made([1.0], onMissing=policy)


PRIVATE = FeatureSetSpec.model_validate(
    feature_set(
        features=[
            {"name": "distance", "type": "float64"},
            {"name": "tailnum", "type": "string", "sensitivity": "pseudonymize"},
            {"name": "carrier", "type": "string", "sensitivity": "none"},
            {"name": "pilot", "type": "string", "sensitivity": "pseudonymize"},
        ],
        pseudonymizationKeySecretRef={"name": "p", "key": "k"},
    )
)


@pytest.mark.parametrize("wanted", [None, ["pilot", "tailnum", "distance", "carrier"]])
def test_a_pseudonym_is_no_input_for_clients_send_the_value_itself(
    wanted: list[str] | None,
) -> None:
    with pytest.raises(
        TrainerError,
        match=r"`tailnum`, `pilot` can't be a model's input: .*"
        r"Name the features without it: `features: \[distance, carrier\]`",
    ):
        chosen_features(PRIVATE, wanted, "late")


def test_the_other_features_of_a_feature_set_with_private_ones_can_be_named() -> None:
    names = [f.name for f in chosen_features(PRIVATE, ["carrier", "distance"], "late")]

    assert names == ["distance", "carrier"]


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
