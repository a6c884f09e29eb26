"""What hooks outside say about a rollout, as the rules read it.

No hook can cause a promotion: a yes only ends the wait of one that all rules allow. No answer is
never a yes, and never a reason to roll back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from serinus.api.hooks import HookAnswer, HookType

ACTOR_PREFIX = "hook/"


@dataclass(frozen=True, slots=True)
class HookFacts:
    """A hook of this rollout, and what it said when it was last asked about it.

    Attributes
    ----------
    answer
        None before it was asked once.
    told
        What it said, for people.
    asked_since, answered_since
        Since when it is asked, and since when it answers so; empty: not yet.
    """

    type: HookType
    name: str
    answer: HookAnswer | None = None
    told: str = ""
    asked_since: str = ""
    answered_since: str = ""


def unconfirmed(hooks: Sequence[HookFacts]) -> tuple[HookFacts, ...]:
    """Hooks without whose yes nothing is promoted, and that haven't given it."""
    return tuple(one for one in _confirming(hooks) if one.answer is not HookAnswer.YES)


def confirmed(hooks: Sequence[HookFacts]) -> tuple[HookFacts, ...]:
    """Hooks that said yes to the promotion."""
    return tuple(one for one in _confirming(hooks) if one.answer is HookAnswer.YES)


def asking_for_rollback(hooks: Sequence[HookFacts]) -> HookFacts | None:
    """The first hook that wants the rollout to end; None when none does."""
    return next(
        (one for one in hooks if one.type is HookType.ROLLBACK and one.answer is HookAnswer.YES),
        None,
    )


def actor(hooks: Sequence[HookFacts]) -> str:
    """Who decided, as history and record tell it."""
    return ",".join(f"{ACTOR_PREFIX}{one.name}" for one in hooks)


def said(hook: HookFacts) -> str:
    """What the hook says and since when, for messages."""
    match hook.answer:
        case None:
            return f"hook `{hook.name}` is being asked"
        case HookAnswer.YES:
            words = "says yes"
        case HookAnswer.NO:
            words = "says no"
        case HookAnswer.NOTHING:
            words = "gives no answer"
    since = f" since {hook.answered_since}" if hook.answered_since else ""
    told = f" ({hook.told})" if hook.told else ""
    return f"hook `{hook.name}` {words}{since}{told}"


def _confirming(hooks: Sequence[HookFacts]) -> tuple[HookFacts, ...]:
    return tuple(one for one in hooks if one.type is HookType.CONFIRM_PROMOTION)
