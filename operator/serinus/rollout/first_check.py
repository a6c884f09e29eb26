"""The first revision once it has users' requests: does it keep the limits that are its own?

Nothing serves that it could be compared with, and nothing that could take over: harm is told, and
the revision goes on serving, because no answers are worse than some that are wrong. The name of a
rule is that of its `Reason`.
"""

from __future__ import annotations

from dataclasses import dataclass

from serinus.api.enums import AnalysisMode, Reason
from serinus.api.verdicts import Overall
from serinus.rollout.facts import Finding, Judgement


@dataclass(frozen=True, slots=True)
class FirstFacts:
    """A first revision that serves, while it is judged.

    Attributes
    ----------
    name
        How messages call it.
    judgement
        None before anything was measured.
    over
        Whether its time is over.
    """

    name: str
    mode: AnalysisMode
    judgement: Judgement | None
    over: bool = False

    @property
    def observes(self) -> bool:
        """Whether evidence is only shown and decides nothing."""
        return self.mode is AnalysisMode.OBSERVE


@dataclass(frozen=True, slots=True)
class Harmful:
    """It does harm, and goes on serving until a person does something about it."""

    because: Finding


@dataclass(frozen=True, slots=True)
class WouldBeHarmful:
    """Harm is shown, and by `analysis.mode: observe` that is all."""

    because: Finding


@dataclass(frozen=True, slots=True)
class Ended:
    """Its time is over; `because` says what was shown in it."""

    because: Finding


FirstVerdict = Harmful | WouldBeHarmful | Ended


def first_revision_harmful(facts: FirstFacts) -> Finding | None:
    """It is shown to be beyond its limits."""
    found = facts.judgement
    if found is None or found.overall not in (Overall.HARM, Overall.LIMIT_EXCEEDED):
        return None
    covered = "" if found.overall is Overall.HARM else _NOT_COVERED
    message = f"{facts.name} is the first, and goes on serving: {found.sentence}{covered}"
    return Finding(Reason.FIRST_REVISION_HARMFUL, message)


def first_revision_safe(facts: FirstFacts) -> Finding | None:
    """It is shown to keep all its limits."""
    found = facts.judgement
    if found is None or found.overall is not Overall.SAFE or facts.observes:
        return None
    message = f"{facts.name}, the first, keeps its limits: {found.sentence}"
    return Finding(Reason.FIRST_REVISION_SAFE, message)


def first_revision_unproven(facts: FirstFacts) -> Finding:
    """Its time is over, and neither harm nor safety is shown."""
    sentence = facts.judgement.sentence if facts.judgement else "nothing was measured"
    why = f"`analysis.mode` is observe. The analysis says: {sentence}"
    told = why if facts.observes else sentence
    message = f"{facts.name}, the first, is stable by readiness and time, without evidence: {told}"
    return Finding(Reason.FIRST_REVISION_UNPROVEN, message)


def first_verdict(facts: FirstFacts) -> FirstVerdict | None:
    """What is to be told of the first revision; None: nothing yet."""
    harm = first_revision_harmful(facts)
    if harm is not None and not facts.observes:
        return Harmful(harm)
    if facts.over:
        return Ended(first_revision_safe(facts) or first_revision_unproven(facts))
    return WouldBeHarmful(harm) if harm is not None else None


_NOT_COVERED = ". `falseRollbackRate` doesn't cover this reason"
