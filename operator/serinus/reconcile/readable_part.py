"""As much of a stored object as this operator can read.

The API server checks objects on their way in. Some part can't be read all the same where the
CustomResourceDefinitions are newer than the operator, or where a status was written by hand. What
can be read still counts: a field that this operator doesn't understand is no reason to forget what
serves, or to stop judging what is released.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ValidationError

Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Readable(Generic[Model]):
    """What could be read.

    Attributes
    ----------
    problem
        The first thing that couldn't be, with its path; None when all could.
    lost
        Fields that were left out, as they are called on the wire. Of a list only the items are
        left out that can't be read, and the field isn't lost.
    """

    value: Model
    problem: str | None = None
    lost: frozenset[str] = frozenset()


def readable_part(
    model: type[Model], given: object, *, stand_ins: Mapping[str, Any] | None = None
) -> Readable[Model]:
    """`given` as a `model`, without what can't be read.

    `stand_ins` are the values of required fields where those can't be read.
    """
    instead = dict(stand_ins or {})
    rest = {**instead, **(given if isinstance(given, Mapping) else {})}
    problem: str | None = None
    lost: frozenset[str] = frozenset()
    while True:
        try:
            return Readable(model.model_validate(rest), problem, lost)
        except ValidationError as error:
            problem = problem or _told(error)
            kept, left_out = _without_unreadable(rest, error)
        lost |= left_out
        rest = instead if kept == rest else {**instead, **kept}


def _told(error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in first["loc"])
    return f"{path.lstrip('.')}: {first['msg']}"


def _without_unreadable(
    given: Mapping[Any, Any], error: ValidationError
) -> tuple[dict[Any, Any], frozenset[str]]:
    """`given` without the fields and list items that the error names; which fields are gone."""
    fields: set[str] = set()
    items: defaultdict[str, set[int]] = defaultdict(set)
    for one in error.errors(include_url=False):
        field, *inside = one["loc"] or ("",)
        if inside and isinstance(inside[0], int) and isinstance(given.get(field), list):
            items[str(field)].add(inside[0])
        else:
            fields.add(str(field))
    kept = {key: value for key, value in given.items() if key not in fields}
    for field, numbers in items.items():
        if field in kept:
            kept[field] = [it for at, it in enumerate(kept[field]) if at not in numbers]
    return kept, frozenset(fields)
