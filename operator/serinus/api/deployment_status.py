"""Status of a Deployment: what serves, what is being released, and on what evidence."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, StringConstraints

from serinus.api.analysis import METRICS_MAX
from serinus.api.hooks import HOOKS_MAX, HookStatus
from serinus.api.metadata import CommonStatus
from serinus.api.schema_model import ApiModel
from serinus.api.strategy import REVISIONS_BACK_MAX

RECORD_MAX_LENGTH = 48_000
"""Characters of a decision with its inputs; `PENDING_RECORDS_MAX` of them fit a status."""
PENDING_RECORDS_MAX = 16


class RevisionStatus(ApiModel):
    """The revision that serves."""

    revision: str = Field(max_length=16, description="Hash of all that serves.")
    model_version: str = Field(max_length=63, description="ModelVersion it came from.")
    since: str | None = Field(default=None, max_length=40, description="Since when.")


class PreviewStatus(ApiModel):
    """How a candidate is shown before the switch."""

    replicas: int | None = Field(
        default=None, description="Its pods; left out where it has as many as stable."
    )
    scale_down_delay_seconds: int = Field(
        default=0, description="How long the old pods stay after the switch."
    )


class ShadowStatus(ApiModel):
    """How stable's requests are mirrored before users get any answer."""

    replicas: int | None = Field(
        default=None, description="Pods; left out where there are as many as stable has."
    )


class AbTestStatus(ApiModel):
    """How the pods carry out an A/B test."""

    share_percent: int = Field(
        default=0, description="Percent of all requests that the canary gets at most."
    )
    active_from: str | None = Field(
        default=None,
        max_length=40,
        description="From when all pods assign units; left out where they aren't told of it yet.",
    )
    test: str = Field(default="", max_length=16, description="Name of the test in the counters.")


class Exposures(ApiModel):
    """Units that were met in an A/B test, by the revision that they were assigned to."""

    stable: int = Field(default=0, description="Units of stable.")
    canary: int = Field(default=0, description="Units of the canary.")
    pods: int = Field(
        default=0, description="Pods that met them; a unit counts once on each that it meets."
    )


class Withdrawal(ApiModel):
    """Evidence for which a canary's requests were taken away until a person says."""

    reason: str = Field(max_length=64, description="Why, in one word.")
    message: str = Field(default="", max_length=1024, description="Why, for a person.")
    at: str = Field(max_length=40, description="When.")


class PostPromotionStatus(ApiModel):
    """How what was promoted is judged while the way back is open."""

    started_at: str = Field(max_length=40, description="When it was promoted.")
    replicas: int | None = Field(
        default=None, description="Pods of the old revision; left out where it keeps all."
    )
    rules: dict[str, Any] = Field(
        description="Its analysis, with limits as they were when it was promoted.",
        json_schema_extra={"x-kubernetes-preserve-unknown-fields": True, "type": "object"},
    )
    going_back: Withdrawal | None = Field(
        default=None,
        description="Why the old revision becomes stable again as soon as its pods are ready.",
    )


class FirstCheckStatus(ApiModel):
    """How a first revision is judged, which has nothing to be compared with."""

    started_at: str = Field(max_length=40, description="Since when it serves.")
    until: str = Field(max_length=40, description="Until when it is judged.")
    rules: dict[str, Any] = Field(
        description="Its analysis: the metrics that have limits of their own.",
        json_schema_extra={"x-kubernetes-preserve-unknown-fields": True, "type": "object"},
    )
    not_judged: list[Annotated[str, StringConstraints(max_length=40)]] = Field(
        default_factory=list,
        max_length=METRICS_MAX,
        description="Metrics that only compare with stable.",
    )
    harm: Withdrawal | None = Field(
        default=None,
        description="What harm was found; it goes on serving until something else does.",
    )


class KeptRevision(ApiModel):
    """The revision that was stable before, while it keeps pods for the way back."""

    revision: str = Field(max_length=16, description="Hash of all that serves.")
    model_version: str = Field(default="", max_length=63, description="ModelVersion it came from.")
    until: str = Field(max_length=40, description="Until when.")
    analysis: PostPromotionStatus | None = Field(
        default=None, description="Left out where what serves now isn't judged any more."
    )

    @property
    def going_back(self) -> Withdrawal | None:
        """Why it becomes stable again, once that is decided."""
        return self.analysis.going_back if self.analysis else None


class CanaryStatus(ApiModel):
    """The revision that is being released, and how far it is."""

    revision: str = Field(max_length=16, description="Hash of all that serves.")
    model_version: str = Field(max_length=63, description="ModelVersion it came from.")
    step: int = Field(default=0, description="Index of the current step, from 0.")
    steps_total: int = Field(default=0, description="Number of steps.")
    weight: int = Field(default=0, description="Percent of requests that the step asks for.")
    actual_weight: int = Field(
        default=0, description="Percent that the router is set to, or that whole replicas give."
    )
    served_weight: str | None = Field(
        default=None,
        max_length=8,
        description="Percent of the step's requests that the canary really got, by the counters of "
        "both revisions.",
    )
    started_at: str = Field(max_length=40, description="When the rollout began.")
    step_started_at: str = Field(max_length=40, description="When the step began.")
    ready_at: str | None = Field(
        default=None, max_length=40, description="When the step's pods were ready."
    )
    traffic_started_at: str | None = Field(
        default=None, max_length=40, description="When the canary first had traffic."
    )
    pods_missing_since: str | None = Field(
        default=None, max_length=40, description="Since when the step lacks pods."
    )
    frozen_since: str | None = Field(
        default=None, max_length=40, description="Since when the clock of the step stands still."
    )
    frozen_seconds: int = Field(
        default=0, description="Seconds that the clock of the step has stood still before."
    )
    samples_before: int = Field(
        default=0, description="Canary requests that were counted before the step began."
    )
    stable_samples_before: int = Field(
        default=0, description="Stable's requests that were counted before the step began."
    )
    answers_since: str | None = Field(
        default=None,
        max_length=40,
        description="Since when the metrics provider has answered without a long gap. What it "
        "didn't scrape before says nothing.",
    )
    answered_at: str | None = Field(
        default=None, max_length=40, description="When it answered last, by the minute."
    )
    promoting: bool = Field(
        default=False, description="Whether it was decided to promote and capacity is awaited."
    )
    paused_by: str | None = Field(
        default=None, max_length=256, description="Who paused the rollout."
    )
    withdrawn: Withdrawal | None = Field(
        default=None,
        description="Why the canary gets no requests until a person says (`analysis.mode: pause`).",
    )
    preview: PreviewStatus | None = Field(
        default=None,
        description="The release is a switch: no requests until then but those to the preview.",
    )
    shadow: ShadowStatus | None = Field(
        default=None,
        description="The step is a shadow: no requests but mirrored ones, whose answers nobody "
        "gets.",
    )
    hooks: list[HookStatus] = Field(
        default_factory=list,
        max_length=HOOKS_MAX,
        description="Hooks that are asked about this rollout, and what they say.",
    )
    ab_test: AbTestStatus | None = Field(
        default=None,
        description="The release is an A/B test: stable's pods hand the requests of its units to "
        "the canary.",
    )
    exposures: Exposures | None = Field(
        default=None, description="Units that were met in the A/B test so far."
    )
    returning: bool = Field(
        default=False,
        description="Whether it was stable within `rollbackWindow` or still has its pods, and so "
        "takes no steps.",
    )
    rules: dict[str, Any] | None = Field(
        default=None,
        description="Strategy and analysis as they were when the rollout began; edits count for "
        "the next one.",
        json_schema_extra={"x-kubernetes-preserve-unknown-fields": True, "type": "object"},
    )
    rules_hash: str = Field(default="", max_length=16, description="Hash of `rules`.")

    @property
    def is_hidden(self) -> bool:
        """Whether the router gives it none of the users' requests: a preview, a shadow, or an A/B
        test, in which stable's pods hand them on.
        """
        return any(one is not None for one in (self.preview, self.shadow, self.ab_test))


class StableFloor(ApiModel):
    """Fewest pods of stable under an autoscaler while a canary takes a part of its requests."""

    pods: int = Field(ge=0, description="So many pods.")
    since: str = Field(max_length=40, description="Since when it is so many.")
    until: str | None = Field(
        default=None,
        max_length=40,
        description="Until when, after a rollout; left out while it runs.",
    )


class RejectedRevision(ApiModel):
    """A revision that isn't tried again until `retry`."""

    revision: str = Field(max_length=16, description="Hash of all that serves.")
    model_version: str = Field(default="", max_length=63, description="ModelVersion it came from.")
    reason: str = Field(max_length=64, description="Why, in one word.")
    message: str = Field(default="", max_length=1024, description="Why, for a person.")
    at: str = Field(max_length=40, description="When.")


class ArmCounts(ApiModel):
    """Counts of one revision."""

    bad: str = Field(max_length=32, description="Bad events; a score may be fractional.")
    total: int = Field(description="All events.")


class MetricLimits(ApiModel):
    """What tolerance and margin come to beside stable as it is now. Rates are fractions."""

    stable_rate: str | None = Field(
        default=None, max_length=32, description="Stable's rate, from before the rollout and since."
    )
    tolerated_rate: str = Field(max_length=32, description="Beyond it a canary is harmful.")
    accepted_rate: str = Field(
        max_length=32, description="A canary that is shown to be below it may be promoted."
    )
    variance_inflation: str = Field(
        max_length=32,
        description="How much burstier than independent the bad events are taken to be; evidence "
        "is divided by it.",
    )
    variance_inflation_source: str = Field(
        max_length=16,
        description="measured between stable's pods, given by the spec, or fallback where stable "
        "was too quiet to measure.",
    )


class MetricStatus(ApiModel):
    """What a metric says."""

    metric: str = Field(max_length=40, description="Name of the metric.")
    verdict: str = Field(
        max_length=16, description="Successful, Failed, Inconclusive, Error or NoData."
    )
    message: str = Field(default="", max_length=512, description="One sentence for people.")
    canary: ArmCounts | None = Field(default=None, description="Counts of the canary.")
    stable: ArmCounts | None = Field(default=None, description="Counts of stable, concurrent.")
    value: str | None = Field(default=None, max_length=32, description="Last value of a scalar.")
    evidence: str | None = Field(
        default=None,
        max_length=16,
        description='Evidence of harm; from "1" on the canary is rolled back.',
    )
    safety: str | None = Field(
        default=None,
        max_length=16,
        description='Evidence that it is not worse than the margin; from "1" on it is shown.',
    )
    limits: MetricLimits | None = Field(
        default=None, description="A rate's limits, as absolute rates."
    )
    warning: str | None = Field(
        default=None,
        max_length=512,
        description="What to know before relying on the metric, such as that its margin would "
        "also accept a constant answer.",
    )
    newest_sample_at: str | None = Field(
        default=None, max_length=40, description="Time of the newest sample."
    )
    state: str | None = Field(
        default=None, max_length=1024, description="Opaque state from which analysis goes on."
    )


class HistoryEntry(ApiModel):
    """One decision."""

    at: str = Field(max_length=40, description="When.")
    action: str = Field(max_length=16, description="What was done.")
    revision: str = Field(max_length=16, description="With which revision.")
    model_version: str = Field(default="", max_length=63, description="ModelVersion it came from.")
    reason: str = Field(default="", max_length=64, description="Why, in one word.")
    because: str = Field(default="", max_length=1024, description="Why, for a person.")
    actor: str = Field(default="", max_length=256, description="Who, if a person or a hook.")


class PendingRecord(ApiModel):
    """A decision whose record isn't known to be written yet."""

    number: int = Field(ge=1, description="Number of the record.")
    action: str = Field(max_length=16, description="What was done.")
    revision: str = Field(default="", max_length=16, description="With which revision.")
    decision: str = Field(
        max_length=RECORD_MAX_LENGTH, description="The decision with its inputs, as JSON text."
    )


class RecordStatus(ApiModel):
    """How far decisions are recorded in ConfigMaps `<name>-record-<number>`."""

    number: int = Field(ge=0, description="Number of the newest record; 0 where there is none.")
    serving: str = Field(
        default="", max_length=256, description="What traffic is set to, as it was recorded last."
    )
    pending: list[PendingRecord] = Field(
        default_factory=list,
        max_length=PENDING_RECORDS_MAX,
        description="Decisions whose records are being written, oldest first.",
    )


class DeploymentStatus(CommonStatus):
    """What is so of a Deployment."""

    replicas: int | None = Field(default=None, description="Ready pods of stable.")
    url: str | None = Field(default=None, max_length=253, description="Address inside the cluster.")
    stable: RevisionStatus | None = Field(default=None, description="The revision that serves.")
    kept: KeptRevision | None = Field(
        default=None, description="The old revision after a promotion, while it keeps pods."
    )
    first_check: FirstCheckStatus | None = Field(
        default=None, description="The first revision, while it is judged or known to be harmful."
    )
    former_stable: list[RevisionStatus] = Field(
        default_factory=list,
        max_length=REVISIONS_BACK_MAX,
        description="Revisions that were stable before, newest last.",
    )
    canary: CanaryStatus | None = Field(
        default=None, description="The revision that is being released."
    )
    stable_floor: StableFloor | None = Field(
        default=None,
        description="What the autoscaler may not go below, because a canary takes a part of the "
        "requests, or did so until lately.",
    )
    update_revision: str | None = Field(
        default=None, max_length=16, description="Revision that the spec asks for."
    )
    rejected_revisions: list[RejectedRevision] = Field(
        default_factory=list,
        max_length=20,
        description="Revisions that aren't tried again, the newest 20. All are remembered.",
    )
    retried_revisions: list[Annotated[str, StringConstraints(max_length=16)]] = Field(
        default_factory=list,
        max_length=20,
        description="Revisions that may be tried again, while their rejection is still on record.",
    )
    analysis: list[MetricStatus] = Field(
        default_factory=list,
        max_length=METRICS_MAX,
        description="What the metrics say, of the running or the last rollout.",
    )
    history: list[HistoryEntry] = Field(
        default_factory=list, max_length=50, description="Newest decisions, newest last."
    )
    record: RecordStatus | None = Field(
        default=None, description="How far decisions are recorded outside the status."
    )
    feedback_key_secret: str | None = Field(
        default=None, max_length=63, description="Secret with the key of prediction ids."
    )
