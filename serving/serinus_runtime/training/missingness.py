"""Warns where a value's absence tells the label: often because it is filled in afterwards.

The share of a class among rows without the value is compared with the share among the others. A
warning needs both a difference that matters and one that chance doesn't make.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import polars as pl

SHARE_DIFFERENCE = 0.2
"""Difference of a class's share between rows with and without the value, from which it matters."""
STANDARD_ERRORS = 5.0
MISSING_ROWS_MIN = 30


def missingness_warnings(frame: pl.DataFrame, features: Sequence[str], label: str) -> list[str]:
    """One sentence for each feature of the training rows whose absence tells the class."""
    classes = frame[label].cast(pl.String)
    found = []
    for feature in features:
        missing = frame[feature].is_null()
        told = _told(missing, classes)
        if told:
            found.append(f"MissingnessLeak: `{feature}` {told}")
    return found


def _told(missing: pl.Series, classes: pl.Series) -> str | None:
    absent, present = int(missing.sum()), int((~missing).sum())
    if absent < MISSING_ROWS_MIN or not present:
        return None
    shares = [
        (_share(classes, missing, value), _share(classes, ~missing, value), value)
        for value in classes.unique().sort().to_list()
    ]
    without, with_value, value = max(shares, key=lambda share: share[0] - share[1])
    pooled = (without * absent + with_value * present) / (absent + present)
    error = math.sqrt(pooled * (1.0 - pooled) * (1.0 / absent + 1.0 / present))
    difference = without - with_value
    if difference < SHARE_DIFFERENCE or difference < STANDARD_ERRORS * error:
        return None
    return (
        f"is missing in {absent} training rows; {100 * without:.3g} % of them are `{value}`, of "
        f"the others {100 * with_value:.3g} %. Check that it isn't filled in after the outcome"
    )


def _share(classes: pl.Series, rows: pl.Series, value: str) -> float:
    chosen = classes.filter(rows)
    return float((chosen == value).sum()) / chosen.len()
