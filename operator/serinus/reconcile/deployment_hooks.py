"""Hooks of a rollout: which questions are open, and what the answers become in status.

::

    status: asked since … ──► the question is open ──► asked outside of all passes ──► answer
          ▲                                                                              │
          └──────────────── the next pass reads it, decides, writes it down ◄────────────┘

A question stands in the status before it is asked, and its time is a part of it: an answer to
another rollout, or from before the rollout was held by something else, is no answer to it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

from pydantic import ValidationError

from serinus.api.conditions import format_micro_time
from serinus.api.deployment import DeploymentSpec
from serinus.api.deployment_status import CanaryStatus
from serinus.api.enums import Reason
from serinus.api.hooks import (
    TOLD_MAX_LENGTH,
    HookAnswer,
    HookStatus,
    HookType,
    ReleaseHook,
)
from serinus.reconcile.decision import JsonObject
from serinus.reconcile.json_values import objects_at, text_at, value_at
from serinus.reconcile.snapshot import HookAnswered, HookQuestion, HooksSeen
from serinus.rollout.advance import Hold, Promote, Transition
from serinus.rollout.hooks import HookFacts

NOT_DECLARED = "it isn't declared for this namespace any more"


def hooks_problem(spec: DeploymentSpec, declared: Mapping[str, frozenset[HookType]]) -> str | None:
    """The first hook that the spec names and nobody declared for it; None when all are."""
    for index, hook in enumerate((spec.strategy and spec.strategy.hooks) or ()):
        if hook.type in declared.get(hook.name, ()):
            continue
        names = [name for name, types in sorted(declared.items()) if hook.type in types]
        known = f"there are: {', '.join(f'`{one}`' for one in names)}" if names else "there is none"
        return (
            f"spec.strategy.hooks[{index}].name: no hook `{hook.name}` of type {hook.type} is "
            f"declared for this namespace; {known}. The platform team declares them in the "
            "chart's value `hooks`"
        )
    return None


def hook_facts(
    canary: CanaryStatus, hooks: Iterable[ReleaseHook], seen: HooksSeen
) -> tuple[HookFacts, ...]:
    """What the rollout's hooks say, as the rules read it; nobody is asked about the way back.

    One that calls releases off while something is wrong would else take away what ends it.
    """
    if canary.returning:
        return ()
    asked = {(one.type, one.name): one for one in canary.hooks}
    return tuple(_facts(canary, one, asked.get((one.type, one.name)), seen) for one in hooks)


def hooks_asked(
    canary: CanaryStatus, facts: Iterable[HookFacts], transition: Transition, now: datetime
) -> list[HookStatus]:
    """Who is asked from now on: before a promotion only while nothing else holds it."""
    asked = {(one.type, one.name): one for one in canary.hooks}
    waits = _waits_for_confirmation(transition)
    decided = canary.promoting or isinstance(transition, Promote)
    return [
        _written(one, asked.get((one.type, one.name)), now)
        for one in facts
        if one.type is HookType.ROLLBACK or waits or (decided and (one.type, one.name) in asked)
    ]


def open_questions(resource: JsonObject) -> tuple[HookQuestion, ...]:
    """What the stored status asks; nothing about what is being deleted."""
    canary = value_at(resource, "status", "canary")
    if canary is None or value_at(resource, "metadata", "deletionTimestamp") is not None:
        return ()
    return tuple(_questions(resource, canary))


def _questions(resource: JsonObject, canary: JsonObject) -> Iterator[HookQuestion]:
    for one in objects_at(canary, "hooks"):
        try:
            asked = HookStatus.model_validate(one)
            type_ = HookType(asked.type)
        except (ValidationError, ValueError):
            continue  # nobody can answer what can't be read
        if type_ is HookType.CONFIRM_PROMOTION and value_at(canary, "promoting") is True:
            continue  # it was decided
        yield HookQuestion(
            namespace=text_at(resource, "metadata", "namespace") or "",
            deployment=text_at(resource, "metadata", "name") or "",
            uid=text_at(resource, "metadata", "uid") or "",
            revision=text_at(canary, "revision") or "",
            model_version=text_at(canary, "modelVersion") or "",
            started_at=text_at(canary, "startedAt") or "",
            type=type_,
            hook=asked.name,
            asked_since=asked.asked_since,
        )


def _facts(
    canary: CanaryStatus, hook: ReleaseHook, asked: HookStatus | None, seen: HooksSeen
) -> HookFacts:
    if asked is None:
        return HookFacts(hook.type, hook.name)
    answered = _answer_to(canary, hook, asked, seen) or _known(canary, asked)
    if answered is None:
        return HookFacts(hook.type, hook.name, asked_since=asked.asked_since)
    same = asked.answer == answered.answer
    since = asked.answered_since if same and asked.answered_since else answered.at
    return HookFacts(hook.type, hook.name, answered.answer, answered.told, asked.asked_since, since)


def _known(canary: CanaryStatus, asked: HookStatus) -> HookAnswered | None:
    """What it said before, where this process hasn't asked it yet.

    A yes counts only fresh, unless the promotion that it was for is decided.
    """
    decided = canary.promoting and asked.type == HookType.CONFIRM_PROMOTION
    known = next((one for one in HookAnswer if one == asked.answer), None)
    if known is None or (known is HookAnswer.YES and not decided):
        return None
    return HookAnswered(known, asked.message, asked.answered_since or asked.asked_since)


def _answer_to(
    canary: CanaryStatus, hook: ReleaseHook, asked: HookStatus, seen: HooksSeen
) -> HookAnswered | None:
    """The newest answer to the question as it stands in status, and to no other."""
    if hook.type is HookType.CONFIRM_PROMOTION and canary.promoting:
        return None  # nobody is asked any more
    for question, answered in seen.answers.items():
        if (question.type, question.hook) != (hook.type, hook.name):
            continue
        rollout = (question.revision, question.started_at, question.asked_since)
        if rollout == (canary.revision, canary.started_at, asked.asked_since):
            return answered
    if hook.type not in seen.declared.get(hook.name, ()):
        return HookAnswered(HookAnswer.NOTHING, NOT_DECLARED, asked.asked_since)
    return None


def _waits_for_confirmation(transition: Transition) -> bool:
    is_hold = isinstance(transition, Hold)
    return is_hold and transition.because.reason is Reason.WAITING_FOR_CONFIRMATION


def _written(facts: HookFacts, asked: HookStatus | None, now: datetime) -> HookStatus:
    if facts.answer is None:
        return asked or HookStatus(
            type=facts.type, name=facts.name, asked_since=format_micro_time(now)
        )
    return HookStatus(
        type=facts.type,
        name=facts.name,
        asked_since=facts.asked_since,
        answer=facts.answer,
        answered_since=facts.answered_since,
        message=facts.told[:TOLD_MAX_LENGTH],
    )
