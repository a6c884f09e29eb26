"""A feature of a FeatureSet as an input of a model: its promises become policies of serving.

The one place where the words of the API turn into those of the signature, so that training and
serving treat a value alike.
"""

from __future__ import annotations

from collections.abc import Sequence

from serinus.api.column_type import ColumnType
from serinus.api.featureset import Feature
from serinus.api.quantities import parse_decimal
from serinus_runtime.artifact.column_datatypes import DATATYPES
from serinus_runtime.artifact.signature import Constant, InputSpec, PolicyAction


def input_of_feature(
    feature: Feature, *, categories: Sequence[str] | None, constant: Constant | None
) -> InputSpec:
    """The input of a feature.

    `categories` are the texts of the training rows in the order of their codes (None for numbers);
    `constant` is what missing or refused values are imputed by, computed on the training rows,
    None where the feature's policies impute nothing. Raises `ValueError` for a type that no model
    takes, and for a promise that can't be kept in serving.
    """
    if feature.type not in DATATYPES:
        raise ValueError(
            f"feature `{feature.name}`: a model can't take a {feature.type.value}; make a number "
            "of it in the transform, such as the hour or the days since a date"
        )
    expect = feature.expect
    if feature.type is ColumnType.BOOLEAN and expect is not None and expect.in_ is not None:
        raise ValueError(
            f"feature `{feature.name}`: `expect.in` isn't for a boolean; leave it out, or make the "
            "feature a string"
        )
    missing, violation = feature.on_missing, feature.on_violation
    return InputSpec(
        name=feature.name,
        datatype=DATATYPES[feature.type],
        unit=feature.unit,
        nullable=missing is None or missing.action.value != PolicyAction.REJECT,
        categories=None if categories is None else tuple(categories),
        minimum=None if expect is None or expect.min is None else parse_decimal(expect.min),
        maximum=None if expect is None or expect.max is None else parse_decimal(expect.max),
        allowed=None if expect is None or expect.in_ is None else tuple(expect.in_),
        on_missing=None if missing is None else PolicyAction(missing.action.value),
        on_violation=None if violation is None else PolicyAction(violation.action.value),
        constant=constant,
    )
