"""Private values leave no trace but a keyed hash."""

from pathlib import Path

import polars as pl
import pytest

from serinus.api.featureset import FeatureSetSpec
from serinus_runtime.features.pseudonyms import (
    private_columns,
    pseudonym,
    pseudonymized,
    read_key,
)
from serinus_runtime.user_error import ColumnError, UserError
from tests.support.feature_sets import KEY, feature_set


def test_a_pseudonym_depends_on_value_and_key() -> None:
    assert pseudonym("N1", KEY) == pseudonym("N1", KEY)
    assert pseudonym("N1", KEY) != pseudonym("N2", KEY)
    assert pseudonym("N1", KEY) != pseudonym("N1", KEY[::-1])


def test_values_are_replaced_and_nulls_stay() -> None:
    frame = pl.DataFrame({"tailnum": ["N1", None, "N1"], "x": [1, 2, 3]})

    hashed = pseudonymized(frame, ["tailnum"], KEY)

    assert hashed["tailnum"].to_list() == [pseudonym("N1", KEY), None, pseudonym("N1", KEY)]
    assert hashed["x"].to_list() == [1, 2, 3]


def test_a_private_column_has_to_be_a_string() -> None:
    features = [{"name": "flight", "type": "int64", "sensitivity": "pseudonymize"}]

    with pytest.raises(ColumnError, match="Declare `type: string`, not int64"):
        private_columns(FeatureSetSpec.model_validate(feature_set(features=features)))


@pytest.mark.parametrize(("content", "told"), [(None, "isn't mounted"), (b"short\n", "5 bytes")])
def test_a_key_that_protects_nothing_is_refused(
    tmp_path: Path, content: bytes | None, told: str
) -> None:
    path = tmp_path / "key"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(UserError, match=told):
        read_key(path)
