"""Block `autoscaling` of a Deployment, in the words of autoscaling/v2, so that it can be copied."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import ConfigDict, Field, StringConstraints

from serinus.api.quantities import QuantityText
from serinus.api.schema_model import ApiModel, LabelValue, cel

REPLICAS_MAX = 1000
METRICS_MAX = 10

_Word = Annotated[str, StringConstraints(min_length=1, max_length=253)]


def _goes_with(member: str, type_: StrEnum) -> tuple[str, str]:
    """CEL rule: `member` is set where `type` is this one, and only there."""
    return (
        f"has(self.{member}) == (self.type == '{type_.value}')",
        f"`{member}` goes with `type: {type_.value}`, and only with it",
    )


class TargetType(StrEnum):
    """What a measured number is held against."""

    UTILIZATION = "Utilization"
    AVERAGE_VALUE = "AverageValue"
    VALUE = "Value"


class MetricTarget(ApiModel):
    """What the autoscaler aims at."""

    model_config = ConfigDict(
        json_schema_extra=cel(
            _goes_with("averageUtilization", TargetType.UTILIZATION),
            _goes_with("averageValue", TargetType.AVERAGE_VALUE),
            _goes_with("value", TargetType.VALUE),
        )
    )

    type: TargetType = Field(description="Utilization, AverageValue or Value.")
    average_utilization: Annotated[int, Field(ge=1, le=10_000)] | None = Field(
        default=None, description="Percent of what the pods request, on average."
    )
    average_value: QuantityText | None = Field(
        default=None, description="Amount a pod, on average."
    )
    value: QuantityText | None = Field(default=None, description="Amount in all.")


class LabelSelector(ApiModel):
    """Labels by which series of a metric are chosen."""

    match_labels: dict[str, LabelValue] = Field(
        default_factory=dict, max_length=16, description="Labels that a series must have."
    )


class MetricIdentifier(ApiModel):
    """Which metric of the metrics API."""

    name: _Word = Field(description="Name of the metric.")
    selector: LabelSelector | None = Field(default=None, description="Which of its series.")


class ResourceMetric(ApiModel):
    """CPU or memory of the pods."""

    name: _Word = Field(description="`cpu` or `memory`.")
    target: MetricTarget = Field(description="What to aim at.")


class ContainerResourceMetric(ApiModel):
    """CPU or memory of one container of the pods."""

    name: _Word = Field(description="`cpu` or `memory`.")
    container: _Word = Field(description="Name of the container; the server's is `server`.")
    target: MetricTarget = Field(description="What to aim at.")


class PodsMetric(ApiModel):
    """A metric of the pods, from the custom metrics API."""

    metric: MetricIdentifier = Field(description="Which metric.")
    target: MetricTarget = Field(description="What to aim at: an AverageValue.")


class ExternalMetric(ApiModel):
    """A metric of something outside the cluster, from the external metrics API."""

    metric: MetricIdentifier = Field(description="Which metric.")
    target: MetricTarget = Field(description="What to aim at: a Value or an AverageValue.")


class MetricSourceType(StrEnum):
    """Where a number comes from."""

    RESOURCE = "Resource"
    CONTAINER_RESOURCE = "ContainerResource"
    PODS = "Pods"
    EXTERNAL = "External"


class AutoscalingMetric(ApiModel):
    """A number by which pods are added and taken away."""

    model_config = ConfigDict(
        json_schema_extra=cel(
            _goes_with("resource", MetricSourceType.RESOURCE),
            _goes_with("containerResource", MetricSourceType.CONTAINER_RESOURCE),
            _goes_with("pods", MetricSourceType.PODS),
            _goes_with("external", MetricSourceType.EXTERNAL),
        )
    )

    type: MetricSourceType = Field(description="Resource, ContainerResource, Pods or External.")
    resource: ResourceMetric | None = Field(default=None, description="CPU or memory of the pods.")
    container_resource: ContainerResourceMetric | None = Field(
        default=None, description="CPU or memory of one container."
    )
    pods: PodsMetric | None = Field(default=None, description="A custom metric of the pods.")
    external: ExternalMetric | None = Field(default=None, description="An external metric.")


class ScalingPolicyType(StrEnum):
    """What a policy counts."""

    PODS = "Pods"
    PERCENT = "Percent"


class ScalingPolicy(ApiModel):
    """How much may change in some time."""

    type: ScalingPolicyType = Field(description="Pods or Percent.")
    value: Annotated[int, Field(ge=1)] = Field(description="How many, or how many percent.")
    period_seconds: Annotated[int, Field(ge=1, le=1800)] = Field(description="In which time.")


class SelectPolicy(StrEnum):
    """Which of several policies counts."""

    MAX = "Max"
    MIN = "Min"
    DISABLED = "Disabled"


class ScalingRules(ApiModel):
    """How fast pods are added, or taken away."""

    stabilization_window_seconds: Annotated[int, Field(ge=0, le=3600)] | None = Field(
        default=None, description="Seconds of the past that are looked at, against flapping."
    )
    select_policy: SelectPolicy | None = Field(default=None, description="Max, Min or Disabled.")
    policies: list[ScalingPolicy] | None = Field(
        default=None, min_length=1, max_length=8, description="How much may change in some time."
    )


class ScalingBehavior(ApiModel):
    """How fast pods are added and taken away."""

    scale_up: ScalingRules | None = Field(default=None, description="How pods are added.")
    scale_down: ScalingRules | None = Field(default=None, description="How pods are taken away.")


class Autoscaling(ApiModel):
    """Pods of stable by load: a HorizontalPodAutoscaler that Serinus keeps on stable's workload."""

    model_config = ConfigDict(
        json_schema_extra=cel(
            (
                "!has(self.minReplicas) || self.minReplicas <= self.maxReplicas",
                "`minReplicas` may not be above `maxReplicas`",
            )
        )
    )

    min_replicas: Annotated[int, Field(ge=1, le=REPLICAS_MAX)] | None = Field(
        default=None, description="Fewest pods. Default: 1."
    )
    max_replicas: Annotated[int, Field(ge=1, le=REPLICAS_MAX)] = Field(description="Most pods.")
    metrics: list[AutoscalingMetric] = Field(
        default_factory=list,
        max_length=METRICS_MAX,
        description="By which numbers. Default: Kubernetes', 80 percent of the CPU requested.",
    )
    behavior: ScalingBehavior | None = Field(
        default=None, description="How fast. Default: Kubernetes'."
    )
