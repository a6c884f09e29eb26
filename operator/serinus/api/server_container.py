"""`server.container`: a server of one's own instead of Serinus', released in the same way."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field, StringConstraints

from serinus.api.counters import Counters, MetricsProfile
from serinus.api.schema_model import ApiModel, cel, exactly_one

Port = Annotated[int, Field(ge=1, le=65535)]
UrlPath = Annotated[
    str, StringConstraints(pattern=r"^/[A-Za-z0-9._~/-]*$", min_length=1, max_length=256)
]
Argument = Annotated[str, StringConstraints(max_length=4096)]


class ContainerMetrics(ApiModel):
    """Where the server's metrics are, and what they mean."""

    model_config = ConfigDict(json_schema_extra=cel(exactly_one("profile", "custom")))

    profile: MetricsProfile | None = Field(
        default=None,
        description="A server whose counters are known: bentoml (error-rate, slow-requests), "
        "kserve (slow-requests), mlserver (error-rate), triton (error-rate).",
    )
    custom: Counters | None = Field(default=None, description="The counters of any other server.")
    port: Port | None = Field(
        default=None, description="Port that has them. Default: the container's."
    )
    path: UrlPath | None = Field(default=None, description="Path. Default: /metrics.")


class ContainerProbes(ApiModel):
    """What tells that the server is ready, and that it lives: 200 to a GET."""

    ready_path: UrlPath = Field(description="Path that answers once requests can be answered.")
    live_path: UrlPath | None = Field(
        default=None, description="Path that answers while it lives. Default: none is asked."
    )
    startup_seconds: Annotated[int, Field(ge=1, le=3600)] | None = Field(
        default=None, description="Seconds in which it has to become ready. Default: 300."
    )


class ServerContainer(ApiModel):
    """A container that listens for HTTP. It runs restricted: not root, read-only but for `/tmp`."""

    image: Annotated[str, StringConstraints(min_length=1, max_length=512)] = Field(
        description="Image. Another one is another revision: name it by digest."
    )
    command: list[Argument] = Field(
        default_factory=list, max_length=32, description="Entry point. Default: the image's."
    )
    args: list[Argument] = Field(
        default_factory=list,
        max_length=64,
        description="Arguments. `$(SERINUS_MODEL_URI)` and the like are replaced by Kubernetes.",
    )
    port: Port = Field(description="Port at which it answers HTTP.")
    probes: ContainerProbes = Field(description="What tells that it is ready.")
    metrics: ContainerMetrics | None = Field(
        default=None,
        description="Its metrics. Without them no `template` can judge it, only queries.",
    )
