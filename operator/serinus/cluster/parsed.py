"""Objects as pydantic models, each body parsed once for as long as it stays what it is.

Bodies in the store are never changed in place, so the body itself says whether its model is still
good; a resourceVersion wouldn't after a restored backup. How many are remembered is bounded, as a
model is several times as large as its body.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

from serinus.cluster.store import uid_of
from serinus.reconcile.decision import JsonObject

M = TypeVar("M")

REMEMBERED_MAX = 1_000


class Parsed(Generic[M]):
    """Remembers what `parse` made of a body; None, too: what can't be read stays so."""

    def __init__(
        self, parse: Callable[[JsonObject], M | None], *, remembered_max: int = REMEMBERED_MAX
    ) -> None:
        self._parse = parse
        self._remembered_max = remembered_max
        self._models: OrderedDict[str, tuple[JsonObject, M | None]] = OrderedDict()

    def of(self, bodies: Iterable[JsonObject]) -> tuple[M, ...]:
        """The models of those bodies that can be read."""
        return tuple(model for body in bodies if (model := self._model(body)) is not None)

    def _model(self, body: JsonObject) -> M | None:
        uid = uid_of(body)
        known = self._models.get(uid)
        if known is None or known[0] is not body:
            known = body, self._parse(body)
            self._models[uid] = known
            if len(self._models) > self._remembered_max:
                self._models.popitem(last=False)
        self._models.move_to_end(uid)
        return known[1]
