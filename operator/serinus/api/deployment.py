"""Deployment (plural `modeldeployments`): what serves, how it is released, on what evidence."""

from __future__ import annotations

from pydantic import ConfigDict, Field

from serinus.api.analysis import Analysis
from serinus.api.autoscaling import Autoscaling
from serinus.api.deployment_status import DeploymentStatus
from serinus.api.metadata import ObjectMeta
from serinus.api.modelversion import Alias
from serinus.api.schema_model import API_VERSION, ApiModel, LocalObjectReference, cel, exactly_one
from serinus.api.server import Server
from serinus.api.strategy import (
    REPLICA_WEIGHT_MAX_PERCENT,
    SHADOW_OF_OWN_SERVER,
    SHADOW_PERCENT_OF_OUR_SERVER,
    RollbackWindow,
    Strategy,
)
from serinus.api.traffic import Traffic
from serinus.api.trainingjob import ModelName


class Channel(ApiModel):
    """A moving reference to a model: promoting it needs no change of this object."""

    model_config = ConfigDict(
        json_schema_extra=cel(
            exactly_one("alias", "latestApproved"),
            (
                "!has(self.latestApproved) || self.latestApproved",
                "`latestApproved` is true or left out",
            ),
        )
    )

    model_name: ModelName = Field(description="Name of the model.")
    alias: Alias | None = Field(default=None, description="The version that bears this alias.")
    latest_approved: bool | None = Field(
        default=None, description="The newest version that is ready and approved."
    )


class ModelReference(ApiModel):
    """Which model serves."""

    model_config = ConfigDict(json_schema_extra=cel(exactly_one("versionRef", "channel")))

    version_ref: LocalObjectReference | None = Field(
        default=None, description="A ModelVersion by name: promoting is a commit."
    )
    channel: Channel | None = Field(
        default=None, description="A moving reference: promoting is automatic."
    )


class DeploymentSpec(ApiModel):
    """What is wanted of a Deployment."""

    model_config = ConfigDict(
        json_schema_extra=cel(
            (
                "!(has(self.replicas) && has(self.autoscaling))",
                "set `replicas` or `autoscaling`, not both",
            ),
            (
                (
                    "!has(self.analysis) || !has(self.analysis.onDeadline) || "
                    "self.analysis.onDeadline != 'pause'"
                ),
                "`analysis.onDeadline` is hold, rollback or promote",
            ),
            (
                (
                    "!has(self.server) || !has(self.server.container) || !has(self.analysis) || "
                    "!has(self.analysis.metrics) || self.analysis.metrics.all(m, "
                    "!has(m.template) || m.template in ['error-rate', 'slow-requests'])"
                ),
                (
                    "with `server.container` the metrics' templates are error-rate and "
                    "slow-requests: what else there is, only Serinus' server counts"
                ),
            ),
            (
                (
                    "!has(self.analysis) || !has(self.analysis.metrics) || "
                    "self.analysis.metrics.all(m, !has(m.score) || m.score == 'brier' || "
                    "(has(self.server) && has(self.server.feedback) && "
                    "has(self.server.feedback.scores) && "
                    "self.server.feedback.scores.exists(one, one.score == m.score)))"
                ),
                (
                    "a `score` but `brier` has to be in `server.feedback.scores`, which says its "
                    "`bound`"
                ),
            ),
            (
                (
                    "!has(self.analysis) || !has(self.analysis.onProviderError) || "
                    "self.analysis.onProviderError in ['hold', 'pause']"
                ),
                (
                    "`analysis.onProviderError` is hold or pause: that metrics can't be read is "
                    "never evidence"
                ),
            ),
            (
                (
                    "!has(self.strategy) || !has(self.strategy.abTest) || !has(self.server) || "
                    "!has(self.server.container)"
                ),
                (
                    "`strategy.abTest` is for Serinus' server, whose pods assign the units; with "
                    "`server.container` release by `canary` or `blueGreen`"
                ),
            ),
            (
                (
                    "!has(self.strategy) || !has(self.strategy.abTest) || !has(self.server) || "
                    "!has(self.server.workers) || self.server.workers == 1"
                ),
                (
                    "`strategy.abTest` counts units in pods of one process; with `server.workers` "
                    "release by `canary` or `blueGreen`"
                ),
            ),
            (
                (
                    "!has(self.strategy) || !has(self.strategy.postPromotionAnalysis) || "
                    "!has(self.analysis) || !has(self.analysis.metrics) || "
                    "self.analysis.metrics.size() > 0"
                ),
                "`strategy.postPromotionAnalysis` needs `analysis.metrics`, else nothing is judged",
            ),
            (
                (
                    "(has(self.traffic) && has(self.traffic.gatewayAPI)) || !has(self.strategy) || "
                    "!has(self.strategy.canary) || ((!has(self.strategy.canary.steps) || "
                    "self.strategy.canary.steps.all(s, !has(s.setWeight) || s.setWeight <= "
                    f"{REPLICA_WEIGHT_MAX_PERCENT})) && (!has(self.strategy.canary.stepWeights) || "
                    "self.strategy.canary.stepWeights.all(w, w <= "
                    f"{REPLICA_WEIGHT_MAX_PERCENT})))"
                ),
                (
                    "`strategy.canary`: a weight above "
                    f"{REPLICA_WEIGHT_MAX_PERCENT} needs `traffic.gatewayAPI`"
                ),
            ),
            (
                (
                    "!has(self.server) || !has(self.server.container) || "
                    "(has(self.traffic) && has(self.traffic.gatewayAPI)) || "
                    "!has(self.strategy) || !has(self.strategy.canary) || "
                    "!has(self.strategy.canary.steps) || "
                    "self.strategy.canary.steps.all(s, !has(s.shadow))"
                ),
                SHADOW_OF_OWN_SERVER,
            ),
            (
                (
                    "(has(self.server) && has(self.server.container)) || "
                    "!has(self.strategy) || !has(self.strategy.canary) || "
                    "!has(self.strategy.canary.steps) || "
                    "self.strategy.canary.steps.all(s, !has(s.shadow) || !has(s.shadow.percent))"
                ),
                SHADOW_PERCENT_OF_OUR_SERVER,
            ),
        )
    )

    model: ModelReference = Field(description="Which model serves.")
    replicas: int | None = Field(
        default=None, ge=0, le=1000, description="Pods of the stable revision. Default: 1."
    )
    autoscaling: Autoscaling | None = Field(
        default=None, description="Pods of the stable revision by load, instead of `replicas`."
    )
    server: Server | None = Field(default=None, description="The pods that serve.")
    traffic: Traffic | None = Field(default=None, description="How traffic is split.")
    strategy: Strategy | None = Field(
        default=None,
        description="How a new revision is released. Default: canary at 20 and 50 percent.",
    )
    analysis: Analysis | None = Field(
        default=None,
        description="On what evidence. Default: error-rate compared with stable.",
    )
    rollback_window: RollbackWindow | None = Field(
        default=None,
        description="A spec that goes back to one of the last revisions that were stable skips "
        "steps, analysis and promotion windows; never to a rejected one. Default: none does.",
    )
    progress_deadline_seconds: int | None = Field(
        default=None,
        ge=1,
        description="Seconds in which new pods must become ready. Default: 600.",
    )
    revision_history_limit: int | None = Field(
        default=None, ge=1, le=100, description="Old revisions kept for rollback. Default: 10."
    )
    suspend: bool | None = Field(
        default=None, description="Start no rollout; what serves goes on serving."
    )


class Deployment(ApiModel):
    """A model that serves, and how new versions are released."""

    api_version: str = API_VERSION
    kind: str = "Deployment"
    metadata: ObjectMeta = Field(default_factory=ObjectMeta)
    spec: DeploymentSpec = Field(description="What is wanted.")
    status: DeploymentStatus = Field(default_factory=DeploymentStatus, description="What is so.")
