"""What is told of a first revision that serves: one row a rule, and the orders that matter."""

import pytest

from serinus.api.enums import AnalysisMode, Reason
from serinus.api.verdicts import Overall
from serinus.rollout.facts import Judgement
from serinus.rollout.first_check import (
    Ended,
    FirstFacts,
    FirstVerdict,
    Harmful,
    WouldBeHarmful,
    first_verdict,
)

AUTO, PAUSE, OBSERVE = AnalysisMode.AUTO, AnalysisMode.PAUSE, AnalysisMode.OBSERVE
SAFE, UNPROVEN, HARM = (
    Reason.FIRST_REVISION_SAFE,
    Reason.FIRST_REVISION_UNPROVEN,
    Reason.FIRST_REVISION_HARMFUL,
)


def judged(overall: Overall | None, mode: AnalysisMode = AUTO, *, over: bool = False) -> FirstFacts:
    judgement = Judgement(overall, "what the analysis says") if overall else None
    return FirstFacts("revision c0ffee (delay-1)", mode, judgement, over)


@pytest.mark.parametrize(
    ("facts", "kind", "reason"),
    [
        pytest.param(judged(Overall.HARM), Harmful, HARM, id="harm"),
        pytest.param(judged(Overall.LIMIT_EXCEEDED), Harmful, HARM, id="a scalar's limit"),
        pytest.param(judged(Overall.HARM, PAUSE), Harmful, HARM, id="harm, mode pause"),
        pytest.param(judged(Overall.HARM, OBSERVE), WouldBeHarmful, HARM, id="harm, observed"),
        pytest.param(judged(Overall.HARM, over=True), Harmful, HARM, id="harm at the last moment"),
        pytest.param(judged(Overall.HARM, OBSERVE, over=True), Ended, UNPROVEN, id="only observed"),
        pytest.param(judged(Overall.SAFE, over=True), Ended, SAFE, id="safe"),
        pytest.param(
            judged(Overall.SAFE, OBSERVE, over=True), Ended, UNPROVEN, id="safe, observed"
        ),
        pytest.param(judged(None, over=True), Ended, UNPROVEN, id="nothing was measured"),
        *(
            pytest.param(judged(overall, over=True), Ended, UNPROVEN, id=f"{overall} is no proof")
            for overall in (
                Overall.NO_HARM,
                Overall.NOT_ENOUGH,
                Overall.BEHIND,
                Overall.NO_DATA,
                Overall.ERROR,
                Overall.NO_METRICS,
            )
        ),
    ],
)
def test_what_is_told(facts: FirstFacts, kind: type[FirstVerdict], reason: Reason) -> None:
    found = first_verdict(facts)

    assert isinstance(found, kind)
    assert found.because.reason is reason
    assert found.because.message.startswith("revision c0ffee (delay-1)")


@pytest.mark.parametrize(
    "overall",
    [None, *(one for one in Overall if one not in (Overall.HARM, Overall.LIMIT_EXCEEDED))],
)
def test_before_its_time_is_over_nothing_but_harm_is_told(overall: Overall | None) -> None:
    assert first_verdict(judged(overall)) is None


def test_what_alpha_doesn_t_cover_says_so() -> None:
    scalar, rate = (
        first_verdict(judged(Overall.LIMIT_EXCEEDED)),
        first_verdict(judged(Overall.HARM)),
    )

    assert isinstance(scalar, Harmful)
    assert isinstance(rate, Harmful)
    assert "`falseRollbackRate` doesn't cover" in scalar.because.message
    assert "falseRollbackRate" not in rate.because.message
