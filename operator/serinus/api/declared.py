"""Lists of what the platform team declared for all namespaces: each entry by a name of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeVar


class Named(Protocol):
    """An entry."""

    @property
    def name(self) -> str:
        """By which it is chosen."""


class Scoped(Protocol):
    """An entry for some namespaces; empty: for all."""

    @property
    def namespaces(self) -> tuple[str, ...]:
        """Their names."""


Entry = TypeVar("Entry", bound=Named)


def each_by_its_name(entries: tuple[Entry, ...], *, called: str) -> tuple[Entry, ...]:
    """The entries; raises `ValueError` where two bear one name. `called`: what they are."""
    names = [entry.name for entry in entries]
    if len(set(names)) < len(names):
        raise ValueError(f"two {called} bear the same name: {', '.join(sorted(names))}")
    return entries


def is_for(entry: Scoped, namespace: str) -> bool:
    """Whether the entry is for objects of the namespace."""
    chosen: Sequence[str] = entry.namespaces
    return not chosen or namespace in chosen
