"""Where labels of two revisions can't be compared: they were judged by different bounds."""

from typing import Any

import pytest

from serinus.analysis.spec import AnalysisRules
from serinus.api.deployment import DeploymentSpec
from serinus.api.enums import MetricTemplate
from serinus.api.server import Server
from serinus.reconcile.deployment_rules import frozen_rules, parsed_rules
from serinus.reconcile.label_bounds import (
    LabelBounds,
    incomparable,
    label_bounds,
    score_problems,
)

ABSOLUTE = {"score": "absoluteError", "bound": "60"}
PINBALL = {"score": "pinball", "bound": "60", "quantile": "0.9"}
FEEDBACK: dict[str, Any] = {"wrongBeyond": "30", "scores": [ABSOLUTE, PINBALL]}
METRICS = [
    {"name": "errors", "template": "error-rate"},
    {"name": "wrong", "template": "wrong-predictions"},
    {"name": "brier", "template": "prediction-loss", "score": "brier"},
    {"name": "far", "template": "prediction-loss", "score": "absoluteError"},
    {"name": "late", "template": "prediction-loss", "score": "pinball"},
]


def spec(**feedback: Any) -> DeploymentSpec:
    return DeploymentSpec.model_validate(
        {
            "model": {},
            "server": {"feedback": feedback},
            "analysis": {"metrics": [{**one, "compareTo": "stable"} for one in METRICS]},
        }
    )


def rules() -> AnalysisRules:
    return parsed_rules(frozen_rules(spec(**FEEDBACK))).analysis


def stable(**feedback: Any) -> Server:
    return Server.model_validate({"feedback": {**FEEDBACK, **feedback}})


@pytest.mark.parametrize(
    "same",
    [
        {},
        {"wrongBeyond": "30.0"},
        {"scores": [{**PINBALL, "quantile": "0.90"}, {**ABSOLUTE, "bound": "060"}]},
        {"scores": [*FEEDBACK["scores"], {"score": "squaredError", "bound": "9"}]},
        {"maturity": "1h"},
    ],
)
def test_the_same_numbers_are_compared_however_they_are_written(same: dict[str, Any]) -> None:
    assert incomparable(rules(), stable(**same)) == {}


@pytest.mark.parametrize(
    ("other", "metric", "why"),
    [
        ({"wrongBeyond": "20"}, "wrong", "stable's `wrongBeyond` is 20, the canary's 30"),
        ({"wrongBeyond": None}, "wrong", "stable's `wrongBeyond` is none, the canary's 30"),
        ({"scores": [PINBALL]}, "far", "stable counts no `absoluteError`"),
        (
            {"scores": [PINBALL, {**ABSOLUTE, "bound": "90"}]},
            "far",
            "stable's `absoluteError` has bound 90, the canary's bound 60",
        ),
        (
            {"scores": [ABSOLUTE, {**PINBALL, "quantile": "0.5"}]},
            "late",
            (
                "stable's `pinball` has bound 60 and quantile 0.5, the canary's bound 60 and "
                "quantile 0.9"
            ),
        ),
    ],
)
def test_other_numbers_are_told(other: dict[str, Any], metric: str, why: str) -> None:
    assert incomparable(rules(), stable(**other)) == {metric: why}


def test_a_server_without_feedback_judges_by_no_bound() -> None:
    assert label_bounds(MetricTemplate.WRONG_PREDICTIONS, None, None) == LabelBounds()
    assert [*incomparable(rules(), Server())] == ["wrong", "far", "late"]


def test_a_score_needs_its_bound_but_for_brier_s() -> None:
    (found,) = score_problems(spec(wrongBeyond="30", scores=[ABSOLUTE]))

    assert found == (
        "spec.analysis.metrics[4].score: `pinball` isn't in spec.server.feedback.scores, which "
        "says its bound (metric `late`)"
    )
