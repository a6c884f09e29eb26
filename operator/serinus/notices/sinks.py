"""Where notices go: configured for the whole installation, addresses in files of mounted Secrets.

A Deployment chooses among these by name and can name no address: whoever may write a Deployment
can't make the operator call anything.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

from pydantic import Field, TypeAdapter

from serinus.api.declared import each_by_its_name, is_for
from serinus.api.enums import Action
from serinus.api.schema_model import ApiModel
from serinus.notices.notice import Notice

SINK_NAME_PATTERN = r"^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$"


class SinkType(StrEnum):
    """What a sink understands."""

    CLOUD_EVENTS = "cloudEvents"
    """CloudEvents 1.0 in structured mode."""
    SLACK = "slack"
    """An incoming webhook of Slack, or of what takes the same."""
    TEAMS = "teams"
    """A webhook of a Teams workflow, which takes adaptive cards."""
    WEBHOOK = "webhook"
    """The decision as plain JSON."""


TOLD_BY_DEFAULT = (
    Action.PROMOTE,
    Action.ROLLBACK,
    Action.ABORT,
    Action.WITHDRAW,
    Action.HOLD,
)
"""What ends a rollout, and what waits for a person."""


class Sink(ApiModel):
    """One that is told.

    Attributes
    ----------
    url_file
        Holds the address, which may be a secret; read for each notice, as Secrets are rotated.
    actions
        What is told.
    namespaces
        Of which Deployments; empty: of all.
    """

    name: str = Field(pattern=SINK_NAME_PATTERN)
    type: SinkType
    url_file: Path
    actions: tuple[Action, ...] = TOLD_BY_DEFAULT
    namespaces: tuple[str, ...] = ()

    def wants(self, notice: Notice) -> bool:
        """Whether the sink is told."""
        chosen = notice.sinks is None or self.name in notice.sinks
        return chosen and is_for(self, notice.namespace) and notice.action in self.actions


_SINKS = TypeAdapter(tuple[Sink, ...])


def sinks_of(text: str) -> tuple[Sink, ...]:
    """The sinks that a JSON list describes.

    Raises
    ------
    ValueError
        If it describes none that could be used.
    """
    return each_by_its_name(_SINKS.validate_json(text or "[]"), called="sinks")
