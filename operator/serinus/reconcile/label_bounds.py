"""By what labels are judged: the bounds of a rule, and where stable's labels were judged by others.

A loss is a share of its bound, and wrong is what is further from its label than `wrongBeyond`: what
was counted by two bounds can't be compared, whatever the models do. The bounds belong to the
revision, and those of a canary are frozen with the rules of its rollout.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from serinus.analysis.spec import AnalysisRules
from serinus.api.deployment import DeploymentSpec
from serinus.api.enums import MetricTemplate
from serinus.api.feedback import Feedback
from serinus.api.label_scores import ScoreName
from serinus.api.server import Server


@dataclass(frozen=True, slots=True)
class LabelBounds:
    """What stands in the metrics of labels; empty where there is none."""

    bound: str = ""
    quantile: str = ""


def label_bounds(
    template: MetricTemplate, score: str | None, feedback: Feedback | None
) -> LabelBounds:
    """By what a server with this `feedback` judges labels for a metric."""
    given = feedback or Feedback()
    if template is MetricTemplate.WRONG_PREDICTIONS:
        return LabelBounds(given.beyond)
    if template is MetricTemplate.PREDICTION_LOSS:
        for one in given.counted_scores:
            if one.score == score:
                return LabelBounds(one.bound, one.quantile)
    return LabelBounds()


def incomparable(rules: AnalysisRules, stable: Server) -> dict[str, str]:
    """Metrics of which `stable` judges labels otherwise than the rules have it, with what."""
    return {
        rule.name: _difference(rule.template, rule.score or "", canary=wanted, stable=found)
        for rule in rules.rates
        if not rule.counters
        for wanted in [LabelBounds(rule.bound, rule.quantile)]
        for found in [label_bounds(rule.template, rule.score, stable.feedback)]
        if wanted != found
    }


def score_problems(spec: DeploymentSpec) -> Iterator[str]:
    """As with weights: refused at apply by a CRD of this operator's version."""
    feedback = (spec.server and spec.server.feedback) or Feedback()
    counted = {ScoreName.BRIER, *(one.score for one in feedback.scores)}
    for index, metric in enumerate(spec.analysis.metrics if spec.analysis else ()):
        if metric.score and metric.score not in counted:
            yield (
                f"spec.analysis.metrics[{index}].score: `{metric.score.value}` isn't in "
                f"spec.server.feedback.scores, which says its bound (metric `{metric.name}`)"
            )


def _difference(
    template: MetricTemplate, score: str, *, canary: LabelBounds, stable: LabelBounds
) -> str:
    if template is MetricTemplate.WRONG_PREDICTIONS:
        of_stable, of_canary = (one.bound or "none" for one in (stable, canary))
        return f"stable's `wrongBeyond` is {of_stable}, the canary's {of_canary}"
    if not stable.bound:
        return f"stable counts no `{score}`"
    return f"stable's `{score}` has {_said(stable)}, the canary's {_said(canary)}"


def _said(bounds: LabelBounds) -> str:
    quantile = f" and quantile {bounds.quantile}" if bounds.quantile else ""
    return f"bound {bounds.bound}{quantile}"
