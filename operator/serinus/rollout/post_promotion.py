"""After a promotion, while the way back is open: why what was promoted is taken away again.

`after_promotion` is asked in each pass. As before a promotion, what can't be measured is never
evidence, and what it answers is written into status before anything is done about it. The name of
a rule is that of its `Reason`.
"""

from __future__ import annotations

from dataclasses import dataclass

from serinus.api.enums import AnalysisMode, Reason
from serinus.api.verdicts import Overall
from serinus.rollout.facts import Finding, Judgement, Rule, first_match


@dataclass(frozen=True, slots=True)
class PromotedFacts:
    """A revision that was promoted, and the one before it, which keeps pods.

    Attributes
    ----------
    name, former
        How messages call the two.
    judgement
        None before anything was measured, and where nothing is measured any more.
    going_back
        Why the former becomes stable again, once that is decided; else None.
    available, wanted
        Ready pods of the former against those that all requests need.
    """

    name: str
    former: str
    mode: AnalysisMode
    judgement: Judgement | None
    going_back: Finding | None
    available: int
    wanted: int


@dataclass(frozen=True, slots=True)
class GoBack:
    """It is decided: bring the former revision to full size, and reject what was promoted."""

    because: Finding


@dataclass(frozen=True, slots=True)
class Restore:
    """The former revision has its pods: all traffic to it."""

    because: Finding


@dataclass(frozen=True, slots=True)
class AwaitCapacity:
    """It was decided to go back, and the former revision lacks pods."""

    because: Finding


@dataclass(frozen=True, slots=True)
class Tell:
    """Harm is shown, and `analysis.mode` leaves it to a person."""

    because: Finding


AfterPromotion = GoBack | Restore | AwaitCapacity | Tell


def evidence_of_harm(facts: PromotedFacts) -> Finding | None:
    """The evidence that it is beyond its limits crossed what alpha allows."""
    return _harm(facts, Overall.HARM, Reason.EVIDENCE_OF_HARM)


def scalar_limit_exceeded(facts: PromotedFacts) -> Finding | None:
    """A custom PromQL scalar was outside its limits more often than allowed."""
    return _harm(facts, Overall.LIMIT_EXCEEDED, Reason.SCALAR_LIMIT_EXCEEDED)


POST_PROMOTION_RULES: tuple[Rule[PromotedFacts], ...] = (  # the first match wins
    evidence_of_harm,
    scalar_limit_exceeded,
)


def after_promotion(facts: PromotedFacts) -> AfterPromotion | None:
    """What happens to what was promoted; None: it goes on serving."""
    if facts.going_back is not None:
        return _way_back(facts, facts.going_back)
    because = first_match(POST_PROMOTION_RULES, facts)
    if because is None:
        return None
    return GoBack(because) if facts.mode is AnalysisMode.AUTO else Tell(because)


def _way_back(facts: PromotedFacts, because: Finding) -> AfterPromotion:
    if facts.available >= facts.wanted:
        return Restore(because)
    waits = f"{facts.available} of {facts.wanted} pods of {facts.former} are ready to take over"
    if facts.available:
        waits = f"{waits}; `kubectl serinus abort` goes back to those at once"
    return AwaitCapacity(Finding(because.reason, f"{because.message}; {waits}"))


def _harm(facts: PromotedFacts, overall: Overall, reason: Reason) -> Finding | None:
    if facts.judgement is None or facts.judgement.overall is not overall:
        return None
    return Finding(reason, f"after the promotion of {facts.name}: {facts.judgement.sentence}")
