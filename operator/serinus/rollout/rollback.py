"""Every reason for which traffic goes back to stable and the canary's revision is rejected.

Being unable to measure is on purpose not among them: it is never evidence. The name of a rule is
that of its `Reason`. The stated error rate covers `evidence_of_harm` only; what else rolls back
without a person's word says so.
"""

from __future__ import annotations

from serinus.api.enums import AnalysisMode, OnEvent, Reason, Verb
from serinus.api.verdicts import Overall
from serinus.rollout.facts import Finding, PodFacts, RolloutFacts, Rule, first_match
from serinus.rollout.hold import harm_looms
from serinus.rollout.hooks import asking_for_rollback, said
from serinus.rollout.steps import Analyze


def aborted_by_user(facts: RolloutFacts) -> Finding | None:
    """A person said `abort`."""
    if facts.request is None or facts.request.verb is not Verb.ABORT:
        return None
    why = f": {facts.request.reason}" if facts.request.reason else ""
    return Finding(Reason.ABORTED_BY_USER, f"{facts.name} was aborted{why}")


def revision_rejected_before(facts: RolloutFacts) -> Finding | None:
    """The revision is rejected already: the same bytes get no second try."""
    if not facts.rejected:
        return None
    message = f"{facts.name} was rejected before; `kubectl serinus retry` tries it again"
    return Finding(Reason.REVISION_REJECTED_BEFORE, message)


def model_version_rejected(facts: RolloutFacts) -> Finding | None:
    """The canary's ModelVersion was rejected while the canary ran."""
    if not facts.canary_version_rejected:
        return None
    message = f"ModelVersion `{facts.model_version}` was rejected; it is never served"
    return Finding(Reason.MODEL_VERSION_REJECTED, message)


def evidence_of_harm(facts: RolloutFacts) -> Finding | None:
    """The evidence that the canary is worse crossed what alpha allows."""
    if facts.judgement is None or facts.judgement.overall is not Overall.HARM:
        return None
    return Finding(Reason.EVIDENCE_OF_HARM, facts.judgement.sentence)


def scalar_limit_exceeded(facts: RolloutFacts) -> Finding | None:
    """A custom PromQL scalar was outside its limits more often than allowed."""
    if facts.judgement is None or facts.judgement.overall is not Overall.LIMIT_EXCEEDED:
        return None
    return Finding(Reason.SCALAR_LIMIT_EXCEEDED, facts.judgement.sentence + _NOT_COVERED)


def rolled_back_by_hook(facts: RolloutFacts) -> Finding | None:
    """A hook of `strategy.hooks` says to. That it can't be asked says nothing."""
    hook = asking_for_rollback(facts.hooks)
    if hook is None:
        return None
    message = f"{facts.name} was rolled back by a hook: {said(hook)}"
    return Finding(Reason.ROLLED_BACK_BY_HOOK, message + _NOT_COVERED)


def progress_deadline_exceeded(facts: RolloutFacts) -> Finding | None:
    """The canary's pods didn't become ready in time.

    Not while it is promoted: what was shown to be good isn't rejected for want of capacity. Nor
    while some are ready and the others lack nothing but a node: an autoscaler of stable may ask for
    more of them at any time. Nor while its requests are taken away: a person decides then.
    """
    pods = facts.pods
    if (
        facts.promoting
        or facts.returning
        or facts.withdrawn
        or pods.ready
        or _lack_a_node_only(pods)
        or pods.waiting_seconds < facts.progress_deadline_seconds
    ):
        return None
    message = (
        f"{pods.available} of {pods.wanted} pods of {facts.name} were ready after "
        f"{pods.waiting_seconds:.0f} s (`spec.progressDeadlineSeconds` is "
        f"{facts.progress_deadline_seconds:.0f})"
    )
    why = f"; {pods.problem.message}" if pods.problem else ""
    return Finding(Reason.PROGRESS_DEADLINE_EXCEEDED, message + why + _NOT_COVERED)


def _lack_a_node_only(pods: PodFacts) -> bool:
    unschedulable = pods.problem is not None and pods.problem.reason is Reason.POD_UNSCHEDULABLE
    return pods.available > 0 and unschedulable


def analysis_deadline_exceeded(facts: RolloutFacts) -> Finding | None:
    """The analysis took too long, and `onDeadline: rollback` says what then."""
    if facts.on_deadline is not OnEvent.ROLLBACK or not is_past_deadline(facts):
        return None
    message = f"`onDeadline` is rollback and `maxDuration` is over; {_said(facts)}"
    return Finding(Reason.ANALYSIS_DEADLINE_EXCEEDED, message + _NOT_COVERED)


def no_data(facts: RolloutFacts) -> Finding | None:
    """There are no samples, in whichever step, and `onNoData: rollback` says what then.

    Not while it is promoted: what was shown to be good isn't rejected for want of samples.
    """
    if facts.on_no_data is not OnEvent.ROLLBACK or facts.overall is not Overall.NO_DATA:
        return None
    if facts.promoting:
        return None
    return Finding(Reason.NO_DATA, f"`onNoData` is rollback; {_said(facts)}{_NOT_COVERED}")


ROLLBACK_RULES: tuple[Rule[RolloutFacts], ...] = (  # the first match wins
    aborted_by_user,  # a person's word outranks statistics
    revision_rejected_before,
    model_version_rejected,
    evidence_of_harm,
    scalar_limit_exceeded,
    rolled_back_by_hook,
    progress_deadline_exceeded,
    analysis_deadline_exceeded,
    no_data,
)

EVIDENCE_RULES: tuple[Rule[RolloutFacts], ...] = (
    evidence_of_harm,
    scalar_limit_exceeded,
    analysis_deadline_exceeded,
    no_data,
)
"""Those that go by what was measured: how far they are trusted is `analysis.mode`."""

_OTHER_RULES = tuple(rule for rule in ROLLBACK_RULES if rule not in EVIDENCE_RULES)


def why_rolled_back(facts: RolloutFacts) -> Finding | None:
    """Why traffic goes back to stable now; None when it doesn't."""
    trusted = facts.mode is AnalysisMode.AUTO
    return first_match(ROLLBACK_RULES if trusted else _OTHER_RULES, facts)


def why_withdrawn(facts: RolloutFacts) -> Finding | None:
    """Why the canary's requests are taken away until a person says; None when they aren't."""
    if facts.mode is not AnalysisMode.PAUSE or facts.withdrawn is not None:
        return None
    return first_match(EVIDENCE_RULES, facts)


def would_have_rolled_back(facts: RolloutFacts) -> Finding | None:
    """What evidence that only observes would have rolled back for; None when for nothing."""
    return first_match(EVIDENCE_RULES, facts) if facts.observes else None


def is_past_deadline(facts: RolloutFacts) -> bool:
    """Whether the step's analysis is over its time without having got what it waits for."""
    step = facts.step
    return (
        isinstance(step, Analyze)
        and not facts.promoting
        and facts.step_seconds >= step.max_duration_seconds
        and facts.overall in _UNDECIDED
        and not (facts.overall is Overall.NO_HARM and not step.last and not harm_looms(facts))
    )


_NOT_COVERED = ". `falseRollbackRate` doesn't cover this reason"
_UNDECIDED = (Overall.NO_HARM, Overall.NOT_ENOUGH)


def _said(facts: RolloutFacts) -> str:
    return facts.judgement.sentence if facts.judgement else "nothing was measured"
