"""Every reason for which a canary becomes stable: evidence of its own, not the absence of alarms.

Asked only when no step is left (or a person says so). The name of a rule is that of its `Reason`.
"""

from __future__ import annotations

from serinus.api.enums import OnEvent, Reason, Verb
from serinus.api.verdicts import Overall
from serinus.rollout.facts import Finding, RolloutFacts, Rule
from serinus.rollout.steps import Analyze, Pause, Shadow


def promoted_by_user(facts: RolloutFacts) -> Finding | None:
    """A person said `promote`. In a `pause` step that only ends the pause.

    Where evidence has taken its requests away, there is no pause to end: it is a word on the whole.
    """
    if facts.request is None or facts.request.verb is not Verb.PROMOTE:
        return None
    if isinstance(facts.step, Pause) and facts.withdrawn is None:
        return None
    why = f": {facts.request.reason}" if facts.request.reason else ""
    return Finding(Reason.PROMOTED_BY_USER, f"{facts.name} was promoted{why}")


def within_rollback_window(facts: RolloutFacts) -> Finding | None:
    """It was stable lately: what it does is known, and the way back must be short."""
    if not facts.returning:
        return None
    message = f"{facts.name} was stable lately; it takes no steps and no analysis"
    return Finding(Reason.WITHIN_ROLLBACK_WINDOW, message)


def promoted_without_evidence(facts: RolloutFacts) -> Finding | None:
    """There is no analysis in the steps, no metric in the analysis, or it only observes.

    A shadow is none: that no user's request has shown harm isn't that it was shown to be safe.
    """
    analyzed = any(
        isinstance(step, Analyze) and not isinstance(step, Shadow) for step in facts.steps
    )
    if analyzed and facts.overall not in (None, Overall.NO_METRICS) and not facts.observes:
        return None
    why = "no metric gates" if analyzed else "no step analyzes"
    if facts.observes:
        why = f"`analysis.mode` is observe. The analysis says: {_said(facts)}"
    message = f"{facts.name} was promoted by readiness and time, without evidence: {why}"
    return Finding(Reason.PROMOTED_WITHOUT_EVIDENCE, message)


def analysis_deadline_exceeded(facts: RolloutFacts) -> Finding | None:
    """The last analysis didn't show safety in time, and `onDeadline: promote` says what then."""
    if facts.on_deadline is not OnEvent.PROMOTE or facts.overall in (None, Overall.SAFE):
        return None
    message = f"{facts.name} was promoted because `maxDuration` is over: {_said(facts)}"
    return Finding(Reason.ANALYSIS_DEADLINE_EXCEEDED, message)


def no_data(facts: RolloutFacts) -> Finding | None:
    """There are no samples, and `onNoData: promote` says what then."""
    if facts.on_no_data is not OnEvent.PROMOTE or facts.overall is not Overall.NO_DATA:
        return None
    return Finding(Reason.NO_DATA, f"{facts.name} was promoted without samples: {_said(facts)}")


def promoted(facts: RolloutFacts) -> Finding | None:
    """Every step is over, the last analysis with every gating metric shown to be safe."""
    return Finding(Reason.PROMOTED, f"{facts.name} was promoted: {_said(facts)}")


PROMOTION_RULES: tuple[Rule[RolloutFacts], ...] = (  # the first match wins
    promoted_by_user,
    within_rollback_window,
    promoted_without_evidence,
    no_data,
    analysis_deadline_exceeded,
    promoted,
)


def _said(facts: RolloutFacts) -> str:
    return facts.judgement.sentence if facts.judgement else "nothing was measured"
