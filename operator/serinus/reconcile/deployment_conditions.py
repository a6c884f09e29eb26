"""What people and tools read of a Deployment: conditions as kstatus has them, phase, message."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from serinus.api.conditions import Condition, condition
from serinus.api.deployment_status import CanaryStatus, DeploymentStatus, FirstCheckStatus
from serinus.api.enums import ConditionType, Phase, Reason
from serinus.api.strategy import REPLICA_WEIGHT_MAX_PERCENT
from serinus.manifests.naming import preview_service_name
from serinus.reconcile.deployment_autoscaler import AutoscalerFacts
from serinus.reconcile.deployment_course import Course
from serinus.reconcile.deployment_picture import Picture
from serinus.reconcile.deployment_post_promotion import judged_as_canary
from serinus.reconcile.deployment_router import route_condition
from serinus.reconcile.deployment_rules import frozen_rules, rules_hash
from serinus.reconcile.deployment_transition import WOULD_HAVE_ROLLED_BACK
from serinus.reconcile.metric_templates import refers_to_library
from serinus.reconcile.model_reference import Unresolved
from serinus.rollout.advance import RollBack, Transition
from serinus.rollout.facts import Finding
from serinus.rollout.weights import (
    Router,
    actual_weight_percent,
    canary_replicas,
    replicas_for_exact_weight,
)

_STALLING = frozenset(
    {
        Reason.INVALID_SPEC,
        Reason.METRIC_TEMPLATE_UNUSABLE,
        Reason.NAME_CONFLICT,
        Reason.ALIAS_CONFLICT,
        Reason.MODEL_VERSION_REJECTED,
        Reason.REVISION_REJECTED_BEFORE,
        Reason.PROGRESS_DEADLINE_EXCEEDED,
        Reason.GATEWAY_API_MISSING,
    }
)
_SERVES_ALL_THE_SAME = frozenset({Reason.MODEL_VERSION_NOT_FOUND, Reason.CHANNEL_EMPTY})


@dataclass(frozen=True, slots=True)
class Standing:
    """How the Deployment stands, all told.

    Attributes
    ----------
    stalled
        Why nothing goes on without a person; None when it does, or is done.
    reconciling
        What is being worked on or waited for; None when nothing is.
    paused
        Whether the wait has no end of its own.
    """

    stalled: Finding | None
    reconciling: Finding | None
    paused: bool
    message: str

    @property
    def phase(self) -> Phase:
        """One word for people."""
        if self.stalled:
            return Phase.DEGRADED
        if self.paused:
            return Phase.PAUSED
        return Phase.PROGRESSING if self.reconciling else Phase.HEALTHY


def standing(picture: Picture, found: Course) -> Standing:
    """How the Deployment stands after this pass."""
    status = found.status
    hold = found.hold.because if found.hold else None
    stalled = _stalled(picture, found, hold)
    reconciling = None if stalled else _reconciling(picture, status, hold)
    message = _message(picture, status, stalled or reconciling, found.observed)
    paused = found.hold is not None and found.hold.waits_without_end and stalled is None
    return Standing(stalled, reconciling, paused, message)


def conditions(picture: Picture, found: Course, how: Standing) -> list[Condition]:
    """All conditions, without times."""
    return [*_conditions(picture, found.status, how)]


def _conditions(picture: Picture, status: DeploymentStatus, how: Standing) -> Iterator[Condition]:
    if how.stalled:
        yield condition(ConditionType.READY, False, how.stalled.reason, how.stalled.message)
        yield condition(ConditionType.STALLED, True, how.stalled.reason, how.stalled.message)
    elif how.reconciling:
        reason, message = how.reconciling.reason, how.reconciling.message
        yield condition(ConditionType.READY, None, reason, message)
        yield condition(ConditionType.RECONCILING, True, reason, message)
    else:
        reason = Reason.SUCCEEDED if picture.replicas else Reason.SCALED_TO_ZERO
        yield condition(ConditionType.READY, True, reason, how.message)
    yield _available(picture, status)
    yield _promoted(picture, status, how)
    yield _model_resolved(picture)
    if status.canary and status.stable and picture.router is Router.REPLICAS:
        yield _weight_approximated(picture, status.canary)
    if (routed := route_condition(picture)) is not None:
        yield routed
    if picture.spec.autoscaling and picture.seen.autoscaler:
        yield _scaling_active(picture.seen.autoscaler)
    if picture.settings.store.access_mode == "ReadWriteOnce":
        yield condition(
            ConditionType.STORE_SHARED,
            False,
            Reason.SINGLE_NODE,
            "the store can be mounted on one node only; all pods are kept there",
        )


def _stalled(picture: Picture, found: Course, hold: Finding | None) -> Finding | None:
    if picture.spec_problem:
        return Finding(Reason.INVALID_SPEC, picture.spec_problem)
    roles = (found.status.canary, found.status.stable)
    if taken := picture.name_conflict(*(role.revision for role in roles if role)):
        return Finding(Reason.NAME_CONFLICT, taken)
    if missing := picture.gateway_missing:
        return Finding(Reason.GATEWAY_API_MISSING, missing)
    if (way_back := _on_the_way_back(found.status, hold)) is not None:
        return way_back
    resolution = picture.resolution
    if isinstance(resolution, Unresolved) and resolution.needs_a_person:
        return Finding(resolution.reason, resolution.message)
    if (harm := _first_is_harmful(picture, found.status)) is not None:
        return harm
    if rejected := _just_rejected(picture, found.transition):
        return rejected
    return hold if hold and hold.reason in _STALLING else None


def _on_the_way_back(status: DeploymentStatus, hold: Finding | None) -> Finding | None:
    """What was promoted is rejected, and what was stable gets its pods to take over."""
    stable, decided = status.stable, status.kept.going_back if status.kept else None
    if stable is None or decided is None:
        return None
    message = hold.message if hold else decided.message
    return Finding(Reason(decided.reason), _rejected_message(stable.revision, message))


def _first_is_harmful(picture: Picture, status: DeploymentStatus) -> Finding | None:
    """The first revision does harm, and the spec still asks for it."""
    check = status.first_check
    if check is None or check.harm is None or not picture.replicas:
        return None
    if not _is_promoted(picture, status):
        return None
    message = (
        f"{check.harm.message}. Release another version; `kubectl serinus promote` accepts this one"
    )
    return Finding(Reason(check.harm.reason), message)


def _is_promoted(picture: Picture, status: DeploymentStatus) -> bool:
    stable, wanted = status.stable, picture.wanted
    return stable is not None and wanted is not None and stable.revision == wanted.revision


def _just_rejected(picture: Picture, transition: Transition | None) -> Finding | None:
    """Why the revision was rejected: told until the spec asks for something else."""
    wanted = picture.wanted.revision if picture.wanted else None
    canary = picture.status.canary
    if isinstance(transition, RollBack) and canary and canary.revision == wanted:
        because = transition.because
        return Finding(because.reason, _rejected_message(canary.revision, because.message))
    if picture.status.update_revision != wanted:
        return None
    reasons = [one.reason for one in picture.status.conditions if one.type == ConditionType.STALLED]
    for record in picture.status.rejected_revisions:
        if record.revision == wanted and record.reason in reasons:
            message = _rejected_message(record.revision, record.message)
            return Finding(Reason(record.reason), message)
    return None


def _rejected_message(revision: str, message: str) -> str:
    return (
        f"revision {revision} was rejected: {message}. Change the spec, or `kubectl serinus retry`"
    )


def _reconciling(
    picture: Picture, status: DeploymentStatus, hold: Finding | None
) -> Finding | None:
    if status.canary is not None:
        going = hold or Finding(Reason.PROGRESSING, "the rollout goes on")
        return _with_pods_reason(picture, status.canary.revision, going)
    stable, wanted = status.stable, picture.wanted
    if wanted is None and hold is not None:
        if not stable or hold.reason not in _SERVES_ALL_THE_SAME:
            return hold
    elif wanted is not None and (stable is None or stable.revision != wanted.revision):
        waits_at_zero = hold is not None and hold.reason is Reason.SCALED_TO_ZERO
        return None if waits_at_zero else hold or Finding(Reason.PROGRESSING, "a rollout begins")
    return _missing_pods(picture, status)


def _with_pods_reason(picture: Picture, revision: str, waits: Finding) -> Finding:
    """Why pods are missing says more than that they are."""
    problem = picture.seen.first_problem(revision)
    waits_for_pods = waits.reason in (Reason.FIRST_REVISION, Reason.WAITING_FOR_PODS)
    if problem is None or not waits_for_pods or problem.reason is Reason.PROGRESSING:
        return waits
    return Finding(problem.reason, waits.message)


def _missing_pods(picture: Picture, status: DeploymentStatus) -> Finding | None:
    if status.stable is None:
        return None
    available = picture.seen.available(status.stable.revision)
    if available >= picture.replicas:
        return None
    problem = picture.seen.first_problem(status.stable.revision)
    why = f"; {problem.message}" if problem else ""
    message = f"{available} of {picture.replicas} pods of stable are ready{why}"
    return Finding(problem.reason if problem else Reason.WAITING_FOR_PODS, message)


def _available(picture: Picture, status: DeploymentStatus) -> Condition:
    type_ = ConditionType.AVAILABLE
    if picture.replicas == 0:
        return condition(type_, False, Reason.SCALED_TO_ZERO, "`spec.replicas` is 0")
    if status.stable is None:
        return condition(type_, False, Reason.FIRST_REVISION, "nothing is stable yet")
    missing = _missing_pods(picture, status)
    if missing:
        return condition(type_, False, missing.reason, missing.message)
    return condition(
        type_, True, Reason.SUCCEEDED, f"revision {status.stable.revision} serves with all its pods"
    )


def _promoted(picture: Picture, status: DeploymentStatus, how: Standing) -> Condition:
    type_, stable, wanted = ConditionType.PROMOTED, status.stable, picture.wanted
    if stable and wanted and stable.revision == wanted.revision:
        message = f"revision {stable.revision} ({stable.model_version}) is stable"
        check = status.first_check
        if check is not None and check.harm is not None:
            return condition(type_, False, Reason(check.harm.reason), check.harm.message)
        if check is not None:
            return condition(type_, None, Reason.FIRST_REVISION, f"{message}; {_judged(check)}")
        return condition(type_, True, Reason.PROMOTED, message)
    because = how.stalled or how.reconciling
    reason = because.reason if because else Reason.PROGRESSING
    message = because.message if because else ""
    return condition(type_, None if wanted is None and stable else False, reason, message)


def _model_resolved(picture: Picture) -> Condition:
    resolution = picture.resolution
    if isinstance(resolution, Unresolved):
        return condition(ConditionType.MODEL_RESOLVED, False, resolution.reason, resolution.message)
    message = f"leads to ModelVersion `{picture.wanted_version}`"
    return condition(ConditionType.MODEL_RESOLVED, True, Reason.MODEL_RESOLVED, message)


def _scaling_active(autoscaler: AutoscalerFacts) -> Condition:
    type_ = ConditionType.SCALING_ACTIVE
    if autoscaler.blind is None:
        return condition(type_, True, Reason.SUCCEEDED, "the autoscaler sets the number of pods")
    return condition(type_, False, Reason.AUTOSCALER_BLIND, autoscaler.blind)


def _weight_approximated(picture: Picture, canary: CanaryStatus) -> Condition:
    type_ = ConditionType.WEIGHT_APPROXIMATED
    pods = canary_replicas(picture.replicas, canary.weight)
    given = actual_weight_percent(picture.replicas, pods)
    if given == canary.weight or canary.promoting:
        return condition(type_, False, Reason.SUCCEEDED, "whole replicas give the weight")
    message = f"{picture.replicas} pods of stable give {given} % instead of {canary.weight} %; "
    if canary.weight > REPLICA_WEIGHT_MAX_PERCENT:
        message += "a weight above 50 needs a gateway"
    else:
        exact = replicas_for_exact_weight(canary.weight) if canary.weight else 0
        message += f"{exact} pods give it exactly"
    return condition(type_, True, Reason.WEIGHT_APPROXIMATED, message)


def _message(
    picture: Picture, status: DeploymentStatus, because: Finding | None, observed: Finding | None
) -> str:
    parts = [_where(picture, status), _judged_until(status)]
    if observed:
        parts.append(f"{WOULD_HAVE_ROLLED_BACK}: {observed.message}")
    if because:
        parts.append(because.message)
    if status.canary and _edited_since(picture, status.canary):
        parts.append(
            "strategy or analysis were edited since the rollout began; that counts for the next"
        )
    return "; ".join(part for part in parts if part)


def _judged(check: FirstCheckStatus) -> str:
    left_out = ", ".join(f"`{one}`" for one in check.not_judged)
    told = f"; not judged, as they compare with stable: {left_out}" if left_out else ""
    return f"it is the first, and judged until {check.until} by limits of its own{told}"


def _judged_until(status: DeploymentStatus) -> str:
    kept, check = status.kept, status.first_check
    if check is not None and check.harm is None and status.canary is None:
        return _judged(check)
    if kept is None or judged_as_canary(status) is None:
        return ""
    return f"it is judged until {kept.until}, {kept.revision} ({kept.model_version}) stays ready"


def _edited_since(picture: Picture, canary: CanaryStatus) -> bool:
    if not canary.rules_hash or picture.spec_problem or refers_to_library(picture.spec.analysis):
        return False  # the library isn't looked at while a rollout runs
    return rules_hash(frozen_rules(picture.spec, picture.counters)) != canary.rules_hash


def _where(picture: Picture, status: DeploymentStatus) -> str:
    stable, canary = status.stable, status.canary
    if canary and stable:
        if canary.promoting or canary.returning:
            return f"revision {canary.revision} ({canary.model_version}) is being promoted"
        if canary.preview:
            return (
                f"revision {canary.revision} ({canary.model_version}) is shown by Service "
                f"`{preview_service_name(picture.name)}` only"
            )
        if canary.shadow:
            return (
                f"revision {canary.revision} ({canary.model_version}) is a shadow: it answers "
                "mirrored requests, and nobody gets its answers"
            )
        if canary.ab_test:
            name = f"revision {canary.revision} ({canary.model_version})"
            return f"{name} is in an A/B test{_met(canary)}"
        return (
            f"canary {canary.revision} ({canary.model_version}), step {canary.step + 1} of "
            f"{canary.steps_total}, {canary.actual_weight} % of requests"
        )
    if stable and picture.replicas == 0:
        return "scaled to zero"
    if stable:
        return f"revision {stable.revision} ({stable.model_version}) serves"
    return ""


def _met(canary: CanaryStatus) -> str:
    """How many units were met in a test."""
    exposures = canary.exposures
    if exposures is None:
        return ""
    return f": {exposures.canary} units are its own, {exposures.stable} are stable's"
