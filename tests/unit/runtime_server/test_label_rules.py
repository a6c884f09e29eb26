"""Which rules are in force for a model, and what they say."""

import numpy as np
import pytest

from serinus.api.label_scores import BRIER, LabelScore, ScoreName
from serinus_runtime.server.label_rules import LabelRules, rules_in_force, without_use

LOG_LOSS = LabelScore(ScoreName.LOG_LOSS, "5")
ABSOLUTE = LabelScore(ScoreName.ABSOLUTE_ERROR, "60")
PINBALL = LabelScore(ScoreName.PINBALL, "60", "0.9")
ALL = (LOG_LOSS, PINBALL, ABSOLUTE)


@pytest.mark.parametrize(
    ("classification", "wrong_beyond", "in_force", "unused"),
    [
        (True, None, LabelRules(None, (BRIER, LOG_LOSS)), ("pinball", "absoluteError")),
        (
            True,
            "30",
            LabelRules(None, (BRIER, LOG_LOSS)),
            ("wrongBeyond", "pinball", "absoluteError"),
        ),
        (False, "30", LabelRules("30", (PINBALL, ABSOLUTE)), ("logLoss",)),
        (False, None, LabelRules(), ("logLoss", "pinball", "absoluteError")),
    ],
)
def test_only_what_fits_the_model_is_in_force(
    classification: bool, wrong_beyond: str | None, in_force: LabelRules, unused: tuple[str, ...]
) -> None:
    rules = rules_in_force(classification=classification, wrong_beyond=wrong_beyond, scores=ALL)

    assert rules == in_force
    assert without_use(rules, wrong_beyond=wrong_beyond, scores=ALL) == unused


def test_where_nothing_was_said_nothing_is_without_use() -> None:
    rules = rules_in_force(classification=True, wrong_beyond=None, scores=())

    assert rules.scores == (BRIER,)
    assert without_use(rules, wrong_beyond=None, scores=()) == ()


@pytest.mark.parametrize(
    ("answer", "label", "right"),
    [(10, 40, True), (40, 10, True), (10, 40.001, False), (-21, 10, False), (1e308, -1e308, False)],
)
def test_an_answer_is_right_as_far_as_its_bound(answer: float, label: float, right: bool) -> None:
    assert LabelRules("30").is_right(answer, label) is right


def test_losses_stand_in_the_order_of_the_scores() -> None:
    assert LabelRules("30", (PINBALL, ABSOLUTE)).losses_of_value(10, 40) == (0.45, 0.5)
    losses = LabelRules(None, (BRIER, LOG_LOSS)).losses_of_classes(np.array([0.5, 0.5]), 1)
    assert losses == (0.25, pytest.approx(np.log(2) / 5))
