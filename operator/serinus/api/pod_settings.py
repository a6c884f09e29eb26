"""What users may say about the pods that Serinus makes for them, and nothing else."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from serinus.api.quantities import QuantityText
from serinus.api.schema_model import (
    AnnotationValue,
    ApiModel,
    LabelValue,
    LocalObjectReference,
    map_list,
)

_OPAQUE: dict[str, Any] = {"x-kubernetes-preserve-unknown-fields": True, "type": "object"}


class ResourceRequirements(ApiModel):
    """CPU, memory and disk of the container, as in a pod."""

    requests: dict[str, QuantityText] = Field(
        default_factory=dict,
        max_length=8,
        description="What the scheduler sets aside, by resource name.",
    )
    limits: dict[str, QuantityText] = Field(
        default_factory=dict, max_length=8, description="What the container may use at most."
    )


class Toleration(ApiModel):
    """Toleration of a taint, as in a pod."""

    key: str | None = Field(default=None, max_length=316, description="Key of the taint.")
    operator: str | None = Field(default=None, max_length=16, description="`Exists` or `Equal`.")
    value: str | None = Field(default=None, max_length=63, description="Value of the taint.")
    effect: str | None = Field(default=None, max_length=32, description="Effect of the taint.")
    toleration_seconds: int | None = Field(
        default=None, description="Seconds for which a NoExecute taint is tolerated."
    )


class PodMetadata(ApiModel):
    """Labels and annotations added to the pod."""

    labels: dict[str, LabelValue] = Field(
        default_factory=dict,
        max_length=32,
        description="Labels; those of Serinus, Argo CD, Flux and Helm can't be set.",
    )
    annotations: dict[str, AnnotationValue] = Field(
        default_factory=dict, max_length=32, description="Annotations."
    )


class PodSpecSubset(ApiModel):
    """The fields of a pod's spec that may be set; the rest belongs to Serinus."""

    node_selector: dict[str, LabelValue] = Field(
        default_factory=dict, max_length=32, description="Labels that the node must have."
    )
    tolerations: list[Toleration] = Field(
        default_factory=list, max_length=32, description="Taints that the pod tolerates."
    )
    affinity: dict[str, Any] = Field(
        default_factory=dict,
        description="Affinity, as in a pod.",
        json_schema_extra=_OPAQUE,
    )
    priority_class_name: str | None = Field(
        default=None, max_length=253, description="Name of a PriorityClass."
    )
    runtime_class_name: str | None = Field(
        default=None, max_length=253, description="Name of a RuntimeClass."
    )
    image_pull_secrets: list[LocalObjectReference] = Field(
        default_factory=list,
        max_length=16,
        description="Secrets for pulling the image.",
        json_schema_extra=map_list("name"),
    )


class PodTemplate(ApiModel):
    """Additions to the pod that Serinus makes: placement, labels and pull secrets only."""

    metadata: PodMetadata = Field(
        default_factory=PodMetadata, description="Labels and annotations of the pod."
    )
    spec: PodSpecSubset = Field(
        default_factory=PodSpecSubset, description="Placement and pull secrets of the pod."
    )


class JobRunSettings(ApiModel):
    """How the runs of a kind are carried out; what they result in doesn't depend on it.

    A run that failed is tried again when one of these is changed that may have been to blame.
    """

    suspend: bool | None = Field(default=None, description="Start no further runs.")
    resources: ResourceRequirements | None = Field(
        default=None,
        description="CPU, memory and disk of the run. The limit `ephemeral-storage` bounds what "
        "is fetched and unpacked of a source and what doesn't fit into memory. Default: the "
        "chart's `scratch.jobs`.",
    )
    active_deadline_seconds: int | None = Field(
        default=None, ge=1, description="Seconds that a run may take. Default: 3600."
    )
    backoff_limit: int | None = Field(
        default=None, ge=0, le=20, description="Retries after a failed pod. Default: 2."
    )
    ttl_seconds_after_finished: int | None = Field(
        default=None,
        ge=0,
        description="Seconds that the Job is kept once its result is in status. Default: 3600.",
    )
    pod_template: PodTemplate | None = Field(
        default=None, description="Placement, labels and pull secrets of the run's pod."
    )
