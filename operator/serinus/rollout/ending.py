"""Every reason for which a rollout ends without a verdict: nobody wants its revision any more.

Nothing is rejected. The name of a rule is that of its `Reason`.
"""

from __future__ import annotations

from dataclasses import dataclass

from serinus.api.enums import Reason
from serinus.rollout.facts import Finding, Rule, first_match


@dataclass(frozen=True, slots=True)
class EndingFacts:
    """A rollout that runs, against what the spec asks for now.

    Attributes
    ----------
    stable
        None while the first revision is on its way.
    wanted
        Revision that the spec asks for; None when its model reference leads nowhere.
    rejected_version
        The ModelVersion that the revision came from, if it is rejected by now; else None.
    """

    revision: str
    replicas: int
    stable: str | None
    wanted: str | None
    rejected_version: str | None = None


def scaled_to_zero(facts: EndingFacts) -> Finding | None:
    """There are no pods to release to any more."""
    if facts.replicas > 0:
        return None
    message = f"`spec.replicas` is 0; the rollout of revision {facts.revision} ended"
    return Finding(Reason.SCALED_TO_ZERO, message)


def back_to_stable(facts: EndingFacts) -> Finding | None:
    """The spec asks for what is stable already."""
    if facts.wanted is None or facts.wanted != facts.stable:
        return None
    message = f"the spec asks for revision {facts.stable} again, which is stable"
    return Finding(Reason.BACK_TO_STABLE, message)


def rollout_superseded(facts: EndingFacts) -> Finding | None:
    """The spec asks for yet another revision."""
    if facts.wanted is None or facts.wanted == facts.revision:
        return None
    message = f"revision {facts.revision} was superseded by {facts.wanted}"
    return Finding(Reason.ROLLOUT_SUPERSEDED, message)


def model_version_rejected(facts: EndingFacts) -> Finding | None:
    """The first revision's ModelVersion was rejected while its pods started.

    Beside a stable revision it is rolled back instead (`rollback.py`).
    """
    if facts.stable is not None or facts.rejected_version is None:
        return None
    message = (
        f"ModelVersion `{facts.rejected_version}` was rejected and is never served; the rollout of "
        f"revision {facts.revision}, the first, ended"
    )
    return Finding(Reason.MODEL_VERSION_REJECTED, message)


ENDING_RULES: tuple[Rule[EndingFacts], ...] = (  # the first match wins
    scaled_to_zero,
    back_to_stable,
    rollout_superseded,
    model_version_rejected,
)


def why_ended(facts: EndingFacts) -> Finding | None:
    """Why the rollout ends; None when it goes on."""
    return first_match(ENDING_RULES, facts)
