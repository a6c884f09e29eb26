"""Which counters of a server say how many requests it answered, how many badly, and how fast."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import ConfigDict, Field, StringConstraints

from serinus.api.schema_model import ApiModel, cel

COUNTERS_MAX = 4
LABELS_MAX = 8

MetricName = Annotated[
    str, StringConstraints(pattern=r"^[a-zA-Z_:][a-zA-Z0-9_:]*$", min_length=1, max_length=128)
]
LabelPattern = Annotated[str, StringConstraints(max_length=256)]


class MetricsProfile(StrEnum):
    """A server whose counters are known."""

    BENTOML = "bentoml"
    KSERVE = "kserve"
    MLSERVER = "mlserver"
    TRITON = "triton"


class CounterSelector(ApiModel):
    """A metric, or some of its series."""

    name: MetricName = Field(description="Name as in `/metrics`; a histogram's without ending.")
    labels: dict[str, LabelPattern] = Field(
        default_factory=dict,
        max_length=LABELS_MAX,
        description="Regular expressions that these labels have to match as a whole.",
    )
    without: dict[str, LabelPattern] = Field(
        default_factory=dict,
        max_length=LABELS_MAX,
        description="Regular expressions of which none may match its label as a whole.",
    )


class Counters(ApiModel):
    """The counters of a server by what they mean."""

    model_config = ConfigDict(
        json_schema_extra=cel(
            (
                "has(self.requests) == has(self.failed)",
                "`requests` and `failed` go together: bad of total",
            ),
            (
                "has(self.requests) || has(self.duration)",
                "name `requests` and `failed`, `duration`, or all of them",
            ),
        )
    )

    requests: list[CounterSelector] | None = Field(
        default=None,
        min_length=1,
        max_length=COUNTERS_MAX,
        description="Counters of requests; their series add up to all of them.",
    )
    failed: list[CounterSelector] | None = Field(
        default=None,
        min_length=1,
        max_length=COUNTERS_MAX,
        description="Counters of requests that failed, which have to be among `requests`.",
    )
    duration: CounterSelector | None = Field(
        default=None, description="Histogram of the seconds that requests took."
    )
