"""Block `traffic` of a Deployment: how requests are split between revisions."""

from __future__ import annotations

from pydantic import ConfigDict, Field

from serinus.api.schema_model import ApiModel, cel, exactly_one


class ReplicaTraffic(ApiModel):
    """Traffic is split by the number of pods; needs nothing in the cluster."""


class Traffic(ApiModel):
    """How traffic is split."""

    model_config = ConfigDict(json_schema_extra=cel(exactly_one("replicas")))

    replicas: ReplicaTraffic | None = Field(
        default=None, description="By the number of pods. This is the default."
    )
