"""Status in which something has happened."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from serinus.api.conditions import format_micro_time
from serinus.api.deployment_status import CanaryStatus, DeploymentStatus, RevisionStatus
from serinus.api.enums import Reason
from serinus.reconcile.deployment_transition import (
    HISTORY_MAX,
    held,
    moved_on,
    promoted,
    promoting,
    rolled_back,
    rollout_ended,
    with_pods_seen,
)
from serinus.rollout.advance import Hold
from serinus.rollout.facts import Finding, PodFacts
from serinus.rollout.steps import Pause, SetWeight

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
STEPS = (SetWeight(20), Pause(60), SetWeight(50))


def later(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


CANARY = CanaryStatus(
    revision="c0ffee0000",
    model_version="v2",
    weight=20,
    started_at=format_micro_time(NOW),
    step_started_at=format_micro_time(NOW),
)
STATUS = DeploymentStatus(
    stable=RevisionStatus(revision="5ab1e00000", model_version="v1"), canary=CANARY
)


def hold(reason: Reason, *, still: bool = False, endless: bool = False) -> Hold:
    return Hold(Finding(reason, "why"), clock_stands_still=still, waits_without_end=endless)


def test_the_clock_that_stands_still_runs_on_where_it_stood() -> None:
    away = hold(Reason.METRICS_UNAVAILABLE, still=True)
    back = hold(Reason.INSUFFICIENT_EVIDENCE)

    frozen = held(STATUS, CANARY, away, now=later(10)).status.canary
    still = held(STATUS, frozen, away, now=later(70)).status.canary
    running = held(STATUS, still, back, now=later(70.5)).status.canary
    again = held(STATUS, running, away, now=later(80)).status.canary
    twice = held(STATUS, again, back, now=later(90)).status.canary

    assert frozen.frozen_since == still.frozen_since == format_micro_time(later(10))
    assert (running.frozen_since, running.frozen_seconds) == (None, 61)
    assert twice.frozen_seconds == 71


def test_a_new_step_begins_with_a_new_clock_and_its_own_count() -> None:
    old = CANARY.model_copy(update={"frozen_seconds": 9, "frozen_since": format_micro_time(NOW)})
    because = Finding(Reason.STEP_STARTED, "step 3")

    new = moved_on(STATUS, old, 2, because, steps=STEPS, requests=120, now=later(5)).status.canary

    assert (new.step, new.weight, new.samples_before) == (2, 50, 120)
    assert (new.frozen_seconds, new.frozen_since) == (0, None)
    assert new.step_started_at == format_micro_time(later(5))


def test_promotion_is_decided_first_and_finished_when_capacity_is_there() -> None:
    because = Finding(Reason.PROMOTED, "safe")

    decided = promoting(STATUS, CANARY, because, "", NOW).status
    finished = promoted(decided, decided.canary, because, later(30)).status

    assert decided.canary.promoting
    assert decided.stable == STATUS.stable
    assert finished.canary is None
    assert finished.stable.revision == "c0ffee0000"


def test_a_rollback_rejects_and_says_why() -> None:
    because = Finding(Reason.EVIDENCE_OF_HARM, "x" * 5000)

    status = rolled_back(STATUS, CANARY, because, "", NOW).status

    (rejected,) = status.rejected_revisions
    assert status.canary is None
    assert (rejected.revision, rejected.reason) == ("c0ffee0000", "EvidenceOfHarm")
    assert DeploymentStatus.model_validate(status.model_dump()) == status


def test_an_end_without_verdict_rejects_nothing() -> None:
    because = Finding(Reason.BACK_TO_STABLE, "the spec asks for it")

    status = rollout_ended(STATUS, CANARY, because, NOW).status

    assert status.canary is None
    assert status.rejected_revisions == []


def test_history_is_bounded_and_keeps_the_newest() -> None:
    status = STATUS
    for number in range(HISTORY_MAX + 10):
        because = Finding(Reason.ROLLOUT_SUPERSEDED, str(number))
        status = rollout_ended(status, CANARY, because, NOW).status

    assert len(status.history) == HISTORY_MAX
    assert status.history[-1].because == str(HISTORY_MAX + 9)


def test_a_hold_without_end_is_told_once_a_day_and_stands_in_the_history_once() -> None:
    waits = hold(Reason.PAUSED_BY_STEP, endless=True)

    first = held(STATUS, CANARY, waits, now=later(1))
    soon = held(first.status, CANARY, waits, now=later(3600))
    tomorrow = held(soon.status, CANARY, waits, now=later(86_402))

    assert [len(one.events) for one in (first, soon, tomorrow)] == [1, 0, 1]
    assert len(tomorrow.status.history) == 1


def test_a_hold_that_ends_by_itself_is_no_news() -> None:
    changed = held(STATUS, CANARY, hold(Reason.WAITING_FOR_PODS), now=NOW)

    assert changed.events == ()
    assert changed.status.history == []


@pytest.mark.parametrize("field", ["analysis.onNoData", None])
def test_a_hold_can_become_a_pause_that_a_person_ends(field: str | None) -> None:
    waits = replace(hold(Reason.NO_DATA, still=True), paused_by=field)

    assert held(STATUS, CANARY, waits, now=NOW).status.canary.paused_by == field


def test_pods_are_missed_from_when_they_were_missing_first() -> None:
    missing, ready = PodFacts(2, 1), PodFacts(2, 2)

    first = with_pods_seen(CANARY, missing, later(1))
    second = with_pods_seen(first, missing, later(5))
    there = with_pods_seen(second, ready, later(9))
    again = with_pods_seen(there, missing, later(20))

    assert second.pods_missing_since == format_micro_time(later(1))
    assert (there.pods_missing_since, there.ready_at) == (None, format_micro_time(later(9)))
    assert again.pods_missing_since == format_micro_time(later(20))
