"""Block `strategy` of a Deployment: how a new revision is released."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import ConfigDict, Field, StringConstraints

from serinus.api.ab_test import AbTest
from serinus.api.hooks import HOOKS_MAX, ReleaseHook
from serinus.api.quantities import Duration
from serinus.api.schema_model import SET_LIST, ApiModel, cel, exactly_one, map_list

STEPS_MAX = 32
PROMOTION_WINDOWS_MAX = 16
REVISIONS_BACK_MAX = 20
SCALE_DOWN_DELAY_MAX_SECONDS = 604_800
REPLICA_WEIGHT_MAX_PERCENT = 50
"""Beyond it stable, which keeps all its pods, would need fewer than it has."""
WEIGHT_MAX_PERCENT = 100
SHADOW_OF_OWN_SERVER = (
    "a `shadow` with `server.container` needs `traffic.gatewayAPI`: requests are mirrored by "
    "Serinus' server or by a Gateway, not by a server of your own. Choose a gateway that mirrors, "
    "or begin with `setWeight`"
)
SHADOW_PERCENT_OF_OUR_SERVER = (
    "`shadow.percent` needs `server.container` and `traffic.gatewayAPI`: Serinus' server mirrors "
    "all that the shadow has room for. Leave it out, or say by `shadow.replicas` how much room"
)


class PauseStep(ApiModel):
    """Wait."""

    duration: Duration | None = Field(
        default=None,
        description="How long. Without it: until a person says `kubectl serinus promote`.",
    )


class AnalyzeStep(ApiModel):
    """Go on only when the evidence allows it."""

    min_samples: int | None = Field(
        default=None, ge=1, description="Canary requests needed at least. Default: 50."
    )
    min_duration: Duration | None = Field(
        default=None, description="How long the step takes at least. Default: 0s."
    )
    max_duration: Duration | None = Field(
        default=None,
        description="When `onDeadline` counts. Default: 30m. Time without metrics doesn't count.",
    )


class ShadowStep(ApiModel):
    """Stable's requests are answered by the new version too, and nobody gets those answers."""

    replicas: int | None = Field(
        default=None,
        ge=1,
        le=1000,
        description="Pods of the shadow, at most as many as stable has. Default: as many. "
        "Requests that they have no room for aren't mirrored.",
    )
    percent: int | None = Field(
        default=None,
        ge=1,
        le=WEIGHT_MAX_PERCENT,
        description="Percent of the requests that the Gateway mirrors to a server of your own. "
        "Default: 100. Serinus' server mirrors all that the shadow has room for.",
    )
    min_samples: int | None = Field(
        default=None, ge=1, description="Mirrored requests needed at least. Default: 50."
    )
    min_duration: Duration | None = Field(
        default=None, description="How long the step takes at least. Default: 0s."
    )
    max_duration: Duration | None = Field(
        default=None,
        description="When `onDeadline` counts. Default: 30m. Time without metrics doesn't count.",
    )


class Step(ApiModel):
    """One step of a canary."""

    model_config = ConfigDict(
        json_schema_extra=cel(exactly_one("setWeight", "pause", "analyze", "shadow"))
    )

    set_weight: int | None = Field(
        default=None,
        ge=1,
        le=WEIGHT_MAX_PERCENT,
        description="Percent of requests for the canary, 1 to 50; with a gateway to 100.",
    )
    pause: PauseStep | None = Field(default=None, description="Wait.")
    analyze: AnalyzeStep | None = Field(
        default=None, description="Go on only when the evidence allows it."
    )
    shadow: ShadowStep | None = Field(
        default=None,
        description="First of all steps: mirror stable's requests to the new version and judge "
        "what it makes of them, before any user gets an answer of it.",
    )


class Canary(ApiModel):
    """Release by steps."""

    model_config = ConfigDict(
        json_schema_extra=cel(
            exactly_one("steps", "stepWeights"),
            (
                (
                    "!has(self.stepWeights) || (self.stepWeights.isSorted() && "
                    "self.stepWeights.all(w, self.stepWeights.exists_one(v, v == w)))"
                ),
                "`stepWeights` must rise: each above the one before",
            ),
            (
                (
                    "!has(self.steps) || (self.steps.filter(s, has(s.setWeight))"
                    ".map(s, s.setWeight).isSorted() && self.steps.filter(s, has(s.setWeight))"
                    ".all(s, self.steps.exists_one(t, has(t.setWeight) && "
                    "t.setWeight == s.setWeight)))"
                ),
                "the `setWeight` of `steps` must rise: each above the one before",
            ),
            (
                (
                    "!has(self.steps) || self.steps.size() == 0 || has(self.steps[0].setWeight) || "
                    "(has(self.steps[0].shadow) && self.steps.size() > 1 && "
                    "has(self.steps[1].setWeight))"
                ),
                "the first of `steps` must be a `setWeight`, or a `shadow` and then a `setWeight`",
            ),
            (
                (
                    "!has(self.steps) || self.steps.size() == 0 || "
                    "self.steps.filter(s, has(s.shadow)).size() == "
                    "(has(self.steps[0].shadow) ? 1 : 0)"
                ),
                "only the first of `steps` may be a `shadow`: later on users get answers anyway",
            ),
            (
                (
                    "!has(self.maxWeight) || ((!has(self.steps) || self.steps.all(s, "
                    "!has(s.setWeight) || s.setWeight <= self.maxWeight)) && "
                    "(!has(self.stepWeights) || self.stepWeights.all(w, w <= self.maxWeight)))"
                ),
                "no weight may be above `maxWeight`",
            ),
        )
    )

    steps: list[Step] | None = Field(
        default=None, max_length=STEPS_MAX, description="What happens, in order."
    )
    step_weights: list[Annotated[int, Field(ge=1, le=WEIGHT_MAX_PERCENT)]] | None = Field(
        default=None,
        min_length=1,
        max_length=16,
        description="Short for a `setWeight` and an `analyze` each, in percent.",
    )
    max_weight: int | None = Field(
        default=None,
        ge=1,
        le=WEIGHT_MAX_PERCENT,
        description="Most percent of requests that the canary may get before it is decided to "
        "promote it, also where whole pods only come near to a weight. Default: no limit.",
    )


class BlueGreen(ApiModel):
    """Release by a switch: all requests go over at once, after a preview."""

    preview_replicas: int | None = Field(
        default=None,
        ge=1,
        le=1000,
        description="Pods of the preview, at most as many as stable has. Default: as many. It has "
        "all of them before the switch.",
    )
    auto_promotion_enabled: bool | None = Field(
        default=None,
        description="false: the switch waits for `kubectl serinus promote`. Default: true.",
    )
    pre_promotion_analysis: AnalyzeStep | None = Field(
        default=None,
        description="The switch waits until what the preview answers is shown to be safe beside "
        "stable. It needs requests to the Service `<name>-preview`. Default: readiness decides.",
    )
    scale_down_delay_seconds: int | None = Field(
        default=None,
        ge=0,
        le=SCALE_DOWN_DELAY_MAX_SECONDS,
        description="How long the old pods stay after the switch. A spec that leads back to them "
        "meanwhile is switched back at once. Default: 30.",
    )


class PostPromotionAnalysis(ApiModel):
    """Go on judging what was promoted, with the way back open."""

    duration: Duration = Field(
        description="How long. A time without metrics counts as well: it is never evidence."
    )
    kept_replicas: int | None = Field(
        default=None,
        ge=1,
        le=1000,
        description="Pods of the former stable revision that stay ready meanwhile, at most as "
        "many as stable has. The way back waits for the rest of them. Default: 1; after a switch "
        "all.",
    )


class FirstDeployment(ApiModel):
    """Judge the first revision once it serves, though nothing is there to compare it with."""

    duration: Duration = Field(
        description="How long: 0s for not at all. Only metrics with a `max` or `min` of their own "
        "judge it. Harm is told, and it goes on serving: nothing else could."
    )


class Weekday(StrEnum):
    """A day of the week."""

    MONDAY = "Monday"
    TUESDAY = "Tuesday"
    WEDNESDAY = "Wednesday"
    THURSDAY = "Thursday"
    FRIDAY = "Friday"
    SATURDAY = "Saturday"
    SUNDAY = "Sunday"


ClockTime = Annotated[
    str, StringConstraints(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$", max_length=5)
]
"""Hours and minutes: `09:00`, `23:59`."""


class PromotionWindow(ApiModel):
    """Hours in which a canary may be promoted."""

    days: list[Weekday] | None = Field(
        default=None,
        min_length=1,
        max_length=7,
        description="Days on which it opens. Default: all.",
        json_schema_extra=SET_LIST,
    )
    start: ClockTime | None = Field(
        default=None, description="When it opens, by the clock of `timeZone`. Default: 00:00."
    )
    end: ClockTime | None = Field(
        default=None,
        description="When it closes; where that isn't after `start`, on the day after. "
        "Default: 00:00.",
    )
    time_zone: Annotated[str, StringConstraints(min_length=1, max_length=64)] | None = Field(
        default=None, description="Name of the time zone, such as Europe/Amsterdam. Default: UTC."
    )


class RollbackWindow(ApiModel):
    """Revisions to which the way back is short."""

    revisions: int = Field(
        ge=1,
        le=REVISIONS_BACK_MAX,
        description="How many of the revisions that were stable before this one.",
    )


class Strategy(ApiModel):
    """How a new revision is released."""

    model_config = ConfigDict(json_schema_extra=cel(exactly_one("canary", "blueGreen", "abTest")))

    canary: Canary | None = Field(default=None, description="By steps, on evidence.")
    blue_green: BlueGreen | None = Field(
        default=None, description="By a switch, after a preview that users don't see."
    )
    ab_test: AbTest | None = Field(
        default=None,
        description="By an A/B test: a part of the users gets it, each always the same revision.",
    )
    post_promotion_analysis: PostPromotionAnalysis | None = Field(
        default=None,
        description="After the promotion the metrics go on being judged, and harm leads back to "
        "the former stable revision, which keeps pods for it. Rates are held against `max` and "
        "against what was tolerated beside stable when it was promoted. Default: none.",
    )
    first_deployment: FirstDeployment | None = Field(
        default=None,
        description="How the first revision is judged once it serves. Default: 30m, by metrics "
        "with a `max` or `min` of their own.",
    )
    promotion_windows: list[PromotionWindow] | None = Field(
        default=None,
        min_length=1,
        max_length=PROMOTION_WINDOWS_MAX,
        description="Only within one of these a canary is promoted by itself: outside it waits "
        "with all its evidence. Steps go on, a rollback is never held up, and a person's "
        "`promote` counts at any time. Default: always.",
    )
    hooks: list[ReleaseHook] | None = Field(
        default=None,
        min_length=1,
        max_length=HOOKS_MAX,
        description="Who outside is asked, of the hooks that the chart declares: before a "
        "promotion, or whether to roll back. A person's `promote` asks nobody. Default: none.",
        json_schema_extra=map_list("type", "name"),
    )
