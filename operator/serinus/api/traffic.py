"""Block `traffic` of a Deployment: how requests are split between revisions."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field, StringConstraints

from serinus.api.schema_model import ApiModel, DnsLabel, cel, exactly_one

PARENT_REFS_MAX = 32
HOSTNAMES_MAX = 16

Hostname = Annotated[
    str,
    StringConstraints(
        pattern=r"^(\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$",
        max_length=253,
    ),
]
"""A DNS name in small letters, of which the first label may be `*`."""


class ReplicaTraffic(ApiModel):
    """Traffic is split by the number of pods; needs nothing in the cluster."""


class ParentReference(ApiModel):
    """A Gateway through which requests come."""

    name: DnsLabel = Field(description="Name of the Gateway.")
    namespace: DnsLabel | None = Field(
        default=None, description="Its namespace. Default: that of the Deployment."
    )
    section_name: DnsLabel | None = Field(
        default=None, description="One of its listeners. Default: all that allow the route."
    )


class GatewayTraffic(ApiModel):
    """Traffic is split by the weights of an HTTPRoute, to the percent."""

    parent_refs: list[ParentReference] = Field(
        min_length=1,
        max_length=PARENT_REFS_MAX,
        description="Gateways that the route is attached to.",
    )
    hostnames: list[Hostname] | None = Field(
        default=None,
        max_length=HOSTNAMES_MAX,
        description="Names for which requests are taken. Default: those of the Gateways.",
    )


class Traffic(ApiModel):
    """How traffic is split."""

    model_config = ConfigDict(json_schema_extra=cel(exactly_one("replicas", "gatewayAPI")))

    replicas: ReplicaTraffic | None = Field(
        default=None, description="By the number of pods. This is the default."
    )
    gateway_api: GatewayTraffic | None = Field(
        default=None,
        alias="gatewayAPI",
        description=(
            "By a Gateway, with weights from 1 to 100. The HTTPRoute of the Deployment's name is "
            "made; of it, the backends of the rule `serinus`, `parentRefs` and `hostnames` are "
            "kept as they have to be, and everything else stays as people make it."
        ),
    )
