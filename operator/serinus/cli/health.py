"""Is it well? The answer of `status`, and the word and colour of each line."""

from __future__ import annotations

from enum import StrEnum

from serinus.api.enums import ConditionType, Phase
from serinus.cli.errors import ExitCode
from serinus.cli.objects import Resource


class Health(StrEnum):
    """What kstatus would say, plus what a person has to look at."""

    GOOD = "good"
    """It does what it is for."""
    ON_ITS_WAY = "on its way"
    """The operator works towards the spec."""
    WAITING = "waiting"
    """It waits for a person, or for evidence."""
    BAD = "bad"
    """It failed, or makes no progress without a change by a person."""


EXIT_CODES = {
    Health.GOOD: ExitCode.OK,
    Health.ON_ITS_WAY: ExitCode.UNSETTLED,
    Health.WAITING: ExitCode.UNSETTLED,
    Health.BAD: ExitCode.BAD,
}

_BAD_PHASES = frozenset({Phase.FAILED, Phase.REJECTED, Phase.DEGRADED})


def health(resource: Resource) -> Health:
    """How the object is; one whose spec wasn't looked at yet is on its way."""
    if resource.observed_generation < max(resource.generation, 1):
        return Health.ON_ITS_WAY
    if _is_true(resource, ConditionType.STALLED) or resource.phase in _BAD_PHASES:
        return Health.BAD
    if resource.phase == Phase.PAUSED:
        return Health.WAITING
    if _is_true(resource, ConditionType.RECONCILING):
        return Health.ON_ITS_WAY
    return Health.GOOD if _is_true(resource, ConditionType.READY) else Health.ON_ITS_WAY


def status_word(resource: Resource) -> str:
    """One word: the phase, or what conditions say where there is none."""
    if _is_true(resource, ConditionType.STALLED):
        stalled = resource.condition(ConditionType.STALLED)
        return f"Stalled={stalled.reason}" if stalled else "Stalled"
    if resource.phase:
        return resource.phase
    ready = resource.condition(ConditionType.READY)
    if ready is None:
        return "Unseen"
    return "Ready" if ready.status == "True" else "NotReady"


def _is_true(resource: Resource, type_: ConditionType) -> bool:
    found = resource.condition(type_)
    return found is not None and found.status == "True"
