"""What hooks say, and what rules make of it: no yes is a verdict, and no silence is a yes."""

import pytest

from serinus.api.enums import AnalysisMode, Reason, Verb
from serinus.api.hooks import HookAnswer, HookType
from serinus.api.verdicts import Overall
from serinus.rollout.advance import FinishPromotion, Hold, Promote, RollBack, advance
from serinus.rollout.hooks import HookFacts, said
from serinus.rollout.promotion_window import Closed
from tests.support.given import AT_LAST_ANALYSIS, Given, rollout

CONFIRM, ROLLBACK = HookType.CONFIRM_PROMOTION, HookType.ROLLBACK
YES, NO, NOTHING = HookAnswer


def hook(type_: HookType, answer: HookAnswer | None, name: str = "board") -> HookFacts:
    return HookFacts(type_, name, answer, "HTTP 200: go", "t0", "t1" if answer else "")


def shown_safe(*hooks: HookFacts) -> Given:
    """All steps over, safety shown: nothing but a hook could hold it."""
    given = rollout().at(AT_LAST_ANALYSIS, for_seconds=60).judged(Overall.SAFE)
    return given.but(hooks=hooks)


@pytest.mark.parametrize(
    ("hooks", "holds", "looked_at"),
    [
        pytest.param((), False, False, id="nobody is asked"),
        pytest.param((hook(CONFIRM, YES),), False, False, id="a yes"),
        pytest.param((hook(CONFIRM, NO),), True, True, id="a no"),
        pytest.param((hook(CONFIRM, NOTHING),), True, True, id="no answer"),
        pytest.param((hook(CONFIRM, None),), True, False, id="being asked for the first time"),
        pytest.param((hook(CONFIRM, YES), hook(CONFIRM, NO, "b")), True, True, id="one of two"),
        pytest.param((hook(CONFIRM, YES), hook(CONFIRM, YES, "b")), False, False, id="both"),
        pytest.param((hook(ROLLBACK, NO),), False, False, id="one that only rolls back"),
    ],
)
def test_a_promotion_waits_for_every_yes(
    hooks: tuple[HookFacts, ...], holds: bool, looked_at: bool
) -> None:
    found = advance(shown_safe(*hooks).facts)

    if holds:
        assert isinstance(found, Hold)
        assert found.because.reason is Reason.WAITING_FOR_CONFIRMATION
        assert (found.waits_without_end, found.clock_stands_still) == (looked_at, False)
    else:
        assert isinstance(found, Promote)
        assert found.because.reason is Reason.PROMOTED


def test_who_said_yes_is_who_promoted() -> None:
    found = advance(shown_safe(hook(CONFIRM, YES), hook(CONFIRM, YES, "risk")).facts)

    assert isinstance(found, Promote)
    assert found.by == "hook/board,hook/risk"
    assert "hook `risk` says yes since t1 (HTTP 200: go)" in found.because.message


@pytest.mark.parametrize("answer", HookAnswer)
def test_a_person_asks_no_hook(answer: HookAnswer) -> None:
    found = advance(shown_safe(hook(CONFIRM, answer)).asked(Verb.PROMOTE).facts)

    assert isinstance(found, Promote)
    assert (found.because.reason, found.by) == (Reason.PROMOTED_BY_USER, "")


def test_no_hook_is_asked_before_the_hour() -> None:
    found = advance(shown_safe(hook(CONFIRM, None)).but(window_closed=Closed(None)).facts)

    assert isinstance(found, Hold)
    assert found.because.reason is Reason.OUTSIDE_PROMOTION_WINDOW


def test_a_decided_promotion_asks_nobody_any_more() -> None:
    given = shown_safe(hook(CONFIRM, NO)).promoting().pods(4, of=4)

    assert isinstance(advance(given.facts), FinishPromotion)


@pytest.mark.parametrize("mode", AnalysisMode)
def test_a_yes_of_a_rollback_hook_rolls_back_in_every_mode(mode: AnalysisMode) -> None:
    found = advance(rollout().but(hooks=(hook(ROLLBACK, YES),), mode=mode).facts)

    assert isinstance(found, RollBack)
    assert (found.because.reason, found.by) == (Reason.ROLLED_BACK_BY_HOOK, "hook/board")
    assert "doesn't cover" in found.because.message


def test_a_person_s_abort_is_the_person_s() -> None:
    found = advance(rollout().but(hooks=(hook(ROLLBACK, YES),)).asked(Verb.ABORT).facts)

    assert isinstance(found, RollBack)
    assert (found.because.reason, found.by) == (Reason.ABORTED_BY_USER, "")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (None, "hook `board` is being asked"),
        (YES, "hook `board` says yes since t1 (HTTP 200: go)"),
        (NO, "hook `board` says no since t1 (HTTP 200: go)"),
        (NOTHING, "hook `board` gives no answer since t1 (HTTP 200: go)"),
    ],
)
def test_what_it_says_in_words(answer: HookAnswer | None, words: str) -> None:
    assert said(hook(CONFIRM, answer)) == words
