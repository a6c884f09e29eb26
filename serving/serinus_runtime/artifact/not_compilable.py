"""The answer of the compilers where a model can't become a plan."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class NotCompilable:
    """Why not; the model is then served by its own library."""

    reason: str


class NotCompilableError(Exception):
    """Raised inside the compilers, turned into `NotCompilable` by `compile_model`."""
