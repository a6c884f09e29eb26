"""Private columns become keyed hashes before anything is written.

HMAC-SHA256 rather than a plain hash: who doesn't have the key can't find a value by trying all.
The same value gives the same pseudonym under one key, so that columns can still be joined.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable
from pathlib import Path

import polars as pl

from serinus.api.column_type import ColumnType
from serinus.api.featureset import FeatureSetSpec, Sensitivity
from serinus_runtime.user_error import ColumnError, UserError

PSEUDONYM_BYTES = 16
KEY_MIN_BYTES = 16


def private_columns(spec: FeatureSetSpec) -> tuple[str, ...]:
    """Names of the features to pseudonymize; raises `ColumnError` where one isn't a string."""
    private = [f for f in spec.features if f.sensitivity is Sensitivity.PSEUDONYMIZE]
    for feature in private:
        if feature.type is not ColumnType.STRING:
            raise ColumnError(
                f"feature `{feature.name}`: `sensitivity: pseudonymize` gives a text. "
                f"Declare `type: string`, not {feature.type.value}"
            )
    return tuple(feature.name for feature in private)


def read_key(path: Path) -> bytes:
    """The key of a mounted Secret; raises `UserError` where it can't protect anything."""
    if not path.is_file():
        raise UserError(
            "pseudonymizationKeySecretRef: the Secret's key isn't mounted. "
            "Create the Secret and its key"
        )
    key = path.read_bytes().strip()
    if len(key) < KEY_MIN_BYTES:
        raise UserError(
            f"pseudonymizationKeySecretRef: the key has {len(key)} bytes. "
            f"Use at least {KEY_MIN_BYTES} random ones"
        )
    return key


def pseudonymized(frame: pl.DataFrame, columns: Iterable[str], key: bytes) -> pl.DataFrame:
    """The frame with the values of `columns` replaced by hex pseudonyms; null stays null."""
    return frame.with_columns(_pseudonyms(frame[name], key) for name in columns)


def _pseudonyms(series: pl.Series, key: bytes) -> pl.Series:
    texts = series.cast(pl.String)
    values = texts.unique().drop_nulls().to_list()
    replaced = [pseudonym(value, key) for value in values]
    return texts.replace_strict(values, replaced, return_dtype=pl.String, default=None).alias(
        series.name
    )


def pseudonym(value: str, key: bytes) -> str:
    """Pseudonym of one value: the first half of its HMAC-SHA256, as hex."""
    return hmac.new(key, value.encode(), hashlib.sha256).digest()[:PSEUDONYM_BYTES].hex()
