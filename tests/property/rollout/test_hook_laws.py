"""Whatever hooks say: they promote nothing that rules forbid, and silence rolls nothing back."""

import hypothesis.strategies as st
from hypothesis import given

from serinus.api.enums import AnalysisMode, OnEvent, Reason
from serinus.api.hooks import HookAnswer, HookType
from serinus.api.verdicts import Overall
from serinus.rollout.advance import FinishPromotion, Promote, RollBack, advance
from serinus.rollout.hooks import HookFacts, actor, confirmed, unconfirmed
from serinus.rollout.promotion_window import Closed
from tests.support.given import STEPS, Given, rollout

GIVENS = st.builds(
    lambda step, seconds, overall, pods, mode, on, flags: (
        rollout()
        .at(step, for_seconds=seconds)
        .judged(overall)
        .pods(pods, of=4, waiting=seconds)
        .on_deadline(on)
        .but(mode=mode, **flags)
    ),
    st.integers(0, len(STEPS)),
    st.sampled_from([0.0, 59.0, 60.0, 4000.0]),
    st.sampled_from([None, *Overall]),
    st.integers(0, 4),
    st.sampled_from(AnalysisMode),
    st.sampled_from(OnEvent),
    st.fixed_dictionaries(
        {
            "suspended": st.booleans(),
            "promoting": st.booleans(),
            "returning": st.booleans(),
            "rejected": st.booleans(),
            "paused_by": st.sampled_from([None, "ada"]),
            "window_closed": st.sampled_from([None, Closed(None)]),
        }
    ),
)
HOOKS = st.lists(
    st.builds(
        HookFacts,
        st.sampled_from(HookType),
        st.just("board"),
        st.sampled_from([None, *HookAnswer]),
    ),
    max_size=4,
).map(tuple)


@given(GIVENS, HOOKS)
def test_no_hook_promotes_what_the_rules_don_t(given_: Given, hooks: tuple[HookFacts, ...]) -> None:
    found, without = advance(given_.but(hooks=hooks).facts), advance(given_.facts)

    if isinstance(found, Promote | FinishPromotion):
        assert type(found) is type(without)
        assert found.because.reason is without.because.reason


@given(GIVENS, HOOKS)
def test_only_a_yes_rolls_back_and_all_that_harms_rolls_back_all_the_same(
    given_: Given, hooks: tuple[HookFacts, ...]
) -> None:
    found, without = advance(given_.but(hooks=hooks).facts), advance(given_.facts)

    if isinstance(without, RollBack):
        assert isinstance(found, RollBack)
    elif isinstance(found, RollBack):
        assert any(one.type is HookType.ROLLBACK and one.answer is HookAnswer.YES for one in hooks)
        assert found.by == "hook/board"


@given(GIVENS, HOOKS)
def test_nothing_is_promoted_by_itself_without_every_yes(
    given_: Given, hooks: tuple[HookFacts, ...]
) -> None:
    found = advance(given_.but(hooks=hooks).facts)

    if isinstance(found, Promote) and found.because.reason is not Reason.WITHIN_ROLLBACK_WINDOW:
        assert not unconfirmed(hooks)
        assert found.by == actor(confirmed(hooks))
