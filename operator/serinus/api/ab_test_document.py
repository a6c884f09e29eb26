"""What the pods of a Deployment are told of an A/B test: the contract of operator and server.

The operator writes the document into the ConfigMap `<deployment>-ab-test`, which all pods mount.
Only the standard library is used, because the server reads it.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

DOCUMENT_KEY = "test.json"
"""Key of the ConfigMap, and so name of the file."""
MOUNT_PATH = "/etc/serinus/ab-test"
VERSION = 1


class DocumentError(ValueError):
    """The text isn't a document that is known here."""


@dataclass(frozen=True, slots=True)
class UnitSource:
    """Where a request says which unit it belongs to: in exactly one of these."""

    header: str = ""
    cookie: str = ""


@dataclass(frozen=True, slots=True)
class LayerRange:
    """The part of a layer's units that take part: from, inclusive, to, exclusive, in percent."""

    name: str
    from_percent: int
    to_percent: int


@dataclass(frozen=True, slots=True)
class AbTestDocument:
    """An A/B test as its pods carry it out.

    Attributes
    ----------
    test
        Its name, other for each test, so that what is counted of two is never taken together.
    stable, canary
        The revision whose pods assign, and the one that gets the canary's share.
    active_from
        Seconds since 1970 from which on all pods assign.
    """

    test: str
    stable: str
    canary: str
    active_from: float
    unit: UnitSource
    canary_percent: int
    salt: str
    layer: LayerRange | None = None

    def to_json(self) -> str:
        """The document's text."""
        return json.dumps({"version": VERSION, **asdict(self)}, sort_keys=True)


def parsed_document(text: str | bytes) -> AbTestDocument:
    """The document of a text; raises `DocumentError`."""
    try:
        fields: dict[str, Any] = json.loads(text)
        version = fields.pop("version")
        if version != VERSION:
            raise DocumentError(f"an A/B test of version {version}; this server knows {VERSION}")
        layer = fields.pop("layer")
        unit = UnitSource(**fields.pop("unit"))
        return AbTestDocument(**fields, unit=unit, layer=LayerRange(**layer) if layer else None)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        if isinstance(error, DocumentError):
            raise
        raise DocumentError(f"the document of the A/B test can't be read: {error}") from error
