"""Block `server` of a Deployment: the pods that serve, all of it part of the revision."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field, StringConstraints

from serinus.api.pod_settings import PodTemplate, ResourceRequirements
from serinus.api.quantities import Duration
from serinus.api.schema_model import ApiModel, SecretKeySelector, cel, exactly_one, map_list
from serinus.api.server_container import ServerContainer

COHORTS_MAX = 64


class EnvironmentVariable(ApiModel):
    """One variable of the server's environment."""

    model_config = ConfigDict(
        json_schema_extra=cel(
            exactly_one("value", "secretKeyRef"),
            (
                "!self.name.startsWith('SERINUS_')",
                "names that start with SERINUS_ are taken; choose another",
            ),
        )
    )

    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=128)] = (
        Field(description="Name of the variable.")
    )
    value: Annotated[str, StringConstraints(max_length=4096)] | None = Field(
        default=None, description="Its value."
    )
    secret_key_ref: SecretKeySelector | None = Field(
        default=None, description="A Secret's key as its value. Rotating it is no rollout."
    )


class Feedback(ApiModel):
    """How labels that come later are counted."""

    cohort_length: Duration | None = Field(
        default=None,
        description="Length of the windows of issue times by which labels are counted, "
        "1s to 1h. Default: 5m.",
    )
    maturity: Duration | None = Field(
        default=None,
        description="How long after the answer a label is counted at the earliest, so that "
        "labels that come sooner for one outcome don't mislead. Default: 0s.",
    )


class RequestLimits(ApiModel):
    """What one request may bring, and how many a pod answers at once."""

    rows: Annotated[int, Field(ge=1, le=1_000_000)] | None = Field(
        default=None,
        description="Most rows of a request; one with more gets 413. Default: 10000.",
    )
    body_bytes: Annotated[int, Field(ge=1024, le=1 << 30)] | None = Field(
        default=None,
        description="Most bytes of a request's body; one with more gets 413. Default: 4194304.",
    )
    concurrency: Annotated[int, Field(ge=1, le=100_000)] | None = Field(
        default=None,
        description="Most requests that a pod answers at once; others get 503. Default: 256.",
    )


class Server(ApiModel):
    """The pods that serve. Every field here is part of the revision."""

    model_config = ConfigDict(
        json_schema_extra=cel(
            (
                (
                    "!has(self.container) || !(has(self.image) || has(self.limits) || "
                    "has(self.feedback))"
                ),
                (
                    "`image`, `limits` and `feedback` are for Serinus' server, and not for a "
                    "`container` of your own"
                ),
            ),
        )
    )

    container: ServerContainer | None = Field(
        default=None, description="A server of your own instead of Serinus'."
    )
    image: Annotated[str, StringConstraints(max_length=512)] | None = Field(
        default=None, description="Image of the server. Default: the operator's setting."
    )
    runtime_version: Annotated[str, StringConstraints(max_length=63)] | None = Field(
        default=None,
        description="Any text; changing it takes up the operator's newest server image and "
        "pod template in a new revision.",
    )
    resources: ResourceRequirements | None = Field(
        default=None,
        description="CPU, memory and disk of a server. Default of the limit "
        "`ephemeral-storage`: the chart's `scratch.server`.",
    )
    env: list[EnvironmentVariable] = Field(
        default_factory=list,
        max_length=64,
        description="Environment of the server.",
        json_schema_extra=map_list("name"),
    )
    limits: RequestLimits | None = Field(
        default=None, description="What one request may bring, and how many are answered at once."
    )
    feedback: Feedback | None = Field(default=None, description="How late labels are counted.")
    pod_template: PodTemplate | None = Field(
        default=None, description="Placement, labels and pull secrets of the pods."
    )
