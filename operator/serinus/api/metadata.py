"""The parts of `metadata` that Serinus reads, and what all statuses share."""

from __future__ import annotations

from pydantic import Field

from serinus.api.conditions import Condition
from serinus.api.schema_model import ApiModel, map_list

REQUEST_ANNOTATION = "serinus.dev/request"
"""Annotation through which people ask for a verb; see `ActionRequest`."""


class ObjectMeta(ApiModel):
    """Standard metadata of a Kubernetes object, as far as Serinus reads it."""

    name: str = ""
    namespace: str = ""
    uid: str = ""
    generation: int = 0
    resource_version: str = ""
    creation_timestamp: str | None = None
    deletion_timestamp: str | None = None
    labels: dict[str, str] = Field(default_factory=dict)
    annotations: dict[str, str] = Field(default_factory=dict)
    finalizers: list[str] = Field(default_factory=list)


class ActionRequest(ApiModel):
    """What a person asks for, as JSON in the annotation `serinus.dev/request`.

    It is ignored unless `uid` and `revision` fit the object and it is under ten minutes old, so
    that a restored or copied object replays nothing.
    """

    verb: str
    uid: str
    revision: str = ""
    nonce: str
    issued_at: str
    actor: str = ""
    reason: str = ""


class HandledRequest(ApiModel):
    """The last request of a person and what came of it."""

    nonce: str = Field(max_length=64, description="Nonce of the request.")
    verb: str = Field(max_length=32, description="What was asked for.")
    outcome: str = Field(max_length=32, description="`done` or `refused`.")
    message: str = Field(default="", max_length=1024, description="Why, for a person.")
    actor: str = Field(default="", max_length=256, description="Who asked.")
    actor_verified: bool = Field(
        default=False,
        description="Whether the admission policy was in force when the request was written, "
        "and so vouches for the actor.",
    )
    at: str = Field(max_length=32, description="When it was handled.")


class CommonStatus(ApiModel):
    """What every status has."""

    observed_generation: int = Field(
        default=0, description="Generation of the spec that this status speaks of."
    )
    phase: str | None = Field(
        default=None, max_length=32, description="One word for people; see `conditions`."
    )
    message: str | None = Field(
        default=None, max_length=1024, description="One line that a person can act on."
    )
    last_handled_request: HandledRequest | None = Field(
        default=None, description="The last request of a person and what came of it."
    )
    conditions: list[Condition] = Field(
        default_factory=list,
        max_length=32,
        description="Observations, as kstatus reads them.",
        json_schema_extra=map_list("type"),
    )
