"""What is written for the pods is what they read, and what isn't known is refused."""

import json

import pytest

from serinus.api.ab_test_document import (
    AbTestDocument,
    DocumentError,
    LayerRange,
    UnitSource,
    parsed_document,
)

DOCUMENT = AbTestDocument(
    test="0123456789",
    stable="00000000aa",
    canary="00000000bb",
    active_from=1_700_000_120.5,
    unit=UnitSource(header="x-user-id"),
    canary_percent=50,
    salt="shop/flight-delay",
)


@pytest.mark.parametrize("layer", [None, LayerRange("ranking", 10, 30)])
def test_a_document_survives_its_way(layer: LayerRange | None) -> None:
    document = AbTestDocument(
        **{
            name: getattr(DOCUMENT, name)
            for name in ("test", "stable", "canary", "active_from", "canary_percent", "salt")
        },
        unit=UnitSource(cookie="session"),
        layer=layer,
    )

    assert parsed_document(document.to_json()) == document


@pytest.mark.parametrize(
    "change",
    [
        {"version": 2},
        {"version": None},
        {"unit": None},
        {"something": 1},
        {"layer": {"name": "x"}},
    ],
)
def test_what_is_not_known_is_refused(change: dict[str, object]) -> None:
    text = json.dumps(json.loads(DOCUMENT.to_json()) | change)

    with pytest.raises(DocumentError):
        parsed_document(text)


@pytest.mark.parametrize("text", ["", "[]", "{}", "\x00", b"\xff"])
def test_what_is_no_document_is_refused(text: str | bytes) -> None:
    with pytest.raises(DocumentError):
        parsed_document(text)
