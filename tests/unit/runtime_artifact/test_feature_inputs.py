"""What a FeatureSet promises of a feature holds in serving, too."""

from typing import Any

import pytest

from serinus.api.featureset import Feature
from serinus_runtime.artifact.encoding import RowEncoder, ValueRefused
from serinus_runtime.artifact.feature_inputs import input_of_feature
from serinus_runtime.artifact.signature import Datatype, InputSpec, PolicyAction, Signature


def feature(**fields: Any) -> Feature:
    return Feature.model_validate({"name": "x", "type": "float64"} | fields)


def test_all_promises_are_taken_over() -> None:
    told = feature(
        type="string",
        unit="code",
        expect={"in": ["AA", "UA"]},
        onMissing={"action": "impute", "strategy": "mostFrequent"},
        onViolation={"action": "reject"},
    )

    assert input_of_feature(told, categories=["AA", "UA"], constant="UA") == InputSpec(
        "x",
        Datatype.BYTES,
        unit="code",
        categories=("AA", "UA"),
        allowed=("AA", "UA"),
        on_missing=PolicyAction.IMPUTE,
        on_violation=PolicyAction.REJECT,
        constant="UA",
    )


def test_a_feature_without_promises_takes_what_comes() -> None:
    plain = input_of_feature(feature(), categories=None, constant=None)

    assert plain == InputSpec("x", Datatype.FP64)


def test_rejecting_missing_values_makes_an_input_required() -> None:
    told = feature(type="int32", expect={"min": "0", "max": "6000"}, onMissing={"action": "reject"})

    made = input_of_feature(told, categories=None, constant=None)

    assert (made.datatype, made.nullable) == (Datatype.INT32, False)
    assert (made.minimum, made.maximum) == (0.0, 6000.0)


def test_allowed_numbers_hold_in_serving() -> None:
    told = feature(expect={"in": ["1", "2.5"]}, onViolation={"action": "reject"})
    made = input_of_feature(told, categories=None, constant=None)
    encoder = RowEncoder(Signature((made,), ()))

    assert encoder.rows([{"x": 2.5}, {"x": 1}]).tolist() == [[2.5], [1.0]]
    with pytest.raises(ValueRefused, match=r"`x`: expected one of 1, 2\.5, got 3"):
        encoder.rows([{"x": 3}])


def test_allowed_values_of_a_boolean_are_refused() -> None:
    told = feature(type="boolean", expect={"in": ["true"]})

    with pytest.raises(ValueError, match=r"feature `x`: `expect\.in` isn't for a boolean"):
        input_of_feature(told, categories=None, constant=None)


def test_a_timestamp_is_no_input() -> None:
    with pytest.raises(ValueError, match="feature `x`: a model can't take a timestamp"):
        input_of_feature(feature(type="timestamp"), categories=None, constant=None)
