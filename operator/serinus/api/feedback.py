"""Block `server.feedback` of a Deployment: how labels that come later are counted."""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict, Field

from serinus.api.label_scores import LabelScore, ScoreName, canonical_decimal
from serinus.api.quantities import Duration, PositiveText, QuantileText
from serinus.api.schema_model import ApiModel, cel, map_list

SCORES_MAX = 4

BoundedScore = Literal[
    ScoreName.LOG_LOSS, ScoreName.ABSOLUTE_ERROR, ScoreName.SQUARED_ERROR, ScoreName.PINBALL
]
"""Scores whose loss has no worst value of its own, as Brier's has."""


class CountedScore(ApiModel):
    """A score that is added up, each loss as a share of its bound."""

    model_config = ConfigDict(
        json_schema_extra=cel(
            (
                "has(self.quantile) == (self.score == 'pinball')",
                "`quantile` goes with `score: pinball`, and only with it",
            )
        )
    )

    score: BoundedScore = Field(
        description="logLoss: of a class, the negative logarithm of the probability that the label "
        "was given. Of a value, how far the answer is from the label: absoluteError, its square "
        "(squaredError), or weighed by the side of a quantile (pinball)."
    )
    bound: PositiveText = Field(
        description="The largest loss that is told apart: a larger one counts as this. Decimal "
        "above 0. Losses with different bounds are never compared."
    )
    quantile: QuantileText | None = Field(
        default=None, description="pinball: the quantile that the model answers, between 0 and 1."
    )


class Feedback(ApiModel):
    """How labels that come later are counted."""

    model_config = ConfigDict(
        json_schema_extra=cel(
            (
                (
                    "!has(self.scores) || has(self.wrongBeyond) || "
                    "self.scores.all(one, one.score == 'logLoss')"
                ),
                (
                    "`absoluteError`, `squaredError` and `pinball` need `wrongBeyond`: without it "
                    "labels of a model that answers values aren't taken"
                ),
            )
        )
    )

    cohort_length: Duration | None = Field(
        default=None,
        description="Length of the windows of issue times by which labels are counted, "
        "1s to 1h. Default: 5m.",
    )
    maturity: Duration | None = Field(
        default=None,
        description="How long after the answer a label is counted at the earliest, so that "
        "labels that come sooner for one outcome don't mislead. Default: 0s.",
    )
    wrong_beyond: PositiveText | None = Field(
        default=None,
        description="Of a model that answers values: an answer that is further from its label than "
        "this is wrong. Decimal above 0. Without it labels of such a model get 400.",
    )
    scores: list[CountedScore] = Field(
        default_factory=list,
        max_length=SCORES_MAX,
        description="What else is added up of labels, for `prediction-loss`. Brier's score of "
        "classes always is. A score that isn't for what the model answers isn't counted.",
        json_schema_extra=map_list("score"),
    )

    @property
    def beyond(self) -> str:
        """`wrongBeyond` as pods and queries know it; empty where there is none."""
        return canonical_decimal(self.wrong_beyond) if self.wrong_beyond else ""

    @property
    def counted_scores(self) -> tuple[LabelScore, ...]:
        """The scores as pods and queries know them."""
        return tuple(
            LabelScore(
                one.score,
                canonical_decimal(one.bound),
                canonical_decimal(one.quantile) if one.quantile else "",
            )
            for one in self.scores
        )
