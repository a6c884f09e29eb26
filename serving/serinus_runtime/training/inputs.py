"""A model's inputs: the FeatureSet's features with what only the training rows can tell.

Categories and imputed constants are learnt here, from the training rows, and frozen in the
artifact; nothing of the evaluation rows or of later data gets in.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import polars as pl

from serinus.api import featureset
from serinus.api.column_type import ColumnType
from serinus.api.featureset import (
    Feature,
    FeatureSetSpec,
    ImputeStrategy,
    Sensitivity,
)
from serinus_runtime.artifact.encoding import limits
from serinus_runtime.artifact.feature_inputs import input_of_feature
from serinus_runtime.artifact.signature import Constant, Datatype, InputSpec, PolicyAction
from serinus_runtime.user_error import ColumnError, TrainerError

CATEGORIES_MAX = 10_000

_SHOWN_NAMES = 20


def chosen_features(
    spec: FeatureSetSpec, wanted: Sequence[str] | None, label: str
) -> tuple[Feature, ...]:
    """Features that the model uses, in the FeatureSet's order.

    Raises
    ------
    ColumnError, TrainerError
        One isn't there, or no model can take it; the text says what to name instead.
    """
    names = [feature.name for feature in spec.features]
    unknown = [name for name in wanted or () if name not in names]
    if unknown:
        raise ColumnError(
            f"features: `{unknown[0]}` is no feature of the FeatureSet; it has "
            f"{', '.join(names[:_SHOWN_NAMES])}"
        )
    chosen = tuple(feature for feature in spec.features if not wanted or feature.name in wanted)
    for feature in chosen:
        if feature.name == label:
            raise ColumnError(f"features: `{label}` is the label. Name the features without it")
        if feature.type is ColumnType.TIMESTAMP:
            raise ColumnError(
                f"features: `{feature.name}` is a timestamp, which a model can't take. Derive "
                "numbers from it in the transform, or name the features without it"
            )
    _refuse_private(chosen, label)
    return chosen


def _refuse_private(chosen: Sequence[Feature], label: str) -> None:
    """A model that learnt pseudonyms would know no value that a client sends."""
    private = [f.name for f in chosen if f.sensitivity is Sensitivity.PSEUDONYMIZE]
    if not private:
        return
    others = [f.name for f in chosen if f.name not in private and f.name != label]
    raise TrainerError(
        f"features: `{'`, `'.join(private[:_SHOWN_NAMES])}` can't be a model's input: the snapshot "
        "holds pseudonyms, and clients send the values themselves, none of which the model would "
        f"know. Name the features without it: `features: [{', '.join(others[:_SHOWN_NAMES])}]`"
    )


def input_specs(features: Sequence[Feature], training: pl.DataFrame) -> tuple[InputSpec, ...]:
    """Inputs as the training rows make them; raises `TrainerError`."""
    return tuple(_input_spec(feature, training[feature.name]) for feature in features)


def _input_spec(feature: Feature, values: pl.Series) -> InputSpec:
    if values.null_count() == values.len():
        raise TrainerError(
            f"feature `{feature.name}` has no value in the training rows. "
            "Name the features without it"
        )
    promised = _promised(feature)
    kept = _kept(values, promised)
    imputes = PolicyAction.IMPUTE in (promised.on_missing, promised.on_violation)
    return replace(
        promised,
        categories=_categories(feature, kept),
        constant=_constant(feature, kept) if imputes else None,
    )


def _promised(feature: Feature) -> InputSpec:
    """The input without what only values can tell."""
    try:
        return input_of_feature(feature, categories=None, constant=None)
    except ValueError as error:
        raise ColumnError(str(error)) from error


def _kept(values: pl.Series, promised: InputSpec) -> pl.Series:
    """The values that break no promise, without nulls."""
    present = values.drop_nulls()
    if promised.datatype is Datatype.BYTES:
        allowed = promised.allowed
        return present if allowed is None else present.filter(present.is_in(allowed))
    if promised.datatype is Datatype.BOOL:
        return present
    limit, numbers = limits(promised), present.cast(pl.Float64)
    kept = numbers.is_between(limit.low, limit.high)
    if limit.allowed is not None:
        kept &= numbers.is_in(sorted(limit.allowed))
    return present.filter(kept)


def _categories(feature: Feature, values: pl.Series) -> tuple[str, ...] | None:
    if feature.type is not ColumnType.STRING:
        return None
    categories = values.unique().sort().to_list()
    if len(categories) > CATEGORIES_MAX:
        raise TrainerError(
            f"feature `{feature.name}` has {len(categories)} different texts in the training "
            f"rows; at most {CATEGORIES_MAX}. Group them in the transform, or leave it out"
        )
    return tuple(categories)


def _constant(feature: Feature, values: pl.Series) -> Constant:
    policy = feature.on_missing or featureset.MissingPolicy(action=featureset.PolicyAction.IMPUTE)
    is_number = values.dtype.is_numeric()
    strategy = policy.strategy or (
        ImputeStrategy.MEDIAN if is_number else ImputeStrategy.MOST_FREQUENT
    )
    if strategy is ImputeStrategy.CONSTANT:
        return _parsed(feature, policy.value)
    if not values.len():
        raise TrainerError(
            f"feature `{feature.name}`: no training row has a value that keeps `expect`, so there "
            "is none to impute"
        )
    if strategy is ImputeStrategy.MOST_FREQUENT:
        most = values.mode().sort()[0]
        return most if isinstance(most, bool | str) else float(most)
    if not is_number:
        raise TrainerError(
            f"feature `{feature.name}`: onMissing.strategy {strategy.value} is for numbers, the "
            f"type is {feature.type.value}. Use mostFrequent or constant"
        )
    numbers = values.cast(pl.Float64)
    found = numbers.mean() if strategy is ImputeStrategy.MEAN else numbers.median()
    assert isinstance(found, float)
    return found


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return number


def _parsed(feature: Feature, text: str | None) -> Constant:
    try:
        if text is None:
            raise ValueError
        if feature.type is ColumnType.STRING:
            return text
        if feature.type is ColumnType.BOOLEAN:
            return {"true": True, "false": False}[text.lower()]
        return _finite(text)
    except (KeyError, ValueError) as error:
        raise TrainerError(
            f"feature `{feature.name}`: onMissing.value `{text}` is no {feature.type.value}"
        ) from error
