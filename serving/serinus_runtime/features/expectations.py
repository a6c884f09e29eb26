"""What the spec promises of the values, counted; and whether the snapshot may be used.

A broken promise fails the snapshot unless the feature says what to do with such values
(`onViolation`); then it is counted, and the same is done in training as in serving.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from serinus.api.featureset import Expectation, Feature, FeatureSetSpec
from serinus.api.quantities import parse_decimal
from serinus_runtime.user_error import ColumnError

_WHOLE_PERCENT = 10
"""From here on a share is shown without decimals."""


@dataclass(frozen=True, slots=True)
class Broken:
    """One broken promise. `policy` is the feature's own answer to it, None if it has none."""

    column: str
    rule: str
    rows: int
    of: int
    policy: str | None

    @property
    def message(self) -> str:
        """Rule, column and count."""
        share = 100 * self.rows / self.of if self.of else 0.0
        shown = f"{share:.0f}" if share >= _WHOLE_PERCENT else f"{share:.2g}"
        return f"`{self.column}` {self.rule}: broken by {self.rows} of {self.of} rows ({shown} %)"


def broken_promises(frame: pl.DataFrame, spec: FeatureSetSpec) -> tuple[Broken, ...]:
    """All promises that the rows break, in the order of the spec; raises `ColumnError`."""
    broken = [
        item
        for feature in spec.features
        if feature.expect is not None
        for item in _of_feature(frame[feature.name], feature, feature.expect)
    ]
    wanted = minimum_rows(spec)
    if frame.height < wanted:
        broken.append(Broken("(rows)", f"minRows {wanted}", frame.height, wanted, None))
    return tuple(broken)


def minimum_rows(spec: FeatureSetSpec) -> int:
    """Fewest rows of a snapshot; one by default."""
    if spec.validation is None or spec.validation.min_rows is None:
        return 1
    return spec.validation.min_rows


def failures(broken: tuple[Broken, ...]) -> tuple[Broken, ...]:
    """Those that fail the snapshot: nobody said what to do with such values."""
    return tuple(item for item in broken if item.policy is None)


def _of_feature(series: pl.Series, feature: Feature, expect: Expectation) -> list[Broken]:
    action = feature.on_violation.action.value if feature.on_violation else None
    found = []
    for rule, violated in _violations(series, feature, expect):
        rows = int(violated.fill_null(False).sum())
        if rows:
            found.append(Broken(feature.name, rule, rows, series.len(), action))
    if expect.max_null_fraction is not None:
        nulls = series.null_count()
        if nulls > parse_decimal(expect.max_null_fraction) * series.len():
            rule = f"maxNullFraction {expect.max_null_fraction}"
            found.append(Broken(feature.name, rule, nulls, series.len(), None))
    return found


def _violations(
    series: pl.Series, feature: Feature, expect: Expectation
) -> list[tuple[str, pl.Series]]:
    is_number = series.dtype.is_numeric()
    if (expect.min is not None or expect.max is not None) and not is_number:
        raise ColumnError(
            f"feature `{feature.name}`: `expect.min` and `expect.max` are for numbers, "
            f"the type is {feature.type.value}"
        )
    violations = []
    if expect.min is not None:
        violations.append((f"min {expect.min}", series < parse_decimal(expect.min)))
    if expect.max is not None:
        violations.append((f"max {expect.max}", series > parse_decimal(expect.max)))
    if expect.in_ is not None:
        rule = f"in [{', '.join(expect.in_[:5])}{', …' if len(expect.in_) > 5 else ''}]"
        violations.append((rule, ~_among(series, feature, expect.in_)))
    return violations


def _among(series: pl.Series, feature: Feature, allowed: list[str]) -> pl.Series:
    if series.dtype == pl.String:
        return series.is_in(allowed)
    if series.dtype == pl.Boolean:
        return series.cast(pl.String).is_in([word.lower() for word in allowed])
    if not series.dtype.is_numeric():
        raise ColumnError(f"feature `{feature.name}`: `expect.in` isn't for {feature.type.value}")
    try:
        return series.cast(pl.Float64).is_in([float(word) for word in allowed])
    except ValueError as error:
        raise ColumnError(
            f"feature `{feature.name}`: `expect.in` has a word that is no number: {error}"
        ) from error
