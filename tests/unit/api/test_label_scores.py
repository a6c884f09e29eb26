"""What pods are told of scores: one text for one number, and nothing that can't be counted."""

import json

import pytest

from serinus.api.label_scores import (
    BRIER,
    LabelScore,
    ScoreName,
    canonical_decimal,
    parsed_scores,
    scores_text,
)

ALL = (
    LabelScore(ScoreName.LOG_LOSS, "5"),
    LabelScore(ScoreName.ABSOLUTE_ERROR, "60"),
    LabelScore(ScoreName.SQUARED_ERROR, "3600"),
    LabelScore(ScoreName.PINBALL, "60", "0.9"),
)


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("60", "60"),
        ("60.0", "60"),
        ("6e1", "60"),
        ("+60", "60"),
        ("007", "7"),
        ("0.90", "0.9"),
        ("1e-7", "0.0000001"),
        ("123456789.125", "123456789.125"),
        ("1E3", "1000"),
    ],
)
def test_a_number_has_one_text(text: str, canonical: str) -> None:
    assert canonical_decimal(text) == canonical
    assert canonical_decimal(canonical) == canonical


@pytest.mark.parametrize(
    "text", ["", "0", "0.0", "-1", "nan", "inf", "1e999", "1_0", " 1", "1e-999"]
)
def test_what_is_no_bound_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected a decimal number above 0"):
        canonical_decimal(text)


def test_scores_go_over_whole_and_in_their_order() -> None:
    assert parsed_scores(scores_text(ALL)) == ALL
    assert json.loads(scores_text(ALL))[3] == {"score": "pinball", "bound": "60", "quantile": "0.9"}


def test_what_a_score_lacks_is_no_label() -> None:
    assert BRIER.labels() == {"score": "brier"}
    assert ALL[1].labels() == {"score": "absoluteError", "bound": "60"}


def test_numbers_become_canonical_on_the_way() -> None:
    text = '[{"score": "pinball", "bound": "60.00", "quantile": "0.50"}]'

    assert parsed_scores(text) == (LabelScore(ScoreName.PINBALL, "60", "0.5"),)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{}", "expected a list"),
        ("[1]", "expected objects"),
        ('[{"score": "absoluteError", "bound": 60}]', "expected objects with texts"),
        ('[{"score": "mae", "bound": "60"}]', "'mae' is not a valid"),
        ('[{"score": "brier"}]', "of brier"),
        ('[{"score": "absoluteError"}]', "expected bound, score of absoluteError"),
        ('[{"score": "logLoss", "bound": "5", "quantile": "0.5"}]', "of logLoss"),
        ('[{"score": "pinball", "bound": "5"}]', "expected bound, quantile, score of pinball"),
        ('[{"score": "pinball", "bound": "5", "quantile": "1"}]', "a quantile below 1"),
        ('[{"score": "absoluteError", "bound": "0"}]', "above 0"),
        ('[{"score": "logLoss", "bound": "5"}, {"score": "logLoss", "bound": "5.0"}]', "once"),
    ],
)
def test_what_cant_be_counted_is_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parsed_scores(text)
