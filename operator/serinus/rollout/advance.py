"""Why traffic moves: rollback, else hold, else go on. Read this first.

`advance` is asked in each pass about a canary beside a stable revision. What it answers is written
into status before anything is done about it, so the same answer follows from the same facts after
a crash. Why a rollout begins: `start.py`; why it ends without a verdict: `ending.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from serinus.api.enums import Reason, Verb
from serinus.rollout.facts import Finding, RolloutFacts, Rule, first_match
from serinus.rollout.hold import (
    HOLD_RULES,
    HOLDS_BEFORE_A_PROMOTION,
    HOLDS_OF_A_PROMOTE,
    HOLDS_OF_A_PROMOTION,
    clock_stands_still,
    paused_by,
    waits_without_end,
)
from serinus.rollout.hooks import actor, asking_for_rollback, confirmed, said
from serinus.rollout.promotion import (
    PROMOTION_RULES,
    promoted_by_user,
    within_rollback_window,
)
from serinus.rollout.rollback import why_rolled_back, why_withdrawn
from serinus.rollout.steps import described, following_index


@dataclass(frozen=True, slots=True)
class RollBack:
    """All traffic to stable, the canary to no pods, its revision rejected.

    `by` is who decided, where that is a hook.
    """

    because: Finding
    by: str = ""


@dataclass(frozen=True, slots=True)
class Withdraw:
    """All traffic to stable, the canary keeps its pods and waits for a person."""

    because: Finding


@dataclass(frozen=True, slots=True)
class Hold:
    """Stay at the step.

    Attributes
    ----------
    clock_stands_still
        The step doesn't get older meanwhile.
    waits_without_end
        A person should look: phase Paused.
    paused_by
        The field of the spec that makes a pause of it, until a person resumes; None: none does.
    """

    because: Finding
    clock_stands_still: bool
    waits_without_end: bool
    paused_by: str | None = None


@dataclass(frozen=True, slots=True)
class StartStep:
    """Go on to the step `index`."""

    index: int
    because: Finding


@dataclass(frozen=True, slots=True)
class Promote:
    """The decision is made: bring the canary to full size.

    `by` is who confirmed it, where hooks had to.
    """

    because: Finding
    by: str = ""


@dataclass(frozen=True, slots=True)
class FinishPromotion:
    """The canary has full size: it is stable from now on."""

    because: Finding


Transition = RollBack | Withdraw | Hold | StartStep | Promote | FinishPromotion


def advance(facts: RolloutFacts) -> Transition:
    """What happens to the canary next."""
    if because := why_rolled_back(facts):
        return _rolled_back(because, facts)
    if because := why_withdrawn(facts):
        return Withdraw(because)
    if because := first_match(_holds(facts), facts):
        return Hold(
            because,
            clock_stands_still=clock_stands_still(facts),
            waits_without_end=waits_without_end(facts, because.reason),
            paused_by=paused_by(facts, because.reason),
        )
    if facts.promoting:
        return _finish(facts)
    if because := promoted_by_user(facts):
        return Promote(because)
    if because := within_rollback_window(facts):
        return Promote(because)
    following = following_index(facts.steps, facts.step_index, facts.stable_replicas, facts.router)
    if following < len(facts.steps):
        return StartStep(following, Finding(Reason.STEP_STARTED, _step_told(facts, following)))
    if because := first_match(HOLDS_BEFORE_A_PROMOTION, facts):
        waits = waits_without_end(facts, because.reason)
        return Hold(because, clock_stands_still=False, waits_without_end=waits)
    because = first_match(PROMOTION_RULES, facts)
    assert because is not None  # the last rule always applies
    return _promoted(because, facts)


def _rolled_back(because: Finding, facts: RolloutFacts) -> RollBack:
    """The rollback, with the hook that asked for it."""
    hook = asking_for_rollback(facts.hooks)
    if hook is None or because.reason is not Reason.ROLLED_BACK_BY_HOOK:
        return RollBack(because)
    return RollBack(because, actor((hook,)))


def _promoted(because: Finding, facts: RolloutFacts) -> Promote:
    """The promotion, with who confirmed it."""
    by = confirmed(facts.hooks)
    if not by:
        return Promote(because)
    told = "; ".join(said(one) for one in by)
    return Promote(replace(because, message=f"{because.message}; {told}"), actor(by))


def _holds(facts: RolloutFacts) -> tuple[Rule[RolloutFacts], ...]:
    """The reasons to hold that count; a person's `promote` outranks waiting."""
    if facts.promoting or facts.returning:
        return HOLDS_OF_A_PROMOTION
    return HOLDS_OF_A_PROMOTE if facts.asked_for(Verb.PROMOTE) else HOLD_RULES


def _step_told(facts: RolloutFacts, following: int) -> str:
    told = f"step {following + 1} of {len(facts.steps)}: {described(facts.steps[following])}"
    if following == facts.step_index + 1:
        return told
    pods = "1 pod" if facts.stable_replicas == 1 else f"{facts.stable_replicas} pods"
    return f"{told} (what stands before it is left out: beside {pods} of stable it changes no pod)"


def _finish(facts: RolloutFacts) -> Transition:
    pods = facts.pods
    if pods.ready:
        message = f"{facts.name} is stable; no pod was restarted for it"
        return FinishPromotion(Finding(Reason.PROMOTED, message))
    why = f"; {pods.problem.message}" if pods.problem else ""
    message = f"promotion waits for capacity: {pods.available} of {pods.wanted} pods are ready{why}"
    late = pods.waiting_seconds >= facts.progress_deadline_seconds
    return Hold(
        Finding(Reason.WAITING_FOR_PODS, message), clock_stands_still=False, waits_without_end=late
    )
