"""Block `server` of a Deployment: the pods that serve.

All of it is part of the revision, but for how much is logged.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field, StringConstraints

from serinus.api.feedback import Feedback
from serinus.api.pod_settings import PodTemplate, ResourceRequirements
from serinus.api.prediction_log import PredictionLog
from serinus.api.quantities import Duration
from serinus.api.schema_model import (
    ApiModel,
    LocalObjectReference,
    SecretKeySelector,
    cel,
    exactly_one,
    map_list,
)
from serinus.api.server_container import ServerContainer
from serinus.api.tracing import Tracing

COHORTS_MAX = 64
WORKERS_MAX = 16
"""More than that is better served by more pods."""
ONLINE_FEATURES_MAX = 8


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
        description="Most requests that a pod answers at once, all its workers together; others "
        "get 503. Default: 256.",
    )
    timeout: Duration | None = Field(
        default=None,
        description="How long a request waits for its answer at most, from its last byte; then it "
        "gets 504. 10ms to 20s, which is how long a pod that ends waits for it. Default: 20s.",
    )


class GrpcPort(ApiModel):
    """The Open Inference Protocol over gRPC. No fields yet: `grpc: {}` switches it on."""


class AccessLog(ApiModel):
    """A line for each request. No fields yet: `accessLog: {}` switches it on."""


class OnlineCredentials(ApiModel):
    """Who reads in a FeatureSet's server."""

    username: Annotated[str, StringConstraints(min_length=1, max_length=128)] | None = Field(
        default=None, description="User who reads. Default: the server's default user."
    )
    password_secret_ref: SecretKeySelector = Field(
        description="Secret with the user's password. Rotating it is no rollout; pods take it when "
        "they start."
    )


class OnlineFeatures(ApiModel):
    """A FeatureSet whose newest values complete requests."""

    feature_set_ref: LocalObjectReference = Field(
        description="The FeatureSet; its `online` says that there are such values. A request that "
        "gives its entities may leave its features out."
    )
    credentials: OnlineCredentials | None = Field(
        default=None,
        description="Who reads, where the FeatureSet's `online.redis` is a server with a password. "
        "A user that may do no more than `MGET` and `PING` is enough.",
    )


class Server(ApiModel):
    """The pods that serve. Part of the revision, but for the sample and retention of the log."""

    model_config = ConfigDict(
        json_schema_extra=cel(
            (
                (
                    "!has(self.container) || !(has(self.image) || has(self.limits) || "
                    "has(self.feedback) || has(self.grpc) || has(self.workers) || "
                    "has(self.onlineFeatures))"
                ),
                (
                    "`image`, `limits`, `feedback`, `grpc`, `workers` and `onlineFeatures` are for "
                    "Serinus' server, and not for a `container` of your own"
                ),
            ),
            (
                (
                    "!has(self.workers) || !has(self.limits) || !has(self.limits.concurrency) || "
                    "self.limits.concurrency >= self.workers"
                ),
                "`limits.concurrency` is divided among `workers`: it must be at least as many",
            ),
            (
                (
                    "!has(self.container) || !(has(self.predictionLog) || has(self.accessLog) || "
                    "has(self.tracing))"
                ),
                (
                    "`predictionLog`, `accessLog` and `tracing` are for Serinus' server, and not "
                    "for a `container` of your own"
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
    workers: Annotated[int, Field(ge=1, le=WORKERS_MAX)] | None = Field(
        default=None,
        description="Processes that answer in each pod. They share port, limits and the memory of "
        "a compiled model, and count as one pod. Give it as many CPUs, of which each uses one at "
        "most. Default: 1.",
    )
    grpc: GrpcPort | None = Field(
        default=None,
        description="Speak the Open Inference Protocol, version 2, over gRPC, too, on port 8001 "
        "of the pods and of the Services: `grpc: {}`. Costs a worker about 15 MB.",
    )
    online_features: list[OnlineFeatures] = Field(
        default_factory=list,
        max_length=ONLINE_FEATURES_MAX,
        description="FeatureSets from whose newest values the server fills what a request leaves "
        "out; where two have a feature, the first one's counts. A newer snapshot is taken up by "
        "pods that run.",
        json_schema_extra=cel(
            (
                (
                    "self.all(one, self.exists_one(other, "
                    "other.featureSetRef.name == one.featureSetRef.name))"
                ),
                "name each FeatureSet once in `onlineFeatures`",
            )
        ),
    )
    feedback: Feedback | None = Field(default=None, description="How late labels are counted.")
    access_log: AccessLog | None = Field(
        default=None,
        description="Write a JSON line to standard output for each request but successful probes "
        "and scrapes: `accessLog: {}`. Default: none.",
    )
    tracing: Tracing | None = Field(
        default=None,
        description="Make a span of each request and call in the sample, and export it over "
        "OTLP/HTTP. Default: none.",
    )
    prediction_log: PredictionLog | None = Field(
        default=None,
        description="Log what was asked and answered. Default: nothing is logged.",
    )
    pod_template: PodTemplate | None = Field(
        default=None, description="Placement, labels and pull secrets of the pods."
    )
