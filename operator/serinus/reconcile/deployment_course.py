"""What happens to a Deployment in one pass: the next status, before anything is done about it.

The rules themselves are in `rollout/`; this module brings facts to them and writes down what they
answer. At most one thing happens a pass, so that each is in status before the next.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import assert_never

from serinus.analysis.advance import AnalysisOutcome
from serinus.api.analysis import Analysis
from serinus.api.conditions import format_micro_time
from serinus.api.deployment import DeploymentSpec
from serinus.api.deployment_status import CanaryStatus, DeploymentStatus
from serinus.api.enums import AnalysisMode, Reason, Verb
from serinus.reconcile.decision import Event
from serinus.reconcile.deployment_ab_test import announced, with_exposures
from serinus.reconcile.deployment_analysis import (
    canary_requests,
    provider_problem,
    told_of,
    with_answers,
)
from serinus.reconcile.deployment_first_check import check_begun, judged_first, told_of_check
from serinus.reconcile.deployment_hooks import hook_facts, hooks_asked
from serinus.reconcile.deployment_picture import Picture
from serinus.reconcile.deployment_promoted import judged_after_promotion
from serinus.reconcile.deployment_requests import AskedFor, answered, asked_for
from serinus.reconcile.deployment_rollout_facts import (
    canary_pods,
    ending_facts,
    may_get_traffic,
    may_return,
    reference_problem,
    rollout_facts,
    start_facts,
    wanted_canary_replicas,
)
from serinus.reconcile.deployment_router import routed_weight, served_weight, stable_requests
from serinus.reconcile.deployment_rules import FrozenRules, frozen_rules, parsed_rules
from serinus.reconcile.deployment_transition import (
    Changed,
    canary_started,
    first_revision_started,
    held,
    moved_on,
    observed,
    promoted,
    promoting,
    return_started,
    rolled_back,
    rollout_ended,
    with_pods_seen,
    withdrawn,
)
from serinus.reconcile.model_reference import Unresolved
from serinus.rollout.advance import (
    FinishPromotion,
    Hold,
    Promote,
    RollBack,
    StartStep,
    Transition,
    Withdraw,
    advance,
)
from serinus.rollout.ending import why_ended
from serinus.rollout.facts import Finding
from serinus.rollout.hooks import asking_for_rollback
from serinus.rollout.launch import launch
from serinus.rollout.rollback import would_have_rolled_back
from serinus.rollout.start import StartFacts, why_not_started
from serinus.rollout.weights import Router, actual_weight_percent

_RULES_LOST = Finding(
    Reason.ROLLOUT_SUPERSEDED, "the frozen rules of the rollout can't be read; it starts over"
)
_STILLBORN = Finding(
    Reason.ROLLOUT_SUPERSEDED, "the revision's model was gone before its record was written"
)


@dataclass(frozen=True, slots=True)
class Course:
    """Where things go.

    Attributes
    ----------
    status
        The next status, without conditions, phase and message.
    moved
        Whether something happened that the next pass should go on from at once.
    hold
        Why nothing moves; None when all is as it should be, or when something happened.
    transition
        What the rules of the rollout answered; None when no rollout runs.
    outcome
        What the analysis said; None when none ran.
    observed
        What evidence that only observes would have rolled back for; None when for nothing.
    """

    status: DeploymentStatus
    moved: bool = False
    hold: Hold | None = None
    events: tuple[Event, ...] = ()
    transition: Transition | None = None
    outcome: AnalysisOutcome | None = None
    observed: Finding | None = None


def course(picture: Picture, now: datetime) -> Course:
    """The next status and why."""
    asked = asked_for(picture, now)
    canary = asked.status.canary
    if canary is None:
        found = _without_canary(picture, asked.status, now)
    elif asked.status.stable is None:
        found = _first_revision(picture, asked.status, canary, now)
    else:
        found = _canary_beside_stable(picture, asked, canary, now)
    if asked.pending is None:
        return found
    status, events = answered(
        asked,
        found.status,
        found.transition,
        vouched_since=picture.vouched_since,
        overtaken_by=found.hold.because.message if found.hold else "something else came first",
        now=now,
    )
    return replace(found, status=status, moved=True, events=(*found.events, *events))


def with_actual_weight(picture: Picture, found: Course, now: datetime) -> Course:
    """The course with the share of requests that the canary is to get, and the one that it got."""
    canary = found.status.canary
    if canary is None:
        return found
    weight = canary.weight
    if picture.router is Router.GATEWAY_API and found.status.stable is not None:
        weight = routed_weight(picture, canary, now)
    elif found.status.stable is not None:
        pods = wanted_canary_replicas(picture.replicas, canary)
        serving = canary.traffic_started_at is not None
        users = serving and not canary.is_hidden
        weight = actual_weight_percent(picture.replicas, pods) if users else 0
    served = served_weight(canary, found.outcome.verdicts) if found.outcome else None
    served = None if canary.is_hidden and canary.ab_test is None else served
    updated = canary.model_copy(update={"actual_weight": weight, "served_weight": served})
    return replace(found, status=found.status.model_copy(update={"canary": updated}))


def would_start(picture: Picture, now: datetime) -> bool:
    """Whether a canary with metrics would begin if the metrics provider answered."""
    status = asked_for(picture, now).status
    if status.canary is not None or picture.wanted is None or _is_settled(picture, status):
        return False
    facts = start_facts(picture, status, provider=None)
    return not facts.first and why_not_started(facts) is None and _evidence_decides(picture)


def ends_whatever_metrics_say(picture: Picture, now: datetime) -> bool:
    """Whether a person's or a hook's word ends it in this pass: nobody should wait for answers."""
    asked, canary = asked_for(picture, now), picture.status.canary
    if canary is None:
        return False
    if asked.rollout is not None and asked.rollout.verb is Verb.ABORT:
        return True
    hooks = hook_facts(canary, picture.rules.hooks, picture.hooks) if picture.rules else ()
    if asking_for_rollback(hooks) is not None:
        return True
    stable = picture.status.stable.revision if picture.status.stable else None
    return why_ended(ending_facts(picture, canary, stable=stable)) is not None


def _without_canary(picture: Picture, status: DeploymentStatus, now: datetime) -> Course:
    judged = judged_after_promotion(picture, status, now)
    if judged.moved or judged.waits:
        hold = _waiting(judged.waits) if judged.waits else None
        return Course(judged.status, moved=judged.moved, hold=hold, events=judged.events)
    first = judged_first(picture, judged.status, now)
    told = (*judged.events, *first.events)
    if first.moved:
        return Course(first.status, moved=True, events=told)
    return _told_too(_settled_or_started(picture, first.status, now), told)


def _settled_or_started(picture: Picture, status: DeploymentStatus, now: datetime) -> Course:
    resolution, wanted = picture.resolution, picture.wanted
    if wanted is None:
        assert isinstance(resolution, Unresolved)
        return Course(status, hold=_waiting(Finding(resolution.reason, resolution.message)))
    if _is_settled(picture, status):
        return Course(status)
    problem = provider_problem(picture.samples)
    facts = start_facts(picture, status, provider=problem)
    returning = may_return(picture, status, wanted.revision)
    if returning:
        facts = _on_the_way_back(facts, picture)
    elif facts.spec_problem is None and not _evidence_decides(picture):
        facts = replace(facts, provider_problem=None)
    if because := why_not_started(facts):
        return Course(status, hold=_waiting(because))
    if facts.first:
        started = first_revision_started(status, wanted, picture.wanted_version, now)
    elif returning:
        rules = _rules_of_a_return(picture.spec)
        started = return_started(status, wanted, picture.wanted_version, rules, now)
    else:
        rules = frozen_rules(picture.spec, picture.counters)
        started = canary_started(status, wanted, picture.wanted_version, rules, now)
    return _happened(started)


def _on_the_way_back(facts: StartFacts, picture: Picture) -> StartFacts:
    """Nothing is measured on it and nobody asked: what is wrong with that doesn't close it."""
    return replace(
        facts,
        spec_problem=picture.reading_problem,
        provider_problem=None,
        template_problem=None,
        online_missing=None,
    )


def _rules_of_a_return(spec: DeploymentSpec) -> FrozenRules:
    """None that decide: those of the spec may be damaged, and then nothing could go by them."""
    nothing = {"strategy": None, "analysis": Analysis(metrics=[])}
    return frozen_rules(spec.model_copy(update=nothing))


def _is_settled(picture: Picture, status: DeploymentStatus) -> bool:
    stable, wanted = status.stable, picture.wanted
    return stable is not None and wanted is not None and stable.revision == wanted.revision


def _evidence_decides(picture: Picture) -> bool:
    rules = parsed_rules(frozen_rules(picture.spec))
    return bool(rules.analysis.metrics) and rules.mode is not AnalysisMode.OBSERVE


def _waiting(because: Finding) -> Hold:
    looked_at = because.reason in (Reason.SUSPENDED, Reason.METRICS_UNAVAILABLE)
    return Hold(because, clock_stands_still=False, waits_without_end=looked_at)


def _first_revision(
    picture: Picture, status: DeploymentStatus, canary: CanaryStatus, now: datetime
) -> Course:
    if because := why_ended(ending_facts(picture, canary, stable=None)):
        return _happened(rollout_ended(status, canary, because, now))
    if _is_stillborn(picture, canary):
        return _happened(rollout_ended(status, canary, _STILLBORN, now))
    pods = canary_pods(picture, canary, wanted=picture.replicas, now=now)
    seen = with_pods_seen(canary, pods, now)
    name = f"revision {canary.revision} ({canary.model_version})"
    deadline = picture.progress_deadline_seconds
    transition = launch(
        name,
        pods,
        progress_deadline_seconds=deadline,
        reference_problem=reference_problem(picture, canary),
    )
    with_seen = status.model_copy(update={"canary": seen})
    return _carried_out(picture, AskedFor(with_seen), seen, transition, None, now)


def _canary_beside_stable(
    picture: Picture, asked: AskedFor, canary: CanaryStatus, now: datetime
) -> Course:
    status = asked.status
    if picture.rules is None:  # never a reason to go on without rules
        return _happened(rollout_ended(status, canary, _RULES_LOST, now))
    if _is_stillborn(picture, canary):
        return _happened(rollout_ended(status, canary, _STILLBORN, now))
    canary = with_answers(canary, picture.rules, picture.samples, now)
    status = status.model_copy(update={"canary": canary})
    outcome = _outcome(picture, status, now)
    status, alarming = told_of(status, outcome)
    canary = with_exposures(picture, canary)
    facts = rollout_facts(picture, status, canary, asked.rollout, outcome, now)
    transition = advance(facts)
    would_have = would_have_rolled_back(facts)
    if would_have is not None:
        noted = observed(status, canary, would_have, now)
        status, alarming = noted.status, (*alarming, *noted.events)
    stable = status.stable.revision if status.stable else None
    ending = why_ended(ending_facts(picture, canary, stable=stable))
    if ending and not isinstance(transition, RollBack):  # harm is harm, whoever overtakes it
        ended = rollout_ended(status, canary, ending, now)
        return _told_too(_happened(ended, outcome=outcome), alarming)
    seen = with_pods_seen(canary, facts.pods, now)
    asked_now = hooks_asked(canary, facts.hooks, transition, now)
    seen = seen.model_copy(update={"hooks": asked_now})
    seen = announced(picture, status, seen, facts.pods, now)
    if may_get_traffic(picture, status, seen, facts.pods, now):
        seen = seen.model_copy(update={"traffic_started_at": format_micro_time(now)})
    changed = replace(asked, status=status.model_copy(update={"canary": seen}))
    found = _carried_out(picture, changed, seen, transition, outcome, now)
    return _told_too(replace(found, observed=would_have), alarming)


def _told_too(found: Course, events: tuple[Event, ...]) -> Course:
    return replace(found, events=(*found.events, *events)) if events else found


def _is_stillborn(picture: Picture, canary: CanaryStatus) -> bool:
    """Whether the model was gone before the revision's record was written."""
    known = picture.record(canary.revision) or picture.seen.workloads.get(canary.revision)
    return known is None


def _outcome(picture: Picture, status: DeploymentStatus, now: datetime) -> AnalysisOutcome | None:
    analysis = picture.analysis_in(status)
    return analysis.outcome(picture.samples, now) if analysis else None


def _carried_out(
    picture: Picture,
    asked: AskedFor,
    canary: CanaryStatus,
    transition: Transition,
    outcome: AnalysisOutcome | None,
    now: datetime,
) -> Course:
    """The status in which the transition has happened."""
    status, rules = asked.status, picture.rules
    actor = asked.rollout.actor if asked.rollout else ""
    match transition:
        case Hold():
            kept = held(status, canary, transition, now=now)
            return Course(
                kept.status,
                hold=transition,
                events=kept.events,
                transition=transition,
                outcome=outcome,
            )
        case RollBack(because=because, by=by_hook):
            by = actor if because.reason is Reason.ABORTED_BY_USER else by_hook
            changed = rolled_back(status, canary, because, by, now)
        case Withdraw(because=because):
            changed = withdrawn(status, canary, because, now)
        case StartStep(index=index, because=because):
            requests = canary_requests(outcome.verdicts) if outcome else canary.samples_before
            beside = stable_requests(outcome.verdicts) if outcome else canary.stable_samples_before
            canary = canary.model_copy(update={"stable_samples_before": beside})
            steps = rules.steps if rules else ()
            changed = moved_on(
                status, canary, index, because, steps=steps, requests=requests, now=now
            )
        case Promote(because=because, by=by_hook):
            by = actor if because.reason is Reason.PROMOTED_BY_USER else by_hook
            changed = promoting(status, canary, because, by, now)
        case FinishPromotion(because=because):
            changed = _promoted(picture, status, canary, because, now)
        case _:
            assert_never(transition)
    return _happened(changed, transition=transition, outcome=outcome)


def _promoted(
    picture: Picture,
    status: DeploymentStatus,
    canary: CanaryStatus,
    because: Finding,
    now: datetime,
) -> Changed:
    if because.reason is not Reason.FIRST_REVISION:
        return promoted(status, canary, because, now)
    check = check_begun(picture, now)
    told = told_of_check(picture, because, check)
    return promoted(status, canary, told, now, first_check=check)


def _happened(
    changed: Changed,
    *,
    transition: Transition | None = None,
    outcome: AnalysisOutcome | None = None,
) -> Course:
    return Course(
        changed.status,
        moved=True,
        events=changed.events,
        transition=transition,
        outcome=outcome,
    )
