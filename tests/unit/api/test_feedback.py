"""What can be said of how labels are counted, as far as types alone tell."""

import pytest
from pydantic import ValidationError

from serinus.api.feedback import CountedScore, Feedback
from serinus.api.label_scores import LabelScore, ScoreName, parsed_scores, scores_text


@pytest.mark.parametrize("text", ["30", "0.5", "007", "1.0", "0.001", "9999999999999999"])
def test_a_bound_is_a_decimal_above_0(text: str) -> None:
    assert Feedback(wrong_beyond=text).wrong_beyond == text


@pytest.mark.parametrize(
    "text", ["0", "0.00", "000", "-1", "+1", "1e3", ".5", "5.", "inf", "nan", ""]
)
def test_no_other_is_a_bound(text: str) -> None:
    with pytest.raises(ValidationError, match="wrongBeyond"):
        Feedback.model_validate({"wrongBeyond": text})


@pytest.mark.parametrize(
    ("text", "taken"), [("0.9", True), ("0", False), ("1", False), ("0.0", False), ("1.0", False)]
)
def test_a_quantile_is_between_0_and_1(text: str, taken: bool) -> None:
    given = {"score": "pinball", "bound": "60", "quantile": text}
    if taken:
        assert CountedScore.model_validate(given).quantile == text
    else:
        with pytest.raises(ValidationError, match="quantile"):
            CountedScore.model_validate(given)


def test_brier_s_score_has_a_bound_of_its_own() -> None:
    with pytest.raises(ValidationError, match="score"):
        CountedScore.model_validate({"score": "brier", "bound": "1"})


def test_pods_read_the_scores_that_they_are_told_of_in_the_words_that_queries_select_by() -> None:
    feedback = Feedback.model_validate(
        {
            "wrongBeyond": "30",
            "scores": [
                {"score": "absoluteError", "bound": "060.0"},
                {"score": "pinball", "bound": "60", "quantile": "0.90"},
            ],
        }
    )

    assert feedback.counted_scores == (
        LabelScore(ScoreName.ABSOLUTE_ERROR, "60"),
        LabelScore(ScoreName.PINBALL, "60", "0.9"),
    )
    assert parsed_scores(scores_text(feedback.counted_scores)) == feedback.counted_scores
