"""An object that can't be read: its stored spec isn't what this operator's models say.

The API server checks objects on their way in; this happens when the CustomResourceDefinitions are
older or newer than the operator. What was made before stays as it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from serinus.api.conditions import Condition
from serinus.api.enums import Reason
from serinus.reconcile.decision import Decision, JsonObject
from serinus.reconcile.readiness import Note, Readiness, all_conditions, bounded, trouble_events


def unreadable_spec(resource: JsonObject, error: ValidationError, now: datetime) -> Decision:
    """Stalled with the first field that can't be read; all else of the status stays."""
    stored = resource.get("status")
    status: dict[str, Any] = dict(stored) if isinstance(stored, dict) else {}
    old = tuple(_readable_conditions(status.get("conditions")))
    generation = resource.get("metadata", {}).get("generation", 0)
    note = Note(Reason.INVALID_SPEC, bounded(_first_problem(error)))
    readiness = Readiness(False, note, stalled=note)
    conditions = all_conditions(old, readiness, generation=generation, now=now)
    status.update(
        observedGeneration=generation,
        message=readiness.headline,
        conditions=[one.model_dump(by_alias=True, exclude_none=True) for one in conditions],
    )
    return Decision(status=status, events=trouble_events(old, readiness))


def _readable_conditions(stored: object) -> Iterator[Condition]:
    for item in stored if isinstance(stored, list) else ():
        try:
            yield Condition.model_validate(item)
        except ValidationError:
            continue


def _first_problem(error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in first["loc"])
    return (
        f"{path.lstrip('.')}: {first['msg']}. Check that the CustomResourceDefinitions are of the "
        "operator's version"
    )
