"""Block `strategy` of a Deployment: how a new revision is released."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field

from serinus.api.quantities import Duration
from serinus.api.schema_model import ApiModel, cel, exactly_one

STEPS_MAX = 32
REPLICA_WEIGHT_MAX_PERCENT = 50


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


class Step(ApiModel):
    """One step of a canary."""

    model_config = ConfigDict(json_schema_extra=cel(exactly_one("setWeight", "pause", "analyze")))

    set_weight: int | None = Field(
        default=None,
        ge=1,
        le=REPLICA_WEIGHT_MAX_PERCENT,
        description="Percent of requests for the canary, 1 to 50.",
    )
    pause: PauseStep | None = Field(default=None, description="Wait.")
    analyze: AnalyzeStep | None = Field(
        default=None, description="Go on only when the evidence allows it."
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
                "!has(self.steps) || self.steps.size() == 0 || has(self.steps[0].setWeight)",
                "the first of `steps` must be a `setWeight`",
            ),
        )
    )

    steps: list[Step] | None = Field(
        default=None, max_length=STEPS_MAX, description="What happens, in order."
    )
    step_weights: list[Annotated[int, Field(ge=1, le=REPLICA_WEIGHT_MAX_PERCENT)]] | None = Field(
        default=None,
        min_length=1,
        max_length=16,
        description="Short for a `setWeight` and an `analyze` each, in percent.",
    )


class Strategy(ApiModel):
    """How a new revision is released."""

    model_config = ConfigDict(json_schema_extra=cel(exactly_one("canary")))

    canary: Canary | None = Field(default=None, description="By steps, on evidence.")
