"""Every reason for which a rollout stays where it is. A hold has no end of its own.

The name of a rule is that of its `Reason`. Where nothing can be learned the clock of the step
stands still, so that this time counts neither for a pause nor towards a deadline.
"""

from __future__ import annotations

from serinus.api.conditions import format_time
from serinus.api.enums import OnEvent, Reason
from serinus.api.verdicts import Overall
from serinus.rollout.facts import Finding, RolloutFacts, Rule, first_match
from serinus.rollout.hooks import said, unconfirmed
from serinus.rollout.sample_ratio import P_OF_A_FALSE_ALARM, is_mismatch
from serinus.rollout.steps import Analyze, Pause

LOOMING_HARM_RATIO = 0.25
"""Less than the evidence of one round that could not be worse, shared by a dozen metrics."""


def paused_by_user(facts: RolloutFacts) -> Finding | None:
    """A person said `pause`, or `onNoData` or `onProviderError` did."""
    if facts.paused_by is None:
        return None
    message = f"paused by {facts.paused_by}; `kubectl serinus resume` goes on"
    return Finding(Reason.PAUSED_BY_USER, message)


def paused_by_evidence(facts: RolloutFacts) -> Finding | None:
    """Evidence would have rolled back, and `analysis.mode: pause` leaves that to a person."""
    if facts.withdrawn is None:
        return None
    message = (
        f"{facts.name} gets no requests, its pods are kept for a look: {facts.withdrawn.message}. "
        "`kubectl serinus why` shows the evidence; `kubectl serinus abort` rejects it, "
        "`kubectl serinus resume` gives it requests again and judges it anew"
    )
    return Finding(Reason.PAUSED_BY_EVIDENCE, message)


def suspended(facts: RolloutFacts) -> Finding | None:
    """`spec.suspend` is true."""
    if not facts.suspended:
        return None
    return Finding(Reason.SUSPENDED, "`spec.suspend` is true; the rollout stays at its step")


def waiting_for_model_version(facts: RolloutFacts) -> Finding | None:
    """The spec asks for another model, which isn't there yet: this one isn't promoted meanwhile."""
    if facts.reference_problem is None:
        return None
    return Finding(Reason.WAITING_FOR_MODEL_VERSION, facts.reference_problem.message)


def gateway_api_missing(facts: RolloutFacts) -> Finding | None:
    """The spec asks for a gateway, and the cluster doesn't know HTTPRoutes any more."""
    return _router_problem(facts, Reason.GATEWAY_API_MISSING)


def route_not_accepted(facts: RolloutFacts) -> Finding | None:
    """A gateway doesn't send requests as the route says, so the canary's share isn't known."""
    return _router_problem(facts, Reason.ROUTE_NOT_ACCEPTED)


def _router_problem(facts: RolloutFacts, reason: Reason) -> Finding | None:
    found = facts.router_problem
    return found if found is not None and found.reason is reason else None


def waiting_for_pods(facts: RolloutFacts) -> Finding | None:
    """Pods of the step aren't ready, or don't get their requests yet."""
    pods = facts.pods
    if not pods.ready:
        message = f"{pods.available} of {pods.wanted} pods of {facts.name} are ready"
        why = f"; {pods.problem.message}" if pods.problem else ""
        return Finding(Reason.WAITING_FOR_PODS, message + why)
    if facts.traffic_problem is not None:
        return Finding(Reason.WAITING_FOR_PODS, facts.traffic_problem)
    return None


def waiting_for_first_pod(facts: RolloutFacts) -> Finding | None:
    """Not one pod is ready. A promotion would wait for all of them, without a deadline."""
    if isinstance(facts.step, Pause) or facts.pods.available or not facts.pods.wanted:
        return None
    message = f"no pod of {facts.name} is ready; it can be promoted when at least one is"
    why = f"; {facts.pods.problem.message}" if facts.pods.problem else ""
    return Finding(Reason.WAITING_FOR_PODS, message + why)


def metrics_unavailable(facts: RolloutFacts) -> Finding | None:
    """The metrics provider gives no usable answer."""
    if facts.judgement is None or facts.judgement.overall is not Overall.ERROR or facts.observes:
        return None
    message = f"the rollout and its clock stand still: {facts.judgement.sentence}"
    return Finding(Reason.METRICS_UNAVAILABLE, message)


def no_data(facts: RolloutFacts) -> Finding | None:
    """There are no samples of the canary or of stable: nobody watches it, in whichever step."""
    if facts.overall is not Overall.NO_DATA or facts.on_no_data is OnEvent.PROMOTE:
        return None
    if facts.observes:
        return None
    sentence = facts.judgement.sentence if facts.judgement else ""
    return Finding(Reason.NO_DATA, sentence)


def sample_ratio_mismatch(facts: RolloutFacts) -> Finding | None:
    """The units of an A/B test weren't split as planned: what it shows isn't the versions."""
    ratio = facts.sample_ratio
    if ratio is None or not is_mismatch(ratio):
        return None
    message = (
        f"{ratio.canary} of {ratio.canary + ratio.stable} units are the canary's: "
        f"{ratio.share_percent:.2f} % and not {ratio.canary_percent} %, which is no chance (p "
        f"below {P_OF_A_FALSE_ALARM:g}). Units are lost in one arm, so the result can't be trusted"
    )
    return Finding(Reason.SAMPLE_RATIO_MISMATCH, message)


def paused_by_step(facts: RolloutFacts) -> Finding | None:
    """The step is a pause."""
    if not isinstance(facts.step, Pause):
        return None
    duration = facts.step.duration_seconds
    if duration is None:
        message = (
            "the step waits for a person: `kubectl serinus why` shows the evidence, "
            "`kubectl serinus promote` goes on, `kubectl serinus abort` takes it away"
        )
        return Finding(Reason.PAUSED_BY_STEP, message)
    left = duration - facts.step_seconds
    if left <= 0:
        return None
    return Finding(Reason.PAUSED_BY_STEP, f"the step pauses for {left:.0f} s more")


def insufficient_evidence(facts: RolloutFacts) -> Finding | None:
    """The analysis has neither shown harm nor what the step demands."""
    step, overall = facts.step, facts.overall
    if is_behind(facts):
        sentence = facts.judgement.sentence if facts.judgement else ""
        return Finding(Reason.INSUFFICIENT_EVIDENCE, f"nothing was read for long; {sentence}")
    if not isinstance(step, Analyze):
        return None
    if overall is None:
        return Finding(Reason.INSUFFICIENT_EVIDENCE, "the canary has no traffic yet")
    if facts.step_seconds < step.min_duration_seconds:
        left = step.min_duration_seconds - facts.step_seconds
        return Finding(Reason.INSUFFICIENT_EVIDENCE, f"`minDuration` ends in {left:.0f} s")
    if facts.observes:
        return None
    looms = harm_looms(facts)
    undecided = overall is Overall.NOT_ENOUGH or (overall is Overall.NO_HARM and step.last) or looms
    if not undecided:
        return None
    late = facts.step_seconds >= step.max_duration_seconds
    if late and facts.on_deadline is OnEvent.PROMOTE:
        return None
    sentence = facts.judgement.sentence if facts.judgement else ""
    if looms and not step.last and facts.judgement is not None:
        sentence = (
            f"no harm shown yet, and evidence of it at {facts.judgement.harm_ratio:.2f} of 1: the "
            "canary gets no more requests before that is settled"
        )
    return Finding(
        Reason.INSUFFICIENT_EVIDENCE, f"`maxDuration` is over; {sentence}" if late else sentence
    )


def harm_looms(facts: RolloutFacts) -> bool:
    """Whether so much speaks for harm that a middle analysis doesn't go on to a higher weight.

    One round never decides, however bad: without this a dead canary would pass its first analysis
    with the round after which the next one rolls it back.
    """
    found = facts.judgement
    return (
        found is not None
        and found.overall is Overall.NO_HARM
        and found.harm_ratio >= LOOMING_HARM_RATIO
    )


def outside_promotion_window(facts: RolloutFacts) -> Finding | None:
    """No window of `strategy.promotionWindows` is open. A person's word needs none."""
    if facts.window_closed is None:
        return None
    opens_at = facts.window_closed.opens_at
    until = "a time zone of `strategy.promotionWindows` isn't known here"
    if opens_at is not None:
        until = f"it waits until {format_time(opens_at)}, when a promotion window opens"
    message = f"{facts.name} may be promoted: {until}; `kubectl serinus promote` doesn't wait"
    return Finding(Reason.OUTSIDE_PROMOTION_WINDOW, message)


def waiting_for_confirmation(facts: RolloutFacts) -> Finding | None:
    """A hook of `strategy.hooks` hasn't said yes. A person's word needs none."""
    missing = unconfirmed(facts.hooks)
    if not missing:
        return None
    told = "; ".join(said(one) for one in missing)
    message = (
        f"{facts.name} may be promoted and waits for a yes: {told}. "
        "`kubectl serinus promote` doesn't wait"
    )
    return Finding(Reason.WAITING_FOR_CONFIRMATION, message)


HOLD_RULES: tuple[Rule[RolloutFacts], ...] = (  # the first match wins
    paused_by_user,
    paused_by_evidence,
    suspended,
    waiting_for_model_version,
    gateway_api_missing,
    route_not_accepted,
    waiting_for_pods,
    metrics_unavailable,
    no_data,
    sample_ratio_mismatch,
    paused_by_step,
    insufficient_evidence,
)

HOLDS_OF_A_PROMOTION: tuple[Rule[RolloutFacts], ...] = (
    paused_by_user,
    suspended,
    waiting_for_model_version,
    gateway_api_missing,
    route_not_accepted,
)
"""What holds a promotion that is decided: people's words, and a gateway that would not follow.

The evidence was there already.
"""

HOLDS_OF_A_PROMOTE: tuple[Rule[RolloutFacts], ...] = (
    suspended,
    waiting_for_model_version,
    gateway_api_missing,
    route_not_accepted,
    waiting_for_first_pod,
)
"""Why a person's `promote` is refused: what the spec says, and what can't be done."""

HOLDS_BEFORE_A_PROMOTION: tuple[Rule[RolloutFacts], ...] = (
    outside_promotion_window,
    waiting_for_confirmation,  # asked when nothing else holds
)
"""What holds a promotion that would be decided now, all steps being over."""

_NOTHING_IS_LEARNED: tuple[Rule[RolloutFacts], ...] = (
    paused_by_user,
    paused_by_evidence,
    suspended,
    waiting_for_model_version,
    gateway_api_missing,
    route_not_accepted,
    waiting_for_pods,
    metrics_unavailable,
    no_data,
    sample_ratio_mismatch,
)


def clock_stands_still(facts: RolloutFacts) -> bool:
    """Whether the step doesn't get older, whichever reason to hold is told."""
    return is_behind(facts) or first_match(_NOTHING_IS_LEARNED, facts) is not None


def is_behind(facts: RolloutFacts) -> bool:
    """Whether samples are there that weren't read yet, as after an outage; observers don't wait."""
    return facts.overall is Overall.BEHIND and not facts.observes


def waits_without_end(facts: RolloutFacts, reason: Reason) -> bool:
    """Whether a hold for this reason is one that people should look at (phase Paused)."""
    match reason:
        case Reason.WAITING_FOR_PODS:
            return facts.pods.waiting_seconds >= facts.progress_deadline_seconds
        case Reason.WAITING_FOR_CONFIRMATION:
            return any(one.answer is not None for one in unconfirmed(facts.hooks))
        case Reason.PAUSED_BY_STEP:
            return isinstance(facts.step, Pause) and facts.step.duration_seconds is None
        case Reason.INSUFFICIENT_EVIDENCE:
            step = facts.step
            late = isinstance(step, Analyze) and facts.step_seconds >= step.max_duration_seconds
            return late and not is_behind(facts)
        case _:
            return True


def paused_by(facts: RolloutFacts, reason: Reason) -> str | None:
    """The field of the spec by which this hold lasts until a person resumes; None: no field."""
    if reason is Reason.NO_DATA and facts.on_no_data is OnEvent.PAUSE:
        return "analysis.onNoData"
    if reason is Reason.METRICS_UNAVAILABLE and facts.on_provider_error is OnEvent.PAUSE:
        return "analysis.onProviderError"
    return None
