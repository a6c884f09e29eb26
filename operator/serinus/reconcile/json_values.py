"""Values of decoded JSON that nobody has checked: what isn't as expected isn't there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from serinus.reconcile.decision import JsonObject


def value_at(body: JsonObject | None, *path: str) -> Any:
    """The value at `path`; None where something on the way is missing or no object."""
    value: Any = body
    for key in path:
        if not isinstance(value, Mapping):
            return None
        value = value.get(key)
    return value


def text_at(body: JsonObject | None, *path: str) -> str | None:
    """The text at `path`, or None."""
    value = value_at(body, *path)
    return value if isinstance(value, str) else None


def objects_at(body: JsonObject | None, *path: str) -> list[JsonObject]:
    """The objects in the list at `path`; empty where there is no list."""
    value = value_at(body, *path)
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []
