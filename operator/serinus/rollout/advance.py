"""Why traffic moves: rollback, else hold, else go on. Read this first.

`advance` is asked in each pass about a canary beside a stable revision. What it answers is written
into status before anything is done about it, so the same answer follows from the same facts after
a crash. Why a rollout begins: `start.py`; why it ends without a verdict: `ending.py`.
"""

from __future__ import annotations

from dataclasses import dataclass

from serinus.api.enums import Reason, Verb
from serinus.rollout.facts import Finding, RolloutFacts, first_match
from serinus.rollout.hold import CLOCK_STANDS_STILL, HOLD_RULES, waits_without_end
from serinus.rollout.promotion import PROMOTION_RULES, promoted_by_user
from serinus.rollout.rollback import ROLLBACK_RULES
from serinus.rollout.steps import Pause, described


@dataclass(frozen=True, slots=True)
class RollBack:
    """All traffic to stable, the canary to no pods, its revision rejected."""

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
    """

    because: Finding
    clock_stands_still: bool
    waits_without_end: bool


@dataclass(frozen=True, slots=True)
class StartStep:
    """Go on to the step `index`."""

    index: int
    because: Finding


@dataclass(frozen=True, slots=True)
class Promote:
    """The decision is made: bring the canary to full size."""

    because: Finding


@dataclass(frozen=True, slots=True)
class FinishPromotion:
    """The canary has full size: it is stable from now on."""

    because: Finding


Transition = RollBack | Hold | StartStep | Promote | FinishPromotion


def advance(facts: RolloutFacts) -> Transition:
    """What happens to the canary next."""
    if because := first_match(ROLLBACK_RULES, facts):
        return RollBack(because)
    if facts.promoting:
        return _finish(facts)
    if because := promoted_by_user(facts):  # a person's word outranks waiting
        return Promote(because)
    ends_pause = isinstance(facts.step, Pause) and facts.asked_for(Verb.PROMOTE)
    if not ends_pause and (because := first_match(HOLD_RULES, facts)):
        return Hold(
            because,
            clock_stands_still=because.reason in CLOCK_STANDS_STILL,
            waits_without_end=waits_without_end(facts, because.reason),
        )
    following = facts.step_index + 1
    if following < len(facts.steps):
        step = described(facts.steps[following])
        message = f"step {following + 1} of {len(facts.steps)}: {step}"
        return StartStep(following, Finding(Reason.STEP_STARTED, message))
    because = first_match(PROMOTION_RULES, facts)
    assert because is not None  # the last rule always applies
    return Promote(because)


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
