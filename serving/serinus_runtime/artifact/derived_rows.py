"""Rows that no data set holds: the edges of each input, and chance.

Evaluation rows show what is usual. Live traffic also brings missing values, categories that
training never saw, the limits of a range and what is just beyond, numbers that lie between two of
32 bits. A predictor that equals the original on all of these is trusted with the rest.

The rows depend on the signature and on the rows that they are mixed from, nothing else.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from serinus_runtime.artifact.encoding import bounds_of_type, unseen_name
from serinus_runtime.artifact.signature import Datatype, InputSpec, Signature

Row: TypeAlias = Mapping[str, Any]

SINGLE_EDGES_MAX = 1000
MIXED_ROWS = 1000
_SEED = 20131001
_CATEGORIES_MAX = 20
_ALONE_MAX = 100
_HUGE = 3.4e38
"""Trees round to 32 bits, and take nothing that is infinite then."""
_EDGE_SHARE = 0.3
_BETWEEN_FLOATS = (0.1, 1.0 / 3.0, 16777217.0)
"""Numbers that 32 bits don't hold."""


def derived_rows(signature: Signature, seen: Sequence[Row]) -> tuple[Row, ...]:
    """Rows of raw values: absences, single edges, mixtures. Policies may refuse some of them."""
    chance = random.Random(_SEED)  # noqa: S311  not for secrets; its numbers never change
    rows = [*_missing(signature, seen), *_single_edges(signature, seen, chance)]
    edges = {
        spec.name: [*_usual_edges(spec), *_extremes_seen(spec, seen)] for spec in signature.inputs
    }
    rows += [_mixed(seen, edges, chance) for _ in range(MIXED_ROWS)]
    return tuple(rows)


def _missing(signature: Signature, seen: Sequence[Row]) -> list[Row]:
    """Nothing at all, and one input alone."""
    nothing: dict[str, Any] = dict.fromkeys(signature.names)
    alone = signature.names[:_ALONE_MAX]
    return [nothing, *(nothing | {name: seen[0][name]} for name in alone)]


def _single_edges(signature: Signature, seen: Sequence[Row], chance: random.Random) -> list[Row]:
    """Usual rows with one value at an edge, also the largest that the type holds.

    One at a time: where several huge numbers cancel each other, the order of a sum decides.
    """
    places = [
        (spec.name, value)
        for spec in signature.inputs
        for value in (*_usual_edges(spec), *_type_edges(spec))
    ]
    if len(places) > SINGLE_EDGES_MAX:
        places = chance.sample(places, SINGLE_EDGES_MAX)
    return [{**chance.choice(seen), name: value} for name, value in places]


def _mixed(seen: Sequence[Row], edges: Mapping[str, Sequence[Any]], chance: random.Random) -> Row:
    """Each value of another row, or at an edge: a combination that nobody has seen."""
    return {
        name: chance.choice(values) if chance.random() < _EDGE_SHARE else chance.choice(seen)[name]
        for name, values in edges.items()
    }


def _usual_edges(spec: InputSpec) -> list[Any]:
    match spec.datatype:
        case Datatype.BYTES:
            return [None, *_texts(spec)]
        case Datatype.BOOL:
            return [None, True, False]
        case _:
            return [None, *_numbers(spec)]


def _texts(spec: InputSpec) -> list[str]:
    categories = spec.categories or ()
    step = max(1, len(categories) // _CATEGORIES_MAX)
    known = [*categories[::step], *categories[-1:], *(spec.allowed or ())[:_CATEGORIES_MAX]]
    return [*dict.fromkeys(known), "", unseen_name(spec)]


def _numbers(spec: InputSpec) -> list[float | int]:
    found: list[float] = [0.0, 1.0, -1.0]
    found += [] if spec.datatype.is_integer else [-0.0, *_BETWEEN_FLOATS]
    for limit in (spec.minimum, spec.maximum):
        if limit is not None:
            found += [limit, *_beside(limit, spec)]
    found += [float(text) for text in (spec.allowed or ())[:_CATEGORIES_MAX]]
    return [_as_typed(value, spec) for value in found]


def _beside(limit: float, spec: InputSpec) -> tuple[float, float]:
    if spec.datatype.is_integer:
        return limit - 1.0, limit + 1.0
    return math.nextafter(limit, -math.inf), math.nextafter(limit, math.inf)


def _type_edges(spec: InputSpec) -> list[float | int]:
    """The largest and smallest that the type holds, and one more than floats count exactly."""
    if spec.datatype in (Datatype.BYTES, Datatype.BOOL):
        return []
    low, high = bounds_of_type(spec.datatype)
    if spec.datatype.is_integer:
        return [int(low), int(high), 2**53 + 1]
    huge = _HUGE if spec.datatype is Datatype.FP64 else high
    return [-huge, huge, 5e-324, 1e-40]


def _extremes_seen(spec: InputSpec, seen: Sequence[Row]) -> list[Any]:
    values = [row[spec.name] for row in seen if row[spec.name] is not None]
    if spec.datatype in (Datatype.BYTES, Datatype.BOOL) or not values:
        return []
    return [min(values), max(values)]


def _as_typed(value: float, spec: InputSpec) -> float | int:
    return round(value) if spec.datatype.is_integer else value
