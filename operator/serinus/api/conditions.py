"""Conditions as kstatus reads them (sigs.k8s.io/cli-utils, pkg/kstatus).

`Ready` is the summary; `Reconciling` and `Stalled` are set only while they are true, and
`lastTransitionTime` moves only when the status of a condition does.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Literal

from pydantic import Field

from serinus.api.enums import ConditionType, Reason
from serinus.api.schema_model import ApiModel

ConditionStatus = Literal["True", "False", "Unknown"]
MESSAGE_MAX_LENGTH = 1024


class Condition(ApiModel):
    """One observation about the object."""

    type: str = Field(max_length=64, description="What was observed.")
    status: ConditionStatus = Field(description="True, False or Unknown.")
    reason: str = Field(max_length=64, description="Why, in one CamelCase word.")
    message: str = Field(
        default="", max_length=MESSAGE_MAX_LENGTH, description="Why, for a person, in one line."
    )
    observed_generation: int | None = Field(
        default=None, description="Generation of the spec that was looked at."
    )
    last_transition_time: str | None = Field(
        default=None,
        description="When the status changed last.",
        json_schema_extra={"format": "date-time"},
    )


def condition(
    type_: ConditionType,
    status: bool | None,  # noqa: FBT001  it is the value of the condition, not a switch
    reason: Reason | str,
    message: str = "",
) -> Condition:
    """Condition without time and generation; `merge_conditions` fills them in."""
    word: ConditionStatus = "Unknown" if status is None else "True" if status else "False"
    return Condition(
        type=type_.value, status=word, reason=str(reason), message=message[:MESSAGE_MAX_LENGTH]
    )


def merge_conditions(
    old: Iterable[Condition], new: Iterable[Condition], *, generation: int, now: datetime
) -> list[Condition]:
    """`new` conditions with transition times carried over from `old`, sorted by type.

    A condition that `new` doesn't name is gone: the set is complete each time.
    """
    before = {item.type: item for item in old}
    merged = []
    for item in new:
        previous = before.get(item.type)
        unchanged = previous is not None and previous.status == item.status
        since = previous.last_transition_time if unchanged and previous else None
        merged.append(
            item.model_copy(
                update={
                    "observed_generation": generation,
                    "last_transition_time": since or format_time(now),
                }
            )
        )
    return sorted(merged, key=lambda item: item.type)


def format_time(moment: datetime) -> str:
    """RFC 3339 with whole seconds and `Z`, as Kubernetes writes it."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def format_micro_time(moment: datetime) -> str:
    """RFC 3339 with microseconds and `Z`, where order within a second matters."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def parse_time(text: str) -> datetime:
    """Aware moment that the RFC 3339 `text` stands for.

    Raises
    ------
    ValueError
        If `text` is not RFC 3339.
    """
    moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
