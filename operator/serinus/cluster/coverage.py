"""Does an object have all that is desired of it already? Then nothing is written.

The stored object has more than was asked for (defaults, status, what others set) and says some
things in other words: empty values are dropped, quantities are put in their shortest form. A map
that Kubernetes replaces as a whole has to be equal: a selector with one more key selects less.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from serinus.api.quantities import parse_quantity

ATOMIC_MAPS = frozenset({"selector", "matchLabels", "nodeSelector"})
"""Fields with `mapType=atomic` in the Kubernetes API, among those that are written here."""
ATOMIC_LISTS = frozenset({"backendRefs", "hostnames", "matches", "parentRefs", "rules"})
"""Lists of an HTTPRoute: each is replaced as a whole, so one item more is another list."""
_QUANTITIES = frozenset({"limits", "requests"})
_QUANTITY_FIELDS = frozenset({"averageValue", "sizeLimit", "storage"})
_QUANTITIES_IN = frozenset({("target", "value")})
_NOT_STORED = frozenset({"managedFields", "resourceVersion", "uid"})


def covers(observed: Mapping[str, Any], desired: Mapping[str, Any]) -> bool:
    """Whether each field of `desired` has its value in `observed`; other fields don't count."""
    return uncovered_path(observed, desired) is None


def uncovered_path(observed: Mapping[str, Any], desired: Mapping[str, Any]) -> str | None:
    """The first field of `desired` that `observed` doesn't have, such as `spec.replicas`."""
    for key, value in desired.items():
        if key in _NOT_STORED:
            continue
        path = _uncovered(observed.get(key), value, key)
        if path is not None:
            return path
    return None


def _uncovered(observed: Any, desired: Any, key: str, parent: str = "") -> str | None:
    if observed == desired or (observed is None and _is_empty(desired)):
        return None
    if isinstance(desired, Mapping) and isinstance(observed, Mapping):
        return _uncovered_in_map(observed, desired, key)
    if _is_list(desired) and _is_list(observed):
        return _uncovered_in_list(observed, desired, key)
    is_quantity = (
        parent in _QUANTITIES or key in _QUANTITY_FIELDS or (parent, key) in _QUANTITIES_IN
    )
    return None if is_quantity and _same_quantity(observed, desired) else key


def _uncovered_in_map(
    observed: Mapping[str, Any], desired: Mapping[str, Any], key: str
) -> str | None:
    # A Service's selector is a map of strings; a workload's holds `matchLabels`, which is atomic.
    is_plain = all(isinstance(value, str) for value in desired.values())
    if key in ATOMIC_MAPS and is_plain and set(observed) != set(desired):
        return key
    for inner, value in desired.items():
        path = _uncovered(observed.get(inner), value, inner, key)
        if path is not None:
            return f"{key}.{path}"
    return None


def _uncovered_in_list(observed: Sequence[Any], desired: Sequence[Any], key: str) -> str | None:
    """Items with a name are found by it, the others, and those of atomic lists, by their place."""
    if key in ATOMIC_LISTS and len(observed) != len(desired):
        return key
    named = (
        {}
        if key in ATOMIC_LISTS
        else {
            item["name"]: item for item in observed if isinstance(item, Mapping) and "name" in item
        }
    )
    if not named and len(observed) != len(desired):
        return key
    for place, item in enumerate(desired):
        if named and isinstance(item, Mapping):
            match = named.get(item.get("name"))
        else:
            match = observed[place] if place < len(observed) else None
        path = _uncovered(match, item, f"{key}[{place}]")
        if path is not None:
            return path
    return None


def _same_quantity(observed: Any, desired: Any) -> bool:
    try:
        return parse_quantity(str(observed)) == parse_quantity(str(desired))
    except ValueError:
        return False


def _is_empty(value: Any) -> bool:
    """Whether it is left out when stored: an empty value, or an object of nothing but these."""
    if isinstance(value, Mapping):
        return all(_is_empty(inner) for inner in value.values())
    return value is None or value is False or value in ("", 0) or (_is_list(value) and not value)


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)
