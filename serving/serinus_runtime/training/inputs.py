"""A model's inputs: the FeatureSet's features with what only the training rows can tell.

Categories and imputed constants are learnt here, from the training rows, and frozen in the
artifact; nothing of the evaluation rows or of later data gets in.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from serinus.api import featureset
from serinus.api.featureset import ColumnType, Feature, FeatureSetSpec, ImputeStrategy
from serinus.api.quantities import parse_decimal
from serinus_runtime.artifact.signature import Constant, Datatype, InputSpec, PolicyAction
from serinus_runtime.user_error import ColumnError, TrainerError

CATEGORIES_MAX = 10_000

_DATATYPES = {
    ColumnType.FLOAT64: Datatype.FP64,
    ColumnType.FLOAT32: Datatype.FP32,
    ColumnType.INT64: Datatype.INT64,
    ColumnType.INT32: Datatype.INT32,
    ColumnType.BOOLEAN: Datatype.BOOL,
    ColumnType.STRING: Datatype.BYTES,
}


def chosen_features(
    spec: FeatureSetSpec, wanted: Sequence[str] | None, label: str
) -> tuple[Feature, ...]:
    """Features that the model uses, in the FeatureSet's order; raises `ColumnError`."""
    names = [feature.name for feature in spec.features]
    unknown = [name for name in wanted or () if name not in names]
    if unknown:
        raise ColumnError(
            f"features: `{unknown[0]}` is no feature of the FeatureSet; it has "
            f"{', '.join(names[:20])}"
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
    return chosen


def input_specs(features: Sequence[Feature], training: pl.DataFrame) -> tuple[InputSpec, ...]:
    """Inputs as the training rows make them; raises `TrainerError`."""
    return tuple(_input_spec(feature, training[feature.name]) for feature in features)


def _input_spec(feature: Feature, values: pl.Series) -> InputSpec:
    if values.null_count() == values.len():
        raise TrainerError(
            f"feature `{feature.name}` has no value in the training rows. "
            "Name the features without it"
        )
    missing, violation = feature.on_missing, feature.on_violation
    limits = _Limits(feature)
    on_missing = PolicyAction(missing.action.value) if missing else None
    on_violation = PolicyAction(violation.action.value) if violation else None
    kept = limits.kept(values)
    imputes = PolicyAction.IMPUTE in (on_missing, on_violation)
    return InputSpec(
        name=feature.name,
        datatype=_DATATYPES[feature.type],
        unit=feature.unit,
        nullable=on_missing is not PolicyAction.REJECT,
        categories=_categories(feature, kept),
        minimum=limits.minimum,
        maximum=limits.maximum,
        allowed=limits.allowed,
        on_missing=on_missing,
        on_violation=on_violation,
        constant=_constant(feature, kept) if imputes else None,
    )


class _Limits:
    """What `expect` says of single values."""

    def __init__(self, feature: Feature) -> None:
        expect = feature.expect
        is_text = feature.type is ColumnType.STRING
        self.minimum = parse_decimal(expect.min) if expect and expect.min else None
        self.maximum = parse_decimal(expect.max) if expect and expect.max else None
        self.allowed = tuple(expect.in_) if expect and expect.in_ and is_text else None

    def kept(self, values: pl.Series) -> pl.Series:
        """The values that break no promise, without nulls."""
        kept = values.drop_nulls()
        if self.minimum is not None:
            kept = kept.filter(kept >= self.minimum)
        if self.maximum is not None:
            kept = kept.filter(kept <= self.maximum)
        return kept if self.allowed is None else kept.filter(kept.is_in(self.allowed))


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


def _parsed(feature: Feature, text: str | None) -> Constant:
    try:
        if text is None:
            raise ValueError
        if feature.type is ColumnType.STRING:
            return text
        if feature.type is ColumnType.BOOLEAN:
            return {"true": True, "false": False}[text.lower()]
        return float(text)
    except (KeyError, ValueError) as error:
        raise TrainerError(
            f"feature `{feature.name}`: onMissing.value `{text}` is no {feature.type.value}"
        ) from error
