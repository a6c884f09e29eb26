"""Addresses without what opens doors."""

import pytest

from serinus.api.featureset import FeatureSetSpec
from serinus_runtime.features.addresses import (
    names_a_user,
    public_address,
    with_public_addresses,
)
from tests.support.feature_sets import feature_set, source


@pytest.mark.parametrize(
    ("uri", "public"),
    [
        ("http://site/a.csv", "http://site/a.csv"),
        ("https://site:8443/a.csv?X-Signature=geheim", "https://site:8443/a.csv"),
        ("https://ann:geheim@site/a.csv", "https://site/a.csv"),
        ("HTTPS://ann:ge@heim@site/a.csv#geheim", "https://site/a.csv"),
        ("http://[geheim/a.csv", "http://…"),
        ("file:///data/a?.csv", "file:///data/a?.csv"),
    ],
)
def test_secrets_of_an_address_are_left_out(uri: str, public: str) -> None:
    assert public_address(uri) == public


@pytest.mark.parametrize(
    ("uri", "named"),
    [
        ("http://ann@site/a.csv", True),
        ("https://ann:geheim@site/a.csv", True),
        ("http://[geheim/a.csv", True),
        ("http://site/a@b.csv?to=c@d", False),
        ("file:///data/a@b.csv", False),
    ],
)
def test_a_user_before_the_host_is_seen(uri: str, named: bool) -> None:
    assert names_a_user(uri) is named


def test_a_spec_is_written_down_with_public_addresses() -> None:
    files = {"uris": ["https://site/a.csv?key=geheim", "file:///data/b.csv"], "format": "csv"}
    spec = FeatureSetSpec.model_validate(feature_set(sources=[source(files=files)]))

    written = with_public_addresses(spec)

    assert "geheim" not in written.model_dump_json()
    assert written.sources[0].files is not None
    assert written.sources[0].files.uris == ["https://site/a.csv", "file:///data/b.csv"]
    assert spec.sources[0].files is not None
    assert "geheim" in spec.sources[0].files.uris[0]
