"""Every reason for which a rollout that the spec asks for doesn't begin.

Nothing that runs is touched meanwhile. The name of a rule is that of its `Reason`.
"""

from __future__ import annotations

from dataclasses import dataclass

from serinus.api.deployment_status import RejectedRevision
from serinus.api.enums import Reason
from serinus.rollout.facts import Finding, Rule, first_match


@dataclass(frozen=True, slots=True)
class StartFacts:
    """A revision that the spec asks for and that doesn't run.

    Attributes
    ----------
    first
        Nothing serves that it could be compared with.
    spec_problem, name_conflict
        What is wrong with the spec, and whose name is taken; None when nothing.
    template_problem
        Why a metric's template of the library can't be used; None when all can.
    gateway_missing
        What the spec asks for that the cluster lacks, and what to do; None when it lacks nothing.
    online_missing
        Which FeatureSet has no values to be looked up yet; None when all have, or none is named.
    provider_problem
        Why the metrics provider can't be asked; None when it answers or isn't needed.
    rejected
        The record of its rejection; None when it wasn't rejected.
    """

    revision: str
    model_version: str
    replicas: int
    first: bool
    spec_problem: str | None = None
    template_problem: str | None = None
    name_conflict: str | None = None
    gateway_missing: str | None = None
    online_missing: str | None = None
    suspended: bool = False
    rejected: RejectedRevision | None = None
    provider_problem: str | None = None


def invalid_spec(facts: StartFacts) -> Finding | None:
    """The spec says something that can't be done."""
    return Finding(Reason.INVALID_SPEC, facts.spec_problem) if facts.spec_problem else None


def metric_template_unusable(facts: StartFacts) -> Finding | None:
    """A metric refers to a template that isn't there, or can't be used as it stands."""
    if facts.template_problem is None:
        return None
    return Finding(Reason.METRIC_TEMPLATE_UNUSABLE, facts.template_problem)


def name_conflict(facts: StartFacts) -> Finding | None:
    """An object that isn't ours has a name that the revision needs."""
    return Finding(Reason.NAME_CONFLICT, facts.name_conflict) if facts.name_conflict else None


def gateway_api_missing(facts: StartFacts) -> Finding | None:
    """The spec asks for a gateway, and the cluster doesn't know HTTPRoutes."""
    if facts.gateway_missing is None:
        return None
    return Finding(Reason.GATEWAY_API_MISSING, facts.gateway_missing)


def scaled_to_zero(facts: StartFacts) -> Finding | None:
    """There are no pods to release to."""
    if facts.replicas > 0:
        return None
    return Finding(Reason.SCALED_TO_ZERO, "`spec.replicas` is 0")


def suspended(facts: StartFacts) -> Finding | None:
    """`spec.suspend` is true."""
    if not facts.suspended:
        return None
    message = f"`spec.suspend` is true; revision {facts.revision} waits"
    return Finding(Reason.SUSPENDED, message)


def revision_rejected_before(facts: StartFacts) -> Finding | None:
    """The revision was rejected: the same bytes get no second try by themselves."""
    if facts.rejected is None:
        return None
    message = (
        f"revision {facts.revision} ({facts.model_version}) was rejected at {facts.rejected.at} "
        f"({facts.rejected.reason}): {facts.rejected.message}. "
        "`kubectl serinus retry` tries it again"
    )
    return Finding(Reason.REVISION_REJECTED_BEFORE, message)


def waiting_for_online_table(facts: StartFacts) -> Finding | None:
    """A FeatureSet has no values to look up: pods would start again and again until it has."""
    if facts.online_missing is None:
        return None
    return Finding(Reason.WAITING_FOR_ONLINE_TABLE, facts.online_missing)


def metrics_unavailable(facts: StartFacts) -> Finding | None:
    """The canary couldn't be watched, so not even its first pod starts."""
    if facts.first or facts.provider_problem is None:
        return None
    message = f"the rollout waits, because it couldn't be watched: {facts.provider_problem}"
    return Finding(Reason.METRICS_UNAVAILABLE, message)


START_RULES: tuple[Rule[StartFacts], ...] = (  # the first match wins
    invalid_spec,
    metric_template_unusable,
    name_conflict,
    gateway_api_missing,
    scaled_to_zero,
    suspended,
    revision_rejected_before,
    waiting_for_online_table,
    metrics_unavailable,
)


def why_not_started(facts: StartFacts) -> Finding | None:
    """Why the rollout doesn't begin; None when it may."""
    return first_match(START_RULES, facts)
