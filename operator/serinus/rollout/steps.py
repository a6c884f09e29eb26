"""What happens in a canary, step by step, with every default spelled out.

A rollout freezes its steps when it begins, defaults included: neither an edit of the spec nor an
upgrade of the operator changes the steps of a rollout that runs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import dropwhile
from typing import Any, TypeVar

from serinus.api.ab_test import AbTest
from serinus.api.quantities import duration_seconds
from serinus.api.strategy import AnalyzeStep, BlueGreen, Canary, PauseStep, ShadowStep
from serinus.api.strategy import Step as ApiStep
from serinus.rollout.weights import Router, effect_of_weight

DEFAULT_STEP_WEIGHTS = (20, 50)
DEFAULT_MIN_SAMPLES = 50
DEFAULT_MIN_DURATION = "0s"
DEFAULT_MAX_DURATION = "30m"


@dataclass(frozen=True, slots=True)
class SetWeight:
    """Give the canary this share of the requests; over when its pods are ready and serve."""

    weight_percent: int


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait `duration_seconds`, or for a person where it is None."""

    duration_seconds: float | None


@dataclass(frozen=True, slots=True)
class Analyze:
    """Wait for evidence.

    Attributes
    ----------
    min_samples
        Canary requests of this step that are needed at least.
    last
        True for the last analysis: it demands that safety is shown, not only that harm isn't.
    """

    min_samples: int
    min_duration_seconds: float
    max_duration_seconds: float
    last: bool


@dataclass(frozen=True, slots=True)
class Shadow(Analyze):
    """Wait for evidence from stable's requests, which are mirrored: no user gets an answer.

    Attributes
    ----------
    replicas
        Pods of the shadow; None: as many as stable has.
    percent
        Share of the requests that a Gateway mirrors; None: all.
    """

    replicas: int | None = None
    percent: int | None = None


Step = SetWeight | Pause | Analyze
_Analyzing = TypeVar("_Analyzing", AnalyzeStep, ShadowStep)


def explicit_steps(canary: Canary | None) -> list[ApiStep]:
    """The steps as a user would write them with nothing left to a default."""
    if canary and canary.steps is not None:
        return [_explicit(step) for step in canary.steps]
    weights = canary.step_weights if canary and canary.step_weights else DEFAULT_STEP_WEIGHTS
    return [
        _explicit(step)
        for weight in weights
        for step in (ApiStep(set_weight=weight), ApiStep(analyze=AnalyzeStep()))
    ]


def steps_of_a_switch(switch: BlueGreen) -> list[ApiStep]:
    """What happens before a switch, in the words of a canary: evidence, then a person."""
    analysis, by_person = switch.pre_promotion_analysis, switch.auto_promotion_enabled is False
    steps = [_explicit(ApiStep(analyze=analysis))] if analysis is not None else []
    return [*steps, *([ApiStep(pause=PauseStep())] if by_person else [])]


def steps_of_a_test(test: AbTest) -> list[ApiStep]:
    """What happens in an A/B test, in the words of a canary: evidence."""
    analysis = AnalyzeStep(
        min_samples=test.min_samples, min_duration=test.min_duration, max_duration=test.max_duration
    )
    return [_explicit(ApiStep(analyze=analysis))]


def _explicit(step: ApiStep) -> ApiStep:
    if step.shadow is not None:
        return ApiStep(shadow=_with_bounds(step.shadow))
    if step.analyze is not None:
        return ApiStep(analyze=_with_bounds(step.analyze))
    return step


def _with_bounds(given: _Analyzing) -> _Analyzing:
    """The step with nothing left to a default of how long and on how much."""
    return given.model_copy(
        update={
            "min_samples": given.min_samples or DEFAULT_MIN_SAMPLES,
            "min_duration": given.min_duration or DEFAULT_MIN_DURATION,
            "max_duration": given.max_duration or DEFAULT_MAX_DURATION,
        }
    )


def parsed_steps(steps: list[ApiStep]) -> tuple[Step, ...]:
    """Explicit steps as the rules read them."""
    analyses = [index for index, step in enumerate(steps) if step.analyze is not None]
    last = analyses[-1] if analyses else None
    return tuple(_parsed(step, last=index == last) for index, step in enumerate(steps))


def _parsed(step: ApiStep, *, last: bool) -> Step:
    if step.set_weight is not None:
        return SetWeight(step.set_weight)
    if step.shadow is not None:
        shadow = step.shadow
        return Shadow(
            **_bounds(shadow), last=False, replicas=shadow.replicas, percent=shadow.percent
        )
    if step.analyze is not None:
        return Analyze(**_bounds(step.analyze), last=last)
    pause = step.pause or PauseStep()
    return Pause(duration_seconds(pause.duration) if pause.duration else None)


def _bounds(given: AnalyzeStep | ShadowStep) -> dict[str, Any]:
    return {
        "min_samples": given.min_samples or DEFAULT_MIN_SAMPLES,
        "min_duration_seconds": duration_seconds(given.min_duration or DEFAULT_MIN_DURATION),
        "max_duration_seconds": duration_seconds(given.max_duration or DEFAULT_MAX_DURATION),
    }


def weight_percent_at(steps: tuple[Step, ...], index: int) -> int:
    """Percent of requests that the canary has at step `index`; 0 before the first weight."""
    weights = [step.weight_percent for step in steps[: index + 1] if isinstance(step, SetWeight)]
    return weights[-1] if weights else 0


def following_index(
    steps: tuple[Step, ...], index: int, stable_replicas: int, router: Router = Router.REPLICAS
) -> int:
    """Index of the step that comes after `index`; `len(steps)` when none does.

    Steps that whole pods can't tell apart become one: a weight that would change no pod is left
    out, and so is an analysis before it, where a later one beside the same pods asks for as much.
    A gateway tells all weights apart.
    """

    def effect(weight_percent: int) -> int:
        return effect_of_weight(router, stable_replicas, weight_percent)

    now = effect(weight_percent_at(steps, index))
    following = index + 1
    while following < len(steps) and _changes_nothing(steps[following:], effect, now):
        following += 1
    return following


def steps_taken(
    steps: tuple[Step, ...], stable_replicas: int, router: Router = Router.REPLICAS
) -> tuple[Step, ...]:
    """The steps of a rollout beside a number of pods that stays, without those left out."""
    taken, index = [], 0
    while index < len(steps):
        taken.append(steps[index])
        index = following_index(steps, index, stable_replicas, router)
    return tuple(taken)


def _changes_nothing(steps: tuple[Step, ...], effect: Callable[[int], int], now: int) -> bool:
    """Whether the first of `steps` may be left out where a weight with the effect `now` is set."""

    def is_same_weight(step: Step) -> bool:
        if not isinstance(step, SetWeight):
            return False
        return effect(step.weight_percent) == now

    first, rest = steps[0], steps[1:]
    if not isinstance(first, Analyze):
        return is_same_weight(first)
    after = tuple(dropwhile(is_same_weight, rest))
    if len(after) == len(rest) or not after or not isinstance(after[0], Analyze):
        return False
    later = after[0]
    asks_for_as_much = later.min_samples >= first.min_samples
    return asks_for_as_much and later.min_duration_seconds >= first.min_duration_seconds


def described(step: Step) -> str:
    """The step in a word or two, for messages."""
    match step:
        case SetWeight(weight_percent=weight):
            return f"setWeight {weight}"
        case Pause():
            return "pause"
        case Shadow(percent=None):
            return "shadow"
        case Shadow(percent=percent):
            return f"shadow {percent} %"
        case Analyze():
            return "analyze"
