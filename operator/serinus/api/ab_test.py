"""Block `strategy.abTest` of a Deployment: a new revision answers a part of the units."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field, StringConstraints

from serinus.api.quantities import Duration
from serinus.api.schema_model import ApiModel, DnsLabel, cel, exactly_one

DEFAULT_CANARY_PERCENT = 50

Token = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9!#$%&'*+.^_|~-]+$", min_length=1, max_length=128)
]
"""Name of a header or a cookie (RFC 9110, RFC 6265)."""


class AbTestUnit(ApiModel):
    """Where a request says whose it is."""

    model_config = ConfigDict(json_schema_extra=cel(exactly_one("header", "cookie")))

    header: Token | None = Field(default=None, description="In this header, such as X-User-Id.")
    cookie: Token | None = Field(default=None, description="In this cookie, such as session.")


class AbTestLayer(ApiModel):
    """Which part of a layer's units takes part."""

    model_config = ConfigDict(
        json_schema_extra=cel(
            ("self.fromPercent < self.toPercent", "`fromPercent` must be below `toPercent`")
        )
    )

    name: DnsLabel = Field(description="Name of the layer.")
    from_percent: int = Field(ge=0, le=99, description="First percent of the units that does.")
    to_percent: int = Field(ge=1, le=100, description="First percent after it that doesn't.")


class AbTest(ApiModel):
    """Release by units: the same user, or session, always gets the same revision."""

    unit: AbTestUnit = Field(
        description="What is assigned to a revision. Requests that don't say it get stable and "
        "aren't counted in the test."
    )
    canary_percent: int | None = Field(
        default=None,
        ge=1,
        le=99,
        description="Percent of the units that take part for the new revision. Default: 50.",
    )
    salt: Annotated[str, StringConstraints(min_length=1, max_length=128)] | None = Field(
        default=None,
        description="What the units are hashed with; another one assigns them afresh. Default: "
        "the Deployment's `<namespace>/<name>`.",
    )
    layer: AbTestLayer | None = Field(
        default=None,
        description="Tests of one layer with ranges apart never share a unit; those of different "
        "layers are independent of each other. Default: all units take part.",
    )
    min_samples: int | None = Field(
        default=None, ge=1, description="Canary requests needed at least. Default: 50."
    )
    min_duration: Duration | None = Field(
        default=None, description="How long the test takes at least. Default: 0s."
    )
    max_duration: Duration | None = Field(
        default=None,
        description="When `onDeadline` counts. Default: 30m. Time without metrics doesn't count.",
    )
