"""kopf's memory of what objects were like: none, as nothing here asks it what has changed."""

from __future__ import annotations

from typing import Any

import kopf


class NoDifferences(kopf.DiffBaseStorage):
    """Keeps nothing and compares nothing.

    By default each event has its whole object copied and compared, also where no handler looks at
    the outcome: the largest part of what an event costs.
    """

    def build(self, **_: Any) -> kopf.BodyEssence:
        """Nothing of the object counts."""
        return kopf.BodyEssence({})

    def fetch(self, **_: Any) -> None:
        """Nothing was kept."""

    def store(self, **_: Any) -> None:
        """Nothing is kept."""
